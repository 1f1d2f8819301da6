use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::ANSWER_TIMEOUT;
use super::lease::{Interrupted, LeasedRun};
use super::owners::OwnerWalk;
use crate::clock::Moment;
use crate::directory::MAX_PROFILES;
use crate::error::Unavailable;
use crate::event::EventKind;
use crate::store::{ListedOwner, MissingOwners, Prune, Pruned, Purge, RevocationScope, StoreError};
use crate::token::Owner;

/// How many rows of a table one transaction deletes: so few that a request which meets it on a processor waits no
/// longer than for other requests.
const BATCH: u32 = 50;
/// How many owners are looked up in the directory at once.
const PAGE: u32 = 500;
const _: () = assert!(PAGE as usize <= MAX_PROFILES);
/// The shortest and the longest pause between two transactions of a job.
const GAPS: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(1);
/// How much longer a pause is than the transaction before it.
const GAP_FACTOR: u32 = 3;
/// How long entries of the change feed are kept. A node that was away for longer invalidates its whole
/// cache, which costs a query for each token.
const CHANGES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long notifications are kept after they were sent, skipped or given up.
const NOTIFICATIONS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long audit events are kept: a year, and a month to inspect it.
const EVENTS_KEPT: Duration = Duration::from_secs(396 * 24 * 60 * 60);
/// How long an owner must be missing before the owner's tokens are revoked.
const MISSING_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// For how many owners of a page the directory may fail before the check ends.
const FAILURES: usize = 10;

/// Deletes old tokens and other old rows, and revokes the tokens of missing owners.
pub(super) async fn run(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    delete_old_tokens(run).await?;
    purge(run).await?;
    revoke_orphans(run).await
}

async fn delete_old_tokens(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    let settings = &run.node.context.settings;
    let notify = run.node.notifies() && settings.notice_pruned();
    let mut count = 0;
    loop {
        let now = run.heartbeat().await?;
        let prune = Prune {
            now,
            vouched: run.node.context.time.vouched(),
            keep: settings.pruning_delay(),
            notify,
        };
        let begun = run.node.context.time.now();
        let Pruned { at, tokens: pruned } = run
            .node
            .in_time(run.store.prune(&run.lease, &prune, BATCH))
            .await?;
        count += pruned.len();
        let is_last = pruned.len() < BATCH as usize;
        if !pruned.is_empty() {
            if notify {
                run.node.wake_delivery();
            }
            run.node
                .emit_change(at, EventKind::Pruned { tokens: pruned });
        }
        if is_last {
            break;
        }
        leave_gap(run, begun).await;
    }
    if count > 0 {
        tracing::info!(count, "old tokens pruned");
    }
    Ok(())
}

/// Pauses for some times as long as the transaction took, so that others can write, and requests seldom meet it: a
/// process that waits for a SQLite file tries only ten times a second.
pub(super) async fn leave_gap(run: &LeasedRun<'_>, begun: Moment) {
    let took = run.node.context.time.now().boot - begun.boot;
    let took = Duration::from_micros(u64::try_from(took).unwrap_or_default());
    let gap = took.saturating_mul(GAP_FACTOR);
    tokio::time::sleep(gap.clamp(*GAPS.start(), *GAPS.end())).await;
}

async fn purge(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    loop {
        let now = run.heartbeat().await?;
        let purge = Purge {
            now,
            vouched: run.node.context.time.vouched(),
            changes: CHANGES_KEPT,
            notifications: NOTIFICATIONS_KEPT,
            events: EVENTS_KEPT,
        };
        let begun = run.node.context.time.now();
        if run
            .node
            .in_time(run.store.purge(&run.lease, &purge, BATCH))
            .await?
            < u64::from(BATCH)
        {
            return Ok(());
        }
        leave_gap(run, begun).await;
    }
}

/// Revokes the tokens of owners whom the directory no longer knows, in case the host did not call
/// [`Pats::user_deleted`](crate::Pats::user_deleted).
///
/// A revocation is final, so an owner must be missing at every pruning for a day. If the directory
/// fails or does not know most owners, no owner counts as missing. Tokens of a missing owner are refused
/// meanwhile.
async fn revoke_orphans(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    let Census {
        missing, present, ..
    } = take_census(run).await?.believed();
    let mut gone = Vec::new();
    for chunk in missing.chunks(BATCH as usize) {
        gone.extend(note(run, chunk, &[]).await?);
    }
    for chunk in present.chunks(BATCH as usize) {
        note(run, &[], chunk).await?;
    }
    for owner in gone {
        // First, so that the record is removed even if the user appears again.
        note(run, &[], std::slice::from_ref(&owner)).await?;
        let reason = Some("the user no longer exists".to_owned());
        let revoked = run
            .node
            .revoke_all(RevocationScope::Owner(owner), None, reason, false);
        revoked.await.map_err(StoreError::backend)?;
    }
    Ok(())
}

