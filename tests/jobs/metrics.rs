//! What metrics tell of jobs.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::{Server, TOKENS, answer, trial};
use reqwest::StatusCode;
use serde_json::json;

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(the_documented_metrics_are_exported)]
}

async fn the_documented_metrics_are_exported() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    let token = server.create("alice").await;
    server.try_token(&token.raw).await;
    server.try_token(&token.raw).await;
    server.try_token("pat_x").await;
    be_refused_for_scopes().await;
    server.run_jobs().await;
    let text = async || answer(server.get("/metrics")).await.body;
    // Other tests count in this process too, so that only the names can be told beforehand.
    for name in [
        "pat_authentications_total{outcome=\"accepted\"}",
        "pat_authentications_total{outcome=\"foreign\"}",
        "pat_scope_refusals_total{reason=\"missing\"}",
        "pat_scope_refusals_total{reason=\"undeclared\"}",
        "pat_cache_hits_total",
        "pat_cache_misses_total",
        "pat_job_runs_total{job_name=\"prune\"}",
        "pat_job_failures_total{job_name=\"change-poll\"}",
        "pat_notifications_total{kind=\"created\",outcome=\"sent\"}",
        "pat_outbox_notifications{state=\"pending\"}",
        "pat_outbox_notifications{state=\"dead\"}",
        "pat_outbox_age_seconds",
        "pat_last_used_flush_lag_seconds",
        "pat_cache_fresh_for_seconds",
    ] {
        let mut shown = text().await;
        for _ in 0..100 {
            if shown.lines().any(|line| line.starts_with(name)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            shown = text().await;
        }
        assert!(
            shown.lines().any(|line| line.starts_with(name)),
            "{name} in\n{shown}"
        );
    }
    assert!(!text().await.contains(&token.raw));
}

/// Sends requests with a token whose scopes do not permit them, to a server that counts in the same process.
async fn be_refused_for_scopes() {
    // The first token with scopes waits for that long, by a clock that stands still.
    let server = Server::with(&[("pat.auth.max.staleness.ms", "0")]).await;
    let body = json!({"name": "ci", "scopes": ["read"]});
    let token = server.post(TOKENS).basic_auth("alice", Some("alice"));
    let token = answer(token.json(&body)).await.created().raw;
    for path in [TOKENS, "/nowhere"] {
        let refused = answer(server.get(path).bearer_auth(&token)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
}
