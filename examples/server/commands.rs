//! The operator's commands, beside or instead of a running server.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use pat_core::commands::{Command, Commands, Terminal};
use pat_core::notification::Notifier;
use pat_core::settings::SettingsSources;
use pat_core::{BoxError, Clock, Pats};
use pat_sqlx::{AnyStore, DatabaseUrl};
use pat_tower::proxy_probe::ProxyProbe;

use crate::app;
use crate::config::LogFormat;
use crate::users::DemoUsers;

/// A command, and what it shares with the server.
#[derive(Debug)]
pub(crate) struct CommandConfig {
    pub(crate) command: Command,
    pub(crate) database_url: String,
    pub(crate) sources: SettingsSources,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
}

/// What a command has opened, to be closed after it.
type Opened = Arc<OnceLock<(AnyStore, DemoUsers)>>;

#[tokio::main]
pub(crate) async fn run(config: CommandConfig, clock: Arc<dyn Clock>) -> ExitCode {
    let opened = Opened::default();
    let database = Arc::new(DatabaseUrl::new(&*config.database_url));
    let (sources, notifiers) = (config.sources.clone(), config.notifiers.clone());
    let (url, for_open) = (config.database_url, Arc::clone(&opened));
    let open = move || open(url, sources, notifiers, clock, for_open);
    let commands = Commands::new(open)
        .database(database)
        .settings(config.sources)
        .url_check(Arc::new(ProxyProbe::new(send)));
    let commands = config
        .notifiers
        .into_iter()
        .fold(commands, Commands::notifier);
    let code = commands.run(config.command, Terminal::standard()).await;
    if let Some((store, users)) = opened.get() {
        app::close(users, store).await;
    }
    code
}

/// Builds the service as the server does, but changes no tables, and starts no jobs.
async fn open(
    url: String,
    sources: SettingsSources,
    notifiers: Vec<Arc<dyn Notifier>>,
    clock: Arc<dyn Clock>,
    opened: Opened,
) -> Result<Pats, BoxError> {
    let settings = sources.read().into_settings()?;
    let store = pat_sqlx::connect_without_migrating(&url).await?;
    let users = DemoUsers::open(&url).await?;
    let pats = app::service(store.tokens(), &users, settings, notifiers, clock);
    let _ = opened.set((store, users));
    Ok(pats)
}

/// Sends a request of the probe, on a connection of its own.
async fn send(request: Request<String>) -> Result<Response<String>, BoxError> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let (head, body) = client.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Response::from_parts(head, body))
}
