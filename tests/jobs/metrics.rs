//! What metrics tell of jobs.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::{Server, answer, trial};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(the_documented_metrics_are_exported)]
}

async fn the_documented_metrics_are_exported() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    let token = server.create("alice").await;
    server.try_token(&token.raw).await;
    server.try_token(&token.raw).await;
    server.try_token("pat_x").await;
    server.run_jobs().await;
    let text = async || answer(server.get("/metrics")).await.body;
    // Other tests count in this process too, so that only the names can be told beforehand.
    for name in [
        "pat_authentications_total{outcome=\"accepted\"}",
        "pat_authentications_total{outcome=\"foreign\"}",
        "pat_cache_hits_total",
        "pat_cache_misses_total",
        "pat_job_runs_total{job=\"prune\"}",
        "pat_job_failures_total{job=\"change-poll\"}",
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
