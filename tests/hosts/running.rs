//! A host that runs, with what it needs around it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use pat_harness::process::Process;
use pat_harness::proxy::{NGINX, Proxy};
use pat_harness::smtp::Ca;
use pat_harness::{python, repository, until};
use pat_servers::programs::{ending_with_the_tests, free_ports};
use tokio::net::TcpStream;

use crate::browser::Browser;
use crate::{Host, SignIn};

/// What outlives a restart of the host.
pub(crate) struct Surroundings {
    folder: tempfile::TempDir,
    /// For the host and for nginx, if the host is behind it.
    ca: Option<Ca>,
    provider: Option<Provider>,
}

impl Surroundings {
    pub(crate) async fn of(host: Host) -> Self {
        let provider = match host.sign_in {
            SignIn::Provider => Some(Provider::start().await),
            SignIn::Form | SignIn::Basic => None,
        };
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            ca: (host.name == "nginx").then(|| Ca::new("127.0.0.1")),
            provider,
        }
    }

    /// Starts the host; its tokens are those of the run before.
    pub(crate) async fn start(&self, host: Host, programs: &Path) -> Running<'_> {
        let mut command = Command::new(programs.join(format!("host-{}", host.name)));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if host.name == "loco" {
            let folder = repository().join("hosts/loco/config");
            command
                .env("LOCO_CONFIG_FOLDER", folder)
                .args(["start", "--no-banner"]);
        }
        if let Some(provider) = &self.provider {
            command.env("OIDC_ISSUER", &provider.issuer);
        }
        if let Some(ca) = &self.ca {
            command
                .env("TLS_CERTIFICATE", ca.certificate())
                .env("TLS_KEY", ca.key());
        }
        let process = Process::try_spawn(&mut command).expect("a greeting");
        let mut browser = Browser {
            base: process.base.clone(),
            root: None,
            sign_in: host.sign_in,
            folder: self.folder.path(),
        };
        let proxy = match &self.ca {
            Some(ca) => Some(nginx(ca, &mut browser).await),
            None => None,
        };
        Running {
            process,
            browser,
            _proxy: proxy,
        }
    }
}

/// A running host; ended when it is dropped.
pub(crate) struct Running<'a> {
    pub(crate) process: Process,
    pub(crate) browser: Browser<'a>,
    _proxy: Option<Proxy>,
}

/// Starts nginx in front of the host, with TLS on both sides, and leads the browser to it.
async fn nginx(ca: &Ca, browser: &mut Browser<'_>) -> Proxy {
    let [port] = free_ports();
    let [certificate, key, root] = [ca.certificate(), ca.key(), ca.root()];
    let configuration = format!(
        "listen 127.0.0.1:{port} ssl;\n\
         ssl_certificate {certificate};\n\
         ssl_certificate_key {key};\n\
         location /app/ {{\n\
         proxy_pass {}/;\n\
         proxy_set_header Host $http_host;\n\
         proxy_ssl_verify on;\n\
         proxy_ssl_trusted_certificate {root};\n\
         }}\n",
        browser.base
    );
    let proxy = NGINX.start(&configuration).await;
    browser.base = format!("https://127.0.0.1:{port}/app");
    browser.root = Some(root);
    proxy
}

/// A provider for tests, which asks for a name and for no password.
struct Provider {
    issuer: String,
    process: Child,
}

impl Provider {
    async fn start() -> Self {
        let [port] = free_ports();
        let mut command = ending_with_the_tests("TERM");
        let command = command.arg(python::CLIENTS.program()).args([
            "-I",
            "-m",
            "oidc_provider_mock",
            "--port",
            &port.to_string(),
        ]);
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        let provider = Self {
            issuer: format!("http://127.0.0.1:{port}"),
            process: command.spawn().expect("a provider"),
        };
        let connects = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        until("the provider listens", connects).await;
        provider
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _status = self.process.wait();
    }
}
