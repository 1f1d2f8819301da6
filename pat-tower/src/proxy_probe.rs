//! A check, for the command `doctor`, that the proxies in front of a host pass on what it needs
//! ([`guide::proxies`](pat_core::guide::proxies)).
//!
//! The host mounts [`answer`] outside of [`PatLayer`](crate::PatLayer), and gives the command a [`ProxyProbe`]. `doctor
//! --url` then sends requests with a made-up token to the URL at which clients reach that route, and compares what it sent
//! with what arrived:
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::routing::any;
//! use pat_core::commands::Commands;
//! use pat_core::{BoxError, MemoryStore, Pats};
//! use pat_tower::proxy_probe::{self, ProxyProbe};
//!
//! let app: Router = Router::new().route("/probe/{*path}", any(proxy_probe::answer));
//!
//! async fn send(request: http::Request<String>) -> Result<http::Response<String>, BoxError> {
//!     // Any HTTP client.
//! #   let _ = request;
//! #   Err("not in this example".into())
//! }
//!
//! let commands = Commands::new(async || Ok(Pats::builder(Arc::new(MemoryStore::default())).build()))
//!     .url_check(Arc::new(ProxyProbe::new(send)));
//! # drop((app, commands));
//! ```

use std::fmt;
use std::pin::Pin;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use pat_core::commands::{Finding, UrlCheck, one_line};
use pat_core::{BoxError, async_trait};
use serde::{Deserialize, Serialize};

/// Marks the requests of the probe; others are answered with 404.
const MARK: &str = "x-pat-probe";
/// What the probe sends. It is no secret, and no token.
const CREDENTIALS: &str = "Bearer made-up-by-the-command-doctor";
const COOKIES: &str = "pat-probe=1";
/// The slash in a name must stay part of the name.
const PATH: &str = "/a%2Fb";
/// Bytes of the longest header and of the longest body that a host reads.
const LONG_HEADER: usize = 12 * 1024;
const LONG_BODY: usize = 1024 * 1024;
const SHORT_BODY: usize = 1_000;
const SUBJECT: &str = "proxies";

/// What has arrived at the host.
#[derive(Debug, Serialize, Deserialize)]
struct Arrived {
    authorization: Header,
    cookie: Header,
    host: Option<String>,
    target: String,
    body: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Header {
    Unchanged,
    Changed,
    Missing,
}

/// Answers a request of [`ProxyProbe`] with what has arrived, for any method and any path below that of the route. It
/// compares the request with the one that the probe sends, and shows no header but `Host`. Any other request is answered
/// with 404.
pub async fn answer<B>(request: Request<B>) -> Response<String>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let (mut response, is_marked) = (
        Response::new(String::new()),
        head.headers.contains_key(MARK),
    );
    let body = Limited::new(body, LONG_BODY).collect().await;
    let (Ok(body), true) = (body, is_marked) else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let headers = &head.headers;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has no such header.
    let host = host.or_else(|| head.uri.authority().map(Authority::as_str));
    let arrived = Arrived {
        authorization: compare(headers, AUTHORIZATION.as_str(), CREDENTIALS),
        cookie: compare(headers, COOKIE.as_str(), COOKIES),
        host: host.map(str::to_owned),
        target: head.uri.path().to_owned(),
        body: body.to_bytes().len(),
    };
    let json = serde_json::to_string(&arrived).unwrap_or_default();
    *response.body_mut() = json;
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn compare(headers: &HeaderMap, name: &str, sent: &str) -> Header {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Missing,
        // A long cookie begins so.
        (Some(value), None) if value.as_bytes().starts_with(sent.as_bytes()) => Header::Unchanged,
        _ => Header::Changed,
    }
}

type Sent = Pin<Box<dyn Future<Output = Result<Response<String>, BoxError>> + Send>>;

/// The client of [`answer`], for the command `doctor`.
pub struct ProxyProbe(Box<dyn Fn(Request<String>) -> Sent + Send + Sync>);

