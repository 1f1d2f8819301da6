//! A primary is lost, and its standby, which lacks the last commits, takes its place: no node goes
//! on with what it knew.
//!
//! What was revoked in the last moments is gone like all else that was committed then. That is known
//! and stated; but what was revoked before stays so, and the nodes notification at their first poll that
//! the change feed is another one, even if its counter has caught up by then.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::TokenId;
use pat_core::store::{Change, TokenStore as _};
use pat_harness::disk::Folder;
use pat_harness::fault_proxy::FaultProxy;
use pat_harness::names::name_on_own;
use pat_harness::{NewToken, PROJECTS, TOKENS, answer, client, named_trial_with_need, until};
use pat_servers::{Database, Kind, start_standby};
use pat_sqlx::PostgresStore;
use reqwest::StatusCode;
use serde_json::json;

use super::nodes::{NODES, Nodes, Place};

pub(super) fn trials() -> Vec<Trial> {
    let kind = Kind::Postgres;
    let (need, missing) = (kind.need(), kind.missing_here());
    let lost = name_on_own(&a_promotion_that_loses_commits_is_noticed, need);
    let caught_up = name_on_own(&a_promotion_whose_counter_has_caught_up_is_noticed, need);
    vec![
        named_trial_with_need(
            lost,
            need,
            missing,
            a_promotion_that_loses_commits_is_noticed,
        ),
        named_trial_with_need(
            caught_up,
            need,
            missing,
            a_promotion_whose_counter_has_caught_up_is_noticed,
        ),
    ]
}

async fn a_promotion_that_loses_commits_is_noticed() {
    promotion(false).await;
}

async fn a_promotion_whose_counter_has_caught_up_is_noticed() {
    promotion(true).await;
}

/// How many are revoked before the standby loses touch, and as many after.
const COUNT: usize = 6;
/// How long a node may take to reach a database again: it tries each second, on a busy machine.
const REACHED: Duration = Duration::from_secs(20);

async fn promotion(catches_up: bool) {
    let cluster = Cluster::start().await;
    let known = cluster.create(COUNT + COUNT + 1).await;
    let ([early, late], secret) = (
        [&known[..COUNT], &known[COUNT..2 * COUNT]],
        &known[2 * COUNT],
    );
    let standby = cluster.standby().await;
    cluster.revoke(early).await;
    cluster.await_refused(early).await;
    let reached = generation(&cluster.primary).await;
    until("the standby catches up", async || {
        generation(&standby).await == reached
    })
    .await;
    lose_touch(&standby).await;
    cluster.revoke(late).await;
    cluster.await_refused(late).await;
    assert_eq!(
        cluster.status(0, secret).await,
        StatusCode::OK,
        "in the cache"
    );

    cluster.primary.own_server().kill();
    promote(&standby).await;
    let lost = usize::try_from(reached).expect("a count") + COUNT;
    if catches_up {
        let store = PostgresStore::connect(&standby.url).await.expect("a store");
        for _ in 0..COUNT {
            let change = Change::TokenChanged(TokenId::new(1).expect("an id"));
            store.append_change(&change, now()).await.expect("a change");
        }
        assert_eq!(
            generation(&standby).await,
            i64::try_from(lost).expect("a count")
        );
    }
    // No change tells of this one: it is refused only by a node that asks again.
    let revoke = "UPDATE pat_token SET revoked_at = created_at WHERE id";
    standby.execute(&format!("{revoke} = {}", secret.id)).await;
    cluster.proxy.lead_to(&standby);
    let times = join_all((0..NODES).map(|node| cluster.notifications(node, early, secret))).await;
    let again = cluster.accepted(late).await;
    println!(
        "postgres, standby promoted, counter caught up: {catches_up}: noticed after {times:?}, \
         {again} of {COUNT} lost revocations are undone"
    );
    assert_eq!(again, COUNT, "or nothing was lost, and this is no test");
    for _ in 0..50 {
        assert_eq!(cluster.accepted(early).await, 0);
    }
    // As the guide says: revoke again what was revoked in the last moments.
    cluster.revoke(late).await;
    cluster.await_refused(late).await;
}

struct Cluster {
    primary: Database,
    proxy: FaultProxy,
    nodes: Nodes,
    http: reqwest::Client,
}

impl Cluster {
    async fn start() -> Self {
        let primary = Database::create_alone(Kind::Postgres, &[]).expect("a server");
        let folder = Folder::temporary();
        let proxy = FaultProxy::start(&primary, folder.path());
        let places = std::array::from_fn(|_| Place::here(proxy.url.clone()));
        let properties = vec!["atlassian.pats.max.tokens.per.user=1000".into()];
        Self {
            primary,
            proxy,
            nodes: Nodes::start(folder, places, properties, None).await,
            http: client(),
        }
    }

