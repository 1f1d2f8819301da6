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
    /// Ends when this future does.
    UntilInvalid(Pin<Box<dyn Future<Output = AuthError> + Send>>),
    Ended,
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
            Self::Trailers => Some(Ok(Frame::trailers(trailers(reason)))),
            Self::Complete => None,
            Self::Error => Some(Err(reason.into())),
        }
    }
}

fn trailers(reason: AuthError) -> HeaderMap {
    let kind = match reason {
        AuthError::Unavailable(_) => RejectionKind::Unavailable,
        _ => RejectionKind::InvalidToken,
    };
    PatRejection::new(kind).grpc_status().into_trailers()
}

impl<B> UntilInvalidBody<B> {
    pub(super) fn new(inner: B, headers: &HeaderMap, token: Option<(Pats, Principal)>) -> Self {
        let state = match token {
            Some((pats, principal)) => {
                State::UntilInvalid(Box::pin(
                    async move { pats.until_invalid(&principal).await },
                ))
            }
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
        let this = self.project();
        match this.state {
            State::Anonymous => {}
            State::UntilInvalid(invalid) => {
                if let Poll::Ready(reason) = invalid.as_mut().poll(cx) {
                    *this.state = State::Ended;
                    return Poll::Ready(this.end.last_frame(reason));
                }
            }
            State::Ended => return Poll::Ready(None),
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
            State::Anonymous | State::UntilInvalid(_) => self.inner.size_hint(),
        }
    }
}

impl<B> fmt::Debug for UntilInvalidBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilInvalidBody").finish_non_exhaustive()
    }
}