impl ProxyProbe {
    /// Creates a probe that sends requests by `send`, an HTTP client. It must follow no redirection.
    pub fn new<F, R>(send: F) -> Self
    where
        F: Fn(Request<String>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<String>, BoxError>> + Send + 'static,
    {
        Self(Box::new(move |request| Box::pin(send(request))))
    }

    /// Sends a request; the error is a phrase.
    async fn ask(
        &self,
        method: Method,
        url: &str,
        cookies: &str,
        body: usize,
    ) -> Result<Arrived, String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{PATH}", url.trim_end_matches('/')))
            .header(MARK, "1")
            .header(AUTHORIZATION, CREDENTIALS)
            .header(COOKIE, cookies)
            .body("x".repeat(body));
        let request = request.map_err(|_| "it is no URL of HTTP".to_owned())?;
        let response = (self.0)(request).await;
        let response = response.map_err(|error| one_line(&*error))?;
        let status = response.status();
        serde_json::from_str(response.body())
            .map_err(|_| format!("the answer has the status {status}, and is not the probe's"))
    }
}

impl fmt::Debug for ProxyProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyProbe(..)")
    }
}

#[async_trait]
impl UrlCheck for ProxyProbe {
    async fn run(&self, url: &str) -> Vec<Finding> {
        let first = match self.ask(Method::GET, url, COOKIES, 0).await {
            Ok(arrived) => arrived,
            Err(error) => {
                return vec![Finding::failed(
                    SUBJECT,
                    error,
                    "give the URL at which clients reach the route of the probe, and see the logs of the proxies",
                )];
            }
        };
        let mut findings = of_headers(&first);
        findings.extend(of_address(&first, url));
        let long = format!("{COOKIES}; padding={}", "x".repeat(LONG_HEADER));
        if let Err(error) = self.ask(Method::GET, url, &long, 0).await {
            findings.push(Finding::warning(
                SUBJECT,
                format!("headers of 12 KiB do not pass: {error}"),
                "allow headers of 16 KiB, which single sign-on produces",
            ));
        }
        let deleted = self.ask(Method::DELETE, url, COOKIES, SHORT_BODY).await;
        if deleted.map_or(true, |arrived| arrived.body != SHORT_BODY) {
            findings.push(Finding::warning(
                SUBJECT,
                "DELETE does not pass with a body",
                "pass it on, or let clients revoke in bulk by POST …/admin/tokens/revoke",
            ));
        }
        let posted = self.ask(Method::POST, url, COOKIES, LONG_BODY).await;
        if posted.map_or(true, |arrived| arrived.body != LONG_BODY) {
            findings.push(Finding::warning(
                SUBJECT,
                "bodies of 1 MiB do not pass",
                "allow them, as the host does",
            ));
        }
        if findings.is_empty() {
            let text = "they pass on Authorization, Cookie, Host, paths and bodies unchanged";
            findings.push(Finding::ok(SUBJECT, text));
        }
        findings
    }
}

fn of_headers(arrived: &Arrived) -> Vec<Finding> {
    let headers = [
        (
            "Authorization",
            arrived.authorization,
            "no token works through it",
        ),
        ("Cookie", arrived.cookie, "no session works through it"),
    ];
    let broken = headers.into_iter().filter_map(|(name, header, effect)| {
        let what = match header {
            Header::Unchanged => return None,
            Header::Changed => "is changed on the way",
            Header::Missing => "is removed on the way",
        };
        Some(Finding::failed(
            SUBJECT,
            format!("{name} {what}: {effect}"),
            format!("have the proxy pass on {name} unchanged"),
        ))
    });
    broken.collect()
}