    async fn standby(&self) -> Database {
        let primary = self.primary.server.clone().expect("a server");
        let started = tokio::task::spawn_blocking(move || start_standby(&primary)).await;
        let (url, server) = started.expect("a standby");
        let primary = self.primary.clone();
        let standby = tokio::task::spawn_blocking(move || primary.on_standby(url, server)).await;
        standby.expect("a standby that answers")
    }

    /// Tokens that all nodes know.
    async fn create(&self, count: usize) -> Vec<NewToken> {
        let created = join_all((0..count).map(async |index| {
            let url = format!("{}{TOKENS}", self.nodes.base(index % NODES));
            let request = self.http.post(url).basic_auth("alice", Some("alice"));
            let body = json!({"name": "ci", "expirationDuration": 90});
            answer(request.json(&body)).await.created()
        }))
        .await;
        for node in 0..NODES {
            for token in &created {
                assert_eq!(self.status(node, token).await, StatusCode::OK);
            }
        }
        created
    }

    async fn revoke(&self, tokens: &[NewToken]) {
        for (index, token) in tokens.iter().enumerate() {
            let url = format!("{}{}", self.nodes.base(index % NODES), token.path());
            let request = self.http.delete(url).basic_auth("alice", Some("alice"));
            assert_eq!(answer(request).await.status, StatusCode::NO_CONTENT);
        }
    }

    async fn status(&self, node: usize, token: &NewToken) -> StatusCode {
        let request = self
            .http
            .get(format!("{}{PROJECTS}", self.nodes.base(node)));
        answer(request.bearer_auth(&token.raw)).await.status
    }

    async fn await_refused(&self, tokens: &[NewToken]) {
        until("all nodes refuse", async || {
            self.refused(tokens).await == NODES * tokens.len()
        })
        .await;
    }

    async fn refused(&self, tokens: &[NewToken]) -> usize {
        self.count(tokens, StatusCode::UNAUTHORIZED).await
    }

    /// On how many nodes these are accepted, on average.
    async fn accepted(&self, tokens: &[NewToken]) -> usize {
        self.count(tokens, StatusCode::OK).await.div_ceil(NODES)
    }

    async fn count(&self, tokens: &[NewToken], status: StatusCode) -> usize {
        let mut count = 0;
        for node in 0..NODES {
            for token in tokens {
                count += usize::from(self.status(node, token).await == status);
            }
        }
        count
    }

    /// How long a node takes to notification that the feed is another one. It never accepts what was
    /// revoked early; the secret one it may know until then, by a lease from the old primary.
    async fn notifications(&self, node: usize, early: &[NewToken], secret: &NewToken) -> Duration {
        let start = instant();
        let mut noticed = None;
        loop {
            for token in early {
                assert_ne!(
                    self.status(node, token).await,
                    StatusCode::OK,
                    "node {node}"
                );
            }
            let secret = self.status(node, secret).await;
            assert!(
                noticed.is_none() || secret != StatusCode::OK,
                "node {node} keeps its cache"
            );
            let is_in_time = start.elapsed() < REACHED;
            match self.feed_breaks(node).await {
                0 => assert!(is_in_time, "node {node} notices nothing"),
                1 => noticed = noticed.or_else(|| Some(start.elapsed())),
                more => panic!("node {node} notices {more} times"),
            }
            if let Some(noticed) = noticed
                && start.elapsed() > noticed + Duration::from_secs(1)
                && secret == StatusCode::UNAUTHORIZED
            {
                return noticed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn feed_breaks(&self, node: usize) -> u64 {
        let metrics = self.http.get(format!("{}/metrics", self.nodes.base(node)));
        let text = answer(metrics).await.body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("pat_feed_breaks_total "));
        line.map_or(0, |count| count.parse().expect("a count"))
    }
}

async fn generation(database: &Database) -> i64 {
    let sql = "SELECT gen FROM pat_clock WHERE id = 1";
    database.number(sql).await
}

/// The standby hears nothing of the primary any more.
async fn lose_touch(standby: &Database) {
    standby
        .execute("ALTER SYSTEM SET primary_conninfo = ''")
        .await;
    standby.execute("SELECT pg_reload_conf()").await;
    until("the standby loses touch", async || {
        let sql = "SELECT COUNT(*) FROM pg_stat_wal_receiver";
        standby.number(sql).await == 0
    })
    .await;
}

async fn promote(standby: &Database) {
    standby.execute("SELECT pg_promote()").await;
    until("the standby is promoted", async || {
        let sql = "SELECT pg_is_in_recovery()::INT::BIGINT";
        standby.number(sql).await == 0
    })
    .await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures a bound of the protocol in real time"
)]
fn instant() -> Instant {
    Instant::now()
}

fn now() -> Timestamp {
    pat_core::Clock::wall(&pat_core::SystemClock)
}
