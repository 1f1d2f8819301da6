use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use pat_core::{AuthError, DateText, Pats, Principal, TokenDigest};
use tower_layer::Layer;

use super::PatService;
use super::caching::{make_private, vary_by_authorization};
use crate::bearer::{self, Authorization, Presented};
use crate::challenge::Challenges;
use crate::pat::{AuthState, Pat, Refusal, Unauthenticated, Why};
use crate::problem::Problem;
use crate::session::{Destroy, SessionInvalidator};

/// Authenticates requests by personal access tokens.
///
/// Put it inside the session and CORS layers and outside of whatever must know who is calling. The
/// inner service finds the token in the request's extensions ([`Pat`]), and no longer finds the
/// `Authorization` header that held it.
///
/// # Caches
/// A shared cache that keeps an answer gives it to whoever asks for the same address. So answers to
/// the holder of a token become `Cache-Control: private`, unless they are `no-store`: `public` and
/// `s-maxage` go, and so do headers for some shared caches alone (`CDN-Cache-Control`,
/// `Surrogate-Control`, `X-Accel-Expires`). What the browser or the script may keep is as the handler
/// says. Where requests without a token are let through, every answer has `Vary: Authorization`, so
/// that a cache that has the anonymous one still asks about a token. What is the same for everybody (a
/// style sheet) belongs outside of the layer.
///
/// The response body must be made of [`Bytes`] for the layer's own answers: `axum::body::Body` and
/// `http_body_util::Full<Bytes>` are.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};
/// use pat_tower::{Pat, PatLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pats = Pats::builder(MemoryStore::default()).build();
/// let alice = Caller::header_authenticated(Owner::new("alice")?);
/// let request = TokenRequest { name: "ci".into(), lifetime_days: Some(90) };
/// let created = pats.create(&alice, request).await?;
///
/// let service = ServiceBuilder::new().layer(PatLayer::required(pats)).service(service_fn(
///     async |request: Request<()>| {
///         let pat = Pat::of(request.extensions()).expect("the layer lets nobody else in");
///         let greeting = Bytes::from(format!("hello {}", pat.owner()));
///         Ok::<_, std::convert::Infallible>(Response::new(Full::new(greeting)))
///     },
/// ));
///
/// let bearer = format!("Bearer {}", created.plain.expose());
/// let request = Request::builder().header("authorization", bearer).body(())?;
/// assert_eq!(service.clone().oneshot(request).await?.status(), StatusCode::OK);
///
/// let refused = service.oneshot(Request::new(())).await?;
/// assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PatLayer {
    config: Arc<Config>,
}

impl PatLayer {
    /// Lets only authenticated requests through.
    pub fn required(pats: Pats) -> Self {
        Self::new(pats, Mode::Required)
    }

    /// Lets requests without a Bearer token through as anonymous, for hosts that have other ways
    /// to sign in. A token that is presented and bad is refused all the same.
    pub fn optional(pats: Pats) -> Self {
        Self::new(pats, Mode::Optional)
    }

    /// Like [`PatLayer::optional`], but a token that is presented and bad makes the request
    /// anonymous instead of being refused, as Atlassian's products do.
    ///
    /// The danger: a script whose token has expired gets the answers of an anonymous user, and
    /// takes an empty list for the truth.
    pub fn dangerous_bad_token_is_anonymous(pats: Pats) -> Self {
        Self::new(pats, Mode::Lenient)
    }

