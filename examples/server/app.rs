use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, Request};
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post};
use pat_core::notification::Notifier;
use pat_core::scope::ScopeCatalog;
use pat_core::store::{StoreError, TokenStore};
use pat_core::{BoxError, Clock, Jobs, Pats, PatsBuilder, Settings, SystemClock, Unavailable};
use pat_sqlx::{AnyStore, ConnectError};
use pat_tower::api::Api;
use pat_tower::pages::Pages;
use pat_tower::probes::Probes;
use pat_tower::proxy_probe;
use pat_tower::scope::ScopedRouter;
use pat_tower::{ClientAddressLayer, PatLayer, TowerSessions, TrustedProxies};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::ServiceBuilderExt as _;
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::request_id::{MakeRequestUuid, RequestId};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{MemoryStore, SessionManagerLayer};
use utoipa_swagger_ui::SwaggerUi;

use crate::atlassian::{self, BaseUrl};
use crate::config::Config;
use crate::connections::{self, BODY_TIMEOUT};
use crate::cross_site;
use crate::demo_api;
use crate::demo_data;
use crate::failures;
use crate::headers;
use crate::languages::languages;
use crate::metrics;
use crate::restore;
use crate::sign_in::{self, SESSION_COOKIE};
use crate::site::Site;
use crate::user_table::UserTableError;
use crate::users::DemoUsers;

/// The running parts of the server.
#[derive(Debug)]
pub struct App {
    /// Everything it answers.
    pub router: Router,
    /// The token service.
    pub pats: Pats,
    /// The users.
    pub users: DemoUsers,
    probes: Probes,
    shutdown: Shutdown,
    jobs: Jobs,
    store: AnyStore,
    /// Set when the server shuts down, for responses that would last longer.
    stopping: CancellationToken,
}

/// What the server is made of beside its configuration. Tests put something else in a part's place.
#[derive(Debug)]
pub struct Parts {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Users who are there from the beginning, beside those of the demo.
    pub more_users: Vec<String>,
    /// Wraps what the token service keeps its tokens in.
    pub wrap_store: fn(Arc<dyn TokenStore>) -> Arc<dyn TokenStore>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            more_users: Vec::new(),
            wrap_store: |store| store,
        }
    }
}

/// The scope of requests that only read.
pub(crate) const READ: &str = "read";
/// The scope of requests that change something.
pub(crate) const WRITE: &str = "write";

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or is none of this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error("cannot use the database {url}")]
    Database {
        /// Its URL, without a password.
        url: String,
        /// What the store says.
        source: ConnectError,
    },
    /// The demo's users cannot be kept in the database.
    #[error("cannot keep the demo users in the database {url}")]
    Users {
        /// Its URL, without a password.
        url: String,
        /// Why not.
        source: UserTableError,
    },
    /// The tokens to look at could not be made.
    #[error("cannot make the demo data")]
    DemoData(#[source] BoxError),
    /// The events since the backup could not be read.
    #[error("cannot read the events in {}", file.display())]
    Events {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: BoxError,
    },
    /// The changes since the backup could not be repeated.
    #[error("cannot revoke again what the events say")]
    Restore(#[source] Unavailable),
    /// The clock could not be accepted.
    #[error("cannot accept the clock")]
    Clock(#[source] StoreError),
}

/// How a shutdown takes its time.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// For how long the server goes on while it is not ready, so that no more requests are sent to it.
    pub grace: Duration,
    /// How long it then waits for requests that are under way.
    pub patience: Duration,
}

/// How a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All requests were answered, and the jobs have done their work.
    Complete,
    /// Some requests took too long, or the jobs have left work undone.
    CutOff,
}

/// How long it waits for the database to close its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Wires the server up with this clock and starts its jobs.
///
/// # Errors
/// The database cannot be used.
pub async fn app(config: Config, clock: Arc<dyn Clock>) -> Result<App, StartError> {
    let made_of = Parts {
        clock,
        ..Parts::default()
    };
    app_of(config, made_of).await
}

