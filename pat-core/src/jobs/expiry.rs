use std::time::Duration;

use super::turn::{Early, Turn};
use crate::notice::NoticeKind;
use crate::store::DueNotices;

/// To how many owners notices are queued in one transaction.
const BATCH_OWNERS: u32 = 100;

/// Queues the notices of expiry that are due.
///
/// By state and not by time: whatever was due while no node was up is still due. A token that
/// expired unseen is told of once, as expired.
pub(super) async fn run(turn: &mut Turn<'_>) -> Result<(), Early> {
    if !turn.pats.notifies() {
        return Ok(());
    }
    let days = turn.pats.settings().expiry_warning_days();
    let warning = Duration::from_hours(u64::from(days) * 24);
    for kind in [NoticeKind::Expired, NoticeKind::ExpiresSoon] {
        loop {
            let due = DueNotices {
                kind,
                now: turn.keep().await?,
                within: warning,
            };
            let queued = turn
                .store
                .queue_due_notices(&turn.lease, &due, BATCH_OWNERS);
            let queued = turn.pats.in_time(queued).await?;
            if queued == 0 {
                break;
            }
            tracing::info!(%kind, count = queued, "notices queued");
            turn.pats.wake_delivery();
        }
    }
    Ok(())
}
