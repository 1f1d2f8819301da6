//! The bodies of requests: how one is read, and what becomes of the rest of one that is not.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, EXPECT};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// How much of a body is read on after its request is decided, in bytes.
const MAX_REST_LEN: usize = 1024 * 1024;
/// For how long it is read on.
const MAX_REST_TIME: Duration = Duration::from_secs(2);

/// Why a body cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is longer than it may be.
    TooLong,
    /// It ends before its end.
    Broken,
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read_whole(body: Body, max_len: usize) -> Result<Bytes, BodyError> {
    if usize::try_from(body.size_hint().lower()).is_ok_and(|len| len <= max_len) {
        let whole = Limited::new(body, max_len).collect().await;
        return match whole {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLong),
            Err(_) => Err(BodyError::Broken),
        };
    }
    Err(BodyError::TooLong)
}

/// Whether a body is in an encoding (gzip, say) that it would have to be decoded from.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CONTENT_ENCODING).iter();
    fields
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Reads on, within limits, what the inner service has left of the body, before the answer goes out.
/// A server that answers and hangs up while the client is still writing may have its answer lost.
pub(crate) async fn read_on(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Such a client sends nothing before it is asked to, which reading does.
    let waits = request.headers().contains_key(EXPECT);
    let (head, body) = request.into_parts();
    let body = SharedBody(Arc::new(Mutex::new(Progress {
        body,
        is_begun: false,
    })));
    let request = Request::from_parts(head, Body::new(body.clone()));
    let response = next.run(request).await;
    if !waits || body.is_begun() {
        let _given_up = tokio::time::timeout(MAX_REST_TIME, body.discard()).await;
    }
    response
}

/// A body that the inner service reads first, and the layer around it then.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<Progress>>);

struct Progress {
    body: Body,
    /// Whether reading has begun.
    is_begun: bool,
}

impl SharedBody {
    fn with<T>(&self, read: impl FnOnce(&mut Progress) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_begun(&self) -> bool {
        self.with(|progress| progress.is_begun)
    }

    async fn discard(mut self) {
        let mut left = MAX_REST_LEN;
        while let Some(Ok(frame)) = self.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|progress| {
            progress.is_begun = true;
            Pin::new(&mut progress.body).poll_frame(cx)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.with(|progress| progress.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|progress| progress.body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_encoding_is_what_has_to_be_decoded() {
        for (fields, expected) in [
            (&[][..], false),
            (&["identity"], false),
            (&[""], false),
            (&["Identity, identity"], false),
            (&["gzip"], true),
            (&["identity", "br"], true),
            (&["identity,gzip"], true),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(field));
            }
            assert_eq!(is_encoded(&headers), expected, "{fields:?}");
        }
    }
}