/// The same, of these parts.
///
/// # Errors
/// The database cannot be used.
pub async fn app_of(config: Config, made_of: Parts) -> Result<App, StartError> {
    let Parts {
        clock,
        more_users,
        wrap_store,
    } = made_of;
    // Before the service, which counts from its first breath.
    metrics::install();
    let store = pat_sqlx::connect(&config.database_url).await;
    let store = store.map_err(|source| StartError::Database {
        url: without_password(&config.database_url),
        source,
    })?;
    let users = open_users(&config.database_url, &more_users).await?;
    let tokens = wrap_store(store.tokens());
    let pats = service(tokens, &users, config.settings, config.notifiers, clock);
    if config.accept_clock {
        let leap = pats.accept_clock().await.map_err(StartError::Clock)?;
        tracing::warn!("the clock is believed, which was {leap:#} ahead of what was vouched for");
    }
    if let Some(file) = config.after_restore {
        restore::repeat(&pats, file).await?;
    }
    if config.demo_data > 0 {
        // They were created long ago.
        let tokens = store.dangerous_with_callers_clock();
        let filled = demo_data::fill(&*tokens, &users, pats.now(), config.demo_data);
        filled.await.map_err(StartError::DemoData)?;
    }
    let jobs = pats.start();
    let base_url = pats.settings().base_url().map(str::to_owned);
    let base_url = BaseUrl(base_url.unwrap_or_else(|| format!("http://{}", config.listen)));
    // A browser sends a `Secure` cookie over plain HTTP to no other machine than its own.
    let is_secure = !config.listen.ip().is_loopback();
    let stopping = CancellationToken::new();
    let probes = Probes::new(pats.clone());
    let router = router(&pats, &users, base_url, is_secure)
        .merge(probes.router())
        .layer(Extension(stopping.clone()))
        .layer(addresses(config.trusted_proxies));
    Ok(App {
        router,
        pats,
        users,
        probes,
        shutdown: config.shutdown,
        jobs,
        store,
        stopping,
    })
}

/// Finds the addresses of clients.
fn addresses(proxies: TrustedProxies) -> ClientAddressLayer {
    let peer = |extensions: &Extensions| {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    };
    ClientAddressLayer::new(peer).with_trusted_proxies(proxies)
}

/// The token service, as the server and the commands have it.
pub(crate) fn service(
    store: Arc<dyn TokenStore>,
    users: &DemoUsers,
    settings: Settings,
    notifiers: Vec<Arc<dyn Notifier>>,
    clock: Arc<dyn Clock>,
) -> Pats {
    let builder = Pats::builder(store)
        .users(Arc::new(users.clone()))
        .settings(settings)
        .scopes(scopes())
        .clock(clock);
    let notifiers = notifiers.into_iter();
    notifiers.fold(builder, PatsBuilder::notifier).build()
}

/// What a token can be restricted to.
fn scopes() -> ScopeCatalog {
    let builder = ScopeCatalog::builder()
        .scope(READ, "Read projects, issues and pages")
        .scope(WRITE, "Read, and comment on issues")
        .implies(WRITE, READ);
    builder.build().expect("a catalog")
}

async fn open_users(url: &str, more: &[String]) -> Result<DemoUsers, StartError> {
    let failed = |source| StartError::Users {
        url: without_password(url),
        source,
    };
    let users = DemoUsers::open(url).await.map_err(failed)?;
    if !more.is_empty() {
        let more: Vec<_> = more.iter().map(|name| (name.as_str(), "")).collect();
        let added = users.add(&more).await;
        added.map_err(|error| failed(UserTableError::Failed(error)))?;
    }
    Ok(users)
}

