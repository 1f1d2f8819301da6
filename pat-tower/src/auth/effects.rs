//! Carries a [`Decision`](super::decision::Decision) out: what changes in the request, which session
//! ends, and what is added to the response.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use pat_core::{DateText, TokenId};

use super::config::{Config, Mode, Renderer};
use super::decision::Action;
use super::state::{Unauthenticated, Why};
use crate::http::caching::{make_private, vary_by_authorization};
use crate::http::grpc;
use crate::pat::{NewEnd, Pat};
use crate::rejection::{PatRejection, RejectionKind};
use crate::scope::{self, RequestHead};

/// A future that destroys a session, and reports a failure.
pub(super) type SessionEnd = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is left to do after the request was changed.
pub(super) enum Prepared {
    /// Call the inner service.
    Call(ResponseEdit),
    /// Destroy the session that came with the request, then call the inner service.
    DestroySession(SessionEnd, ResponseEdit),
    /// Respond in place of the inner service.
    Reject(Box<PatRejection>),
}

/// What is to be done to the inner service's response.
pub(super) enum ResponseEdit {
    /// The request was the token holder's.
    Accepted {
        /// When the token expires, unless the request changes that; `None` if it never does.
        expires_at: Option<DateText>,
        /// Whether another request may pass without a token.
        is_optional: bool,
        /// Renders the rejection of an extractor.
        renderer: Option<Renderer>,
    },
    /// The request was passed on without a token.
    Unauthenticated(Arc<Config>),
}

impl Config {
    /// Prepares a request for the inner service, unless that is not called.
    pub(super) fn prepare<B>(
        self: &Arc<Self>,
        request: &mut Request<B>,
        action: Action,
    ) -> Prepared {
        match action {
            Action::Accept(pat) => self.accept(request, pat),
            Action::PassOn(why) => {
                self.mark(request, why);
                Prepared::Call(ResponseEdit::Unauthenticated(Arc::clone(self)))
            }
            Action::Reject(rejection) => reject(rejection, request),
            // Nothing was done for the request, so its session stays.
            Action::Forbid(token, rejection) => {
                self.note_refusal(RequestHead::of(request), Some(token), &rejection);
                reject(rejection, request)
            }
        }
    }

    /// Counts and logs that the scopes of a caller do not permit a request.
    pub(super) fn note_refusal(
        &self,
        head: RequestHead<'_>,
        token: Option<TokenId>,
        rejection: &PatRejection,
    ) {
        if rejection.kind() == RejectionKind::ScopeMapPanicked {
            tracing::error!(
                method = head.method().as_str(),
                path = head.uri().path(),
                "refused a request with a good token: the function of the scope map panicked"
            );
            return;
        }
        let missing: Vec<_> = rejection.missing_scopes().collect();
        scope::note(&self.pats, token, head, &missing);
        if missing.is_empty()
            && let Some(advice) = self.scopes.advice(head)
        {
            tracing::warn!("{advice}");
        }
    }

    fn accept<B>(&self, request: &mut Request<B>, pat: Pat) -> Prepared {
        let edit = ResponseEdit::Accepted {
            expires_at: pat.principal().expires_at_text().copied(),
            is_optional: self.mode != Mode::Required,
            renderer: self.renderer.clone(),
        };
        request.extensions_mut().insert(pat);
        let Some(sessions) = &self.sessions else {
            return Prepared::Call(edit);
        };
        match sessions.detach(request.extensions_mut()) {
            Ok(Some(destroy)) => {
                let pats = self.pats.clone();
                let ended = Box::pin(async move { pats.end_session(destroy).await });
                Prepared::DestroySession(ended, edit)
            }
            Ok(None) => Prepared::Call(edit),
            Err(error) => {
                tracing::error!(
                    %error,
                    "refused a request with a good token: its session could not be detached"
                );
                let rejection = PatRejection::new(RejectionKind::SessionsNotFound);
                reject(Box::new(rejection), request)
            }
        }
    }

