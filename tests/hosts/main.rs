//! The host projects of the folder `hosts`: each is built as a project elsewhere would be, started as a
//! process, and used over HTTP.
//!
//! `PAT_TEST_HOSTS` chooses them: names of hosts, `all`, or `commit` for the one whose turn it is by the
//! hash of the commit.

mod browser;
mod build;
mod markers;
mod running;
mod scenario;

use std::process::ExitCode;

use libtest_mimic::Trial;
use pat_harness::names::name_in_case;
use pat_harness::proxy::NGINX;
use pat_harness::{Plan, blocking_trial, named_trial, named_trial_with_need, python};
use pat_servers::programs::find;

const PLAN: Plan = Plan {
    folders: &[],
    long: &[],
    budgets: &[],
};

/// How users sign in to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignIn {
    /// With a form at `/login`.
    Form,
    /// At the provider that `/login` redirects to.
    Provider,
    /// With each request.
    Basic,
}

/// What differs between the hosts.
#[derive(Debug, Clone, Copy)]
struct Host {
    /// Its folder in `hosts`.
    name: &'static str,
    sign_in: SignIn,
    /// The program beside it that presents a token, where that is not curl.
    client: Option<&'static str>,
}

const fn host(name: &'static str) -> Host {
    Host {
        name,
        sign_in: SignIn::Form,
        client: None,
    }
}

const HOSTS: [Host; 8] = [
    host("hyper"),
    host("loco"),
    host("login"),
    Host {
        client: Some("mcp-client"),
        ..host("mcp")
    },
    host("nginx"),
    Host {
        sign_in: SignIn::Provider,
        ..host("oidc")
    },
    host("sessions"),
    Host {
        sign_in: SignIn::Basic,
        client: Some("tonic-client"),
        ..host("tonic")
    },
];

fn main() -> ExitCode {
    let chosen = build::chosen();
    let mut trials = vec![blocking_trial(
        markers::hosts_name_these_crates_in_few_lines,
    )];
    if !chosen.is_empty() {
        trials.push(blocking_trial(build::lock_files_are_up_to_date));
    }
    for host in HOSTS {
        trials.push(trial_of(host, chosen.contains(&host.name)));
    }
    pat_harness::run(trials, &PLAN)
}

fn trial_of(host: Host, is_chosen: bool) -> Trial {
    let name = name_in_case(&scenario::tokens_work, host.name);
    if !is_chosen {
        let trial = named_trial(format!("{name} (chosen by PAT_TEST_HOSTS)"), async || ());
        return trial.with_ignored_flag(true);
    }
    let (need, missing) = match host.name {
        "nginx" => ("nginx", NGINX.missing()),
        "oidc" => ("python", python::CLIENTS.missing()),
        _ => ("curl", find("curl").is_none().then_some("needs curl")),
    };
    // Before its time is taken: the hosts share what they build.
    let built = build::build(host);
    named_trial_with_need(name, need, missing, move || {
        scenario::tokens_work(host, built)
    })
}
