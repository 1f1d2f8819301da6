use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::ANSWER_TIMEOUT;
use crate::clock::micros;
use crate::directory::User;
use crate::error::{Unavailable, one_line};
use crate::event::EventKind;
use crate::node::Node;
use crate::notification::{Notification, Notifier, NotifyError, Recipient};
use crate::outage::Cause;
use crate::store::{JobStore, Outcome, QueuedNotification, StoreError};
use crate::token::{Owner, random_u64};

/// How many notifications are sent at the same time: after a crash, at most so many are sent again.
const IN_HAND: usize = 8;
/// How many notifications are claimed at the same time, at most: twice as many as before, as long as those are
/// sent within [`QUICK`].
const MOST_CLAIMED: usize = 64;
/// How long after a claim further notifications of it are sent. It is little beside [`CLAIM`].
const QUICK: Duration = Duration::from_secs(1);
/// How long notifications that are sent wait for others, to be settled together with them.
const GATHERING: Duration = Duration::from_millis(20);
/// How long a notifier may take for one notification.
const SEND_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// How long a claim lasts: longer than the directory, a notifier and the attempts to settle take
/// together, so that no other node sends the same notification.
const CLAIM: Duration = Duration::from_secs(5 * 60);
/// The pause after the first failure; it doubles with each failure, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// The most attempts to send a notification: with these pauses, for about five days (RFC 5321, section
/// 4.5.4.1).
const MAX_ATTEMPTS: u32 = 125;
/// The most attempts to settle a notification.
const SETTLE_ATTEMPTS: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

impl Node {
    /// Sends the due notifications, and returns how many were sent. After `stop`, claims no more.
    pub(crate) async fn deliver_until(&self, stop: &CancellationToken) -> Result<u64, StoreError> {
        let Some(store) = self.context.job_store()?.filter(|_| self.notifies()) else {
            return Ok(0);
        };
        let (mut count, mut most) = (0, IN_HAND);
        while !stop.is_cancelled() {
            let now = self.context.time.refresh().timestamp();
            let limit = u32::try_from(most).unwrap_or(u32::MAX);
            let claiming = store.claim_notifications(now, CLAIM, limit);
            let mut claimed = self.in_time(claiming).await?;
            if claimed.is_empty() {
                break;
            }
            let claimed_at = self.context.time.now().boot;
            let is_quick = || self.context.time.now().boot - claimed_at < micros(QUICK);
            while !claimed.is_empty() {
                let later = claimed.split_off(claimed.len().min(IN_HAND));
                count += self.deliver(store, claimed).await?;
                claimed = later;
                if !is_quick() || stop.is_cancelled() {
                    self.give_back(store, &claimed).await?;
                    break;
                }
            }
            most = if is_quick() {
                MOST_CLAIMED.min(most * 2)
            } else {
                IN_HAND
            };
        }
        Ok(count)
    }

    /// Sends notifications at the same time, and settles those together that are sent at about the same time.
    /// Returns how many were sent.
    async fn deliver(
        &self,
        store: &dyn JobStore,
        claimed: Vec<QueuedNotification>,
    ) -> Result<u64, StoreError> {
        let attempts = claimed.into_iter().map(|queued| self.attempt(queued));
        let mut attempts: FuturesUnordered<_> = attempts.collect();
        let mut count = 0;
        while let Some(first) = attempts.next().await {
            let mut done = vec![first];
            while let Ok(Some(next)) = timeout(GATHERING, attempts.next()).await {
                done.push(next);
            }
            let outcomes: Vec<_> = done
                .iter()
                .map(|(queued, outcome)| (queued.claim, outcome.clone()))
                .collect();
            let are_settled = settle(SETTLE_PAUSE, || {
                let now = self.context.time.refresh().timestamp();
                self.in_time(store.settle_notifications(&outcomes, now))
            });
            let are_settled = are_settled.await?;
            for ((queued, outcome), is_settled) in done.iter().zip(are_settled) {
                self.report(queued, outcome, is_settled);
                count += u64::from(*outcome == Outcome::Sent);
            }
        }
        Ok(count)
    }

    /// Makes notifications due again that were claimed and are not sent now.
    async fn give_back(
        &self,
        store: &dyn JobStore,
        claimed: &[QueuedNotification],
    ) -> Result<(), StoreError> {
        let now = self.context.time.refresh().timestamp();
        let outcomes = claimed.iter().map(|queued| {
            let due = Outcome::Retry {
                after: Duration::ZERO,
                error: String::new(),
                sent_by: queued.sent_by.clone(),
            };
            (queued.claim, due)
        });
        let outcomes: Vec<_> = outcomes.collect();
        if outcomes.is_empty() {
            return Ok(());
        }
        let settling = store.settle_notifications(&outcomes, now);
        self.in_time(settling).await.map(drop)
    }