    fn new(pats: Pats, mode: Mode) -> Self {
        let challenges = Challenges::new(pats.settings().realm());
        let config = Config {
            pats,
            mode,
            challenges,
            passes_foreign: false,
            keeps_header: false,
            sessions: None,
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// Passes Bearer values on untouched that no accepted format recognises, for hosts that accept
    /// others too, such as JWTs. They count as anonymous here.
    pub fn pass_unrecognized(self) -> Self {
        self.with(|config| config.passes_foreign = true)
    }

    /// Leaves the `Authorization` header in the request, for hosts that pass it on. By default it
    /// is removed, so that the token reaches no log, proxy or plug-in behind the layer.
    pub fn keep_authorization_header(self) -> Self {
        self.with(|config| config.keeps_header = true)
    }

    /// Invalidates the host's sessions, unless `atlassian.pats.invalidate.session.enabled` is off.
    pub fn sessions(self, invalidator: impl SessionInvalidator) -> Self {
        self.with(|config| {
            if config.pats.settings().invalidate_session_enabled() {
                config.sessions = Some(Arc::new(invalidator));
            }
        })
    }

    fn with(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        change(&mut config);
        Self {
            config: Arc::new(config),
        }
    }
}

impl<S> Layer<S> for PatLayer {
    type Service = PatService<S>;

    fn layer(&self, inner: S) -> PatService<S> {
        PatService {
            inner,
            config: Arc::clone(&self.config),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) pats: Pats,
    mode: Mode,
    pub(crate) challenges: Challenges,
    passes_foreign: bool,
    keeps_header: bool,
    sessions: Option<Arc<dyn SessionInvalidator>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Required,
    Optional,
    Lenient,
}

/// What to do with a request.
pub(super) enum Decision {
    /// It is decided.
    Now(Action),
    /// Ask the database first, then [`Config::apply`] its verdict.
    Ask(TokenDigest),
}

pub(super) enum Action {
    /// Call the inner service.
    Call(ResponseEdit),
    /// The same, after the session that came with the request is destroyed.
    DestroySession(Destroy, ResponseEdit),
    /// Answer right away, with the reason for whoever is outside.
    Answer(Box<(Problem, Option<AuthError>)>),
}

/// What is to be done to the inner service's response.
pub(super) enum ResponseEdit {
    /// To the answer for the holder of a token.
    Accepted {
        /// When the token expires; `None` for one that does not.
        expires_at: Option<DateText>,
        /// Whether another request may be let through without a token.
        is_optional: bool,
    },
    /// To an answer for nobody: there is this way to sign in, if the inner service asks the caller to.
    Anonymous(Arc<Config>),
}

impl Action {
    /// Boxed, so that the usual decision is small to move.
    fn answer(problem: Problem, reason: Option<AuthError>) -> Self {
        Self::Answer(Box::new((problem, reason)))
    }
}

impl Config {
    /// Decides about a request, from memory alone.
    pub(super) fn decide<B>(self: &Arc<Self>, request: &mut Request<B>) -> Decision {
        let header = match bearer::take(request.headers_mut()) {
            Authorization::One(header) => header,
            Authorization::Nothing => return Decision::Now(self.without_token(request)),
            Authorization::Several => return Decision::Now(self.malformed()),
        };
        let token = match bearer::read(header.as_bytes()) {
            Presented::Bearer(token) => token,
            Presented::Malformed => return Decision::Now(self.malformed()),
            Presented::OtherScheme => {
                put_back(request, header);
                return Decision::Now(self.without_token(request));
            }
        };
        let recognized = self.pats.parse(token);
        let is_foreign = matches!(recognized, Err(AuthError::Unrecognized));
        if is_foreign && !bearer::is_token68(token) {
            return Decision::Now(self.malformed());
        }
        let is_passed = self.passes_foreign && is_foreign;
        if is_passed || self.keeps_header {
            put_back(request, header);
        }
        match recognized {
            Ok(digest) => match self.known_verdict(request, digest) {
                Some(verdict) => Decision::Now(self.apply(request, digest, verdict)),
                None => Decision::Ask(digest),
            },
            Err(_) if is_passed => Decision::Now(self.without_token(request)),
            Err(error) => Decision::Now(self.refuse(request, None, error)),
        }
    }

    fn malformed(&self) -> Action {
        let challenge = self.challenges.invalid_request.clone();
        Action::answer(Problem::invalid_authorization(challenge), None)
    }

    /// The verdict of an earlier layer of the same service, or of the cache.
    fn known_verdict<B>(
        &self,
        request: &Request<B>,
        digest: TokenDigest,
    ) -> Option<Result<Principal, AuthError>> {
        let memo = self.memo(request).and_then(|memo| memo.about(&digest));
        memo.or_else(|| self.pats.authenticate_cached(&digest))
    }

    fn memo<'r, B>(&self, request: &'r Request<B>) -> Option<AuthState<'r>> {
        AuthState::of(request.extensions(), self.pats.instance())
    }

    /// A request that presents no token, or whose token an earlier layer has judged and removed.
    fn without_token<B>(self: &Arc<Self>, request: &mut Request<B>) -> Action {
        match self.memo(request) {
            Some(AuthState::Accepted(pat)) => {
                let pat = pat.clone();
                self.accept(request, pat)
            }
            Some(AuthState::Not(Why::Refused(refusal))) => {
                let (digest, error) = (refusal.digest, refusal.error.clone());
                self.refuse(request, digest, error)
            }
            Some(AuthState::Not(Why::Anonymous(_))) | None if self.mode == Mode::Required => {
                let problem = Problem::not_signed_in(self.challenges.missing.clone());
                Action::answer(problem, None)
            }
            Some(AuthState::Not(Why::Anonymous(_))) | None => {
                self.remember(request, Why::Anonymous(Arc::clone(self)));
                self.call_anonymously()
            }
        }
    }

    fn call_anonymously(self: &Arc<Self>) -> Action {
        Action::Call(ResponseEdit::Anonymous(Arc::clone(self)))
    }

    /// Acts on the verdict about the request's token.
    pub(super) fn apply<B>(
        self: &Arc<Self>,
        request: &mut Request<B>,
        digest: TokenDigest,
        verdict: Result<Principal, AuthError>,
    ) -> Action {
        let principal = match verdict {
            Ok(principal) => principal,
            Err(error) => return self.refuse(request, Some(digest), error),
        };
        self.accept(request, Pat::new(principal, self.pats.instance()))
    }

    /// Lets a request in by its token, and by nothing else.
    fn accept<B>(&self, request: &mut Request<B>, pat: Pat) -> Action {
        let after = ResponseEdit::accepted(&pat, self.mode);
        request.extensions_mut().insert(pat);
        let Some(sessions) = &self.sessions else {
            return Action::Call(after);
        };
        match sessions.detach(request.extensions_mut()) {
            Ok(Some(destroy)) => Action::DestroySession(self.reported(destroy), after),
            Ok(None) => Action::Call(after),
            Err(error) => {
                tracing::error!(%error, "a session may be left beside a token; refused");
                Action::answer(Problem::misconfigured(), None)
            }
        }
    }

    /// The same, and how it ended is reported.
    fn reported(&self, destroy: Destroy) -> Destroy {
        let pats = self.pats.clone();
        Box::pin(async move {
            let ended = destroy.await;
            pats.report_sessions(&ended);
            ended
        })
    }

    fn refuse<B>(
        self: &Arc<Self>,
        request: &mut Request<B>,
        digest: Option<TokenDigest>,
        error: AuthError,
    ) -> Action {
        match error {
            AuthError::Unavailable(_) => Action::answer(Problem::unavailable(), Some(error)),
            error if self.mode == Mode::Lenient => {
                let config = Arc::clone(self);
                let refusal = Arc::new(Refusal {
                    config,
                    digest,
                    error,
                });
                self.remember(request, Why::Refused(refusal));
                self.call_anonymously()
            }
            error => {
                let challenge = self.challenges.invalid_token.clone();
                Action::answer(Problem::invalid_token(challenge), Some(error))
            }
        }
    }

    fn remember<B>(&self, request: &mut Request<B>, why: Why) {
        let service = self.pats.instance();
        let extensions = request.extensions_mut();
        extensions.remove::<Pat>();
        extensions.insert(Unauthenticated { service, why });
    }
}

/// Leaves credentials to whoever is inside, marked so that they get into no log.
fn put_back<B>(request: &mut Request<B>, mut header: HeaderValue) {
    header.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, header);
}

