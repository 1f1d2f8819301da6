use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::turn::{Early, Turn};
use super::{ANSWER_TIMEOUT, in_time};
use crate::clock::Moment;
use crate::directory;
use crate::event::EventKind;
use crate::store::{Prune, Pruned, RevocationScope, Trim};
use crate::{BoxError, Owner, StoreError};

/// How many rows one transaction deletes: few enough that authentication does not wait for it.
const BATCH: u32 = 500;
/// How long others have their turn between two such transactions, at least and at most.
const GAPS: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(1);
/// How long entries of the change feed are kept. A node that was away for longer drops its whole
/// cache, which costs it a query for each token.
const CHANGES_KEPT: Duration = Duration::from_hours(24);
/// How long notices are kept after they were sent, skipped or given up.
const NOTICES_KEPT: Duration = Duration::from_hours(30 * 24);
/// How long audit events are kept: a year, and a month to look at it.
const EVENTS_KEPT: Duration = Duration::from_hours(396 * 24);
/// How many owners may be gone at a time, if the directory is to be believed; or half of all, if
/// those are more.
const BELIEVABLE: usize = 10;

/// Deletes old tokens and other old rows, and revokes the tokens of owners who are gone.
pub(super) async fn run(turn: &mut Turn<'_>) -> Result<(), Early> {
    delete_old_tokens(turn).await?;
    trim(turn).await?;
    revoke_orphans(turn).await
}

async fn delete_old_tokens(turn: &mut Turn<'_>) -> Result<(), Early> {
    let settings = turn.pats.settings();
    let notify = turn.pats.notifies() && settings.notice_pruned();
    let mut count = 0;
    loop {
        let now = turn.keep().await?;
        let prune = Prune {
            now,
            vouched: turn.pats.time().vouched(),
            keep: settings.pruning_delay(),
            notify,
        };
        let begun = turn.pats.time().now();
        let Pruned { at, tokens: pruned } =
            in_time(turn.store.prune(&turn.lease, &prune, BATCH)).await?;
        count += pruned.len();
        for token in &pruned {
            let kind = EventKind::Pruned {
                token: token.id,
                owner: token.owner.clone(),
            };
            turn.pats.emit(at, kind);
        }
        if notify && !pruned.is_empty() {
            turn.pats.wake_delivery();
        }
        if pruned.len() < BATCH as usize {
            break;
        }
        leave_gap(turn, begun).await;
    }
    if count > 0 {
        tracing::info!(count, "old tokens pruned");
    }
    Ok(())
}

/// Lets others write for as long as a transaction has kept them out. Who waits for a SQLite file looks
/// ten times a second whether it is free, and would hardly ever find it so.
async fn leave_gap(turn: &Turn<'_>, begun: Moment) {
    let took = turn.pats.time().now().boot - begun.boot;
    let took = Duration::from_micros(u64::try_from(took).unwrap_or_default());
    tokio::time::sleep(took.clamp(*GAPS.start(), *GAPS.end())).await;
}

async fn trim(turn: &mut Turn<'_>) -> Result<(), Early> {
    loop {
        let now = turn.keep().await?;
        let trim = Trim {
            now,
            vouched: turn.pats.time().vouched(),
            changes: CHANGES_KEPT,
            notices: NOTICES_KEPT,
            events: EVENTS_KEPT,
        };
        let begun = turn.pats.time().now();
        if in_time(turn.store.trim(&turn.lease, &trim, BATCH)).await? < u64::from(BATCH) {
            return Ok(());
        }
        leave_gap(turn, begun).await;
    }
}

/// Revokes the tokens of owners whom the directory no longer knows, in case the host forgot to
/// say so with [`Pats::user_deleted`](crate::Pats::user_deleted).
///
/// A directory that fails is asked again another day. One that suddenly knows hardly anybody is
/// not believed: more likely it is broken.
async fn revoke_orphans(turn: &mut Turn<'_>) -> Result<(), Early> {
    let (mut checked, mut gone) = (0, Vec::new());
    let mut last = None;
    loop {
        turn.keep().await?;
        let owners = in_time(turn.store.owners_after(last.as_ref(), BATCH)).await?;
        checked += owners.len();
        match unknown(turn, &owners).await {
            Ok(unknown) => gone.extend(unknown),
            Err(error) => {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "the directory does not say whose owners are gone; asking at the next pruning"
                );
                return Ok(());
            }
        }
        match owners.into_iter().next_back() {
            Some(owner) => last = Some(owner),
            None => break,
        }
    }
    if gone.len() > BELIEVABLE.max(checked / 2) {
        tracing::error!(
            gone = gone.len(),
            owners = checked,
            "the directory no longer knows most owners of tokens; nothing is revoked"
        );
        return Ok(());
    }
    for owner in gone {
        turn.keep().await?;
        let reason = Some("the user no longer exists".to_owned());
        let revoked = turn
            .pats
            .revoke_all(RevocationScope::Owner(owner), None, reason, false);
        revoked.await.map_err(StoreError::backend)?;
    }
    Ok(())
}

/// The owners whom the directory does not know, asked about each of them once more.
async fn unknown(turn: &Turn<'_>, owners: &[Owner]) -> Result<Vec<Owner>, BoxError> {
    let directory = turn.pats.directory();
    let profiles = directory::within(ANSWER_TIMEOUT, directory.profiles(owners)).await?;
    let known: HashSet<_> = profiles.into_iter().map(|user| user.owner).collect();
    let mut unknown = Vec::new();
    for owner in owners.iter().filter(|owner| !known.contains(owner)) {
        let found = directory::within(ANSWER_TIMEOUT, directory.find(owner)).await?;
        if found.is_none() {
            unknown.push(owner.clone());
        }
    }
    Ok(unknown)
}
