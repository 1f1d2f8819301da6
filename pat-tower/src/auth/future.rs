use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pat_core::{AuthError, Principal, TokenDigest};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::RejectionBody;
use super::config::Config;
use super::effects::{Prepared, ResponseEdit, SessionEnd};
use crate::client::client_of;
use crate::rejection::PatRejection;

type Authentication = Pin<Box<dyn Future<Output = Result<Principal, AuthError>> + Send>>;

pin_project! {
    /// The response future of [`PatService`](crate::PatService). It adds no allocation to a request whose
    /// token is valid and cached, and which has no session to destroy.
    pub struct ResponseFuture<S, Req, R>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req>,
        body: PhantomData<fn() -> R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req>
    where
        S: Service<Req>,
    {
        Authenticating {
            authentication: Authentication,
            config: Arc<Config>,
            digest: TokenDigest,
            call: Option<Box<Call<S, Req>>>,
        },
        DestroyingSession {
            destroy: SessionEnd,
            edit: Option<ResponseEdit>,
            call: Option<Box<Call<S, Req>>>,
        },
        Calling {
            #[pin]
            future: S::Future,
            edit: ResponseEdit,
        },
        Rejecting {
            rejection: Option<Box<PatRejection>>,
            config: Arc<Config>,
        },
    }
}

/// A call of the inner service that waits.
struct Call<S, Req> {
    inner: S,
    request: Req,
}

impl<S: Service<Req>, Req> Call<S, Req> {
    fn start(mut self) -> S::Future {
        self.inner.call(self.request)
    }
}

impl<S, ReqBody, R> ResponseFuture<S, Request<ReqBody>, R>
where
    S: Service<Request<ReqBody>>,
{
    fn new(state: State<S, Request<ReqBody>>) -> Self {
        let body = PhantomData;
        Self { state, body }
    }

    pub(super) fn calling(future: S::Future, edit: ResponseEdit) -> Self {
        Self::new(State::Calling { future, edit })
    }

    pub(super) fn rejecting(rejection: Box<PatRejection>, config: Arc<Config>) -> Self {
        let rejection = Some(rejection);
        Self::new(State::Rejecting { rejection, config })
    }

    pub(super) fn authenticating(
        config: Arc<Config>,
        digest: TokenDigest,
        request: Request<ReqBody>,
        inner: S,
    ) -> Self {
        let authentication = config.pats.authenticate_digest(digest);
        let client = client_of(&request);
        let authentication = Box::pin(config.pats.on_behalf_of(client, authentication));
        let call = Some(Box::new(Call { inner, request }));
        Self::new(State::Authenticating {
            authentication,
            config,
            digest,
            call,
        })
    }

    pub(super) fn destroying_session(
        destroy: SessionEnd,
        edit: ResponseEdit,
        request: Request<ReqBody>,
        inner: S,
    ) -> Self {
        let call = Some(Box::new(Call { inner, request }));
        Self::new(State::DestroyingSession {
            destroy,
            edit: Some(edit),
            call,
        })
    }
}

impl<S, ReqBody, ResBody, R> Future for ResponseFuture<S, Request<ReqBody>, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: RejectionBody<ResBody>,
{
    type Output = Result<Response<R::Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const POLLED_AGAIN: &str = "a future is not polled after it is ready";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Authenticating {
                    authentication,
                    config,
                    digest,
                    call,
                } => {
                    let result = ready!(authentication.as_mut().poll(cx));
                    let mut call = call.take().expect(POLLED_AGAIN);
                    let action = config.evaluate(&call.request, *digest, result);
                    match config.prepare(&mut call.request, action) {
                        Prepared::DestroySession(destroy, edit) => State::DestroyingSession {
                            destroy,
                            edit: Some(edit),
                            call: Some(call),
                        },
                        Prepared::Call(edit) => State::Calling {
                            future: call.start(),
                            edit,
                        },
                        Prepared::Reject(rejection) => State::Rejecting {
                            rejection: Some(rejection),
                            config: Arc::clone(config),
                        },
                    }
                }
                StateProj::DestroyingSession {
                    destroy,
                    edit,
                    call,
                } => {
                    ready!(destroy.as_mut().poll(cx));
                    State::Calling {
                        future: call.take().expect(POLLED_AGAIN).start(),
                        edit: edit.take().expect(POLLED_AGAIN),
                    }
                }
                StateProj::Calling { future, edit } => {
                    let mut response = ready!(future.poll(cx))?;
                    if let Some(mut rendered) = edit.render_again(&response) {
                        edit.apply(&mut rendered);
                        return Poll::Ready(Ok(rendered.map(R::rejection)));
                    }
                    edit.apply(&mut response);
                    return Poll::Ready(Ok(response.map(R::inner)));
                }
                StateProj::Rejecting { rejection, config } => {
                    let rejection = rejection.take().expect(POLLED_AGAIN);
                    let response = config.respond(*rejection);
                    return Poll::Ready(Ok(response.map(R::rejection)));
                }
            };
            state.set(next);
        }
    }
}

impl<S, Req, R> fmt::Debug for ResponseFuture<S, Req, R>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use bytes::Bytes;
    use http::Extensions;
    use http_body_util::Full;
    use pat_core::{BoxError, Caller, MemoryStore, Pats, TokenRequest};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::auth::layer::PatLayer;
    use crate::session::{Destroy, SessionInvalidator};

    /// Destroys sessions slowly.
    #[derive(Debug, Clone, Default)]
    struct Slow(Arc<AtomicBool>);

    impl SessionInvalidator for Slow {
        fn detach(&self, _: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
            let is_destroyed = Arc::clone(&self.0);
            Ok(Some(Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                is_destroyed.store(true, Ordering::Relaxed);
                Ok(())
            })))
        }
    }

    #[tokio::test]
    async fn a_session_ends_although_the_client_disconnects() {
        let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
        let alice = Caller::cookie_authenticated("alice".parse().expect("an owner"));
        let token = pats.create(&alice, TokenRequest::new("ci", None)).await;
        let bearer = format!("Bearer {}", token.expect("created").plain.expose());
        let sessions = Slow::default();
        let layer = PatLayer::required(pats).with_session_invalidator(sessions.clone());
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let request = Request::builder().header("authorization", bearer);
        let request = request.body(()).expect("a request");
        let response = layer.layer(inner).oneshot(request);
        let client = tokio::time::timeout(Duration::from_millis(10), response);
        assert!(client.await.is_err(), "it does not wait for the response");
        let ended = async {
            while !sessions.0.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_mins(1), ended);
        ended.await.expect("the session ends");
    }
}
