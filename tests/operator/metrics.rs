//! What Prometheus scrapes, and the files for it in the folder `monitoring`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::process::Process;
use pat_harness::{TOKENS, trial, trial_with_need};
use pat_servers::programs::find;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

pub(super) fn trials() -> Vec<Trial> {
    let missing = || find("promtool").is_none().then_some("needs promtool");
    vec![
        trial(what_happens_is_counted),
        trial(a_cache_that_is_too_small_is_counted_and_logged),
        trial(the_rules_and_the_dashboard_use_metrics_that_exist),
        trial_with_need("promtool", missing(), the_metrics_follow_the_conventions),
        trial_with_need("promtool", missing(), the_rules_alert_when_they_should),
    ]
}

const ALERTS: &str = include_str!("../../monitoring/alerts.yml");
const DASHBOARD: &str = include_str!("../../monitoring/dashboard.json");
const GUIDE: &str = include_str!("../../pat-core/src/docs/metrics.md");

/// Printed only by a service with a shared event sink, which the server has none of.
const OF_SINKS: &str = "pat_events_missed_total";

/// A server in a process of its own, since the others in this one count too.
struct Server {
    process: Process,
    http: Client,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        Self::of(|folder| Process::start(folder, &[]))
    }

    fn of(start: impl FnOnce(&Path) -> Process) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            process: start(folder.path()),
            http: Client::new(),
            _folder: folder,
        }
    }

    async fn request(&self, method: Method, path: &str, user: &str) -> Option<Value> {
        let url = format!("{}{TOKENS}{path}", self.process.base);
        let body = json!({"name": "confidential"});
        let request = self.http.request(method, url).basic_auth(user, Some(user));
        let response = request.json(&body).send().await.expect("an answer");
        assert!(
            response.status().is_success(),
            "{path} {}",
            response.status()
        );
        response.json().await.ok()
    }

    async fn create(&self) -> (String, i64) {
        let created = self.request(Method::POST, "", "alice").await;
        let created = created.expect("JSON");
        let raw = created["rawToken"].as_str().expect("a token");
        (raw.to_owned(), created["id"].as_i64().expect("an ID"))
    }

    async fn use_token(&self, raw: &str) -> StatusCode {
        let request = self.http.get(format!("{}{TOKENS}", self.process.base));
        let response = request.bearer_auth(raw).send().await;
        response.expect("an answer").status()
    }

    async fn scrape(&self) -> String {
        let request = self.http.get(format!("{}/metrics", self.process.base));
        let response = request.send().await.expect("an answer");
        response.text().await.expect("a text")
    }

    /// Scrapes once all gauges are set, which takes the jobs up to ten seconds.
    async fn scrape_all(&self) -> String {
        loop {
            let text = self.scrape().await;
            let last = [
                "pat_last_used_flush_lag_seconds",
                "pat_feed_lag_seconds",
                "pat_clock_leap_seconds",
            ];
            if last.into_iter().all(|name| value(&text, name).is_some()) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Returns the value of a sample, with its labels as they are printed.
fn value(text: &str, sample: &str) -> Option<f64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok())
}

async fn what_happens_is_counted() {
    let server = Server::start();
    let (first, first_id) = server.create().await;
    let (second, second_id) = server.create().await;
    for raw in [&first, &first, &second] {
        assert_eq!(server.use_token(raw).await, StatusCode::OK);
    }
    server
        .request(Method::DELETE, &format!("/{first_id}"), "alice")
        .await;
    server
        .request(Method::DELETE, &format!("/{second_id}"), "admin")
        .await;
    assert_eq!(server.use_token(&first).await, StatusCode::UNAUTHORIZED);
    let text = server.scrape().await;
    for (sample, expected) in [
        ("pat_tokens_created_total", 2.0),
        ("pat_tokens_rotated_total", 0.0),
        ("pat_tokens_revoked_total{by=\"owner\"}", 1.0),
        ("pat_tokens_revoked_total{by=\"administrator\"}", 1.0),
        ("pat_tokens_revoked_total{by=\"service\"}", 0.0),
        ("pat_authentications_total{outcome=\"accepted\"}", 3.0),
        ("pat_authentications_total{outcome=\"revoked\"}", 1.0),
        ("pat_authentications_total{outcome=\"unavailable\"}", 0.0),
        ("pat_cache_hits_total", 1.0),
        ("pat_cache_misses_total", 3.0),
        ("pat_lookup_duration_seconds_count", 3.0),
        ("pat_lookup_duration_seconds_bucket{le=\"+Inf\"}", 3.0),
    ] {
        assert_eq!(value(&text, sample), Some(expected), "{sample} in\n{text}");
    }
    // Labels are names that the crates choose, not what users or clients do.
    for text in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            !["alice", "\"admin\"", "confidential", &first]
                .into_iter()
                .any(|it| text.contains(it)),
            "{text}"
        );
    }
}