    async fn attempt(&self, queued: QueuedNotification) -> (QueuedNotification, Outcome) {
        let outcome = match self.address(&queued).await {
            Ok(Ok(recipient)) => self.send(&queued, recipient).await,
            Ok(Err(reason)) => Outcome::Skipped {
                reason: reason.to_owned(),
            },
            Err(error) => again(&queued, one_line(&error), queued.sent_by.clone()),
        };
        (queued, outcome)
    }

    /// Returns the recipient of a notification, or the reason that it is skipped.
    async fn address(
        &self,
        queued: &QueuedNotification,
    ) -> Result<Result<Recipient, &str>, Unavailable> {
        let Some(user) = self.find_user(&queued.owner).await? else {
            return Ok(Err("the owner does not exist"));
        };
        if !user.is_active {
            return Ok(Err("the owner is not active"));
        }
        let Some(email) = user.email else {
            return Ok(Err("the owner has no address"));
        };
        Ok(Ok(Recipient {
            full_name: user.full_name,
            email,
            language: user.language,
        }))
    }

    async fn find_user(&self, owner: &Owner) -> Result<Option<User>, Unavailable> {
        self.context
            .ask_directory(ANSWER_TIMEOUT, self.context.directory.find(owner))
            .await
    }

    /// Sends a notification by every notifier that has not sent it yet.
    async fn send(&self, queued: &QueuedNotification, recipient: Recipient) -> Outcome {
        let by = match &queued.by {
            None => None,
            Some(by) => match self.find_user(by).await {
                Ok(Some(user)) => Some(user.full_name),
                _ => Some(by.to_string()),
            },
        };
        let notification = Notification {
            id: queued.claim.id,
            kind: queued.kind,
            recipient,
            tokens: queued.tokens.clone(),
            by,
            reason: queued.reason.clone(),
            live_children: queued.live_children,
            client_address: queued.client_address,
            queued_at: queued.queued_at,
            base_url: self.context.settings.base_url().map(str::to_owned),
        };
        let mut sent_by = queued.sent_by.clone();
        let notifiers = self.notifiers.iter();
        let notifiers: Vec<_> = notifiers
            .filter(|notifier| !sent_by.iter().any(|name| name == notifier.name()))
            .collect();
        let results = join_all(
            notifiers
                .iter()
                .map(|notifier| send_by(&***notifier, &notification)),
        )
        .await;
        let (mut is_temporary, mut errors) = (false, Vec::new());
        for (notifier, result) in notifiers.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.context
                        .outages
                        .works(&Cause::Notifier(notifier.name().to_owned()));
                    sent_by.push(notifier.name().to_owned());
                }
                Err(error) => {
                    if let NotifyError::Temporary(error) = &error {
                        let cause = Cause::Notifier(notifier.name().to_owned());
                        self.context.outages.failed(cause, &**error);
                    }
                    is_temporary |= !matches!(error, NotifyError::Permanent(_));
                    errors.push(format!("{}: {}", notifier.name(), one_line(&error)));
                }
            }
        }
        let error = errors.join("; ");
        match (error.is_empty(), is_temporary) {
            (true, _) => Outcome::Sent,
            (false, true) => again(queued, error, sent_by),
            (false, false) => Outcome::Dead { error, sent_by },
        }
    }

    /// Logs and counts the outcome of a notification. Emits the event if this worker has settled it.
    fn report(&self, queued: &QueuedNotification, outcome: &Outcome, is_settled: bool) {
        let at = self.context.time.now().timestamp();
        let (notification, kind) = (queued.claim.id, queued.kind);
        let name = match outcome {
            Outcome::Sent => "sent",
            Outcome::Retry { error, .. } => {
                tracing::debug!(
                    notification.id = %notification, %kind, attempts = queued.attempts, error,
                    "a notification was not sent; it is tried again"
                );
                "retried"
            }
            Outcome::Dead { .. } => "dead",
            Outcome::Skipped { reason } => {
                tracing::info!(notification.id = %notification, %kind, reason, "a notification is skipped");
                "skipped"
            }
        };
        self.context
            .metrics
            .notification_settled(kind.as_str(), name);
        if let Some(event) = EventKind::of_settled(queued, outcome).filter(|_| is_settled) {
            self.emit_change(at, event);
        }
    }
}