fn router(pats: &Pats, users: &DemoUsers, base_url: BaseUrl, is_secure: bool) -> Router {
    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_name(SESSION_COOKIE)
        .with_same_site(SameSite::Lax)
        .with_secure(is_secure);
    let tokens = Api::new(pats.clone())
        .add_basic_security_scheme()
        .add_cookie_security_scheme(SESSION_COOKIE)
        .scoped_router();
    let mut pages = Pages::new(pats.clone())
        .with_sign_in_url("/login?return_to=")
        .with_example_url(&format!("{}/rest/api/latest/myself", base_url.0))
        .with_git_example_url(&format!("{}/demo/repository.git", base_url.0))
        .with_languages(languages())
        .with_layout(Site);
    if !is_secure {
        pages = pages.dangerous_plain_http();
    }
    // What is the same for everybody is outside of what finds out who is calling.
    let (pages, assets) = pages.scoped_router_and_assets();
    // For people: no scope permits a token to use these.
    let sign_in = Router::new()
        .route("/", get(sign_in::home))
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/logout", post(sign_in::sign_out));
    let (router, scopes) = ScopedRouter::from(sign_in)
        .merge(atlassian::router())
        .merge(demo_api::router())
        // The token routers have this check built in, for callers without a token.
        .map_router(|router| {
            router
                .layer(cross_site::protection(&base_url))
                .layer(from_fn(cross_site::log_refusal))
        })
        .merge(pages)
        .nest("/rest/pat/latest", tokens.clone())
        .nest("/rest/pat/1.0", tokens)
        .into_parts();
    let tokens = PatLayer::optional(pats.clone())
        .with_session_invalidator(TowerSessions)
        .with_scope_map(scopes)
        .expect("the catalog has these scopes");
    router
        // Before the layer, which covers no other than this one.
        .fallback(failures::not_found)
        .layer(
            // From the outside in: the session is found, then the token, then who is calling.
            ServiceBuilder::new()
                .layer(from_fn(headers::drop_unreadable_cookies))
                .layer(sessions)
                .layer(tokens)
                .layer(from_fn_with_state(users.clone(), sign_in::resolve_caller))
                .layer(from_fn(failures::as_json)),
        )
        .merge(assets)
        .merge(reference())
        .route("/metrics", get(metrics::metrics))
        .route("/probe/{*path}", any(proxy_probe::answer))
        .layer(Extension(pats.clone()))
        .layer(Extension(base_url))
        .layer(
            ServiceBuilder::new()
                .sensitive_request_headers(Arc::new([header::AUTHORIZATION, header::COOKIE]))
                .sensitive_response_headers(Arc::new([header::SET_COOKIE]))
                .set_x_request_id(MakeRequestUuid)
                .layer(
                    TraceLayer::new_for_http()
                        .make_span_with(request_span)
                        .on_failure(log_failure),
                )
                .propagate_x_request_id(),
        )
        .with_state(users.clone())
}

/// The description of the token router, as pages that load nothing from elsewhere.
fn reference<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let config = utoipa_swagger_ui::Config::from("/rest/pat/latest/openapi.json")
        .try_it_out_enabled(true)
        .validator_url("none");
    let pages: Router<S> = SwaggerUi::new("/reference").config(config).into();
    headers::OF_REFERENCE
        .into_iter()
        .fold(pages, |pages, (name, value)| {
            let value = HeaderValue::from_static(value);
            pages.route_layer(SetResponseHeaderLayer::overriding(name, value))
        })
}

fn request_span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>();
    let id = id
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// Logs an answer that blames the server, but not each 503: pat-core tells once what does not answer.
fn log_failure(failure: ServerErrorsFailureClass, latency: Duration, _span: &tracing::Span) {
    match failure {
        ServerErrorsFailureClass::StatusCode(StatusCode::SERVICE_UNAVAILABLE) => {
            tracing::debug!(?latency, "the answer is 503");
        }
        failure => tracing::error!(%failure, ?latency, "a request failed"),
    }
}

