//! Counters and gauges for Prometheus.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// One recorder for the whole process; `None` if somebody else has installed one.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Has everything counted from now on.
pub(crate) fn install() {
    recorder();
}

fn recorder() -> Option<&'static PrometheusHandle> {
    let install = || PrometheusBuilder::new().install_recorder().ok();
    RECORDER.get_or_init(install).as_ref()
}

/// All of them, as text. A real host serves this where only its monitoring can reach it.
pub(crate) async fn metrics() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}
