//! The notifications of a revocation of many tokens, which are queued after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::store::{Insertion, Outcome, QueuedNotification, Revocation, RevocationScope};
use pat_core::{Clock as _, Owner, SystemClock, TokenId};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_servers::rows::new_token;

pub(super) fn trials() -> Vec<Trial> {
    trials_on_all(each_owner_is_notified_once_of_a_large_revocation).into()
}

const OWNERS: i64 = 30;
const TOKENS: i64 = 150;
/// So short that what an interrupted call has claimed is due again.
const CLAIM: Duration = Duration::from_millis(1);

/// Interrupts the queueing wherever it happens to be, as a crash does.
async fn each_owner_is_notified_once_of_a_large_revocation(place: AnyDatabase) {
    let store = place.store().await;
    let tokens = store.tokens();
    let mut expected: BTreeMap<Owner, BTreeSet<TokenId>> = BTreeMap::new();
    for number in 1..=TOKENS {
        let token = new_token(number, &format!("user {}", number % OWNERS));
        let inserted = tokens.insert(&token, u32::MAX).await.expect("an insertion");
        // Where the database has a clock, the store makes the ID anew.
        let Insertion::Stored(stored) = inserted else {
            panic!("not stored: {inserted:?}")
        };
        expected.entry(stored.owner).or_default().insert(stored.id);
    }
    let mut revocation = Revocation::new(SystemClock.wall());
    revocation.by = Some("root".parse().expect("an owner"));
    revocation.reason = Some("leaked".into());
    revocation.notify = true;
    let all = expected.values().flatten().copied().collect();
    let all = RevocationScope::Tokens(all);
    let revoked = tokens.revoke(&all, &revocation).await;
    assert_eq!(revoked.expect("a revocation").tokens.len(), 150);
    let jobs = tokens.jobs().expect("jobs");
    let pending = async || jobs.outbox().await.expect("an outbox").pending;
    assert_eq!(
        pending().await,
        OWNERS.cast_unsigned(),
        "also before it is queued"
    );

    for attempt in 0..8_u32 {
        let claim = jobs.claim_notifications(SystemClock.wall(), CLAIM, 4);
        let _interrupted = tokio::time::timeout(Duration::from_micros(400) * attempt, claim).await;
    }
    let mut notified: BTreeMap<Owner, QueuedNotification> = BTreeMap::new();
    while pending().await > 0 {
        let claim = jobs.claim_notifications(SystemClock.wall(), CLAIM, 7);
        let claimed = claim.await.expect("a claim");
        let outcomes: Vec<_> = claimed
            .iter()
            .map(|queued| (queued.claim, Outcome::Sent))
            .collect();
        let settled = jobs.settle_notifications(&outcomes, SystemClock.wall());
        let settled = settled.await.expect("settled");
        assert_eq!(settled, vec![true; claimed.len()]);
        let again = jobs.settle_notifications(&outcomes, SystemClock.wall());
        let again = again.await.expect("settled");
        assert_eq!(again, vec![false; claimed.len()], "only once");
        for queued in claimed {
            let before = notified.insert(queued.owner.clone(), queued);
            assert_eq!(before, None, "one notification for each owner");
        }
    }
    for (owner, tokens) in &expected {
        let queued = &notified[owner];
        assert_eq!(queued.kind, NotificationKind::RevokedByAdmin);
        assert_eq!(
            (&queued.by, &queued.reason),
            (&revocation.by, &revocation.reason)
        );
        let told: BTreeSet<_> = queued.tokens.iter().map(|token| token.id).collect();
        assert_eq!(told, *tokens);
    }
    assert_eq!(notified.len(), expected.len());
    store.close().await;
}
