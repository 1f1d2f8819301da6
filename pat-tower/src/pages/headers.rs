use std::sync::LazyLock;

use axum::response::Response;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

/// Forms may go to the host alone, since a new token is the answer to one. Nothing else is needed
/// from anywhere: no inline style or script either, so text that got into a page unescaped would
/// still do nothing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The same for a page whose script asks the host for something.
static CONNECTING_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!("{POLICY}; connect-src 'self'");
    HeaderValue::from_str(&policy).expect("a policy is visible ASCII")
});

/// Lets the script of this page ask the host for something.
pub(super) fn connecting(mut response: Response) -> Response {
    let policy = CONNECTING_POLICY.clone();
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// The headers of every page, besides its policy.
const HEADERS: [(HeaderName, &str); 6] = [
    // `no-referrer` would make browsers say `Origin: null` of our own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For browsers that do not know `frame-ancestors`.
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    // Copying a token is all that the pages ask of the browser.
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), usb=()",
    ),
];

/// The last touch on every answer of a page.
pub(super) async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = headers.entry(CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static(POLICY));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
