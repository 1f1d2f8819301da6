use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Runs an operation on behalf of the HTTP request of this id, which the events that it causes
/// carry as [`Event::request_id`](super::Event::request_id).
///
/// `pat-tower`'s routers do so for requests with an `x-request-id` header.
pub async fn with_request_id<T>(id: &str, operation: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(Arc::from(id), operation).await
}

pub(super) fn current_request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// Has a future that is going to run in another task keep the id of the request at hand.
pub fn carry_request_id<T>(operation: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = current_request_id();
    async move {
        match id {
            Some(id) => REQUEST_ID.scope(id, operation).await,
            None => operation.await,
        }
    }
}
