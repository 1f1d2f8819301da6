//! What holds on three Galera members with a node each, although their locks are not replicated.
//!
//! A member runs a transaction as if it were alone, and only its commit shows whether one of another
//! member has written the same rows before. So besides crowds there are tests in which one member has
//! not heard yet of what another has acknowledged.

mod children;
mod feed;
mod jobs;
mod limit;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_core::settings::SettingsBuilder;
use pat_core::testing::{RecordingNotifier, TestDirectory};
use pat_core::{Caller, CreateError, CreatedToken, Owner, Pats, Settings, TokenRequest};
use pat_harness::database::trial_on;
use pat_harness::names::name_of;
use pat_harness::{named_trial_with_need, until};
use pat_servers::galera::{self, Cluster, Lagging, MEMBERS};
use pat_servers::{Database, Kind};
use pat_sqlx::AnyStore;
use tokio::sync::Mutex;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_cluster(limit::concurrent_creations_on_three_members_keep_the_limit),
        trial_on(
            Kind::MariaDb,
            limit::a_creation_that_lost_three_races_succeeds_on_a_single_server,
        ),
        on_cluster(limit::the_limit_counts_tokens_that_a_member_has_not_applied),
        on_cluster(children::no_child_outlives_its_parents_revocation),
        on_cluster(children::no_child_is_created_where_its_parents_revocation_is_not_yet_applied),
        on_cluster(jobs::a_runner_that_lost_its_lease_has_no_effect),
        on_cluster(jobs::a_notice_is_claimed_once),
        on_cluster(jobs::one_of_three_nodes_sends_each_notice),
        on_cluster(feed::revocations_on_all_members_are_seen_by_all),
    ]
}

/// A test with a database of its own on the members of all. One at a time: what one has a member
/// wait for would hold up the others.
fn on_cluster<F>(test: impl FnOnce(Cluster) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    named_trial_with_need(
        name_of(&test),
        "galera",
        galera::missing(),
        move || async move {
            let _guard = ONE_AT_A_TIME.lock().await;
            let cluster = Cluster::create().await;
            let kept = cluster.clone();
            let result = AssertUnwindSafe(test(cluster)).catch_unwind().await;
            kept.delete().await;
            if let Err(panic) = result {
                std::panic::resume_unwind(panic);
            }
        },
    )
}

/// A node on a member.
#[derive(Clone)]
struct Node {
    pats: Pats,
    store: AnyStore,
    mailer: RecordingNotifier,
}

/// One on each member.
async fn nodes(
    cluster: &Cluster,
    users: &TestDirectory,
    settings: SettingsBuilder,
) -> [Node; MEMBERS] {
    let settings = settings.build().expect("settings");
    let mut nodes = vec![];
    for member in &cluster.members {
        let store = pat_sqlx::connect(&member.url).await.expect("a store");
        let mailer = RecordingNotifier::default();
        let pats = Pats::builder(store.tokens())
            .users(Arc::new(users.clone()))
            .notifier(Arc::new(mailer.clone()))
            .settings(settings.clone())
            .build();
        pats.poll_changes().await.expect("a poll");
        nodes.push(Node {
            pats,
            store,
            mailer,
        });
    }
    nodes.try_into().ok().expect("a node on each member")
}

async fn close(nodes: [Node; MEMBERS]) {
    for node in nodes {
        node.store.close().await;
    }
}

impl Node {
    async fn create(&self, caller: &Caller) -> Result<CreatedToken, CreateError> {
        // A child ends before its parent.
        let days = if caller.token().is_some() { 1 } else { 30 };
        let request = TokenRequest::new("ci", Some(days));
        self.pats.create(caller, request).await
    }

    /// Somebody who has nothing but this token.
    async fn holder(&self, token: &CreatedToken) -> Caller {
        let principal = self.pats.authenticate(token.plain.expose().as_bytes());
        Caller::with_token(principal.await.expect("a good token"))
    }

    /// Whether this token is there and not revoked, as this node's member knows.
    async fn is_live(&self, token: &CreatedToken) -> bool {
        let found = self.store.tokens().find(token.token.id).await;
        let found = found.expect("a database that answers");
        found.is_some_and(|token| token.revoked_at.is_none())
    }
}

fn caller(owner: &Owner) -> Caller {
    Caller::header_authenticated(owner.clone())
}

/// As by default, on a machine that may be busy with other tests.
fn settings() -> SettingsBuilder {
    Settings::builder().auth_database_timeout_ms(6_000)
}

/// Begins `first` on the first member, and has it wait before it uses this table. Has `second` done
/// on another member meanwhile; the first member hears of that only when all that is left to do of
/// `first` is its commit.
async fn overtake<F, S>(
    cluster: &Cluster,
    table: &str,
    first: impl Future<Output = F> + Send + 'static,
    second: impl Future<Output = S>,
) -> (F, S)
where
    F: Send + 'static,
{
    let [member, other, _] = &cluster.members;
    cluster.await_all().await;
    let lock = member.lock_table(table).await.expect("a lock");
    let first = tokio::spawn(first);
    until("it waits", async || member.waiting().await > 0).await;
    let lagging = Lagging::begin(member, other).await;
    let second = second.await;
    lock.close().await;
    until("it commits", async || Cluster::committing(member).await > 0).await;
    lagging.end().await;
    (first.await.expect("no panic"), second)
}

/// The number that a query selects, on a member that has heard of all.
async fn number(cluster: &Cluster, sql: &str) -> i64 {
    cluster.await_all().await;
    let [.., last]: &[Database; MEMBERS] = &cluster.members;
    last.number(sql).await
}
