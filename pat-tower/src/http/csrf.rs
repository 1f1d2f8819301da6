//! Whether another site made a browser send a request.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::ready;

use axum::extract::Request;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, StatusCode};
use pat_core::Settings;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::csrf::CsrfLayer;
use url::Url;

/// Tells requests of the host's own pages from those of other sites.
///
/// A page is the host's own if the browser says so, or if its origin is where the request went: the
/// request's `Host`, or the configured base URL, since a proxy may pass on another `Host` than the
/// browser sent. `Forwarded` and `X-Forwarded-*` are not read, since a client can forge them.
#[derive(Debug, Clone)]
pub(crate) struct Csrf {
    layer: CsrfLayer,
    base_url: Option<Box<str>>,
}

/// The error for a text that is not an origin such as `https://example.com`; `add_trusted_origin` of the
/// routers returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidOrigin(String);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "{text:?} is not an origin: give a scheme, a host and a port unless it is the default, \
             such as \"https://example.com\""
        )
    }
}

impl Error for InvalidOrigin {}

impl Csrf {
    pub(crate) fn new(settings: &Settings) -> Self {
        let base_url = settings.base_url();
        let layer = CsrfLayer::new();
        let origin = base_url.and_then(|url| Url::parse(url).ok());
        let trusting = origin.and_then(|url| {
            let origin = url.origin().ascii_serialization();
            layer.clone().add_trusted_origin(origin).ok()
        });
        Self {
            layer: trusting.unwrap_or(layer),
            base_url: base_url.map(Into::into),
        }
    }

    pub(crate) fn add_trusted_origin(self, origin: &str) -> Result<Self, InvalidOrigin> {
        let layer = self.layer.add_trusted_origin(origin);
        let layer = layer.map_err(|_| InvalidOrigin(origin.to_owned()))?;
        Ok(Self { layer, ..self })
    }

    /// Asks tower-http's middleware about the head of a request. A refusal is logged with what was
    /// compared: behind a proxy it is most often a matter of configuration.
    pub(crate) async fn made(&self, head: http::Request<()>) -> bool {
        let (headers, authority) = (head.headers().clone(), head.uri().authority().cloned());
        let passed = service_fn(|_| ready(Ok::<_, Infallible>(http::Response::new(()))));
        let answer = ServiceBuilder::new()
            .layer(&self.layer)
            .service(passed)
            .oneshot(head)
            .await;
        let is_made = answer.is_ok_and(|answer| answer.status() == StatusCode::FORBIDDEN);
        if is_made {
            tracing::warn!(
                origin = text(&headers, &ORIGIN),
                host = text(&headers, &HOST),
                authority = authority.as_ref().map(http::uri::Authority::as_str),
                base_url = self.base_url.as_deref(),
                "refused a request that another site made a browser send"
            );
        }
        is_made
    }
}

/// A header as it may be shown; the client chooses it.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    /// The longest text of a header that is logged, in bytes.
    const MAX_LEN: usize = 200;

    let value = headers.get(name)?.as_bytes();
    let shown = value.get(..MAX_LEN).unwrap_or(value);
    Some(shown.escape_ascii().to_string())
}

/// The head of a request, without its body.
pub(crate) fn head(request: &Request) -> http::Request<()> {
    let mut head = http::Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    head
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged.
    #[derive(Debug, Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a log").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_refusal_is_logged_with_what_was_compared() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let settings = Settings::builder().base_url("https://pat.example");
        let configured = Csrf::new(&settings.build().expect("settings"));
        let refused = posted(&[("origin", "https://other.example"), ("host", "10.0.0.1")]);
        assert!(configured.made(refused).await);
        let log = String::from_utf8(log.0.lock().expect("a log").clone()).expect("a text");
        for expected in [
            "WARN",
            "https://other.example",
            "10.0.0.1",
            "https://pat.example",
        ] {
            assert!(log.contains(expected), "{log}");
        }
    }

    fn posted(headers: &[(&str, &str)]) -> http::Request<()> {
        let builder = http::Request::builder().method("POST").uri("/tokens");
        let builder = headers.iter().fold(builder, |builder, (name, value)| {
            builder.header(*name, *value)
        });
        builder.body(()).expect("a request")
    }

    #[tokio::test]
    async fn the_host_or_the_base_url_matches() {
        let settings = Settings::builder().base_url("https://Pat.example:443/app/");
        let configured = Csrf::new(&settings.build().expect("settings"));
        let other = Csrf::new(&Settings::default());
        let own = ("origin", "https://pat.example");
        for (headers, by_configured, by_other) in [
            (&[own, ("host", "pat.example")][..], false, false),
            (&[own, ("host", "pat.example:8443")], false, true),
            (&[own, ("host", "127.0.0.1:8080")], false, true),
            (
                &[("origin", "http://pat.example"), ("host", "x")],
                true,
                true,
            ),
            (
                &[("origin", "https://pat.example:8443"), ("host", "x")],
                true,
                true,
            ),
            (
                &[
                    ("origin", "https://evil.example"),
                    ("host", "pat.example"),
                    ("x-forwarded-host", "evil.example"),
                    ("forwarded", "host=evil.example"),
                    ("x-forwarded-proto", "https"),
                ],
                true,
                true,
            ),
        ] {
            let made = (
                configured.made(posted(headers)).await,
                other.made(posted(headers)).await,
            );
            assert_eq!(made, (by_configured, by_other), "{headers:?}");
        }
    }
}
