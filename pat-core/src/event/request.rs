use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Runs an operation for the HTTP request with this ID. Events of the operation have it as
/// [`Event::request_id`](super::Event::request_id).
///
/// `pat-tower`'s routers call this for requests with an `x-request-id` header.
pub async fn with_request_id<T>(id: &str, operation: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(Arc::from(id), operation).await
}

pub(super) fn current_request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// Wraps a future for another task, such as one for [`tokio::spawn`], so that it keeps the current
/// request ID.
pub fn carry_request_id<T>(operation: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = current_request_id();
    async move {
        match id {
            Some(id) => REQUEST_ID.scope(id, operation).await,
            None => operation.await,
        }
    }
}
