//! Counters, gauges and histograms for Prometheus.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// One recorder for the whole process; `None` if somebody else has installed one.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Upper ends of the buckets of look-ups, in seconds: from a query on the same machine to the longest time limit.
const LOOKUPS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// The same of jobs: from a poll to a night's pruning.
const JOBS: [f64; 8] = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];
/// How often measured durations are put into their buckets, so that they do not pile up on a server whose metrics no client reads.
const UPKEEP: Duration = Duration::from_secs(5);

/// Has everything counted from now on.
pub(crate) fn install() {
    recorder();
}

fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(build).as_ref()
}

fn build() -> Option<PrometheusHandle> {
    let of = |name: &str| Matcher::Full(name.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(of("pat_lookup_duration_seconds"), &LOOKUPS)
        .and_then(|it| it.set_buckets_for_metric(of("pat_job_duration_seconds"), &JOBS));
    let handle = builder.ok()?.install_recorder().ok()?;
    // In a thread, since each test that starts a server in this process has a runtime of its own.
    let upkept = handle.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            upkept.run_upkeep();
        }
    });
    Some(handle)
}

/// All of them, as text. A real host serves this where only its monitoring can reach it.
pub(crate) async fn metrics() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}
