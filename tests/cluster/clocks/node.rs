//! The example server as a process whose date may be wrong.

use std::fs::{self, File};
use std::time::Duration;

use pat_harness::process::{Process, command};
use pat_harness::{Answer, NewToken, PROJECTS, TOKENS, answer, client, timer_now, until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::shift::Shift;
use super::tables::Tables;
use super::tokens::Tokens;

/// Both jobs run each second, so that what they would do wrong is soon seen.
const OFTEN: [&str; 2] = [
    "atlassian.pats.pruning.schedule.cron=* * * * * ?",
    "atlassian.pats.expiry.check.schedule.cron=* * * * * ?",
];

const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a node is waited for that may not start.
const BLOCKED_LIMIT: Duration = Duration::from_secs(4);

pub(super) struct Node {
    process: Process,
    http: Client,
}

impl Node {
    /// Starts one with these arguments more.
    pub(super) async fn start(tables: &Tables, shift: Option<&Shift>, more: &[&str]) -> Self {
        let node = Self::start_within(START_LIMIT, tables, shift, more).await;
        node.unwrap_or_else(|| panic!("it does not start: {}", log(tables)))
    }

    /// The same, where the database does not let it write; `None` if it does not start for that. It
    /// tries for longer than this waits.
    pub(super) async fn try_start(
        tables: &Tables,
        shift: Option<&Shift>,
        more: &[&str],
    ) -> Option<Self> {
        Self::start_within(BLOCKED_LIMIT, tables, shift, more).await
    }

    async fn start_within(
        limit: Duration,
        tables: &Tables,
        shift: Option<&Shift>,
        more: &[&str],
    ) -> Option<Self> {
        let mut command = command(tables.folder.path());
        let mut log = File::options();
        let log = log.create(true).append(true).open(log_file(tables));
        command
            .envs(shift.into_iter().flat_map(Shift::variables))
            .args(["--listen", "127.0.0.1:0", "--log", "info"])
            .args(["--database-url", &tables.url, "--mail-dir", "mails"])
            .args(OFTEN.iter().flat_map(|property| ["-D", property]))
            .args(more)
            .stderr(log.expect("a log"));
        let starting =
            tokio::task::spawn_blocking(move || Process::try_spawn_within(limit, &mut command));
        Some(Self {
            process: starting.await.expect("a node")?,
            http: client(),
        })
    }

    /// What it says of a token. A machine that is busy with other things may keep it from saying that
    /// in time; then it is asked again.
    pub(super) async fn status(&self, token: &str) -> StatusCode {
        let mut status = StatusCode::SERVICE_UNAVAILABLE;
        for _ in 0..20 {
            let answer = self.get(PROJECTS, |request| request.bearer_auth(token));
            status = answer.await.status;
            if status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
        }
        status
    }

    pub(super) async fn is_ready(&self) -> bool {
        let request = self.http.get(format!("{}/readyz", self.process.base));
        request.send().await.expect("an answer").status() == StatusCode::OK
    }

    /// The value of a gauge; `None` if there is none.
    pub(super) async fn gauge(&self, name: &str) -> Option<f64> {
        let metrics = self.get("/metrics", |request| request).await.body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().parse().ok())
    }

    /// Has alice create a token for a day.
    pub(super) async fn create(&self) -> NewToken {
        let body = json!({"name": "new", "expirationDuration": 1});
        self.post(TOKENS, "alice", &body).await.created()
    }

    /// Has a token create another one.
    pub(super) async fn create_by(&self, token: &NewToken) -> NewToken {
        let request = self.http.post(format!("{}{TOKENS}", self.process.base));
        let body = json!({"name": "child", "expirationDuration": 1});
        answer(request.bearer_auth(&token.raw).json(&body))
            .await
            .created()
    }

    /// Has alice replace a token of hers, which keeps its end.
    pub(super) async fn rotate(&self, token: &NewToken) -> NewToken {
        let url = format!("{}{}/rotate", self.process.base, token.path());
        let request = self.http.post(url).basic_auth("alice", Some("alice"));
        let request = request.header("idempotency-key", "key");
        let body = json!({"overlapSeconds": 604_800});
        answer(request.json(&body)).await.created()
    }

    /// Has alice disable a token of hers.
    pub(super) async fn disable(&self, token: &NewToken) {
        let url = format!("{}{}", self.process.base, token.path());
        let request = self.http.patch(url).basic_auth("alice", Some("alice"));
        let answer = answer(request.json(&json!({"enabled": false}))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// Has alice revoke a token of hers.
    pub(super) async fn revoke(&self, token: &NewToken) {
        let url = format!("{}{}", self.process.base, token.path());
        let request = self.http.delete(url).basic_auth("alice", Some("alice"));
        assert_eq!(answer(request).await.status, StatusCode::NO_CONTENT);
    }

    /// Has an administrator revoke a token, and those that were created with it.
    pub(super) async fn revoke_by_admin(&self, token: &NewToken) {
        let path = "/rest/pat/latest/admin/tokens/revoke";
        let answer = self.post(path, "admin", &json!({"ids": [token.id]})).await;
        assert_eq!(answer.status, StatusCode::OK);
    }

    async fn post(&self, path: &str, user: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.process.base));
        answer(request.basic_auth(user, Some(user)).json(body)).await
    }

    async fn get(
        &self,
        path: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let request = self.http.get(format!("{}{path}", self.process.base));
        answer(with(request)).await
    }

    /// Fails if a token is accepted that is to be refused. (That nobody can say just now is no
    /// acceptance.)
    pub(super) async fn refuses_ended(&self, tokens: &Tokens) {
        for (number, token) in tokens.ended.iter().enumerate() {
            let status = self.status(token).await;
            assert_ne!(status, StatusCode::OK, "ended token {number} is accepted");
        }
    }

    /// The same, again and again for this long.
    pub(super) async fn keeps_refusing(&self, tokens: &Tokens, time: Duration) {
        let end = timer_now() + time;
        while timer_now() < end {
            self.refuses_ended(tokens).await;
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fails if a token is refused that is to be accepted.
    pub(super) async fn accepts_live(&self, tokens: &Tokens) {
        for (number, token) in tokens.live.iter().enumerate() {
            let status = self.status(token).await;
            assert_eq!(status, StatusCode::OK, "of live token {number}");
        }
    }

    /// Fails if a token is refused meanwhile.
    pub(super) async fn accepts_for(&self, token: &str, time: Duration) {
        let end = timer_now() + time;
        while timer_now() < end {
            assert_eq!(self.status(token).await, StatusCode::OK);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it accepts all tokens that are to be accepted.
    pub(super) async fn accepts_live_again(&self, tokens: &Tokens) {
        for token in &tokens.live {
            until("a live token is accepted", async || {
                self.status(token).await == StatusCode::OK
            })
            .await;
        }
    }

    /// Ends it as a service manager does.
    pub(super) async fn stop(mut self) {
        let stopping = tokio::task::spawn_blocking(move || self.process.terminate());
        assert!(stopping.await.expect("an end"), "it ends well");
    }
}

/// What the nodes on these tables have logged.
pub(super) fn log(tables: &Tables) -> String {
    fs::read_to_string(log_file(tables)).unwrap_or_default()
}

fn log_file(tables: &Tables) -> std::path::PathBuf {
    tables.folder.path().join("log")
}
