use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pat_core::{AuthError, BoxError, Pats, Principal};
use pin_project_lite::pin_project;

use crate::http::grpc;
use crate::rejection::{PatRejection, RejectionKind};

pin_project! {
    /// The response body of [`UntilInvalid`](crate::UntilInvalid): the inner service's body, until the
    /// request's token is invalid.
    pub struct UntilInvalidBody<B> {
        #[pin]
        inner: B,
        end: End,
        state: State,
    }
}

/// How a response ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With the trailers of gRPC.
    Trailers,
    /// Like a response that is complete.
    Complete,
    /// With an error.
    Error,
}

enum State {
    /// The request has no token.
    Anonymous,
    /// No frame was asked for yet.
    New(Pats, Principal),
    /// The inner body had its first frame ready.
    Begun(Pats, Principal),
    /// Ends when this future does.
    Watched(Watch),
    Ended,
}

type Watch = Pin<Box<dyn Future<Output = AuthError> + Send>>;

fn watch(pats: Pats, principal: Principal) -> Watch {
    Box::pin(async move { pats.until_invalid(&principal).await })
}

impl End {
    fn of(headers: &HeaderMap) -> Self {
        let media_type = grpc::media_type(headers).unwrap_or_default();
        if grpc::ends_with_trailers(headers) {
            Self::Trailers
        } else if media_type.eq_ignore_ascii_case(b"text/event-stream") {
            Self::Complete
        } else {
            Self::Error
        }
    }

    fn last_frame<D>(self, reason: AuthError) -> Option<Result<Frame<D>, BoxError>> {
        match self {
            Self::Trailers => Some(Ok(Frame::trailers(trailers(&reason)))),
            Self::Complete => None,
            Self::Error => Some(Err(reason.into())),
        }
    }
}

fn trailers(reason: &AuthError) -> HeaderMap {
    let kind = if let AuthError::Unavailable(_) = reason {
        RejectionKind::Unavailable
    } else {
        RejectionKind::InvalidToken
    };
    PatRejection::new(kind).grpc_status().into_trailers()
}

impl<B> UntilInvalidBody<B> {
    pub(super) fn new(inner: B, headers: &HeaderMap, token: Option<(Pats, Principal)>) -> Self {
        let state = match token {
            Some((pats, principal)) => State::New(pats, principal),
            None => State::Anonymous,
        };
        let end = End::of(headers);
        Self { inner, end, state }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for UntilInvalidBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        *this.state = match std::mem::replace(this.state, State::Ended) {
            State::New(pats, principal) => {
                // Most bodies are complete with their first frame. Such a body needs no watch, which would
                // be an allocation for each response.
                if let Poll::Ready(frame) = this.inner.as_mut().poll_frame(cx) {
                    *this.state = State::Begun(pats, principal);
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
                State::Watched(watch(pats, principal))
            }
            State::Begun(pats, principal) => State::Watched(watch(pats, principal)),
            state @ (State::Anonymous | State::Watched(_) | State::Ended) => state,
        };
        match this.state {
            State::Watched(watch) => {
                if let Poll::Ready(reason) = watch.as_mut().poll(cx) {
                    *this.state = State::Ended;
                    return Poll::Ready(this.end.last_frame(reason));
                }
            }
            State::Ended => return Poll::Ready(None),
            State::Anonymous | State::New(..) | State::Begun(..) => {}
        }
        let frame = ready!(this.inner.poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended) || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Ended => SizeHint::with_exact(0),
            State::Anonymous | State::New(..) | State::Begun(..) | State::Watched(_) => {
                self.inner.size_hint()
            }
        }
    }
}

impl<B> fmt::Debug for UntilInvalidBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilInvalidBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;
    use http_body_util::{BodyExt as _, Full};
    use pat_core::{Caller, MemoryStore, Owner, TokenRequest};

    use super::*;

    /// A body that sends nothing and does not end.
    struct Endless;

    impl Body for Endless {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Pending
        }
    }

    /// A body that always has a frame ready.
    struct AlwaysReady;

    impl Body for AlwaysReady {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Ok(Frame::data("abc".into()))))
        }
    }

    async fn token() -> (Pats, Principal) {
        let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
        let alice = Caller::header_authenticated(Owner::new("alice").expect("an owner"));
        let request = TokenRequest::new("ci", None);
        let created = pats.create(&alice, request).await.expect("a token");
        let presented = created.plain.expose().as_bytes();
        let principal = pats.authenticate(presented).await.expect("a good token");
        (pats, principal)
    }

    #[tokio::test]
    async fn a_body_with_a_valid_token_or_none_is_the_inner_one() {
        for token in [None, Some(token().await)] {
            let inner = Full::<Bytes>::from("abc");
            let body = UntilInvalidBody::new(inner, &HeaderMap::new(), token);
            assert_eq!(body.size_hint().exact(), Some(3));
            assert!(!body.is_end_stream());
            let collected = body.collect().await.expect("a body");
            assert_eq!(collected.to_bytes(), "abc");
        }
    }

    #[tokio::test]
    async fn a_body_ends_by_its_content_type() {
        let (pats, principal) = token().await;
        let alice = Caller::header_authenticated(principal.owner().clone());
        let revoked = pats.revoke(&alice, principal.token_id()).await;
        revoked.expect("it is revoked");
        let ended = async |content_type| {
            let content_type = HeaderValue::from_static(content_type);
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
            let token = (pats.clone(), principal.clone());
            let mut body = UntilInvalidBody::new(Endless, &headers, Some(token));
            let last = body.frame().await;
            assert!(body.is_end_stream() && body.frame().await.is_none());
            assert_eq!(body.size_hint().exact(), Some(0));
            last
        };
        let trailers = ended("application/grpc+proto").await.expect("trailers");
        let trailers = trailers
            .expect("no error")
            .into_trailers()
            .expect("trailers");
        assert_eq!(trailers["grpc-status"], "16");
        assert!(ended("text/event-stream; charset=utf-8").await.is_none());
        for content_type in ["application/octet-stream", "application/grpc-web", ""] {
            let error = ended(content_type).await.expect("an error").err();
            let error = error.expect("an error").downcast::<AuthError>();
            let error = *error.expect("the reason");
            assert!(matches!(error, AuthError::Revoked(_)), "{content_type}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_always_ready_ends_with_its_token() {
        let (pats, principal) = token().await;
        let alice = Caller::header_authenticated(principal.owner().clone());
        let token = (pats.clone(), principal.clone());
        let mut body = UntilInvalidBody::new(AlwaysReady, &HeaderMap::new(), Some(token));
        for _ in 0..3 {
            body.frame().await.expect("a frame").expect("no error");
        }
        let revoked = pats.revoke(&alice, principal.token_id()).await;
        revoked.expect("it is revoked");
        let end = async {
            while let Some(Ok(_)) = body.frame().await {
                tokio::task::yield_now().await;
            }
        };
        let end = tokio::time::timeout(std::time::Duration::from_secs(3), end).await;
        end.expect("an end in time");
    }

    #[test]
    fn a_token_that_cannot_be_checked_is_unavailable() {
        let reason = AuthError::Unavailable(pat_core::Unavailable::TooManyUnknown);
        assert_eq!(trailers(&reason)["grpc-status"], "14");
    }
}
