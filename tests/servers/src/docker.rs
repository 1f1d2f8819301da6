//! Servers in Docker.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, OnceLock, PoisonError};

use testcontainers::core::IntoContainerPort as _;
use testcontainers::core::client::docker_client_instance;
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

/// The official image, or the one that the environment names.
pub(super) fn image_name(kind: Kind) -> String {
    let (variable, default) = match kind {
        Postgres => ("PAT_TEST_POSTGRES_IMAGE", "postgres:17"),
        MariaDb => ("PAT_TEST_MYSQL_IMAGE", "mariadb:11.4"),
    };
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

fn image(kind: Kind) -> GenericImage {
    let name = image_name(kind);
    let (name, tag) = name.rsplit_once(':').unwrap_or((&name, "latest"));
    GenericImage::new(name, tag)
}

/// Sees to it that the image is there, once; returns whether it is.
pub(super) fn pull(kind: Kind) -> bool {
    static POSTGRES: OnceLock<bool> = OnceLock::new();
    static MARIADB: OnceLock<bool> = OnceLock::new();
    let pulled = match kind {
        Postgres => &POSTGRES,
        MariaDb => &MARIADB,
    };
    *pulled.get_or_init(|| {
        let pulled = in_own_thread(|| try_pull(kind));
        if let Err(why) = &pulled {
            eprintln!("{}: {why}", kind.need());
        }
        pulled.is_ok()
    })
}

fn try_pull(kind: Kind) -> Result<(), TestcontainersError> {
    let is_there = async {
        let daemon = docker_client_instance().await?;
        Ok::<_, TestcontainersError>(daemon.inspect_image(&image_name(kind)).await.is_ok())
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let is_there = runtime.enable_all().build()?.block_on(is_there)?;
    if !is_there {
        drop(image(kind).pull_image()?);
    }
    Ok(())
}

/// Starts a container and returns the URL of the server in it.
pub(super) fn start(kind: Kind) -> Result<String, String> {
    in_own_thread(|| try_start(kind))
}

/// These calls come from within a runtime, and make another.
fn in_own_thread<T: Send>(
    call: impl FnOnce() -> Result<T, TestcontainersError> + Send,
) -> Result<T, String> {
    let result = std::thread::scope(|scope| scope.spawn(call).join().expect("no panic"));
    result.map_err(|error| error.to_string())
}

fn try_start(kind: Kind) -> Result<String, TestcontainersError> {
    let port = match kind {
        Postgres => 5432,
        MariaDb => 3306,
    };
    // A server without a password, on loopback, for a minute. Each image reads its own.
    let container = image(kind)
        .with_exposed_port(port.tcp())
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
