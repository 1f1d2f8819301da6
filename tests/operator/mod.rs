//! What operators run the server by: its log, probes and metrics.

mod logs;
mod metrics;
mod shutdown;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = logs::trials();
    trials.extend(metrics::trials());
    trials.extend(shutdown::trials());
    trials
}