/// Calls the store until it succeeds, at most [`SETTLE_ATTEMPTS`] times.
async fn settle<T, F>(pause: Duration, call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..SETTLE_ATTEMPTS {
        if let Ok(are_settled) = call().await {
            return Ok(are_settled);
        }
        tokio::time::sleep(pause).await;
    }
    call().await
}

/// Returns the outcome of a failed attempt: a retry, or dead after the last one.
fn again(queued: &QueuedNotification, error: String, sent_by: Vec<String>) -> Outcome {
    if queued.attempts >= MAX_ATTEMPTS {
        return Outcome::Dead { error, sent_by };
    }
    let after = pause_after(queued.attempts, random_u64().unwrap_or_default());
    Outcome::Retry {
        after,
        error,
        sent_by,
    }
}

async fn send_by(notifier: &dyn Notifier, notification: &Notification) -> Result<(), NotifyError> {
    let sending = AssertUnwindSafe(notifier.send(notification)).catch_unwind();
    match timeout(SEND_TIMEOUT, sending).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(NotifyError::Temporary("the notifier panicked".into())),
        Err(_elapsed) => Err(NotifyError::Temporary("the notifier took too long".into())),
    }
}

/// Returns the pause after this many attempts: doubled each time, and shortened by up to a fifth at
/// random, so that notifications that failed together are not retried together.
fn pause_after(attempts: u32, random: u64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
    let longest = doubled.min(LONGEST_PAUSE);
    let fraction = u32::try_from(random % 200).unwrap_or_default();
    longest / 1_000 * (1_000 - fraction)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::store::RevocationScope;
    use crate::testing::RecordingNotifier;
    use crate::token::TokenId;

    /// Two notifiers, and a fixture with them.
    struct Hosts {
        fixture: Fixture,
        mail: RecordingNotifier,
        chat: RecordingNotifier,
        alice: Owner,
    }

    #[derive(Debug)]
    struct Named(&'static str, RecordingNotifier);

    #[async_trait]
    impl Notifier for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
            self.1.send(notification).await
        }
    }

    impl Hosts {
        fn new() -> Self {
            let (mail, chat) = (RecordingNotifier::default(), RecordingNotifier::default());
            let notifiers: [Arc<dyn Notifier>; 2] = [
                Arc::new(Named("mail", mail.clone())),
                Arc::new(Named("chat", chat.clone())),
            ];
            let fixture = Fixture::new(&notifiers);
            let alice = fixture.directory.add("alice");
            Self {
                fixture,
                mail,
                chat,
                alice,
            }
        }

        /// Queues a notification for a user.
        async fn queue(&self, owner: &Owner) -> TokenId {
            self.fixture.token(owner, 90).await
        }

        async fn deliver(&self) -> u64 {
            let node = self.fixture.node();
            let count = node.deliver_until(&self.fixture.stop).await;
            count.expect("the store takes it")
        }

        /// Returns how many notifications are pending and dead.
        async fn outbox(&self) -> (u64, u64) {
            let outbox = self.fixture.store.outbox().await.expect("counts");
            (outbox.pending, outbox.dead)
        }

        /// Returns how many notifications each notifier has sent.
        fn sent(&self) -> (usize, usize) {
            (self.mail.sent().len(), self.chat.sent().len())
        }
    }

    #[tokio::test]
    async fn each_notifier_sends_a_notification_once() {
        let hosts = Hosts::new();
        hosts.queue(&hosts.alice).await;
        hosts.chat.fail_for_now();
        assert_eq!(hosts.deliver().await, 0);
        assert_eq!((hosts.sent(), hosts.outbox().await), ((1, 0), (1, 0)));
        hosts.chat.succeed();
        assert_eq!(hosts.deliver().await, 0, "not due yet");
        hosts.fixture.clock.advance(FIRST_PAUSE);
        hosts.queue(&hosts.alice).await;
        assert_eq!(hosts.deliver().await, 2);
        assert_eq!((hosts.sent(), hosts.outbox().await), ((2, 2), (0, 0)));
        let events = hosts.fixture.events().await;
        let expected = ["created", "created", "notified", "notified"];
        assert_eq!(events, expected);
    }

    #[tokio::test]
    async fn a_notification_is_dead_once_no_notifier_may_send_it_later() {
        let temporary: fn(&RecordingNotifier) = RecordingNotifier::fail_for_now;
        let permanent: fn(&RecordingNotifier) = RecordingNotifier::fail_for_good;
        for (mail, chat, expected) in [
            (permanent, permanent, (0, 1)),
            (permanent, temporary, (1, 0)),
            (temporary, permanent, (1, 0)),
            (temporary, temporary, (1, 0)),
        ] {
            let hosts = Hosts::new();
            mail(&hosts.mail);
            chat(&hosts.chat);
            hosts.queue(&hosts.alice).await;
            assert_eq!(hosts.deliver().await, 0);
            assert_eq!(hosts.outbox().await, expected);
        }
    }

    #[tokio::test]
    async fn owners_who_cannot_be_notified_are_skipped() {
        let hosts = Hosts::new();
        let directory = &hosts.fixture.directory;
        let [bob, carol, dave] = ["bob", "carol", "dave"].map(|key| directory.add(key));
        for owner in [&hosts.alice, &bob, &carol, &dave] {
            hosts.queue(owner).await;
        }
        directory.set_active(&bob, false);
        directory.set_email(&carol, None);
        directory.remove(&dave);
        directory.set_down(true);
        assert_eq!((hosts.deliver().await, hosts.outbox().await), (0, (4, 0)));
        directory.set_down(false);
        hosts.fixture.clock.advance(FIRST_PAUSE);
        assert_eq!((hosts.deliver().await, hosts.outbox().await), (1, (0, 0)));
        let sent = hosts.mail.sent();
        let to: Vec<_> = sent.iter().map(|sent| &sent.recipient.email).collect();
        assert_eq!(to, ["alice@example.com"]);
    }

    #[tokio::test]
    async fn no_notification_is_claimed_after_the_stop() {
        let hosts = Hosts::new();
        hosts.queue(&hosts.alice).await;
        hosts.fixture.stop.cancel();
        assert_eq!((hosts.deliver().await, hosts.sent()), (0, (0, 0)));
        assert_eq!(hosts.fixture.claim().await.len(), 1);
    }

    #[tokio::test]
    async fn a_revocation_names_the_administrator_or_the_key_of_one_who_is_gone() {
        let root = Owner::new("root").expect("an owner");
        for (is_known, name) in [(true, "root the tester"), (false, "root")] {
            let hosts = Hosts::new();
            let token = hosts.queue(&hosts.alice).await;
            assert_eq!(hosts.deliver().await, 1);
            if is_known {
                hosts.fixture.directory.add_administrator("root");
            }
            let scope = RevocationScope::Tokens(vec![token]);
            let revoked = hosts
                .fixture
                .node()
                .revoke_all(scope, Some(root.clone()), None, true);
            assert_eq!(revoked.await.expect("revoked").tokens.len(), 1);
            assert_eq!(hosts.deliver().await, 1);
            let sent = hosts.mail.sent();
            assert_eq!(sent[1].by.as_deref(), Some(name));
        }
    }

    #[tokio::test]
    async fn a_notification_is_dead_after_the_last_attempt() {
        let hosts = Hosts::new();
        hosts.queue(&hosts.alice).await;
        let mut queued = hosts.fixture.claim().await.remove(0);
        let mut is_dead = |attempts| {
            queued.attempts = attempts;
            let outcome = again(&queued, "busy".to_owned(), Vec::new());
            matches!(outcome, Outcome::Dead { .. })
        };
        assert!(!is_dead(MAX_ATTEMPTS - 1) && is_dead(MAX_ATTEMPTS));
    }

    #[tokio::test]
    async fn settling_is_tried_five_times() {
        for failures in 0..7_u32 {
            let calls = Cell::new(0);
            let settled = settle(Duration::ZERO, || {
                calls.set(calls.get() + 1);
                let is_settled = (calls.get() > failures).then_some(true);
                std::future::ready(is_settled.ok_or(StoreError::Timeout))
            });
            assert_eq!(settled.await.is_ok(), failures < SETTLE_ATTEMPTS);
            assert_eq!(calls.get(), (failures + 1).min(SETTLE_ATTEMPTS));
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_last_for_five_days() {
        let minutes = |attempts| pause_after(attempts, 0).as_secs() / 60;
        let pauses: Vec<_> = (1..=8).map(minutes).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        let total: u64 = (1..MAX_ATTEMPTS).map(minutes).sum();
        assert_eq!(total / (24 * 60), 4);
        assert!(total > 4 * 24 * 60);
        assert!(pause_after(u32::MAX, u64::MAX) >= LONGEST_PAUSE / 5 * 4);
    }

    #[test]
    fn pauses_are_shortened_by_up_to_a_fifth() {
        for (random, millis) in [(0, 60_000), (1, 59_940), (199, 48_060), (200, 60_000)] {
            assert_eq!(pause_after(1, random), Duration::from_millis(millis));
        }
    }
}
