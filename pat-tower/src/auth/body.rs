use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

/// Determines the body type of the responses of a [`PatService`](crate::PatService) whose inner service
/// responds with bodies of type `B`.
///
/// Implemented by [`SameBody`], the default, and by [`WrappedBody`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "a `PatLayer` cannot respond with the body type `{B}` of the inner service",
    label = "`{B}` does not implement `From<Bytes>`",
    note = "call `wrap_body()` on the `PatLayer`, so that the response body is a `pat_tower::ResponseBody<{B}>`"
)]
pub trait RejectionBody<B>: sealed::Sealed {
    /// The body type of the responses.
    type Body;

    /// Converts the body of a response of the inner service.
    #[doc(hidden)]
    fn inner(body: B) -> Self::Body;

    /// Converts the body of a response that the layer renders.
    #[doc(hidden)]
    fn rejection(body: Bytes) -> Self::Body;
}

/// The response body has the type of the inner service's, which must implement `From<Bytes>`, as
/// `axum::body::Body` and `http_body_util::Full<Bytes>` do.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SameBody;

/// The response body is a [`ResponseBody`] around the inner service's, which can have any type:
/// [`PatLayer::wrap_body`](crate::PatLayer::wrap_body).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WrappedBody;

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::SameBody {}
    impl Sealed for super::WrappedBody {}
}

// The error is about the layer, not about `From<Bytes>`.
#[diagnostic::do_not_recommend]
impl<B: From<Bytes>> RejectionBody<B> for SameBody {
    type Body = B;

    fn inner(body: B) -> B {
        body
    }

    fn rejection(body: Bytes) -> B {
        body.into()
    }
}

impl<B> RejectionBody<B> for WrappedBody {
    type Body = ResponseBody<B>;

    fn inner(body: B) -> ResponseBody<B> {
        let kind = Kind::Inner { body };
        ResponseBody { kind }
    }

    fn rejection(body: Bytes) -> ResponseBody<B> {
        body.into()
    }
}

pin_project! {
    /// The response body of a [`PatService`](crate::PatService) of a
    /// [`PatLayer::wrap_body`](crate::PatLayer::wrap_body): the inner service's body, or that of a
    /// rejection.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<B> {
        Inner {
            #[pin]
            body: B,
        },
        Rejection {
            body: Full<Bytes>,
        },
    }
}

impl<B> From<Bytes> for ResponseBody<B> {
    fn from(bytes: Bytes) -> Self {
        let kind = Kind::Rejection { body: bytes.into() };
        Self { kind }
    }
}

/// An empty body.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl<B: Body<Data: From<Bytes>>> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Inner { body } => body.poll_frame(cx),
            KindProj::Rejection { body } => Pin::new(body).poll_frame(cx).map(|frame| {
                frame.map(|frame| {
                    let Ok(frame) = frame;
                    Ok(frame.map_data(Into::into))
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Rejection { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Rejection { body } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// One frame of three bytes, whose size is known to be two to nine bytes, then trailers.
    struct Inner(u8);

    impl Body for Inner {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            self.0 += 1;
            Poll::Ready(match self.0 {
                1 => Some(Ok(Frame::data("abc".into()))),
                2 => Some(Ok(Frame::trailers(http::HeaderMap::new()))),
                3 => Some(Err("broken")),
                _ => None,
            })
        }

        fn is_end_stream(&self) -> bool {
            self.0 > 3
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(2);
            hint.set_upper(9);
            hint
        }
    }

    #[tokio::test]
    async fn a_wrapped_body_is_the_inner_one() {
        let mut body = WrappedBody::inner(Inner(0));
        assert_eq!(
            (body.size_hint().lower(), body.size_hint().upper()),
            (2, Some(9))
        );
        assert!(!body.is_end_stream());
        let frame = body.frame().await.expect("data").expect("no error");
        assert_eq!(frame.into_data().expect("data"), "abc");
        let frame = body.frame().await.expect("trailers").expect("no error");
        assert!(frame.is_trailers());
        assert_eq!(body.frame().await.expect("an error").err(), Some("broken"));
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_rejection_is_a_body_of_known_size() {
        let body: ResponseBody<Inner> = WrappedBody::rejection("no".into());
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(!body.is_end_stream());
        let collected = body.collect().await.expect("no error");
        assert_eq!(collected.to_bytes(), "no");
        assert!(ResponseBody::<Inner>::default().is_end_stream());
    }
}
