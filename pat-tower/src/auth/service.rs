use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::config::Config;
use super::decision::{Action, Step};
use super::effects::Prepared;
use super::future::ResponseFuture;

/// The service that [`PatLayer`](crate::PatLayer) puts around an inner service.
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
        let decision = self.config.decide(&request);
        decision.header.apply(request.headers_mut());
        match decision.step {
            Step::Act(action) => self.act(request, action),
            Step::Authenticate(digest) => {
                if let Some(result) = self.config.pats.authenticate_cached(&digest) {
                    return self.act(request, self.config.evaluate(digest, result));
                }
                let inner = self.take_ready_inner();
                ResponseFuture::authenticating(Arc::clone(&self.config), digest, request, inner)
            }
        }
    }
}

impl<S> PatService<S> {
    fn act<ReqBody, ResBody>(
        &mut self,
        mut request: Request<ReqBody>,
        action: Action,
    ) -> ResponseFuture<S, Request<ReqBody>, ResBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        ResBody: From<Bytes>,
    {
        match self.config.prepare(&mut request, action) {
            Prepared::Call(edit) => ResponseFuture::calling(self.inner.call(request), edit),
            Prepared::DestroySession(destroy, edit) => {
                let inner = self.take_ready_inner();
                ResponseFuture::destroying_session(destroy, edit, request, inner)
            }
            Prepared::Reject(rejection) => {
                // What it was made ready with (a permit, say) is for a call that does not come.
                drop(self.take_ready_inner());
                ResponseFuture::responding(self.config.respond(*rejection))
            }
        }
    }

    /// Returns the inner service that `poll_ready` has made ready; its clone takes its place.
    fn take_ready_inner(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }
}
