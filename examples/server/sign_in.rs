//! The host's own ways to sign in, and how all of them end in one [`Caller`].

use axum::Form;
use axum::extract::{Extension, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pat_core::{Caller, Owner, Pats, User};
use pat_tower::{Pat, SignedIn};
use serde::Deserialize;
use tower_sessions::Session;
use url::{Position, Url};

use crate::failures::{failure, unavailable};
use crate::site;
use crate::users::DemoUsers;

/// The name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "JSESSIONID";
/// The session's member that holds the user's key.
const USER: &str = "user";

/// Finds out who is calling, by Basic or session, and puts the [`Caller`] into the request, unless a token
/// has authenticated it.
pub(crate) async fn resolve_caller(
    State(users): State<DemoUsers>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, Response> {
    let caller = if Pat::of(request.extensions()).is_some() {
        None
    } else if let Some(encoded) = basic_credentials(request.headers()) {
        // Wrong credentials are refused even where none are needed, or a script would take the
        // answers of an anonymous user for the truth.
        let user = check_basic(&users, encoded).await?;
        Some(signed_in(user, &mut request))
    } else {
        let key: Option<String> = session.get(USER).await.map_err(internal_error)?;
        let user = match key.and_then(|key| Owner::new(key).ok()) {
            Some(owner) => users.active(&owner).await.map_err(unavailable)?,
            None => None,
        };
        user.map(|user| signed_in(user, &mut request))
    };
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// Keeps what is known of a user for the handlers.
fn signed_in(user: User, request: &mut Request) -> Caller {
    let caller = Caller::cookie_authenticated(user.owner.clone());
    request.extensions_mut().insert(ActiveUser(user));
    caller
}

/// What follows the scheme in a Basic header.
fn basic_credentials(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, encoded) = value.split_at_checked(6)?;
    scheme
        .eq_ignore_ascii_case(b"Basic ")
        .then_some(encoded.trim_ascii())
}

async fn check_basic(users: &DemoUsers, encoded: &[u8]) -> Result<User, Response> {
    let text = STANDARD.decode(encoded).map_err(|_| unauthorized())?;
    let text = String::from_utf8(text).map_err(|_| unauthorized())?;
    let (username, password) = text.split_once(':').ok_or_else(unauthorized)?;
    let user = users.sign_in(username, password).await;
    user.map_err(unavailable)?.ok_or_else(unauthorized)
}

/// A user is signed in, by whatever means; 401 otherwise. Makes no look-up: a token was judged by the
/// layer, and any other sign-in before its [`Caller`] was made.
pub(crate) struct Authenticated;

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let caller = SignedIn::of(&parts.extensions);
        caller.map(|_| Self).ok_or_else(unauthorized)
    }
}

/// The signed-in, active user, by whatever means; 401 otherwise.
#[derive(Clone)]
pub(crate) struct ActiveUser(pub(crate) User);

impl FromRequestParts<DemoUsers> for ActiveUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, users: &DemoUsers) -> Result<Self, Response> {
        if let Some(user) = parts.extensions.get::<Self>() {
            return Ok(user.clone());
        }
        // It is a token's.
        let caller = SignedIn::of(&parts.extensions);
        let SignedIn(caller) = caller.ok_or_else(unauthorized)?;
        let user = users.active(caller.owner()).await.map_err(unavailable)?;
        user.map(Self).ok_or_else(unauthorized)
    }
}

/// Asks for Basic; the layer adds that a Bearer token would do as well.
pub(crate) fn unauthorized() -> Response {
    let message = "You are not signed in. Use Basic, the sign-in form or a personal access token.";
    let mut response = failure(StatusCode::UNAUTHORIZED, message);
    let basic = HeaderValue::from_static("Basic realm=\"PAT example\", charset=\"UTF-8\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, basic);
    response
}

pub(crate) fn internal_error(error: impl std::error::Error) -> Response {
    tracing::error!(%error, "the session store failed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

/// Signs a session in, under a new id: one that somebody planted beforehand gives him nothing.
pub(crate) async fn start_session(
    users: &DemoUsers,
    session: &Session,
    credentials: &Credentials,
) -> Result<User, Response> {
    let user = users.sign_in(&credentials.username, &credentials.password);
    let user = user.await.map_err(unavailable)?.ok_or_else(unauthorized)?;
    session.cycle_id().await.map_err(internal_error)?;
    session
        .insert(USER, user.owner.as_str())
        .await
        .map_err(internal_error)?;
    session.save().await.map_err(internal_error)?;
    Ok(user)
}

/// Greets, or asks to sign in.
pub(crate) async fn home(
    Extension(pats): Extension<Pats>,
    caller: Option<SignedIn>,
    user: Result<ActiveUser, Response>,
) -> Response {
    let user = match user {
        Err(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => return response,
        user => user.ok(),
    };
    let (Some(SignedIn(caller)), Some(ActiveUser(user))) = (caller, user) else {
        return Redirect::to("/login").into_response();
    };
    let may_administer = pats.administration(&caller).await.is_ok();
    site::home(&user, may_administer)
}

/// Where to go after the sign-in.
#[derive(Deserialize)]
pub(crate) struct ReturnTo {
    #[serde(default)]
    return_to: String,
}

impl ReturnTo {
    /// A path of this server; anybody can make a link to the sign-in, so it may be anything.
    fn path(&self) -> String {
        let here = Url::parse("http://here/").ok();
        let path = here.and_then(|here| {
            let url = here.join(&self.return_to).ok()?;
            let path = &url[Position::BeforePath..Position::AfterQuery];
            (url.origin() == here.origin() && !path.starts_with("//")).then(|| path.to_owned())
        });
        path.unwrap_or_else(|| "/".to_owned())
    }
}

pub(crate) async fn form(Query(query): Query<ReturnTo>) -> Response {
    site::sign_in(&query.return_to, None)
}

pub(crate) async fn submit(
    State(users): State<DemoUsers>,
    session: Session,
    Form(form): Form<SignInForm>,
) -> Response {
    match start_session(&users, &session, &form.credentials).await {
        Ok(_) => Redirect::to(&form.return_to.path()).into_response(),
        Err(response) if response.status() == StatusCode::UNAUTHORIZED => {
            let username = Some(form.credentials.username.as_str());
            site::sign_in(&form.return_to.return_to, username)
        }
        Err(response) => response,
    }
}

#[derive(Deserialize)]
pub(crate) struct SignInForm {
    #[serde(flatten)]
    credentials: Credentials,
    #[serde(flatten)]
    return_to: ReturnTo,
}

pub(crate) async fn sign_out(session: Session) -> Result<Redirect, Response> {
    session.flush().await.map_err(internal_error)?;
    Ok(Redirect::to("/login"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_in_leads_nowhere_else() {
        for (asked, expected) in [
            ("/tokens/new?name=a%20b", "/tokens/new?name=a%20b"),
            ("", "/"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example/", "/"),
            ("\\\\evil.example/", "/"),
            ("/%09//evil.example", "/%09//evil.example"),
            ("\t//evil.example", "/"),
            ("/.//evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("http://here:8080/", "/"),
        ] {
            let return_to = ReturnTo {
                return_to: asked.into(),
            };
            assert_eq!(return_to.path(), expected, "{asked:?}");
        }
    }
}
