//! Wrong dates: of a node, of a database server. No token is lost by them and none lives longer.
//!
//! All of it is seen from outside, on processes whose date is made wrong by what is preloaded into
//! them; see `shim.c`.

mod columns;
mod late;
mod leaps;
mod matrix;
mod member;
mod node;
mod shift;
mod tables;
mod teller;
mod tokens;
mod wrong_node;

use libtest_mimic::Trial;
use pat_tests::servers::{galera, missing};

use self::shift::Shift;
pub(crate) use self::teller::{AS_TELLER, run as tell};
use crate::common::database::Kind;
use crate::common::trial_with_need;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        on_file("a_program_has_the_date_it_is_given", teller::of_programs),
        on_file("a_nodes_date_may_be_wrong", matrix::of_nodes_on_files),
        on_file("a_leap_ahead_deletes_nothing", leaps::ahead_on_file),
        on_file("a_step_back_revives_nothing", leaps::back_on_file),
        on_file("a_leap_may_be_accepted", leaps::accepted_on_file),
    ];
    trials.push(trial_with_need(
        "galera::a_member_is_not_believed_that_others_contradict",
        "galera",
        Shift::missing().or(galera::missing()),
        member::is_not_believed,
    ));
    for kind in [Kind::Postgres, Kind::MariaDb] {
        trials.extend([
            own_server(kind, "a_servers_date_may_be_wrong", matrix::of_servers),
            own_server(
                kind,
                "a_leap_of_a_server_deletes_nothing",
                leaps::of_running_server,
            ),
            own_server(
                kind,
                "answers_may_be_late",
                late::nothing_is_accepted_after_its_end,
            ),
            on_server(kind, "a_nodes_date_may_be_wrong", matrix::of_nodes_on),
            on_server(
                kind,
                "a_node_ahead_runs_jobs_on_time",
                wrong_node::runs_jobs_on_time,
            ),
            on_server(
                kind,
                "a_node_behind_refuses_at_once",
                wrong_node::refuses_at_once,
            ),
            on_server(
                kind,
                "tokens_end_by_the_servers_time",
                wrong_node::creates_for_a_day,
            ),
            on_server(
                kind,
                "all_times_are_the_servers",
                columns::are_the_databases,
            ),
        ]);
    }
    trials
}

fn on_file<F>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("clocks::sqlite::{name}");
    trial_with_need(&name, "cc", Shift::missing(), test)
}

/// A test on the server of all.
fn on_server<F>(kind: Kind, name: &str, test: impl FnOnce(Kind) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial(kind, name, missing(kind), test)
}

/// A test that starts a server of its own.
fn own_server<F>(kind: Kind, name: &str, test: impl FnOnce(Kind) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial(kind, name, kind.missing_here().map(str::to_owned), test)
}

fn trial<F>(
    kind: Kind,
    name: &str,
    no_server: Option<String>,
    test: impl FnOnce(Kind) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("clocks::{}::{name}", kind.need());
    let (need, missing) = match Shift::missing() {
        Some(reason) => ("cc", Some(reason.to_owned())),
        None => (kind.need(), no_server),
    };
    trial_with_need(&name, need, missing.as_deref(), move || test(kind))
}
