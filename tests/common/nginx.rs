//! An nginx of the test's own: in the foreground, on a free port, in a temporary folder.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::until;

/// Why it cannot be used, or nothing if it can.
pub(crate) fn missing() -> Option<&'static str> {
    program().is_none().then_some("needs nginx; run .ci/setup")
}

/// Debian has servers where not everybody's path leads.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// A running proxy; ended when it is dropped.
pub(crate) struct Nginx {
    /// Where it listens, as the beginning of a URL without a slash at its end.
    pub(crate) base: String,
    /// What relative paths of the configuration begin from.
    _folder: tempfile::TempDir,
    master: Child,
}

impl Nginx {
    /// Starts it with these directives in the block `server`.
    pub(crate) async fn start(server: &str) -> Self {
        Self::with_http("", server).await
    }

    /// The same, with these directives in the block `http` (such as `proxy_cache_path`) as well.
    pub(crate) async fn with_http(http: &str, server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(port, http, server)).expect("a file");
        let mut command = Command::new(program().expect("nginx"));
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        let command = command.args(["-e", "stderr"]).stdin(Stdio::null());
        let master = command.spawn().expect("nginx starts");
        let nginx = Self {
            base: format!("http://127.0.0.1:{port}"),
            _folder: folder,
            master,
        };
        until("nginx listens", async || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers, which it could not if it were killed.
        let id = self.master.id().to_string();
        let _ended_already = Command::new("kill").args(["-TERM", &id]).status();
        let _status = self.master.wait();
    }
}

fn configuration(port: u16, http: &str, server: &str) -> String {
    // Started by root, the workers would be another user, whom the folder is closed to.
    format!(
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
         {http}\n\
         server {{\n\
         listen 127.0.0.1:{port};\n\
         {server}\n\
         }}\n\
         }}\n"
    )
}

/// nginx takes no listening socket from us, so this is free until it takes it.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
