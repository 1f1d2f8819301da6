//! Behaviour tests: whole flows through the example server, over HTTP, and the races and crashes
//! that unit tests cannot make.
//!
//! Run under libtest-mimic, so that a test whose need is missing on this machine reports itself as
//! ignored, with the reason. `PAT_TEST_REQUIRE=curl,python` makes that a failure.

mod bounds;
mod cluster;
mod commands;
mod docs;
mod examples;
mod http;
mod jobs;
mod leaks;
mod mail;
mod operator;
mod pages;
mod plugin;
mod start;
mod stores;

use std::process::ExitCode;

use pat_harness::Plan;

const PLAN: Plan = Plan {
    folders: &[
        "chaos", "cluster", "http", "jobs", "mail", "operator", "pages", "stores",
    ],
    long: &[
        "chaos::revocation",
        "cluster::clocks",
        "cluster::outages",
        "pages::browser",
        "stores::settings",
    ],
    budgets: &[
        ("cluster::clocks", 60),
        ("cluster::galera", 120),
        ("stores::settings", 60),
    ],
};

fn main() -> ExitCode {
    // Tests that need a server as a process of its own start this very program in its place.
    if std::env::var_os(pat_harness::process::AS_SERVER).is_some() {
        return pat_example_server::main(std::env::args_os());
    }
    if std::env::var_os(examples::AS_EXAMPLE).is_some() {
        return examples::run_as_example();
    }
    if std::env::var_os(pat_chaos::AS_NODE).is_some() {
        return pat_chaos::run_as_node();
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
    if std::env::var_os(mail::revocations::AS_REVOKER).is_some() {
        return mail::revocations::revoke_as_process();
    }
    // And those that look for lost events, somebody who changes things and dies.
    if std::env::var_os(jobs::audit::AS_CHANGER).is_some() {
        return jobs::audit::change_as_process();
    }
    // The memory of a flood is measured in a process that does nothing else.
    if std::env::var_os(cluster::flood::AS_FLOOD).is_some() {
        return cluster::flood::flood_as_process();
    }
    let trials = [
        bounds::trials(),
        commands::trials(),
        docs::trials(),
        examples::trials(),
        jobs::trials(),
        leaks::trials(),
        mail::trials(),
        operator::trials(),
        http::trials(),
        cluster::trials(),
        pages::trials(),
        pat_chaos::trials(),
        plugin::trials(),
        start::trials(),
        stores::trials(),
    ];
    pat_harness::run(trials.into_iter().flatten().collect(), &PLAN)
}
