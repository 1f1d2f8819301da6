//! Several nodes on one database, and what happens to them and between them.

mod busy_writers;
mod cache_invalidation;
pub(crate) mod clocks;
mod concurrency;
mod faults;
pub(crate) mod flood;
mod galera;
mod outages;
mod processes;
mod races;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        busy_writers::trials(),
        cache_invalidation::trials(),
        clocks::trials(),
        concurrency::trials(),
        faults::trials(),
        flood::trials(),
        galera::trials(),
        outages::trials(),
        processes::trials(),
        races::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
