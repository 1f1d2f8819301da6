use super::lease::{Interrupted, LeasedRun};
use super::prune::leave_gap;
use crate::notification::NotificationKind;
use crate::store::DueNotifications;

/// The most owners for whom one transaction queues notifications.
const BATCH_OWNERS: u32 = 25;

/// Queues the due notifications of expiry, and about replaced tokens that are still in use shortly before their end.
///
/// Notifications that became due while no node ran are still due. A token that expired meanwhile gets
/// only `Expired`.
pub(super) async fn run(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    if !run.node.notifies() {
        return Ok(());
    }
    for kind in [
        NotificationKind::Expired,
        NotificationKind::ExpiresSoon,
        NotificationKind::ReplacedInUse,
    ] {
        queue(run, kind).await?;
    }
    Ok(())
}

async fn queue(run: &mut LeasedRun<'_>, kind: NotificationKind) -> Result<(), Interrupted> {
    let settings = &run.node.context.settings;
    let mut after = None;
    loop {
        let due = DueNotifications {
            kind,
            now: run.heartbeat().await?,
            reminder_days: settings.expiry_reminder_days().to_vec(),
            warning_days: settings.expiry_warning_days(),
        };
        let begun = run.node.context.time.now();
        let page = run.store.owners_due(&due, after, BATCH_OWNERS);
        let page = run.node.in_time(page).await?;
        if !page.owners.is_empty() {
            let queued = run
                .store
                .queue_due_notifications(&run.lease, &due, &page.owners);
            let queued = run.node.in_time(queued).await?;
            if queued > 0 {
                tracing::info!(%kind, count = queued, "notifications queued");
                run.node.wake_delivery();
            }
        }
        let Some(next) = page.next else {
            return Ok(());
        };
        after = Some(next);
        leave_gap(run, begun).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::notification::Notifier;
    use crate::store::Job;
    use crate::testing::RecordingNotifier;

    #[tokio::test]
    async fn a_token_is_announced_in_the_days_of_warning_and_when_it_has_expired() {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let notifier: Arc<dyn Notifier> = Arc::new(RecordingNotifier::default());
        let fixture = Fixture::new(&[notifier]);
        let alice = fixture.directory.add("alice");
        let mut tokens = Vec::new();
        for days in [8, 9, 7] {
            tokens.push(fixture.token(&alice, days).await);
        }
        let [first, second, short] = tokens[..] else {
            unreachable!("three tokens")
        };
        assert_eq!(fixture.take().await.len(), 3, "created");
        let announced = async || {
            let mut job = fixture.run(Job::ExpiryCheck).await;
            assert!(run(&mut job).await.is_ok());
            assert!(job.end(Err(Interrupted::Stopped)).await.is_ok());
            let taken = fixture.take().await.into_iter();
            let announced = taken.map(|queued| {
                let tokens = queued.tokens.iter().map(|token| token.id);
                (queued.kind, tokens.collect::<Vec<_>>())
            });
            announced.collect::<Vec<_>>()
        };
        let (soon, expired) = (NotificationKind::ExpiresSoon, NotificationKind::Expired);
        let moment = Duration::from_micros(1);
        let nearly_a_day = Duration::from_micros(86_399_999_999);
        for (advance, expected) in [
            (Duration::ZERO, vec![]),
            (DAY, vec![(soon, vec![first])]),
            (nearly_a_day, vec![]),
            (moment, vec![(soon, vec![second])]),
            // It lives no longer than the warning period.
            (5 * DAY, vec![(expired, vec![short])]),
            (DAY, vec![(expired, vec![first])]),
            (DAY, vec![(expired, vec![second])]),
        ] {
            fixture.clock.advance(advance);
            assert_eq!(announced().await, expected);
        }
    }

    #[tokio::test]
    async fn a_run_announces_the_tokens_of_all_owners() {
        let notifier: Arc<dyn Notifier> = Arc::new(RecordingNotifier::default());
        let fixture = Fixture::new(&[notifier]);
        let mut owners = BTreeSet::new();
        for number in 0..=2 * BATCH_OWNERS {
            let owner = fixture.directory.add(&format!("user {number}"));
            fixture.token(&owner, 8).await;
            owners.insert(owner);
        }
        fixture.take().await;
        fixture.clock.advance(Duration::from_secs(24 * 60 * 60));
        assert!(run(&mut fixture.run(Job::ExpiryCheck).await).await.is_ok());
        let announced = fixture.take().await.into_iter();
        let announced: BTreeSet<_> = announced.map(|queued| queued.owner).collect();
        assert!(
            announced == owners,
            "{} of {}",
            announced.len(),
            owners.len()
        );
    }

    #[tokio::test]
    async fn nothing_is_queued_without_a_notifier() {
        let fixture = Fixture::new(&[]);
        let alice = fixture.directory.add("alice");
        fixture.token(&alice, 1).await;
        assert!(run(&mut fixture.run(Job::ExpiryCheck).await).await.is_ok());
        assert_eq!(fixture.take().await, []);
    }
}
