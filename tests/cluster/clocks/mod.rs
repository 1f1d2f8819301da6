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
use pat_harness::database::SERVERS;
use pat_harness::named_trial_with_need;
use pat_harness::names::{name_on, name_on_own};
use pat_servers::{Kind, galera, missing};

use self::shift::Shift;
pub(crate) use self::teller::{AS_TELLER, run as tell};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        on_file(teller::a_program_has_the_date_that_the_shim_sets),
        on_file(matrix::guarantees_hold_with_a_wrong_date_on_sqlite),
        on_file(leaps::a_leap_ahead_deletes_nothing),
        on_file(leaps::a_step_back_revives_nothing),
        on_file(leaps::an_operator_can_accept_a_leap),
    ];
    trials.push(named_trial_with_need(
        name_on(
            &member::a_date_that_other_members_contradict_is_not_believed,
            "galera",
        ),
        "galera",
        Shift::missing().or(galera::missing()),
        member::a_date_that_other_members_contradict_is_not_believed,
    ));
    for kind in SERVERS {
        trials.extend([
            own_server(
                kind,
                matrix::guarantees_hold_with_a_wrong_date_on_the_server,
            ),
            own_server(kind, leaps::a_leap_of_a_server_deletes_nothing),
            own_server(kind, late::tokens_end_in_time_when_answers_are_late),
            on_server(kind, matrix::guarantees_hold_with_a_wrong_date_on_a_node),
            on_server(kind, wrong_node::a_node_ahead_runs_jobs_on_time),
            on_server(kind, wrong_node::a_node_behind_refuses_at_once),
            on_server(kind, wrong_node::tokens_end_by_the_servers_time),
            on_server(kind, columns::every_time_column_has_the_servers_time),
        ]);
    }
    trials
}

fn on_file<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    let name = name_on(&test, "sqlite");
    named_trial_with_need(name, "cc", Shift::missing(), test)
}

/// A test on the server of all.
fn on_server<F>(kind: Kind, test: impl FnOnce(Kind) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial(kind, name_on(&test, kind.need()), missing(kind), test)
}

/// A test that starts a server of its own.
fn own_server<F>(kind: Kind, test: impl FnOnce(Kind) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    let name = name_on_own(&test, kind.need());
    trial(kind, name, kind.missing_here().map(str::to_owned), test)
}

fn trial<F>(
    kind: Kind,
    name: String,
    no_server: Option<String>,
    test: impl FnOnce(Kind) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let (need, missing) = match Shift::missing() {
        Some(reason) => ("cc", Some(reason.to_owned())),
        None => (kind.need(), no_server),
    };
    named_trial_with_need(name, need, missing.as_deref(), move || test(kind))
}