fn of_address(arrived: &Arrived, url: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sent = url.parse::<http::Uri>().ok();
    let sent = sent.as_ref().and_then(|url| url.authority());
    let sent = sent.map(Authority::as_str);
    if arrived.host.as_deref() != sent {
        let host = arrived.host.as_deref().unwrap_or("nothing");
        findings.push(Finding::warning(
            SUBJECT,
            format!("Host arrives as {host}"),
            "have the proxy pass on Host with the port, or set pat.base.url to the URL in browsers",
        ));
    }
    if !arrived.target.ends_with(PATH) {
        findings.push(Finding::warning(
            SUBJECT,
            format!("the path {PATH} arrives as the end of {}", arrived.target),
            "have the proxy pass on paths unchanged: the %2F in a name is part of the name",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use pat_core::commands::Level;

    use super::*;

    /// A host behind a proxy that changes requests so.
    async fn behind(proxy: fn(&mut Request<String>)) -> Vec<Finding> {
        let send = move |mut request: Request<String>| {
            let authority = request.uri().authority().expect("a host").to_string();
            request
                .headers_mut()
                .insert(HOST, authority.parse().expect("a host"));
            proxy(&mut request);
            async { Ok(answer(request).await) }
        };
        ProxyProbe::new(send)
            .run("http://pat.example.com:8080/probe/")
            .await
    }

    fn texts(findings: &[Finding], level: Level) -> String {
        let found = findings.iter().filter(|finding| finding.level == level);
        found
            .map(|finding| &*finding.text)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[tokio::test]
    async fn a_proxy_that_changes_nothing_is_in_order() {
        let findings = behind(|_| {}).await;
        assert!(
            findings.len() == 1 && findings[0].level == Level::Ok,
            "{findings:?}"
        );
    }

    #[tokio::test]
    async fn what_a_proxy_changes_is_found() {
        type Case = (fn(&mut Request<String>), Level, &'static str);
        let cases: [Case; 9] = [
            (
                |request| drop(request.headers_mut().remove(AUTHORIZATION)),
                Level::Failed,
                "Authorization is removed",
            ),
            (
                |request| {
                    let basic = HeaderValue::from_static("Basic x");
                    request.headers_mut().insert(AUTHORIZATION, basic);
                },
                Level::Failed,
                "Authorization is changed",
            ),
            (
                |request| {
                    let basic = HeaderValue::from_static("Basic x");
                    request.headers_mut().append(AUTHORIZATION, basic);
                },
                Level::Failed,
                "Authorization is changed",
            ),
            (
                |request| drop(request.headers_mut().remove(COOKIE)),
                Level::Failed,
                "Cookie is removed",
            ),
            (
                |request| {
                    let name = HeaderValue::from_static("pat.example.com");
                    request.headers_mut().insert(HOST, name);
                },
                Level::Warning,
                "Host arrives as pat.example.com",
            ),
            (
                |request| *request.uri_mut() = "/probe/a/b".parse().unwrap(),
                Level::Warning,
                "arrives as the end of /probe/a/b",
            ),
            (
                |request| {
                    if request.headers()[COOKIE].len() > 8_192 {
                        request.headers_mut().remove(MARK);
                    }
                },
                Level::Warning,
                "headers of 12 KiB do not pass: the answer has the status 404",
            ),
            (
                |request| {
                    if request.method() == Method::DELETE {
                        request.body_mut().clear();
                    }
                },
                Level::Warning,
                "DELETE does not pass with a body",
            ),
            (
                |request| request.body_mut().truncate(1_000_000),
                Level::Warning,
                "bodies of 1 MiB do not pass",
            ),
        ];
        for (proxy, level, expected) in cases {
            let findings = behind(proxy).await;
            assert!(
                texts(&findings, level).contains(expected),
                "{expected}: {findings:?}"
            );
            assert_eq!(findings.len(), 1, "{findings:?}");
        }
        let silent = behind(|request| drop(request.headers_mut().remove(MARK))).await;
        assert!(
            texts(&silent, Level::Failed).contains("not the probe's"),
            "{silent:?}"
        );
    }

    #[tokio::test]
    async fn other_requests_learn_nothing() {
        let request = Request::get("/probe/x").header(COOKIE, "session=1");
        let response = answer(request.body(String::new()).unwrap()).await;
        assert_eq!(
            (response.status(), &**response.body()),
            (StatusCode::NOT_FOUND, "")
        );
    }
}
