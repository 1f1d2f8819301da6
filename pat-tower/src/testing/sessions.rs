//! A suite for implementations of [`SessionInvalidator`].

use std::fmt::{self, Debug};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::header::{COOKIE, SET_COOKIE};
use http::{Extensions, HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;
use pat_core::BoxError;
use tower_service::Service;

use super::{TestPats, send};
use crate::auth::PatLayer;
use crate::session::{Destroy, SessionInvalidator};

/// Checks a [`SessionInvalidator`] against its contract, in the stack of a host whose sessions have cookies.
///
/// The stack has the host's session layer outside of the [`PatLayer`], and inside of it two routes: one that
/// starts a session, and one that shows what a handler finds in the session. The second must not use
/// [`SignedIn`](crate::SignedIn), which knows the owner of a token too.
///
/// [`sessions`](crate::guide::sessions) has an example.
pub struct SessionCheck<S> {
    test: TestPats,
    recorder: Recorder,
    app: S,
    sign_in: Request<String>,
    shows: String,
}

impl<S> SessionCheck<S> {
    /// Creates a check of this invalidator. `stack` returns the host's stack with the `PatLayer` that it is
    /// given, which has the invalidator. `sign_in` is a request that starts another session each time, and gets
    /// its cookie. `shows` is the path for a `GET` request whose response depends on the session alone.
    pub fn new(
        invalidator: impl SessionInvalidator,
        stack: impl FnOnce(PatLayer) -> S,
        sign_in: Request<String>,
        shows: &str,
    ) -> Self {
        let test = TestPats::new();
        let recorder = Recorder {
            invalidator: Arc::new(invalidator),
            calls: Arc::default(),
        };
        let layer = PatLayer::optional(test.pats()).with_session_invalidator(recorder.clone());
        Self {
            test,
            recorder,
            app: stack(layer),
            sign_in,
            shows: shows.to_owned(),
        }
    }
}

impl<S, B> SessionCheck<S>
where
    S: Service<Request<String>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body,
    B::Error: Debug,
{
    /// Checks that a request with a token
    ///
    /// - shows a handler no session, whether or not one came with it, and lets a handler start none;
    /// - ends the session that came with it, and no other one, also if two requests have the same session;
    /// - is served if the session is unknown or has ended;
    ///
    /// and that [`detach`](SessionInvalidator::detach) returns `None` for a request without a session, also for
    /// one whose session it has detached before, and an error where there is no session layer.
    ///
    /// # Panics
    /// If the invalidator or the stack breaks one of these rules. The message names the rule.
    pub async fn run(&self) {
        let without_layer = self.recorder.invalidator.detach(&mut Extensions::new());
        assert!(
            without_layer.is_err(),
            "detach returns an error if the request has no value of the session layer"
        );
        let token = self.test.token("owner").await;
        let anonymous = self.anonymous(&token).await;
        let (session, other) = (self.start().await, self.start().await);
        assert_ne!(session, other, "each sign-in starts a session of its own");
        let signed_in = self.shown(&HeaderMap::new(), &session).await;
        assert_ne!(
            signed_in, anonymous,
            "{:?} shows the user of the session",
            self.shows
        );

        self.ends(&token, &session, &anonymous).await;
        let stays = self.shown(&HeaderMap::new(), &other).await;
        assert_eq!(stays, signed_in, "another session is not ended");

        for unknown in session.unknown() {
            let (shown, _) = self.show(&token, &unknown).await;
            assert_eq!(shown, anonymous, "a session that is unknown is no error");
            let calls = self.recorder.take();
            assert!(
                matches!(calls[..], [Call::NoSession | Call::Ended]),
                "a session that is unknown is no error: {calls:?}"
            );
        }

        for before in [Cookies::default(), other] {
            let response = self.send_sign_in(&token, &before).await;
            let after = before.with(&response);
            let shown = self.shown(&HeaderMap::new(), &after).await;
            assert_eq!(
                shown, anonymous,
                "a sign-in with a token starts no session, and ends the one that came with it"
            );
        }

        self.recorder.take();
        let session = self.start().await;
        let [one, two] = both(self.show(&token, &session), self.show(&token, &session)).await;
        for (shown, _) in [one, two] {
            assert_eq!(shown, anonymous, "a handler sees no session");
        }
        let calls = self.recorder.take();
        let is_fine = |call: &Call| matches!(call, Call::Ended | Call::NoSession);
        assert!(
            calls.len() == 2 && calls.iter().all(is_fine),
            "a session that another request has ended meanwhile is no error: {calls:?}"
        );
        let ended = self.shown(&HeaderMap::new(), &session).await;
        assert_eq!(ended, anonymous, "the session has ended");
    }

    /// Checks that a session which cannot be ended is left as it is: the future that
    /// [`detach`](SessionInvalidator::detach) returns fails, the handler sees no session, the response sets no
    /// cookie for the session, and the session continues. The layer then logs the error.
    ///
    /// `set_failing` makes the host's session store fail to end sessions (`true`), or work again (`false`).
    ///
    /// # Panics
    /// If the invalidator or the stack breaks one of these rules. The message names the rule.
    pub async fn run_with_failing_store(&self, set_failing: impl Fn(bool)) {
        let token = self.test.token("owner").await;
        let anonymous = self.anonymous(&token).await;
        let session = self.start().await;
        let signed_in = self.shown(&HeaderMap::new(), &session).await;
        set_failing(true);
        let (shown, response) = self.show(&token, &session).await;
        set_failing(false);
        assert_eq!(
            shown, anonymous,
            "a handler sees no session, also if it cannot be ended"
        );
        let calls = self.recorder.take();
        assert!(
            matches!(calls[..], [Call::Failed(_)]),
            "the future fails if the session store does: {calls:?}"
        );
        assert!(
            session.has_none_of(&response),
            "no cookie is set for a session that cannot be ended"
        );
        let stays = self.shown(&HeaderMap::new(), &session).await;
        assert_eq!(
            stays, signed_in,
            "a session that cannot be ended is left unmodified"
        );
        self.ends(&token, &session, &anonymous).await;
    }

    /// Returns what a request shows that has no session, with or without a token.
    async fn anonymous(&self, token: &HeaderMap) -> Shown {
        let none = Cookies::default();
        let anonymous = self.shown(&HeaderMap::new(), &none).await;
        let (by_token, response) = self.show(token, &none).await;
        assert_eq!(
            by_token, anonymous,
            "{:?} shows the session alone, and with a token it is empty",
            self.shows
        );
        let calls = self.recorder.take();
        assert_eq!(
            calls,
            [Call::NoSession],
            "detach returns None for a request without a session, also if it is called again"
        );
        let started = self.shown(&HeaderMap::new(), &none.with(&response)).await;
        assert_eq!(
            started, anonymous,
            "a request with a token starts no session"
        );
        anonymous
    }

    /// Checks that a token ends this session.
    async fn ends(&self, token: &HeaderMap, session: &Cookies, anonymous: &Shown) {
        let (shown, response) = self.show(token, session).await;
        assert_eq!(
            shown, *anonymous,
            "a handler sees no session in a request with a token"
        );
        let calls = self.recorder.take();
        assert_eq!(
            calls,
            [Call::Ended],
            "detach returns a future that ends the session, and None if it is called again"
        );
        // Whether or not the client does what the response's cookies say.
        for after in [session, &session.with(&response)] {
            let shown = self.shown(&HeaderMap::new(), after).await;
            assert_eq!(shown, *anonymous, "the session has ended");
        }
    }

    /// Starts a session. Returns its cookies.
    async fn start(&self) -> Cookies {
        let none = Cookies::default();
        let response = self.send_sign_in(&HeaderMap::new(), &none).await;
        let session = none.with(&response);
        let status = response.status();
        assert_ne!(
            session, none,
            "the sign-in sets a cookie; its status is {status}"
        );
        session
    }

    async fn send_sign_in(&self, headers: &HeaderMap, cookies: &Cookies) -> Response<B> {
        let mut request = self.sign_in.clone();
        request.headers_mut().extend(cookies.on(headers));
        send(&self.app, request).await
    }

    async fn shown(&self, headers: &HeaderMap, cookies: &Cookies) -> Shown {
        self.show(headers, cookies).await.0
    }

    async fn show(&self, headers: &HeaderMap, cookies: &Cookies) -> (Shown, Response<()>) {
        let response = super::get(&self.app, &self.shows, &cookies.on(headers)).await;
        let (head, body) = response.into_parts();
        let body = pin!(body).collect().await.expect("a complete body");
        let shown = Shown {
            status: head.status,
            text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        };
        (shown, Response::from_parts(head, ()))
    }
}

impl<S> Debug for SessionCheck<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invalidator = &self.recorder.invalidator;
        f.debug_tuple("SessionCheck").field(invalidator).finish()
    }
}