async fn note(
    run: &mut LeasedRun<'_>,
    missing: &[Owner],
    present: &[Owner],
) -> Result<Vec<Owner>, Interrupted> {
    let noted = MissingOwners {
        now: run.heartbeat().await?,
        vouched: run.node.context.time.vouched(),
        missing: missing.to_vec(),
        present: present.to_vec(),
        at_least: MISSING_FOR,
    };
    let noting = run.store.note_missing(&run.lease, &noted);
    Ok(run.node.in_time(noting).await?)
}

/// The owners of tokens, checked against the directory.
#[derive(Debug, Default)]
struct Census {
    /// The number of owners.
    owners: usize,
    /// Owners that the directory does not know.
    missing: Vec<Owner>,
    /// Owners that are recorded as missing, and no longer are.
    present: Vec<Owner>,
    /// The error that ended the check.
    failure: Option<Unavailable>,
}

impl Census {
    fn is_believable(&self) -> bool {
        self.failure.is_none() && (self.missing.len() <= 1 || self.missing.len() <= self.owners / 2)
    }

    /// Returns the census, or one without missing owners if the directory is not plausible.
    fn believed(mut self) -> Self {
        if self.is_believable() {
            return self;
        }
        if let Some(error) = &self.failure {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the check for missing owners failed; it is repeated at the next pruning"
            );
        } else {
            tracing::error!(
                missing = self.missing.len(),
                owners = self.owners,
                "the directory does not know most owners of tokens; this is taken for an error, \
                 and no owner counts as missing"
            );
        }
        self.present.append(&mut self.missing);
        self
    }

    /// Adds an owner, who may be recorded as missing already.
    fn add(&mut self, listed: ListedOwner, is_missing: bool) {
        self.owners += 1;
        if is_missing {
            self.missing.push(listed.owner);
        } else if listed.missing_since.is_some() {
            self.present.push(listed.owner);
        }
    }
}

/// Looks up all owners in the directory until it fails. Owners not looked up are not missing.
async fn take_census(run: &mut LeasedRun<'_>) -> Result<Census, Interrupted> {
    let mut census = Census::default();
    let mut walk = OwnerWalk::new(PAGE);
    while let Some(page) = walk.next_listed(run).await? {
        let owners: Vec<_> = page.iter().map(|listed| listed.owner.clone()).collect();
        let missing = match census.failure {
            Some(_) => HashSet::new(),
            None => missing_of(run, &owners, &mut census.failure).await?,
        };
        for listed in page {
            let is_missing = missing.contains(&listed.owner);
            census.add(listed, is_missing);
        }
    }
    Ok(census)
}

/// Returns the owners whom the directory does not know, after a second look-up of each. One whose
/// look-up fails is not among them.
async fn missing_of(
    run: &mut LeasedRun<'_>,
    owners: &[Owner],
    failure: &mut Option<Unavailable>,
) -> Result<HashSet<Owner>, Interrupted> {
    let mut missing = HashSet::new();
    let node = run.node;
    let profiles = node.context.directory.profiles(owners);
    let profiles = match node.context.ask_directory(ANSWER_TIMEOUT, profiles).await {
        Ok(profiles) => profiles,
        Err(error) => {
            *failure = Some(error);
            return Ok(missing);
        }
    };
    let known: HashSet<_> = profiles.into_iter().map(|user| user.owner).collect();
    let mut failures = 0;
    for owner in owners.iter().filter(|owner| !known.contains(owner)) {
        run.heartbeat().await?;
        let found = node.context.directory.find(owner);
        match node.context.ask_directory(ANSWER_TIMEOUT, found).await {
            Ok(None) => {
                missing.insert(owner.clone());
            }
            Ok(Some(_)) => {}
            Err(error) if failures >= FAILURES => {
                *failure = Some(error);
                break;
            }
            Err(_) => failures += 1,
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(missing: usize, owners: usize) -> Census {
        let mut census = Census::default();
        for number in 0..owners {
            let listed = ListedOwner {
                owner: Owner::new(format!("user-{number}")).expect("an owner"),
                missing_since: None,
            };
            census.add(listed, number < missing);
        }
        census
    }

    #[test]
    fn a_directory_that_does_not_know_most_owners_is_not_believed() {
        for (missing, owners, expected) in [
            (0, 0, true),
            (1, 1, true),
            (1, 2, true),
            (2, 2, false),
            (2, 3, false),
            (2, 4, true),
            (3, 5, false),
            (6, 6, false),
            (50, 100, true),
            (51, 100, false),
        ] {
            let census = census(missing, owners);
            assert_eq!(census.is_believable(), expected, "{missing} of {owners}");
            let believed = census.believed();
            let counted = if expected { missing } else { 0 };
            assert_eq!(believed.missing.len(), counted, "{missing} of {owners}");
            assert_eq!(believed.present.len(), missing - counted);
        }
    }
}
