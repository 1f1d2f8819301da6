//! Writing last uses.

use std::time::Duration;

use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::store::LastUse;
use pat_core::{Caller, TokenStore};

use super::{Node, folder, sqlite};
use crate::common::trial;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "jobs::a_crash_loses_one_interval_of_last_uses",
            lost_interval,
        ),
        trial("jobs::ten_thousand_last_uses_are_one_batch", last_use_batch),
    ]
}

/// A process that is killed loses what it noted since the last flush, and no more.
async fn lost_interval() {
    let folder = folder();
    let killed = Node::on(sqlite(&folder).await);
    let token = killed.create("alice", 300).await;
    let use_it = async |node: &Node| {
        let plain = token.plain.expose().as_bytes();
        node.pats.authenticate(plain).await.expect("a good token");
    };
    use_it(&killed).await;
    let flushed = killed.pats.flush_last_use().await.expect("a flush");
    assert_eq!(flushed, 1);
    let shown = async |node: &Node| {
        let alice = Caller::explicit(token.token.owner.clone());
        let list = node.pats.list(&alice).await.expect("a list");
        list[0].last_used_at.expect("a last use")
    };
    let written = shown(&killed).await;
    killed.clock.advance(Duration::from_secs(59));
    use_it(&killed).await;
    let noted = shown(&killed).await;
    assert_eq!(
        noted.duration_since(written).as_secs(),
        59,
        "lists show it at once"
    );
    drop(killed);
    let restarted = Node::on(sqlite(&folder).await);
    assert_eq!(
        shown(&restarted).await,
        written,
        "less than an interval is lost"
    );
}

async fn last_use_batch() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(store.clone());
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(node.create("alice", 300).await.token);
    }
    let gone = &ids[49];
    let alice = Caller::explicit(gone.owner.clone());
    node.pats
        .revoke(&alice, gone.id)
        .await
        .expect("a revocation");
    let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).expect("a date");
    let batch = |seconds| {
        let known = ids.iter().map(|token| token.id);
        let unknown = (0..9_950).map(|id| pat_core::TokenId::new(id).expect("an id"));
        let mut uses: Vec<_> = known
            .chain(unknown)
            .map(|id| LastUse {
                id,
                at: at(seconds),
            })
            .collect();
        uses.sort_by_key(|last_use| last_use.id);
        uses
    };
    assert_eq!(batch(0).len(), 10_000);
    for seconds in [10, 5] {
        store.record_use(&batch(seconds)).await.expect("record_use");
    }
    for token in &ids {
        let found = store
            .find(token.id)
            .await
            .expect("find")
            .expect("the token");
        let expected = (token.id != gone.id).then(|| at(10));
        assert_eq!(
            found.last_used_at, expected,
            "never backwards, nothing of a revoked one"
        );
    }
}
