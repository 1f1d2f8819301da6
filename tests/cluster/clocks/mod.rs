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
        on_file(teller::a_program_has_the_date_it_is_given),
        on_file(matrix::the_date_of_a_node_on_a_file_may_be_wrong),
        on_file(leaps::a_leap_ahead_deletes_nothing),
        on_file(leaps::a_step_back_revives_nothing),
        on_file(leaps::a_leap_may_be_accepted),
    ];
    trials.push(named_trial_with_need(
        name_on(
            &member::a_member_is_not_believed_that_others_contradict,
            "galera",
        ),
        "galera",
        Shift::missing().or(galera::missing()),
        member::a_member_is_not_believed_that_others_contradict,
    ));
    for kind in SERVERS {
        trials.extend([
            own_server(kind, matrix::a_servers_date_may_be_wrong),
            own_server(kind, leaps::a_leap_of_a_server_deletes_nothing),
            own_server(kind, late::answers_may_be_late),
            on_server(kind, matrix::a_nodes_date_may_be_wrong),
            on_server(kind, wrong_node::a_node_ahead_runs_jobs_on_time),
            on_server(kind, wrong_node::a_node_behind_refuses_at_once),
            on_server(kind, wrong_node::tokens_end_by_the_servers_time),
            on_server(kind, columns::all_times_are_the_servers),
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
