use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pat_core::{AuthError, Principal, TokenDigest};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::layer::{Action, Config, ResponseEdit, answer};
use crate::session::Destroy;

type Check = Pin<Box<dyn Future<Output = Result<Principal, AuthError>> + Send>>;

pin_project! {
    /// The future of [`PatService`](crate::PatService): boxes nothing as long as the token is
    /// cached and no session has to be destroyed.
    pub struct ResponseFuture<S, Req, ResBody>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, ResBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req, ResBody>
    where
        S: Service<Req>,
    {
        Checking {
            check: Check,
            config: Arc<Config>,
            digest: TokenDigest,
            call: Option<Box<Call<S, Req>>>,
        },
        DestroyingSession {
            destroy: Destroy,
            after: Option<ResponseEdit>,
            call: Option<Box<Call<S, Req>>>,
        },
        Calling {
            #[pin]
            future: S::Future,
            after: ResponseEdit,
        },
        Answering {
            response: Option<Box<Response<ResBody>>>,
        },
    }
}

/// A call that waits for its turn.
struct Call<S, Req> {
    inner: S,
    request: Req,
}

impl<S: Service<Req>, Req> Call<S, Req> {
    fn start(mut self) -> S::Future {
        self.inner.call(self.request)
    }
}

impl<S, ReqBody, ResBody> ResponseFuture<S, Request<ReqBody>, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn calling(future: S::Future, after: ResponseEdit) -> Self {
        Self {
            state: State::Calling { future, after },
        }
    }

    pub(super) fn answering(response: Response<ResBody>) -> Self {
        Self {
            state: State::Answering {
                response: Some(Box::new(response)),
            },
        }
    }

    pub(super) fn checking(
        config: Arc<Config>,
        digest: TokenDigest,
        request: Request<ReqBody>,
        inner: S,
    ) -> Self {
        let check = Box::pin(config.pats.authenticate_digest(digest));
        let call = Some(Box::new(Call { inner, request }));
        Self {
            state: State::Checking {
                check,
                config,
                digest,
                call,
            },
        }
    }

    pub(super) fn destroying_session(
        destroy: Destroy,
        after: ResponseEdit,
        request: Request<ReqBody>,
        inner: S,
    ) -> Self {
        let call = Some(Box::new(Call { inner, request }));
        Self {
            state: State::DestroyingSession {
                destroy,
                after: Some(after),
                call,
            },
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, Request<ReqBody>, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const POLLED_AGAIN: &str = "a future is not polled after it is ready";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Checking {
                    check,
                    config,
                    digest,
                    call,
                } => {
                    let verdict = ready!(check.as_mut().poll(cx));
                    let mut call = call.take().expect(POLLED_AGAIN);
                    match config.apply(&mut call.request, *digest, verdict) {
                        Action::DestroySession(destroy, after) => State::DestroyingSession {
                            destroy,
                            after: Some(after),
                            call: Some(call),
                        },
                        Action::Call(after) => State::Calling {
                            future: call.start(),
                            after,
                        },
                        Action::Answer(what) => State::Answering {
                            response: Some(Box::new(answer(*what))),
                        },
                    }
                }
                StateProj::DestroyingSession {
                    destroy,
                    after,
                    call,
                } => {
                    // One that could not be is reported; the request goes on.
                    drop(ready!(destroy.as_mut().poll(cx)));
                    State::Calling {
                        future: call.take().expect(POLLED_AGAIN).start(),
                        after: after.take().expect(POLLED_AGAIN),
                    }
                }
                StateProj::Calling { future, after } => {
                    let mut response = ready!(future.poll(cx))?;
                    after.complete(&mut response);
                    return Poll::Ready(Ok(response));
                }
                StateProj::Answering { response } => {
                    return Poll::Ready(Ok(*response.take().expect(POLLED_AGAIN)));
                }
            };
            state.set(next);
        }
    }
}

impl<S, Req, ResBody> fmt::Debug for ResponseFuture<S, Req, ResBody>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
