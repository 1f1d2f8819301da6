//! Behaviour tests: whole flows through the example server, over HTTP, and the races and crashes
//! that unit tests cannot make.
//!
//! Run under libtest-mimic, so that a test whose need is missing on this machine reports itself as
//! ignored, with the reason. `PAT_TEST_REQUIRE=curl,python` makes that a failure.

mod bounds;
mod cluster;
mod common;
mod docs;
mod examples;
mod http;
mod jobs;
mod mail;
mod pages;
mod plugin;
mod start;
mod stores;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Tests that need a server as a process of its own start this very program in its place.
    if std::env::var_os(common::process::AS_SERVER).is_some() {
        return pat_example_server::main(std::env::args_os());
    }
    if std::env::var_os(examples::AS_EXAMPLE).is_some() {
        return examples::run_as_example();
    }
    if std::env::var_os(cluster::revocation::AS_NODE).is_some() {
        return cluster::revocation::run_as_node();
    }
    if std::env::var_os(stores::connections::AS_LIMITED).is_some() {
        return stores::connections::run_as_limited();
    }
    // As does one that shows what date programs have.
    if std::env::var_os(cluster::clocks::AS_TELLER).is_some() {
        return cluster::clocks::tell();
    }
    // And tests that have a sender of mails die.
    if std::env::var_os(mail::smtp::AS_MAILER).is_some() {
        return mail::smtp::deliver_as_process();
    }
    // And those that look for lost events, somebody who changes things and dies.
    if std::env::var_os(jobs::audit::AS_CHANGER).is_some() {
        return jobs::audit::change_as_process();
    }
    // The memory of a flood is measured in a process that does nothing else.
    if std::env::var_os(cluster::flood::AS_FLOOD).is_some() {
        return cluster::flood::flood_as_process();
    }
    let mut arguments = libtest_mimic::Arguments::from_args();
    let threads = arguments.test_threads.unwrap_or_else(threads);
    arguments.test_threads = Some(threads);
    let trials = [
        bounds::trials(),
        docs::trials(),
        examples::trials(),
        jobs::trials(),
        mail::trials(),
        http::trials(),
        cluster::trials(),
        pages::trials(),
        plugin::trials(),
        start::trials(),
        stores::trials(),
    ];
    let scratch = common::scratch::Scratch::in_memory();
    common::budget::enforce();
    let trials = common::order::spread(trials.into_iter().flatten().collect());
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
