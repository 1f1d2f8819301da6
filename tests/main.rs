//! Behaviour tests: whole flows through the example server, over HTTP, and the races and crashes
//! that unit tests cannot make.
//!
//! Run under libtest-mimic, so that a test whose need is missing on this machine reports itself as
//! ignored, with the reason. `PAT_TEST_REQUIRE=curl,python` makes that a failure.

mod admin;
mod allocations;
mod audit;
mod bearer;
mod bounds;
mod browser;
mod cache_invalidation;
mod caches;
mod clients;
mod clocks;
mod common;
mod concurrency;
mod connections;
mod crashes;
mod csrf;
mod docs;
mod examples;
mod faults;
mod flood;
mod flow;
mod galera;
mod isolation;
mod jobs;
mod layer;
mod openapi;
mod outages;
mod pages;
mod plugin;
mod probing;
mod processes;
mod properties;
mod races;
mod reads;
mod requests;
mod revocation;
mod search;
mod secrets;
mod sessions;
mod settings_of_servers;
mod smtp;
mod start;
mod stores;
mod unsuitable;
mod versions;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Tests that need a server as a process of its own start this very program in its place.
    if std::env::var_os(common::process::AS_SERVER).is_some() {
        return pat_example_server::main(std::env::args_os());
    }
    if std::env::var_os(examples::AS_EXAMPLE).is_some() {
        return examples::run_as_example();
    }
    if std::env::var_os(revocation::AS_NODE).is_some() {
        return revocation::run_as_node();
    }
    if std::env::var_os(connections::AS_LIMITED).is_some() {
        return connections::run_as_limited();
    }
    // As does one that shows what date programs have.
    if std::env::var_os(clocks::AS_TELLER).is_some() {
        return clocks::tell();
    }
    // And tests that have a sender of mails die.
    if std::env::var_os(smtp::AS_MAILER).is_some() {
        return smtp::deliver_as_process();
    }
    // And those that look for lost events, somebody who changes things and dies.
    if std::env::var_os(audit::AS_CHANGER).is_some() {
        return audit::change_as_process();
    }
    // The memory of a flood is measured in a process that does nothing else.
    if std::env::var_os(flood::AS_FLOOD).is_some() {
        return flood::flood_as_process();
    }
    let mut arguments = libtest_mimic::Arguments::from_args();
    let threads = arguments.test_threads.unwrap_or_else(threads);
    arguments.test_threads = Some(threads);
    let trials = [
        admin::trials(),
        allocations::trials(),
        audit::trials(),
        bearer::trials(),
        bounds::trials(),
        browser::trials(),
        caches::trials(),
        clients::trials(),
        clocks::trials(),
        cache_invalidation::trials(),
        connections::trials(),
        crashes::trials(),
        concurrency::trials(),
        csrf::trials(),
        docs::trials(),
        examples::trials(),
        faults::trials(),
        flood::trials(),
        flow::trials(),
        galera::trials(),
        jobs::trials(),
        layer::trials(),
        openapi::trials(),
        outages::trials(),
        pages::trials(),
        plugin::trials(),
        probing::trials(),
        processes::trials(),
        properties::trials(),
        races::trials(),
        reads::trials(),
        requests::trials(),
        revocation::trials(),
        search::trials(),
        secrets::trials(),
        sessions::trials(),
        settings_of_servers::trials(),
        smtp::trials(),
        start::trials(),
        isolation::trials(),
        stores::trials(),
        unsuitable::trials(),
        versions::trials(),
    ];
    let scratch = common::scratch::Scratch::in_memory();
    common::budget::enforce();
    let trials = common::order::spread(trials.into_iter().collect());
    let conclusion = libtest_mimic::run(&arguments, trials);
    common::database::stop_servers();
    drop(scratch);
    common::budget::print(threads.try_into().expect("a few"));
    conclusion.exit_code()
}

/// How many tests run at a time: more than there are processors, since many wait for timers, for disks
/// and for processes that start.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores + cores.div_ceil(2)
}