/// What the host shows of the session.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    status: StatusCode,
    text: String,
}

/// The names and values of a client's cookies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Returns the cookies after a response. One that the response removes is kept with its new value, since
    /// a client may go on to send it.
    fn with<B>(&self, response: &Response<B>) -> Self {
        let mut cookies = self.clone();
        for (name, value) in set_by(response) {
            cookies.0.retain(|(kept, _)| kept != name);
            cookies.0.push((name.to_owned(), value.to_owned()));
        }
        cookies
    }

    /// Returns whether the response sets and removes none of these cookies.
    fn has_none_of<B>(&self, response: &Response<B>) -> bool {
        set_by(response).all(|(set, _)| self.0.iter().all(|(name, _)| name != set))
    }

    /// Returns these cookies, which are of a session that has ended, and cookies with other values.
    fn unknown(&self) -> [Self; 3] {
        let each = |change: fn(&str) -> String| {
            let pairs = self.0.iter();
            Self(
                pairs
                    .map(|(name, value)| (name.clone(), change(value)))
                    .collect(),
            )
        };
        [
            self.clone(),
            each(|value| value.chars().rev().collect()),
            each(|_| String::new()),
        ]
    }

    /// Returns the headers of a request with these cookies.
    fn on(&self, headers: &HeaderMap) -> HeaderMap {
        let mut headers = headers.clone();
        if !self.0.is_empty() {
            let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
            let cookies = pairs.collect::<Vec<_>>().join("; ");
            let cookies = HeaderValue::try_from(cookies).expect("visible characters");
            headers.insert(COOKIE, cookies);
        }
        headers
    }
}

