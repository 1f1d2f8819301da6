use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pat_core::{Pats, Principal};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::UntilInvalidBody;
use crate::pat::Pat;

/// Ends the responses to authenticated requests as soon as their token is invalid, for event streams,
/// streaming gRPC methods and other long responses, which would otherwise outlive a token that expires or
/// is revoked.
///
/// Put the layer inside of the [`PatLayer`](crate::PatLayer), around the routes with long responses:
/// outside of the `PatLayer` it sees no token, and ends nothing. It checks the token while a response
/// lasts, as often as [`Pats::until_invalid`] does, and does not change responses to anonymous requests.
/// A response that has to end early ends
///
/// - with the trailers of gRPC if it is gRPC's (`application/grpc`): `grpc-status` 16, or 14 if the token
///   cannot be checked any more,
/// - like one that is complete if it is an event stream (`text/event-stream`), which has no end of its
///   own,
/// - with an error otherwise, so that the server breaks the connection or resets the stream, and a client
///   cannot mistake the part that it has received for the whole.
///
/// gRPC-Web has its trailers in the body: put tonic's `GrpcWebLayer` outside of this layer, on either side of
/// the `PatLayer`.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use axum::response::sse::{Event, Sse};
/// use axum::routing::get;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::{PatLayer, UntilInvalidLayer};
///
/// async fn events() -> Sse<impl futures_util::Stream<Item = Result<Event, axum::BoxError>>> {
///     Sse::new(futures_util::stream::pending())
/// }
///
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let app: Router = Router::new()
///     .route("/events", get(events).layer(UntilInvalidLayer::new(pats.clone())))
///     .layer(PatLayer::required(pats));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct UntilInvalidLayer {
    pats: Pats,
}

impl UntilInvalidLayer {
    /// Creates a layer. `pats` is the service of the [`PatLayer`](crate::PatLayer) outside.
    pub fn new(pats: Pats) -> Self {
        Self { pats }
    }
}

impl<S> Layer<S> for UntilInvalidLayer {
    type Service = UntilInvalid<S>;

    fn layer(&self, inner: S) -> UntilInvalid<S> {
        let pats = self.pats.clone();
        UntilInvalid { inner, pats }
    }
}

/// The service that [`UntilInvalidLayer`] puts around an inner service.
#[derive(Debug, Clone)]
pub struct UntilInvalid<S> {
    inner: S,
    pats: Pats,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for UntilInvalid<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<UntilInvalidBody<ResBody>>;
    type Error = S::Error;
    type Future = UntilInvalidFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let pat = Pat::of(request.extensions());
        let token = pat.map(|pat| (self.pats.clone(), pat.principal().clone()));
        let future = self.inner.call(request);
        UntilInvalidFuture { future, token }
    }
}

pin_project! {
    /// The response future of [`UntilInvalid`].
    pub struct UntilInvalidFuture<F> {
        #[pin]
        future: F,
        token: Option<(Pats, Principal)>,
    }
}

impl<F, ResBody, E> Future for UntilInvalidFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<UntilInvalidBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (head, body) = ready!(this.future.poll(cx))?.into_parts();
        let body = UntilInvalidBody::new(body, &head.headers, this.token.take());
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

impl<F> fmt::Debug for UntilInvalidFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilInvalidFuture").finish_non_exhaustive()
    }
}
