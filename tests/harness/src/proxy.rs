//! A proxy of the test's own: in the foreground, on a free port, in a temporary folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pat_servers::programs::{ending_with_the_tests, find, free_ports, signal};

use crate::{client, target_folder, until};

/// What differs between proxies.
#[derive(Debug)]
pub struct Program {
    /// What it is called on the machine, and as a need.
    pub name: &'static str,
    /// Why it cannot be used, where it cannot.
    missing: &'static str,
    /// How it is told to read its configuration from the current folder, and to stay in the foreground.
    arguments: &'static [&'static str],
    /// Its configuration, as names and contents of files: to listen on this port of this machine, with
    /// what the test says.
    files: fn(u16, &str) -> Vec<(&'static str, String)>,
}

/// The test says what is in the block `server`.
pub const NGINX: Program = Program {
    name: "nginx",
    missing: "needs nginx; run .ci/setup",
    arguments: &["-p", ".", "-c", "nginx.conf", "-e", "stderr"],
    files: nginx,
};

/// The test says what is in the block of the site.
pub const CADDY: Program = Program {
    name: "caddy",
    missing: "needs Caddy; run .ci/setup",
    arguments: &["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
    files: caddy,
};

/// The test says what the dynamic configuration is.
pub const TRAEFIK: Program = Program {
    name: "traefik",
    missing: "needs Traefik; run .ci/setup",
    arguments: &["--configFile=static.yaml"],
    files: traefik,
};

/// The test says what the configuration is, to listen on port 80.
pub const ENVOY: Program = Program {
    name: "envoy",
    missing: "needs Envoy; run .ci/setup",
    // Hot restarts share memory, and so would the proxies of two tests.
    arguments: &[
        "-c",
        "envoy.yaml",
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warn",
    ],
    files: envoy,
};

/// The test says everything except for a frontend, for a backend that is called `host`.
pub const HAPROXY: Program = Program {
    name: "haproxy",
    missing: "needs HAProxy; run .ci/setup",
    arguments: &["-db", "-f", "haproxy.cfg"],
    files: haproxy,
};

impl Program {
    /// Why it cannot be used, or nothing if it can.
    pub fn missing(&self) -> Option<&'static str> {
        self.path().is_none().then_some(self.missing)
    }

    /// Debian's, or what `.ci/setup` has from elsewhere.
    fn path(&self) -> Option<PathBuf> {
        let file = target_folder().join("proxies/bin").join(self.name);
        find(self.name).or_else(|| file.is_file().then_some(file))
    }

    /// Starts it with this in its configuration.
    pub async fn start(&self, what: &str) -> Proxy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [port] = free_ports();
        for (name, content) in (self.files)(port, what) {
            fs::write(folder.path().join(name), content).expect("a file");
        }
        let log = folder.path().join("log");
        let path = self.path().expect("the program");
        let process = command(&path, folder.path(), &log)
            .args(self.arguments)
            .spawn();
        let mut proxy = Proxy {
            base: format!("http://127.0.0.1:{port}"),
            process: process.expect("it starts"),
            _folder: folder,
        };
        let what = format!("{} serves", self.name);
        until(&what, async || {
            let ended = proxy.process.try_wait().expect("its state");
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "{} ended: {}", self.name, said());
            is_ready(&proxy.base).await
        })
        .await;
        proxy
    }
}

/// It can write into this folder alone, and ends with the test.
fn command(program: &Path, folder: &Path, log: &Path) -> Command {
    let log = File::create(log).expect("a log");
    let mut command = ending_with_the_tests("TERM");
    command
        .arg(program)
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log"))
        .stderr(log);
    command
}

/// Whether it passes requests on. Traefik listens before it knows where to.
async fn is_ready(base: &str) -> bool {
    let answer = client().get(format!("{base}/")).send().await;
    let Ok(answer) = answer else { return false };
    answer
        .text()
        .await
        .is_ok_and(|text| text != "404 page not found\n")
}

/// A running proxy; ended when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, as the beginning of a URL without a slash at its end.
    pub base: String,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // One that has workers ends them, which it could not if it were killed.
        signal("TERM", &[self.process.id()]);
        for _ in 0..500 {
            if let Ok(Some(_)) = self.process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ended_already = self.process.kill();
        let _status = self.process.wait();
    }
}

/// With a cache that is called `shared`, for those who say `proxy_cache`.
fn nginx(port: u16, server: &str) -> Vec<(&'static str, String)> {
    // Started by root, the workers would be another user, whom the folder is closed to.
    let configuration = format!(
        "daemon off;\n\
         user root;\n\
         worker_processes 1;\n\
         error_log stderr error;\n\
         pid nginx.pid;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path body;\n\
         proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\n\
         scgi_temp_path scgi;\n\
         proxy_cache_path cache levels=1 keys_zone=shared:1m;\n\
         server {{\n\
         listen 127.0.0.1:{port};\n\
         {server}\n\
         }}\n\
         }}\n"
    );
    vec![("nginx.conf", configuration)]
}

fn caddy(port: u16, site: &str) -> Vec<(&'static str, String)> {
    let configuration = format!(
        "{{\n\
         admin off\n\
         auto_https off\n\
         }}\n\
         http://:{port} {{\n\
         bind 127.0.0.1\n\
         {site}\n\
         }}\n"
    );
    vec![("Caddyfile", configuration)]
}

fn traefik(port: u16, dynamic: &str) -> Vec<(&'static str, String)> {
    let configuration = format!(
        "global: {{checkNewVersion: false, sendAnonymousUsage: false}}\n\
         entryPoints: {{web: {{address: '127.0.0.1:{port}'}}}}\n\
         providers: {{file: {{filename: dynamic.yaml, watch: false}}}}\n"
    );
    vec![
        ("static.yaml", configuration),
        ("dynamic.yaml", dynamic.to_owned()),
    ]
}

fn envoy(port: u16, configuration: &str) -> Vec<(&'static str, String)> {
    let (here, there) = (
        "address: 0.0.0.0, port_value: 80}",
        format!("address: 127.0.0.1, port_value: {port}}}"),
    );
    assert!(configuration.contains(here), "{configuration}");
    vec![("envoy.yaml", configuration.replace(here, &there))]
}

fn haproxy(port: u16, configuration: &str) -> Vec<(&'static str, String)> {
    let frontend = format!(
        "frontend test\n\
         bind 127.0.0.1:{port}\n\
         default_backend host\n"
    );
    vec![("haproxy.cfg", format!("{configuration}\n{frontend}"))]
}
