//! Tokens that no client uses.

use jiff::Timestamp;

use super::lease::{Interrupted, LeasedRun};
use super::owners::OwnerWalk;
use super::prune::leave_gap;
use crate::event::EventKind;
use crate::store::{Change, Revoked, StoreTime, UNUSED_NOTICE, UnusedCount, UnusedTokens};

/// The most owners whose tokens one transaction warns of or revokes.
const BATCH_OWNERS: u32 = 25;

/// Warns the owners of unused tokens, and revokes the tokens a week later.
///
/// A revocation is final, so nothing is revoked while last uses may be missing in the store, or if most tokens
/// seem to be unused.
pub(super) async fn run(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    let settings = &run.node.context.settings;
    // While tokens are switched off, no client can use them.
    if settings.unused_revoke_days() == 0 || !settings.enabled() {
        return Ok(());
    }
    if !run.node.notifies() {
        tracing::warn!(
            "pat.unused.revoke.days has no effect: owners are not notified, so nobody can be warned"
        );
        return Ok(());
    }
    run.heartbeat().await?;
    run.node.flush_last_use().await?;
    warn(run).await?;
    if !are_last_uses_stored(run).await? {
        return Ok(());
    }
    let unused = unused_tokens(run).await?;
    let count = count(run).await?;
    let week_ago = StoreTime::default().cutoff(unused.vouched, UNUSED_NOTICE);
    if let Some(at) = count.lagging_node_forgotten_at.filter(|at| *at > week_ago) {
        tracing::warn!(
            %at,
            "unused tokens are not revoked for a week, since a node was lost that had not written the last \
             uses of tokens"
        );
        return Ok(());
    }
    if count.revocable > count.live / 2 {
        tracing::error!(
            unused = count.revocable,
            tokens = count.live,
            "more than half of all tokens seem to be unused; this is taken for an error, and none is revoked"
        );
        return Ok(());
    }
    if count.revocable > 0 {
        revoke(run).await?;
    }
    Ok(())
}

/// Returns the criteria, after a renewal of the lease.
async fn unused_tokens(run: &mut LeasedRun<'_>) -> Result<UnusedTokens, Interrupted> {
    let now = run.heartbeat().await?;
    let context = &run.node.context;
    let days = context.settings.unused_revoke_days();
    Ok(UnusedTokens::new(days, now, context.time.vouched()))
}

async fn warn(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    let mut owners = OwnerWalk::new(BATCH_OWNERS);
    while let Some(owners) = owners.next(run).await? {
        let unused = unused_tokens(run).await?;
        let begun = run.node.context.time.now();
        let warning = run.store.warn_unused(&run.lease, &unused, &owners);
        let queued = run.node.in_time(warning).await?;
        if queued > 0 {
            tracing::info!(count = queued, "owners of unused tokens are warned");
            run.node.wake_delivery();
        }
        leave_gap(run, begun).await;
    }
    Ok(())
}

/// Counts the unused tokens of all owners.
async fn count(run: &mut LeasedRun<'_>) -> Result<UnusedCount, Interrupted> {
    let mut all = UnusedCount::default();
    let mut owners = OwnerWalk::new(BATCH_OWNERS);
    while let Some(owners) = owners.next(run).await? {
        let unused = unused_tokens(run).await?;
        let counted = run.store.count_unused(&unused, &owners);
        let counted = run.node.in_time(counted).await?;
        all.revocable += counted.revocable;
        all.live += counted.live;
        all.lagging_node_forgotten_at = counted.lagging_node_forgotten_at;
    }
    Ok(all)
}

/// Whether all nodes have written their last uses to the store.
async fn are_last_uses_stored(run: &LeasedRun<'_>) -> Result<bool, Interrupted> {
    let context = &run.node.context;
    if !context.is_shared() {
        return Ok(true);
    }
    let nodes = run.node.in_time(context.store.nodes()).await?;
    let lagging = nodes.iter().find(|report| report.lags());
    if let Some(report) = lagging {
        tracing::warn!(
            node = report.node,
            flushed_at = report.flushed_at.as_ref().map(Timestamp::to_string),
            "unused tokens are not revoked, since a node has not written the last uses of tokens"
        );
    }
    Ok(lagging.is_none())
}

async fn revoke(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    let mut count = 0;
    let mut owners = OwnerWalk::new(BATCH_OWNERS);
    while let Some(owners) = owners.next(run).await? {
        let unused = unused_tokens(run).await?;
        let begun = run.node.context.time.now();
        let revoking = run.store.revoke_unused(&run.lease, &unused, &owners);
        let epochs = &run.node.auth.epochs;
        let Revoked { at, tokens, .. } = match run.node.in_time(revoking).await {
            Ok(revoked) => revoked,
            Err(error) => {
                // Some may be revoked.
                epochs.bump_all();
                return Err(error.into());
            }
        };
        for change in Change::of_revoked(&tokens) {
            epochs.bump(&change);
        }
        count += tokens.len();
        if !tokens.is_empty() {
            run.node.wake_delivery();
            let event = EventKind::Revoked {
                tokens,
                by: None,
                reason: Some(unused.reason),
                revocation: None,
            };
            run.node.emit_change(at, event);
        }
        leave_gap(run, begun).await;
    }
    tracing::info!(count, "unused tokens revoked");
    Ok(())
}
