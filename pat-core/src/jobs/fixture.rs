//! A node on a store in memory, for the unit tests of the jobs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::lease::{LEASE_TTL, LeasedRun};
use crate::caller::Caller;
use crate::memory::MemoryStore;
use crate::node::Node;
use crate::notification::Notifier;
use crate::policy::TokenRequest;
use crate::service::Pats;
use crate::settings::Settings;
use crate::store::{Job, JobStore, LeaseAnswer, LeaseRequest, Outcome, QueuedNotification};
use crate::testing::{RecordingSink, TestClock, TestDirectory};
use crate::token::{Owner, TokenId};

pub(super) struct Fixture {
    pub(super) pats: Pats,
    pub(super) clock: Arc<TestClock>,
    pub(super) directory: TestDirectory,
    pub(super) sink: RecordingSink,
    pub(super) store: Arc<MemoryStore>,
    pub(super) stop: CancellationToken,
}

impl Fixture {
    pub(super) fn new(notifiers: &[Arc<dyn Notifier>]) -> Self {
        let (clock, directory) = (Arc::<TestClock>::default(), TestDirectory::default());
        let (sink, store) = (RecordingSink::default(), Arc::<MemoryStore>::default());
        let settings = Settings::builder()
            .notice_created(true)
            .expiry_warning_days(7)
            .build();
        let builder = Pats::builder(store.clone())
            .settings(settings.expect("settings"))
            .users(Arc::new(directory.clone()))
            .clock(clock.clone())
            .events(Arc::new(sink.clone()));
        let builder = notifiers.iter().fold(builder, |builder, notifier| {
            builder.notifier(notifier.clone())
        });
        Self {
            pats: builder.build(),
            clock,
            directory,
            sink,
            store,
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.pats.0
    }

    /// Creates a token of a user, of which the user is notified.
    pub(super) async fn token(&self, owner: &Owner, days: i64) -> TokenId {
        let caller = Caller::cookie_authenticated(owner.clone());
        let request = TokenRequest::new("ci", Some(days));
        let created = self.pats.create(&caller, request).await;
        created.expect("a token").token.id
    }

    /// Returns the names of the events that were emitted so far.
    pub(super) async fn events(&self) -> Vec<String> {
        let (context, stop) = (&self.node().context, CancellationToken::new());
        stop.cancel();
        context.events.deliver(0, &stop, &context.outages).await;
        let events = self.sink.events().into_iter();
        events.map(|event| event.kind.as_str().to_owned()).collect()
    }

    /// Claims all notifications that are due.
    pub(super) async fn claim(&self) -> Vec<QueuedNotification> {
        let now = self.node().now();
        let claimed = self.store.claim_notifications(now, LEASE_TTL, u32::MAX);
        claimed.await.expect("notifications")
    }

    /// Claims all notifications that are due, and settles them as sent.
    pub(super) async fn take(&self) -> Vec<QueuedNotification> {
        let claimed = self.claim().await;
        for queued in &claimed {
            let now = self.node().now();
            let settled = self
                .store
                .settle_notification(&queued.claim, &Outcome::Sent, now);
            assert!(settled.await.expect("an answer"));
        }
        claimed
    }

    /// Requests the lease of a job for its only occurrence.
    pub(super) async fn acquire(&self, job: Job) -> LeaseAnswer {
        let time = &self.node().context.time;
        let request = LeaseRequest {
            job,
            now: time.refresh().timestamp(),
            ttl: LEASE_TTL,
            due: &|_| Some(jiff::Timestamp::UNIX_EPOCH),
            mark: time.mark_bounds(),
        };
        let acquired = self.store.acquire_lease(&request).await;
        acquired.expect("an answer").0
    }

    /// Begins a run of a job.
    pub(super) async fn run(&self, job: Job) -> LeasedRun<'_> {
        let LeaseAnswer::Acquired(lease) = self.acquire(job).await else {
            panic!("the lease is held, or the job is done");
        };
        LeasedRun {
            node: self.node(),
            store: &*self.store,
            lease,
            renewed: self.node().context.time.now().boot,
            stop: &self.stop,
        }
    }
}