    fn mark<B>(&self, request: &mut Request<B>, why: Why) {
        let service = self.pats.instance();
        let extensions = request.extensions_mut();
        extensions.remove::<Pat>();
        extensions.insert(Unauthenticated { service, why });
    }

    /// Returns the layer's own response.
    pub(super) fn respond(&self, rejection: PatRejection) -> Response<Bytes> {
        if let Some(renderer) = &self.renderer {
            return renderer.respond(rejection);
        }
        let mut response = rejection.to_response();
        response.extensions_mut().insert(rejection.rendered());
        response
    }
}

impl Renderer {
    fn respond(&self, rejection: PatRejection) -> Response<Bytes> {
        let mut response = self.render(&rejection);
        response.extensions_mut().insert(rejection.rendered());
        response
    }

    /// Returns the host's response with the headers that it may not lack.
    fn render(&self, rejection: &PatRejection) -> Response<Bytes> {
        let mut response = (self.0)(rejection);
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, no_store);
        if rejection.has_status_of(&response)
            && let Some(challenge) = rejection.challenge()
        {
            add_challenge(response.headers_mut(), challenge);
        }
        response
    }
}

impl ResponseEdit {
    /// Renders the rejection of an extractor in the host's way, if there is one, unless a layer has rendered it.
    #[inline]
    pub(super) fn render_again<B>(&self, response: &Response<B>) -> Option<Response<Bytes>> {
        let renderer = match self {
            Self::Accepted { renderer, .. } => renderer,
            Self::Unauthenticated(config) => &config.renderer,
        };
        let renderer = renderer.as_ref()?;
        let rejection = response.extensions().get::<PatRejection>()?;
        (!rejection.is_rendered()).then(|| renderer.respond(rejection.clone()))
    }

    /// Adds the headers of the layer to a response.
    pub(super) fn apply<B>(&self, response: &mut Response<B>) {
        match self {
            Self::Accepted {
                expires_at,
                is_optional,
                ..
            } => {
                let changed = response.extensions().get::<NewEnd>();
                let changed = changed.map(|NewEnd(date)| *date);
                if let Some(date) = changed.or(*expires_at) {
                    add_expiry(response.headers_mut(), &date);
                }
                if *is_optional {
                    vary_by_authorization(response.headers_mut());
                }
                // A cache that kept it would go on serving it after the token has been revoked.
                make_private(response.headers_mut());
            }
            Self::Unauthenticated(config) => {
                vary_by_authorization(response.headers_mut());
                // The host's own challenges stay beside the layer's.
                if is_unauthenticated(response)
                    && add_challenge(response.headers_mut(), &config.challenges.missing)
                {
                    make_private(response.headers_mut());
                }
            }
        }
    }
}

fn reject<B>(mut rejection: Box<PatRejection>, request: &Request<B>) -> Prepared {
    rejection.reply_to(request.method(), request.headers());
    Prepared::Reject(rejection)
}

/// Returns whether a response tells the client to authenticate, over HTTP or gRPC.
fn is_unauthenticated<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED || grpc::is_unauthenticated(response.headers())
}

/// Tells the client when its token expires.
fn add_expiry(headers: &mut HeaderMap, date: &DateText) {
    const PAT_EXPIRES_AT: HeaderName = HeaderName::from_static("pat-expires-at");
    if let Ok(date) = HeaderValue::from_bytes(date.as_bytes()) {
        headers.insert(PAT_EXPIRES_AT, date);
    }
}

/// Appends a challenge unless it is present. Returns whether it did.
fn add_challenge(headers: &mut HeaderMap, challenge: &HeaderValue) -> bool {
    let mut present = headers.get_all(WWW_AUTHENTICATE).iter();
    let is_missing = !present.any(|present| present == challenge);
    if is_missing {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    is_missing
}
