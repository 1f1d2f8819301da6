//! Connections: how many there are at a time, and how long a client may take.
//!
//! `axum::serve` has neither bound, so that a few clients who send half a request each keep everybody
//! else away.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};

/// Fewer than the file descriptors that a process has on most machines (1,024). Others wait until one
/// is closed.
const MAX_CONNECTIONS: usize = 900;
/// How long a client may take for the head of a request, and be silent between two.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the head of a request may be, in bytes, whatever version of HTTP it comes in.
const MAX_HEAD_LEN: u16 = u16::MAX;
/// How long a client may take for the next piece of a body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers requests until `stopping`, then finishes those that are under way.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, stopping: CancellationToken) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_LEN.into());
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT)
        .max_header_list_size(MAX_HEAD_LEN.into());
    let connections = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            let slot = Arc::clone(&free).acquire_owned().await;
            (Listener::accept(&mut listener).await, slot)
        };
        let ((stream, peer), slot) = tokio::select! {
            accepted = accepted => accepted,
            () = stopping.cancelled() => break,
        };
        let has_asked = Arc::new(AtomicBool::new(false));
        let (router, asks) = (router.clone(), Arc::clone(&has_asked));
        let service = service_fn(move |mut request: Request<_>| {
            asks.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            answer(router.clone(), request)
        });
        let service = TowerToHyperService::new(service);
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            let _slot = slot;
            tokio::select! {
                // What goes wrong with one connection is its client's affair.
                _ = connection => {}
                () = silent(&has_asked) => {}
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(
    router: Router,
    request: Request<hyper::body::Incoming>,
) -> Result<axum::response::Response, Infallible> {
    router.oneshot(request).await
}

/// Ends if there is no request in time. Until the server knows which version of HTTP a client speaks,
/// no timer of its own runs.
async fn silent(has_asked: &AtomicBool) {
    tokio::time::sleep(HEAD_TIMEOUT).await;
    if has_asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}
