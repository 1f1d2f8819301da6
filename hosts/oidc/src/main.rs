//! A host with axum, whose users sign in at an OpenID Connect provider. It has no table of users: the owner of
//! a token is named by issuer and subject.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::get;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse,
    reqwest,
};
// pat
use pat_core::{Caller, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{PatLayer, SignedIn, TowerSessions};
// end
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the host knows of the provider.
#[derive(Clone)]
struct Provider {
    client: Client,
    http: reqwest::Client,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let redirects = reqwest::redirect::Policy::none();
    let http = reqwest::ClientBuilder::new().redirect(redirects).build()?;
    let issuer = IssuerUrl::new(std::env::var("OIDC_ISSUER")?)?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await?;
    let (id, secret) = (ClientId::new("host".into()), ClientSecret::new("secret".into()));
    let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
        .set_redirect_uri(RedirectUrl::new(format!("{base}/callback"))?);
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    // end
    let app = Router::new()
        .route("/login", get(login))
        .route("/callback", get(callback))
        // pat
        .route("/whoami", get(async |SignedIn(user): SignedIn| user.owner().to_string()))
        // end
        .with_state(Provider { client, http })
        // pat
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        // end
        .layer(from_fn(current_user))
        // pat
        .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
        // end
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false));
    println!("Listening on {base}");
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    // pat
    jobs.shutdown().await;
    // end
    Ok(())
}

/// Sends the browser to the provider.
async fn login(State(provider): State<Provider>, session: Session) -> Result<Redirect, StatusCode> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let request = provider.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
    session.insert("sign-in", (state, nonce, verifier)).await.map_err(unavailable)?;
    Ok(Redirect::to(url.as_str()))
}

#[derive(Deserialize)]
struct Callback {
    code: String,
    state: String,
}

/// Where the provider sends the browser back to.
async fn callback(
    State(provider): State<Provider>,
    session: Session,
    Query(callback): Query<Callback>,
) -> Result<Redirect, StatusCode> {
    let pending = session.remove::<(CsrfToken, Nonce, PkceCodeVerifier)>("sign-in").await;
    let pending = pending.map_err(unavailable)?;
    let (state, nonce, verifier) = pending.ok_or(StatusCode::BAD_REQUEST)?;
    if *state.secret() != callback.state {
        return Err(StatusCode::BAD_REQUEST);
    }
    let user = provider.user(callback.code, nonce, verifier).await;
    let user = user.map_err(|error| {
        eprintln!("{error}");
        StatusCode::BAD_GATEWAY
    })?;
    session.cycle_id().await.map_err(unavailable)?;
    session.insert("user", user).await.map_err(unavailable)?;
    Ok(Redirect::to("/whoami"))
}

impl Provider {
    async fn user(
        &self,
        code: String,
        nonce: Nonce,
        verifier: PkceCodeVerifier,
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let request = self.client.exchange_code(AuthorizationCode::new(code))?;
        let request = request.set_pkce_verifier(verifier);
        let response = request.request_async(&self.http).await?;
        let token = response.id_token().ok_or("no ID token")?;
        let claims = token.claims(&self.client.id_token_verifier(), &nonce)?;
        Ok(format!("{}|{}", claims.issuer().as_str(), claims.subject().as_str()))
    }
}

/// Finds out who is signed in.
async fn current_user(
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let user = session.get("user").await.map_err(unavailable)?;
    // pat
    if let Some(owner) = user {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    Ok(next.run(request).await)
}

fn unavailable(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
