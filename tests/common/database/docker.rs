//! Servers in Docker.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, OnceLock, PoisonError};

use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::SyncRunner as _;
use testcontainers::{Container, GenericImage, ImageExt as _, TestcontainersError};

use super::Kind::{self, MariaDb, Postgres};

/// Whether there is a daemon.
pub(super) fn answers() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        if let Some(address) = host.strip_prefix("tcp://") {
            return TcpStream::connect(address).is_ok();
        }
        let path = host.strip_prefix("unix://");
        UnixStream::connect(path.unwrap_or("/var/run/docker.sock")).is_ok()
    })
}

/// The containers that were started here.
static STARTED: Mutex<Vec<Container<GenericImage>>> = Mutex::new(Vec::new());

/// Removes them.
pub(super) fn stop() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for container in started.drain(..) {
        if let Err(error) = container.rm() {
            eprintln!("a container is left behind: {error}");
        }
    }
}

/// Starts a container of the official image, or of one that the environment names, and returns the
/// URL of the server in it.
pub(super) fn start(kind: Kind) -> Result<String, String> {
    // In a thread of its own, since this is called from within a runtime and makes another.
    let url = std::thread::scope(|scope| {
        let starting = scope.spawn(|| try_start(kind));
        starting.join().expect("no panic")
    });
    url.map_err(|error| error.to_string())
}

fn try_start(kind: Kind) -> Result<String, TestcontainersError> {
    let (variable, default, port) = match kind {
        Postgres => ("PAT_TEST_POSTGRES_IMAGE", "postgres:17", 5432),
        MariaDb => ("PAT_TEST_MYSQL_IMAGE", "mariadb:11.4", 3306),
    };
    let image = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let image = GenericImage::new(name, tag).with_exposed_port(port.tcp());
    // A server without a password, on loopback, for a minute. Each image reads its own.
    let container = image
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env_var("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "1")
        .with_env_var("MYSQL_ALLOW_EMPTY_PASSWORD", "1")
        .start()?;
    let (host, port) = (container.get_host()?, container.get_host_port_ipv4(port)?);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    started.push(container);
    Ok(match kind {
        Postgres => format!("postgres://postgres@{host}:{port}/postgres"),
        MariaDb => format!("mysql://root@{host}:{port}"),
    })
}
