//! What operators run the server by: its log, probes and metrics.

mod logs;
mod mails;
mod metrics;
mod shutdown;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        logs::trials(),
        mails::trials(),
        metrics::trials(),
        shutdown::trials(),
    ];
    trials.into_iter().flatten().collect()
}
