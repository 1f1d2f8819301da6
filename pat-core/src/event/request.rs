use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Runs the future `operation` on behalf of the HTTP request with the ID `id`, and returns its output.
/// Events that the operation causes get this ID as their [`Event::request_id`](super::Event::request_id).
///
/// `pat-tower`'s routers call this function for requests with an `x-request-id` header.
pub async fn with_request_id<T>(id: &str, operation: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(Arc::from(id), operation).await
}

pub(super) fn current_request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// Wraps a future that another task is to run, for example with [`tokio::spawn`], so that it keeps the
/// request ID of the current task ([`with_request_id`]). Without a request ID, the future is unchanged.
pub fn carry_request_id<T>(operation: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = current_request_id();
    async move {
        match id {
            Some(id) => REQUEST_ID.scope(id, operation).await,
            None => operation.await,
        }
    }
}