async fn a_cache_that_is_too_small_is_counted_and_logged() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let cache = "atlassian.pats.auth.cache.max.items=8";
    let limit = "atlassian.pats.max.tokens.per.user=50";
    let arguments = ["-D", cache, "-D", limit].map(str::to_owned);
    let file = log.reopen().expect("the file");
    let server = Server::of(|folder| Process::start_usual(folder, &arguments, file));
    for _ in 0..40 {
        let (raw, _) = server.create().await;
        assert_eq!(server.use_token(&raw).await, StatusCode::OK);
    }
    let text = server.scrape_all().await;
    let displaced = value(&text, "pat_cache_displaced_total").expect("a counter");
    let cached = value(&text, "pat_cached_tokens").expect("a gauge");
    assert!(displaced >= 30.0 && cached <= 10.0, "{displaced}, {cached}");
    let log = std::fs::read_to_string(log.path()).expect("a log");
    let warnings = log
        .lines()
        .filter(|line| line.contains("auth.cache.max.items"));
    assert_eq!(warnings.count(), 1, "once a day: {log}");
}

/// Returns the names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("pat_") && *word != "pat_core")
        .collect()
}

async fn the_rules_and_the_dashboard_use_metrics_that_exist() {
    let server = Server::start();
    let (raw, _) = server.create().await;
    server.use_token(&raw).await;
    let text = server.scrape_all().await;
    let is_sample = |line: &&str| !line.starts_with('#');
    let printed = text.lines().filter(is_sample);
    let printed: BTreeSet<_> = printed
        .filter_map(|line| line.split(['{', ' ']).next())
        .filter(|name| name.starts_with("pat_"))
        .collect();
    assert!(printed.len() > 20, "{text}");
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let queries: Vec<_> = targets
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    let queries = queries.join("\n");
    let used: BTreeSet<_> = names(ALERTS).union(&names(&queries)).copied().collect();
    let unknown: Vec<_> = used
        .iter()
        .filter(|name| !printed.contains(*name) && **name != OF_SINKS)
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} in\n{text}");
    // And all that exist are documented and shown.
    let base = |name: &str| {
        let suffixes = ["_bucket", "_sum", "_count"];
        let is_histogram = name.contains("_duration_seconds");
        let stripped = suffixes
            .into_iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        stripped.filter(|_| is_histogram).unwrap_or(name).to_owned()
    };
    let used: BTreeSet<_> = used.iter().map(|name| base(name)).collect();
    for name in printed.iter().map(|name| base(name)) {
        assert!(GUIDE.contains(&format!("`{name}`")), "{name}");
        assert!(
            used.contains(&name),
            "neither the rules nor the dashboard have {name}"
        );
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring");
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(folder);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("its end")
}

async fn the_metrics_follow_the_conventions() {
    let server = Server::start();
    let (raw, _) = server.create().await;
    server.use_token(&raw).await;
    let text = server.scrape_all().await;
    let output = promtool(&["check", "metrics"], &text);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

async fn the_rules_alert_when_they_should() {
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let output = promtool(&arguments, "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // Each rule has a test in which it alerts.
    let alerts = ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let tests = include_str!("../../monitoring/alerts_test.yml");
    let names: Vec<_> = alerts.collect();
    assert!(names.len() > 10);
    for name in names {
        let fires = format!("alertname: {name}\n        exp_alerts:");
        assert!(tests.contains(&fires), "{name}");
    }
}
