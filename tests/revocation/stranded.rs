//! A transaction whose node falls silent in the middle, with the change counter locked: the way to its
//! server is cut, or it is suspended. No other node can revoke anything until the server ends it.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::{Revocation, RevocationScope};
use pat_sqlx::AnyStore;
use tokio::time::{Instant, sleep, timeout};

use super::proxy::{Proxy, Way};
use crate::common::database::{Database, Kind, trial_that_stops};
use crate::stores::new;

/// How long a server bears with an open transaction in which nothing happens, and some time to notice
/// and to try again.
const BOUND: Duration = Duration::from_secs(10 + 10);

pub(super) fn trials() -> impl Iterator<Item = Trial> {
    [Kind::Postgres, Kind::MariaDb].into_iter().map(|kind| {
        let name = format!(
            "revocation::{}::a_stranded_transaction_does_not_last",
            kind.need()
        );
        trial_that_stops(kind, &name, stranded)
    })
}

async fn stranded(database: Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = Proxy::start(&database, folder.path());
    let silent = pat_sqlx::connect(&proxy.url).await.expect("a store");
    let other = pat_sqlx::connect(&database.url).await.expect("a store");
    for number in [1, 2] {
        let stored = other.tokens().insert(&new(number, "alice"), 10).await;
        stored.expect("a token");
    }

    let lock: &[&str] = &["BEGIN", "UPDATE pat_clock SET gen = gen WHERE id = 1"];
    let falls_silent = async {
        sleep(Duration::from_millis(500)).await;
        tokio::spawn(async move { revoke(&silent, 1).await });
        // By now it waits for the lock, which it gets after nothing from it arrives any more.
        sleep(Duration::from_millis(500)).await;
        proxy.set(Way::HoldsQuestions);
    };
    let locked = database.hold(lock, Duration::from_secs(2));
    let (locked, ()) = tokio::join!(locked, falls_silent);
    locked.expect("a lock");

    let began = Instant::now();
    let revoked = timeout(BOUND, async { while !revoke(&other, 2).await {} }).await;
    println!("{}: locked for {:?}", database.kind.need(), began.elapsed());
    assert!(revoked.is_ok(), "the lock is still held");
    assert!(began.elapsed() > Duration::from_secs(2), "it was held");
}

/// Whether the token of this number is revoked now.
async fn revoke(store: &AnyStore, number: i64) -> bool {
    let token = new(number, "alice");
    let revocation = Revocation {
        at: token.created_at,
        by: None,
        reason: None,
        notify: false,
    };
    let scope = RevocationScope::Tokens(vec![token.id]);
    store.tokens().revoke(&scope, &revocation).await.is_ok()
}