/// Returns the names and values of the cookies that a response sets or removes.
fn set_by<B>(response: &Response<B>) -> impl Iterator<Item = (&str, &str)> {
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    cookies.map(|cookie| {
        let cookie = cookie.to_str().expect("a cookie of visible characters");
        let pair = cookie.split(';').next().unwrap_or_default();
        pair.split_once('=').expect("a cookie's name and value")
    })
}

/// An invalidator that records what another one does.
#[derive(Debug, Clone)]
struct Recorder {
    invalidator: Arc<dyn SessionInvalidator>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// How a call of `detach` has ended.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    /// It returned `None`.
    NoSession,
    /// It returned a future that has not ended, or has panicked.
    Unfinished,
    /// The future succeeded.
    Ended,
    /// The future failed with this error.
    Failed(String),
    /// It returned this error.
    Refused(String),
    /// A second call, as by a second layer in the stack, did not return `None`.
    NotDetached,
}

impl Recorder {
    /// Returns what was recorded since the last call of this method.
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionInvalidator for Recorder {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        let detached = self.invalidator.detach(extensions);
        let is_detached = matches!(self.invalidator.detach(extensions), Ok(None));
        let call = match &detached {
            Err(error) => Call::Refused(error.to_string()),
            Ok(_) if !is_detached => Call::NotDetached,
            Ok(None) => Call::NoSession,
            Ok(Some(_)) => Call::Unfinished,
        };
        let mut calls = self.calls();
        let index = calls.len();
        calls.push(call);
        let Some(destroy) = detached? else {
            return Ok(None);
        };
        let recorder = self.clone();
        Ok(Some(Box::pin(async move {
            let ended = destroy.await;
            if let Some(call @ Call::Unfinished) = recorder.calls().get_mut(index) {
                *call = match &ended {
                    Ok(()) => Call::Ended,
                    Err(error) => Call::Failed(error.to_string()),
                };
            }
            ended
        })))
    }
}

/// Runs two futures at once.
async fn both<T>(one: impl Future<Output = T>, two: impl Future<Output = T>) -> [T; 2] {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(context)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = two.as_mut().poll(context)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready([first, second]),
            pending => {
                (first, second) = pending;
                Poll::Pending
            }
        }
    })
    .await
}