/// The layer's own answer. The reason is for the layers outside, not for the client.
pub(super) fn answer<B: From<Bytes>>(
    (problem, reason): (Problem, Option<AuthError>),
) -> Response<B> {
    let mut response = problem.into_response();
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

impl ResponseEdit {
    fn accepted(principal: &Principal, mode: Mode) -> Self {
        Self::Accepted {
            expires_at: principal.expires_at_text().copied(),
            is_optional: mode != Mode::Required,
        }
    }

    pub(super) fn complete<B>(&self, response: &mut Response<B>) {
        match self {
            Self::Accepted {
                expires_at,
                is_optional,
            } => {
                if let Some(date) = expires_at {
                    add_expiry(response, date);
                }
                if *is_optional {
                    vary_by_authorization(response.headers_mut());
                }
                // A cache that kept it would go on giving it out after the token has been revoked.
                make_private(response.headers_mut());
            }
            Self::Anonymous(config) => {
                vary_by_authorization(response.headers_mut());
                if add_challenge(response, &config.challenges.missing) {
                    make_private(response.headers_mut());
                }
            }
        }
    }
}

/// Tells the client when its token expires.
fn add_expiry<B>(response: &mut Response<B>, date: &DateText) {
    const PAT_EXPIRES_AT: HeaderName = HeaderName::from_static("pat-expires-at");
    if let Ok(date) = HeaderValue::from_str(date.as_str()) {
        response.headers_mut().insert(PAT_EXPIRES_AT, date);
    }
}

/// Offers our way to sign in beside the host's own, where the host asks for one. Returns whether it
/// does so only now.
fn add_challenge<B>(response: &mut Response<B>, challenge: &HeaderValue) -> bool {
    if response.status() != StatusCode::UNAUTHORIZED {
        return false;
    }
    let headers = response.headers_mut();
    let mut present = headers.get_all(WWW_AUTHENTICATE).iter();
    let is_missing = !present.any(|present| present == challenge);
    if is_missing {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    is_missing
}
