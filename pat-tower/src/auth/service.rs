use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::future::ResponseFuture;
use super::layer::{Action, Config, Decision, answer};

/// The service that [`PatLayer`](crate::PatLayer) puts around another.
#[derive(Debug, Clone)]
pub struct PatService<S> {
    pub(super) inner: S,
    pub(super) config: Arc<Config>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for PatService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<ReqBody>, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        match self.config.decide(&mut request) {
            Decision::Now(Action::Call(after)) => {
                ResponseFuture::calling(self.inner.call(request), after)
            }
            Decision::Now(Action::DestroySession(destroy, after)) => {
                let inner = self.take_ready_inner();
                ResponseFuture::destroying_session(destroy, after, request, inner)
            }
            Decision::Now(Action::Answer(what)) => {
                // What it was made ready with (a permit, say) is for a call that does not come.
                drop(self.take_ready_inner());
                ResponseFuture::answering(answer(*what))
            }
            Decision::Ask(digest) => {
                let inner = self.take_ready_inner();
                ResponseFuture::checking(Arc::clone(&self.config), digest, request, inner)
            }
        }
    }
}

impl<S: Clone> PatService<S> {
    /// The inner service that `poll_ready` has made ready; its clone takes its place.
    fn take_ready_inner(&mut self) -> S {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }
}
