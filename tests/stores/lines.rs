//! Lines of tokens on a store whose clock was wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pat_core::TokenDigest;
use pat_core::store::{NewToken, Rotated, Rotation, TokenStore};
use pat_harness::database::AnyDatabase;

use super::{id, owner};

const OVERLAP: Duration = Duration::from_hours(1);

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-02-26T22:42:21.247001Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

async fn create(store: &dyn TokenStore, number: i64, created: i64, expires: i64) {
    let digest = TokenDigest::of(&number.to_le_bytes());
    let mut token = NewToken::new(id(number), digest, owner("alice"), "ci", at(created));
    token.expires_at = Some(at(expires));
    store.insert(&token, 100).await.expect("insert");
}

async fn rotate(store: &dyn TokenStore, from: i64, now: i64) {
    let to = from + 1;
    let digest = TokenDigest::of(&to.to_le_bytes());
    let mut rotation = Rotation::new(id(from), owner("alice"), id(to), digest, at(now));
    rotation.overlap = OVERLAP;
    rotation.lifetime = Some(SignedDuration::from_hours(24));
    let rotated = store.rotate(&rotation).await.expect("rotate");
    assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
}

/// What was written while the clock was a month ahead is moved to the present: the creation of a token with
/// its own end, and the replacement with the end of the overlap.
pub(super) async fn the_times_of_a_line_are_corrected_together(database: AnyDatabase) {
    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;
    const AHEAD: i64 = 30 * DAY;
    let all = database.store().await;
    let store = all.dangerous_with_callers_clock();
    // Created and replaced while the clock was ahead.
    create(&*store, 1, AHEAD, AHEAD + 90 * DAY).await;
    rotate(&*store, 1, AHEAD + 30).await;
    // Only replaced then.
    create(&*store, 3, -DAY, 90 * DAY).await;
    rotate(&*store, 3, AHEAD).await;
    // The same, but the end of the token came before that of the overlap.
    create(&*store, 5, -DAY, AHEAD + HOUR / 2).await;
    rotate(&*store, 5, AHEAD).await;
    // Only created then.
    create(&*store, 7, AHEAD, AHEAD + 90 * DAY).await;
    rotate(&*store, 7, 10).await;
    // Its own end, by the right time, comes before that of the overlap.
    create(&*store, 9, AHEAD, AHEAD + HOUR / 2).await;
    rotate(&*store, 9, 10).await;
    create(&*store, 11, -DAY, 90 * DAY).await;
    rotate(&*store, 11, 0).await;
    store.accept_clock(at(0)).await.expect("accept_clock");
    for (number, created, replaced, ends, own) in [
        (1, 0, 30, 30 + HOUR, 90 * DAY),
        (3, -DAY, 0, HOUR, 90 * DAY),
        (5, -DAY, 0, AHEAD + HOUR / 2, AHEAD + HOUR / 2),
        (7, 0, 10, 10 + HOUR, 90 * DAY),
        (9, 0, 10, HOUR / 2, HOUR / 2),
        (11, -DAY, 0, HOUR, 90 * DAY),
    ] {
        let token = store
            .find(id(number))
            .await
            .expect("find")
            .expect("a token");
        let found = (
            token.created_at,
            token.replaced.map(|replaced| replaced.at),
            token.expires_at,
            token.own_expires_at(),
        );
        let expected = (
            at(created),
            Some(at(replaced)),
            Some(at(ends)),
            Some(at(own)),
        );
        assert_eq!(found, expected, "token {number}");
    }
    let successor = store.find(id(2)).await.expect("find").expect("a token");
    let life = (successor.created_at, successor.expires_at);
    assert_eq!(life, (at(0), Some(at(DAY))));
    all.close().await;
}
