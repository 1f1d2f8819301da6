use http::{HeaderMap, HeaderValue};
use pat_core::event::with_request_id;

/// Where hosts and proxies put the id of a request.
const X_REQUEST_ID: &str = "x-request-id";
/// The longest id that is kept, in bytes: it comes from the client.
const MAX_LEN: usize = 128;

/// The id of a request, if it has one that is fit for a log.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(X_REQUEST_ID).map(HeaderValue::to_str)?.ok()?;
    (1..=MAX_LEN).contains(&id.len()).then_some(id)
}

/// Has audit events carry the id of the request that causes them.
pub(crate) async fn within_request<T>(id: Option<String>, answer: impl Future<Output = T>) -> T {
    match id {
        Some(id) => with_request_id(&id, answer).await,
        None => answer.await,
    }
}
