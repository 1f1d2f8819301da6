//! Probes for service managers and load balancers: whether a process runs, and whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pat_core::Pats;
use pat_core::health::{Check, Health, Status};
use serde_json::{Value, json};

/// The probes of a service. Clones share everything.
///
/// [`Probes::router`] has two routes. Mount it outside of [`PatLayer`](crate::PatLayer) and of the host's sign-in,
/// where only what probes the process reaches it:
///
/// | route | answer |
/// |---|---|
/// | `GET /livez` | 200 while the process runs. It checks nothing, since a restart does not help against a database that is down. |
/// | `GET /readyz` | 200 if [`Pats::health`] is [ready](Health::is_ready), and 503 if it is not, or after [`Probes::stop`]. The text says which part has failed. |
/// | `GET /readyz?verbose` | The same status, and all checks as JSON, also those of parts without which the process is ready. |
///
/// The JSON has `ready` and `stopping`, and `checks`: a list of objects with `name`, `status` (`ok`, `warning` or
/// `failed`), `message` and, unless the status is `ok`, `advice`. It contains no secret. `/readyz` queries the
/// database.
///
/// When the process is to end, call [`Probes::stop`] first, go on accepting connections until the load balancer has
/// noticed, and only then stop. The guide [`deploy`](crate::guide::deploy) has such a shutdown.
///
/// ```
/// use axum::Router;
/// use pat_core::Pats;
/// use pat_tower::probes::Probes;
///
/// fn app(pats: &Pats) -> (Router, Probes) {
///     let probes = Probes::new(pats.clone());
///     (Router::new().merge(probes.router()), probes)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Probes {
    pats: Pats,
    is_stopping: Arc<AtomicBool>,
}

impl Probes {
    /// Creates the probes of a service.
    #[must_use]
    pub fn new(pats: Pats) -> Self {
        Self {
            pats,
            is_stopping: Arc::default(),
        }
    }

    /// Makes the process not ready from now on, since it is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Returns a router with `/livez` and `/readyz`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route(
                "/livez",
                get(async || text(StatusCode::OK, "ok\n".to_owned())),
            )
            .route("/readyz", get(readyz))
            .with_state(self.clone())
    }
}

async fn readyz(State(probes): State<Probes>, RawQuery(query): RawQuery) -> Response {
    let is_stopping = probes.is_stopping.load(Ordering::Relaxed);
    // The database need not be asked then, and must not delay the answer.
    let health = if is_stopping {
        Health::default()
    } else {
        probes.pats.health().await
    };
    let is_ready = health.is_ready() && !is_stopping;
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if is_verbose(query.as_deref().unwrap_or_default()) {
        let checks: Vec<_> = health.checks().iter().map(check).collect();
        let json = json!({"ready": is_ready, "stopping": is_stopping, "checks": checks});
        return answer(status, "application/json", json.to_string());
    }
    if is_stopping {
        return text(status, "the process is about to end\n".to_owned());
    }
    let failed = health
        .checks()
        .iter()
        .filter(|check| check.status() == Status::Failed);
    let failed = failed.map(|check| format!("{}: {}\n", check.part(), check.message()));
    let failed = failed.collect::<Vec<_>>().concat();
    text(status, if is_ready { "ok\n".to_owned() } else { failed })
}

fn is_verbose(query: &str) -> bool {
    let mut fields = query.split('&');
    fields.any(|field| field == "verbose" || field.starts_with("verbose="))
}

fn check(check: &Check) -> Value {
    let mut json = json!({
        "name": check.part().as_str(),
        "status": check.status().as_str(),
        "message": check.message(),
    });
    if let Some(advice) = check.advice() {
        json["advice"] = advice.into();
    }
    json
}

fn text(status: StatusCode, text: String) -> Response {
    answer(status, "text/plain; charset=utf-8", text)
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt as _;
    use pat_core::MemoryStore;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(probes: &Probes, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let Ok(response) = probes.router::<()>().oneshot(request).await;
        let status = response.status();
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let body = response.into_body().collect().await.expect("a body");
        (
            status,
            String::from_utf8(body.to_bytes().into()).expect("text"),
        )
    }

    #[tokio::test]
    async fn a_process_is_ready_until_it_stops_and_alive_until_it_ends() {
        let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
        let probes = Probes::new(pats);
        let verbose = async |path| {
            let (status, body) = get(&probes, path).await;
            let json: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(json["ready"], status == StatusCode::OK);
            (status, json)
        };
        assert_eq!(
            get(&probes, "/readyz").await,
            (StatusCode::OK, "ok\n".into())
        );
        assert_eq!(get(&probes, "/readyz?x=verbose").await.1, "ok\n");
        let (status, json) = verbose("/readyz?verbose").await;
        assert_eq!((status, &json["stopping"]), (StatusCode::OK, &false.into()));
        let checks = json["checks"].as_array().expect("checks");
        let jobs = checks.iter().find(|check| check["name"] == "jobs");
        assert_eq!(
            jobs.expect("a check")["status"],
            "warning",
            "they do not run"
        );
        assert!(jobs.is_some_and(|check| check["advice"].is_string()));
        probes.clone().stop();
        let (status, body) = get(&probes, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        let (status, json) = verbose("/readyz?a=b&verbose=1").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            json,
            json!({"ready": false, "stopping": true, "checks": []})
        );
        assert_eq!(
            get(&probes, "/livez").await,
            (StatusCode::OK, "ok\n".into())
        );
    }
}
