//! What a client sees over HTTP.

mod admin;
mod allocations;
mod bearer;
mod caches;
mod clients;
mod csrf;
mod flow;
mod layer;
mod openapi;
mod probing;
mod properties;
mod requests;
mod secrets;
mod sessions;
mod stacks;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        admin::trials(),
        allocations::trials(),
        bearer::trials(),
        caches::trials(),
        clients::trials(),
        csrf::trials(),
        flow::trials(),
        layer::trials(),
        openapi::trials(),
        probing::trials(),
        properties::trials(),
        requests::trials(),
        secrets::trials(),
        sessions::trials(),
        stacks::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