impl App {
    /// Answers requests until `stop`, and for the grace that it returns, or else that of the configuration, as one
    /// that is not ready. Then finishes the requests under way, writes the last uses and closes the database.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = Stop>) -> End {
        let router = self.router.layer(
            ServiceBuilder::new()
                .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
                .map_request_body(Body::new),
        );
        let serving = connections::serve(listener, router, self.stopping.clone());
        let stopping = async {
            let Stop { is_urgent } = stop.await;
            self.probes.stop();
            if !is_urgent && !self.shutdown.grace.is_zero() {
                tracing::info!(grace = ?self.shutdown.grace, "not ready any more");
                tokio::time::sleep(self.shutdown.grace).await;
            }
            tracing::info!("shutting down");
            self.stopping.cancel();
            tokio::time::sleep(self.shutdown.patience).await;
        };
        let end = tokio::select! {
            () = serving => End::Complete,
            () = stopping => {
                tracing::error!("some requests took too long and were cut off");
                End::CutOff
            }
        };
        match finish(self.jobs, self.users, self.store).await {
            End::Complete => end,
            End::CutOff => End::CutOff,
        }
    }

    /// Ends a server that was not asked to [`App::serve`]: writes the last uses and closes the
    /// database.
    pub async fn shutdown(self) {
        finish(self.jobs, self.users, self.store).await;
    }
}

async fn finish(jobs: Jobs, users: DemoUsers, store: AnyStore) -> End {
    let report = jobs.shutdown().await;
    close(&users, &store).await;
    if report.is_complete() {
        End::Complete
    } else {
        End::CutOff
    }
}

/// Closes the database's connections. A database that does not answer must not keep the process.
pub(crate) async fn close(users: &DemoUsers, store: &AnyStore) {
    let closing = async { tokio::join!(users.close(), store.close()) };
    if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
        tracing::warn!("the database did not let go of its connections in time");
    }
}

/// A database URL as it may be shown. A password is in front of the host or among the parameters.
fn without_password(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let shown = url::Url::parse(url).ok().and_then(|mut url| {
        url.set_password(None).ok()?;
        url.set_query(None);
        Some(url.into())
    });
    shown.unwrap_or_else(|| "that was given".to_owned())
}

/// Takes the address that the configuration names, and puts the real port into the configuration.
pub(crate) async fn listen(config: &mut Config) -> Result<TcpListener, StartError> {
    let address = config.listen;
    let listen_error = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    config.listen = listener.local_addr().map_err(listen_error)?;
    Ok(listener)
}

/// Says where the server is, and how to try it. Nobody need be listening.
pub(crate) fn greet(address: SocketAddr) {
    let _ = writeln!(
        std::io::stdout(),
        "Listening on http://{address}\n\
         Demo users, each with the name as password: alice, bob, admin (an administrator)\n\
         Their tokens: http://{address}/tokens\n\
         \n\
         Create a token, use it, replace it by a new one, revoke both:\n  \
         TOKEN=$(curl -s -u alice:alice -H 'Content-Type: application/json' \
         -d '{{\"name\":\"ci\",\"expirationDuration\":90}}' \
         http://{address}/rest/pat/latest/tokens \
         | sed -n 's/.*\"rawToken\":\"\\([^\"]*\\)\".*/\\1/p')\n  \
         curl -H \"Authorization: Bearer $TOKEN\" http://{address}/rest/api/latest/myself\n  \
         TOKEN=$(curl -s -X POST -H \"Authorization: Bearer $TOKEN\" \
         http://{address}/rest/pat/latest/tokens/current/rotate \
         | sed -n 's/.*\"rawToken\":\"\\([^\"]*\\)\".*/\\1/p')\n  \
         curl -H \"Authorization: Bearer $TOKEN\" -X DELETE \
         http://{address}/rest/pat/latest/tokens/current"
    );
}

/// A request to end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stop {
    /// Whether the server need not wait until load balancers have noticed.
    pub is_urgent: bool,
}

/// Ends when a service manager asks the process to stop, or a person at its terminal does: from this call on, not
/// only once the future is awaited.
pub(crate) fn terminated() -> impl Future<Output = Stop> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async {
        let [mut terminate, mut interrupt] = signals.map(Result::ok);
        let is_urgent = tokio::select! {
            () = received(&mut terminate) => false,
            () = received(&mut interrupt) => true,
        };
        Stop { is_urgent }
    }
}

/// Ends when the signal comes; never, if the process cannot listen to it.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
