use std::time::Duration;

use super::lease::{Interrupted, LeasedRun};
use crate::notification::NotificationKind;
use crate::store::DueNotifications;

/// The most owners for whom one transaction queues notifications.
const BATCH_OWNERS: u32 = 100;

/// Queues the due notifications of expiry.
///
/// Notifications that became due while no node ran are still due. A token that expired meanwhile gets
/// only `Expired`.
pub(super) async fn run(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    if !run.node.notifies() {
        return Ok(());
    }
    let days = run.node.context.settings.expiry_warning_days();
    let warning = Duration::from_hours(u64::from(days) * 24);
    for kind in [NotificationKind::Expired, NotificationKind::ExpiresSoon] {
        loop {
            let due = DueNotifications {
                kind,
                now: run.heartbeat().await?,
                within: warning,
            };
            let queued = run
                .store
                .queue_due_notifications(&run.lease, &due, BATCH_OWNERS);
            let queued = run.node.in_time(queued).await?;
            if queued == 0 {
                break;
            }
            tracing::info!(%kind, count = queued, "notifications queued");
            run.node.wake_delivery();
        }
    }
    Ok(())
}
