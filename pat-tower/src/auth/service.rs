use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::{RejectionBody, SameBody};
use super::config::Config;
use super::decision::Step;
use super::effects::Prepared;
use super::future::ResponseFuture;
use crate::client::client_of;
use crate::http::bearer::Authorization;

/// The service that [`PatLayer`](crate::PatLayer) puts around an inner service. `R` determines the type
/// of the response body, as in the layer.
#[derive(Debug, Clone)]
pub struct PatService<S, R = SameBody> {
    pub(super) inner: S,
    pub(super) config: Arc<Config>,
    pub(super) body: PhantomData<fn() -> R>,
}

impl<S, ReqBody, ResBody, R> Service<Request<ReqBody>> for PatService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: RejectionBody<ResBody>,
{
    type Response = Response<R::Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<ReqBody>, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let authorization = Authorization::take(request.headers_mut());
        if self.config.keeps_header {
            authorization.put_back(request.headers_mut());
        }
        let config = &self.config;
        let mut decision = config.decide(&request, &authorization);
        if let Step::Authenticate(token, digest) = decision.step {
            decision = match config.pats.authenticate_known(&digest) {
                Some(principal) => {
                    Step::Act(config.evaluate(&request, digest, Ok(principal))).into()
                }
                None => config.decide_unknown(&request, token, digest),
            };
        }
        if decision.passes_header {
            authorization.put_back(request.headers_mut());
        }
        let action = match decision.step {
            Step::Act(action) => action,
            Step::Authenticate(_, digest) => {
                let client = || client_of(&request);
                let Some(error) = config.pats.refuse_cached_of(&digest, client) else {
                    let inner = self.take_ready_inner();
                    let config = Arc::clone(&self.config);
                    return ResponseFuture::authenticating(config, digest, request, inner);
                };
                config.evaluate(&request, digest, Err(error))
            }
        };
        match self.config.prepare(&mut request, action) {
            Prepared::Call(edit) => ResponseFuture::calling(self.inner.call(request), edit),
            Prepared::DestroySession(destroy, edit) => {
                let inner = self.take_ready_inner();
                ResponseFuture::destroying_session(destroy, edit, request, inner)
            }
            Prepared::Reject(rejection) => {
                // What it was made ready with (a permit, say) is for a call that does not come.
                drop(self.take_ready_inner());
                ResponseFuture::rejecting(rejection, Arc::clone(&self.config))
            }
        }
    }
}

impl<S, R> PatService<S, R> {
    /// Returns the inner service that `poll_ready` has made ready; its clone takes its place.
    fn take_ready_inner(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }
}
