//! The example server in the process of the tests, and what its answers must be like.

use std::sync::Arc;
use std::time::Duration;

use pat_core::notification::NotificationKind;
use pat_core::store::Job;
use pat_core::testing::{RecordingNotifier, TestClock};
use pat_core::{JobRun, Pats, Settings};
use pat_example_server::{Config, DemoUsers, Stop, app};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::node::sqlite_url;

/// The example server, running in this process on a free port, with a clock that stands still.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, as the beginning of a URL without a slash at its end.
    pub base: String,
    /// Its token service.
    pub pats: Pats,
    /// Its users.
    pub users: DemoUsers,
    /// Its clock, which the test moves.
    pub clock: Arc<TestClock>,
    /// What it has on disk.
    pub folder: tempfile::TempDir,
    /// The notifications that it has sent.
    pub mailer: RecordingNotifier,
    http: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    /// With the default properties.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these properties.
    pub async fn with(properties: &[(&str, &str)]) -> Self {
        Self::within(tempfile::tempdir().expect("a temporary folder"), properties).await
    }

    /// With the database in this folder, and these properties.
    pub async fn within(folder: tempfile::TempDir, properties: &[(&str, &str)]) -> Self {
        let url = sqlite_url(folder.path());
        Self::on(url, folder, properties).await
    }

    /// With this database, a folder, and these properties.
    pub async fn on(url: String, folder: tempfile::TempDir, properties: &[(&str, &str)]) -> Self {
        // What the pages show does not depend on the machine.
        let builder = [("pat.time.zone", "UTC")]
            .iter()
            .chain(properties)
            .try_fold(Settings::builder(), |builder, (name, value)| {
                builder.set(name, value)
            });
        let settings = builder.and_then(pat_core::settings::SettingsBuilder::build);
        let mut config = Config::for_test(url, settings.expect("settings"));
        let mailer = RecordingNotifier::default();
        config.notifiers.push(Arc::new(mailer.clone()));
        let clock = Arc::new(TestClock::default());
        let app = app(config, clock.clone()).await.expect("the server starts");
        let (pats, users) = (app.pats.clone(), app.users.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let running = tokio::spawn(async move {
            let stop = async {
                stopped.await;
                Stop::default()
            };
            app.serve(listener, stop).await;
        });
        // The first poll of the change feed has the cache trusted from the first request on.
        pats.poll_changes().await.expect("a poll");
        let server = Self {
            base,
            pats,
            users,
            clock,
            folder,
            mailer,
            http: client(),
            stop,
            running,
        };
        // What the jobs do at a start is done with before the test begins.
        server.run_jobs().await;
        server
    }

    /// Runs the jobs that are due now, and delivers what they queue. (The server's own jobs may be
    /// at it already, and then this waits for them.)
    pub async fn run_jobs(&self) {
        for job in [Job::ExpiryCheck, Job::Prune] {
            while self.pats.run_if_due(job).await.expect("a job") == JobRun::Held {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        loop {
            self.pats.deliver_notifications().await.expect("a delivery");
            if self.pats.outbox().await.expect("the outbox").pending == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets time pass, then runs the jobs.
    pub async fn advance(&self, time: Duration) {
        // Nothing may be in hand, or it would be taken for forgotten.
        self.run_jobs().await;
        self.clock.advance(time);
        // The lease of the last poll is over.
        self.pats.poll_changes().await.expect("a poll");
        self.run_jobs().await;
    }

    /// The notifications that were sent so far, in order: the kind, the recipient, and of how many
    /// tokens.
    pub fn sent_notifications(&self) -> Vec<(NotificationKind, String, usize)> {
        let sent = self.mailer.sent().into_iter();
        let sent = sent.map(|notification| {
            (
                notification.kind,
                notification.recipient.email,
                notification.tokens.len(),
            )
        });
        let mut sent: Vec<_> = sent.collect();
        sent.sort_unstable();
        sent
    }

    /// Stops the server gracefully and leaves its folder.
    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.cancel();
        self.running.await.expect("a graceful stop");
        self.folder
    }

    /// Builds a request for this path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Builds a GET request for this path.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Builds a POST request for this path.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Builds a DELETE request for this path.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Creates a token of this user, for 90 days.
    pub async fn create(&self, user: &str) -> NewToken {
        let body = json!({"name": "ci", "expirationDuration": 90});
        let answer = answer(self.post(TOKENS).basic_auth(user, Some(user)).json(&body)).await;
        answer.created()
    }

    /// The status of a request for a protected resource with this token.
    pub async fn try_token(&self, token: &str) -> StatusCode {
        answer(self.get(PROJECTS).bearer_auth(token)).await.status
    }
}

/// Where the REST router lists and creates tokens.
pub const TOKENS: &str = "/rest/pat/latest/tokens";
/// Where the example server looks the user up itself, whatever the token service has cached.
pub const MYSELF: &str = "/rest/api/latest/myself";
/// Where the verdict on a token is the token service's alone.
pub const PROJECTS: &str = "/rest/api/latest/project";

/// An HTTP client without cookies that never hangs.
pub fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .no_proxy();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("an HTTP client")
}

/// A token that has just been created.
#[derive(Debug)]
pub struct NewToken {
    /// Its ID.
    pub id: i64,
    /// The plain token.
    pub raw: String,
}

impl NewToken {
    /// Returns the path of the token in the REST router.
    pub fn path(&self) -> String {
        format!("{TOKENS}/{}", self.id)
    }
}

/// An answer that keeps the contract which every answer must keep.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// Parses the body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a text header"))
    }

    /// The values of `WWW-Authenticate`.
    pub fn challenges(&self) -> Vec<&str> {
        let values = self.headers.get_all("www-authenticate").iter();
        values
            .map(|value| value.to_str().expect("a text header"))
            .collect()
    }

    /// The last part of a problem's type.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(
            json["detail"]
                .as_str()
                .is_some_and(|detail| detail.ends_with('.')),
            "{json}"
        );
        for member in ["/error", "/message", "/errorMessages/0"] {
            assert_eq!(json.pointer(member), Some(&json["detail"]), "{member}");
        }
        let kind = json["type"].as_str().expect("a type");
        kind.strip_prefix("urn:problem-type:pat/")
            .expect("one of our types")
            .to_owned()
    }

    /// Returns the token that the request has created.
    pub fn created(&self) -> NewToken {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        let json = self.json();
        let raw = json["rawToken"].as_str().expect("a raw token").to_owned();
        NewToken {
            id: json["id"].as_i64().expect("an id"),
            raw,
        }
    }
}

/// Counts the answers with this status.
pub fn count(answers: &[Answer], status: StatusCode) -> usize {
    let answers = answers.iter();
    answers.filter(|answer| answer.status == status).count()
}

/// Returns the value of this member in each object of an array.
pub fn column(array: &Value, member: &str) -> Vec<Value> {
    let objects = array.as_array().expect("an array").iter();
    objects.map(|object| object[member].clone()).collect()
}

/// Sends a request; whatever comes back must keep the contract of every answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    contract_kept(request.send().await.expect("an answer")).await
}

async fn contract_kept(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.text().await.expect("a body");
    let answer = Answer {
        status,
        headers,
        body,
    };
    if status == StatusCode::UNAUTHORIZED {
        assert!(
            !answer.challenges().is_empty(),
            "401 without a challenge: {answer:?}"
        );
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        assert!(
            answer.header("retry-after").is_some(),
            "503 without Retry-After: {answer:?}"
        );
    }
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
    answer
}
