//! One node: the parts that requests and jobs share.

mod job_states;
mod revocation;
mod seen;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tracing::Instrument as _;

use self::job_states::JobStates;
use self::seen::SeenOwners;
use crate::auth::Authenticator;
use crate::client::Client;
use crate::cluster::Feed;
use crate::context::Context;
use crate::error::Unavailable;
use crate::event::EventKind;
use crate::metrics::Gauges;
use crate::notification::Notifier;
use crate::search::Filter;
use crate::store::{Outbox, StoreError};
use crate::token::{IdSource, TokenFormat, TokenStatus};

/// How long the store may take for writes that no client waits for.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the store may take to count all tokens.
const COUNT_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts of a service on this node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) context: Arc<Context>,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) feed: Feed,
    pub(crate) issued_format: Arc<dyn TokenFormat>,
    pub(crate) ids: IdSource,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) seen: SeenOwners,
    pub(crate) jobs: JobStates,
    /// Wakes the delivery of notifications.
    pub(crate) notification_queued: Notify,
    /// Wakes the poll of the change feed.
    pub(crate) change_signalled: Notify,
}

impl Node {
    pub(crate) fn new(
        context: Context,
        formats: Vec<Arc<dyn TokenFormat>>,
        issued_format: Arc<dyn TokenFormat>,
        notifiers: Vec<Arc<dyn Notifier>>,
    ) -> Self {
        let context = Arc::new(context);
        let auth = Arc::new(Authenticator::new(Arc::clone(&context), formats));
        Self {
            feed: Feed::new(Arc::clone(&context), Arc::clone(&auth)),
            context,
            auth,
            issued_format,
            ids: IdSource::default(),
            notifiers,
            seen: SeenOwners::default(),
            jobs: JobStates::default(),
            notification_queued: Notify::new(),
            change_signalled: Notify::new(),
        }
    }

    /// Returns the time for decisions about tokens.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.time.refresh().timestamp()
    }

    /// Returns whether notifications are queued and sent.
    pub(crate) fn notifies(&self) -> bool {
        self.context.settings.mail_notifications_enabled()
            && !self.notifiers.is_empty()
            && self.context.store.jobs().is_some()
    }

    /// Runs a write in its own task: a client that disconnects must not stop it between its commit and
    /// the steps after it.
    pub(crate) async fn in_own_task<T: Send + 'static>(
        &self,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        // Keeps the log span of the request.
        let task = tokio::spawn(Client::carry(write).in_current_span());
        self.context.outages.task(task.await)
    }

    /// Emits the event of a committed change.
    pub(crate) fn emit_change(&self, at: Timestamp, kind: EventKind) {
        self.context.events.emit_change(at, kind, None);
    }

    /// Emits the event of a committed change of a token with this name.
    pub(crate) fn emit_token_change(&self, at: Timestamp, kind: EventKind, name: &str) {
        self.context.events.emit_change(at, kind, Some(name));
    }

    /// Wakes the delivery of notifications.
    pub(crate) fn wake_delivery(&self) {
        self.notification_queued.notify_one();
    }

    /// Writes the last uses recorded since the last flush; returns the number of tokens.
    ///
    /// # Errors
    /// The store's error; the uses are kept for the next flush.
    pub(crate) async fn flush_last_use(&self) -> Result<usize, StoreError> {
        let flush = self
            .auth
            .last_used
            .flush(&*self.context.store, || self.context.time.now().boot);
        let result = self.context.ask(WRITE_TIMEOUT, flush).await;
        if result.is_ok() {
            self.context.metrics.flushed(self.context.time.now());
        }
        result
    }

    /// Wakes the poll at each notification of the store, until the store's listener ends.
    pub(crate) async fn listen(&self) {
        let signal = || self.change_signalled.notify_one();
        self.context.store.listen(&signal).await;
        // Changes may have been missed since.
        signal();
    }

    /// Returns the counts of the outbox.
    ///
    /// # Errors
    /// Same as [`Context::ask`] and [`Context::usable_store`].
    pub(crate) async fn outbox(&self) -> Result<Outbox, StoreError> {
        let context = &self.context;
        match context.job_store()? {
            Some(jobs) => context.ask(context.request_timeout(), jobs.outbox()).await,
            None => Ok(Outbox::default()),
        }
    }

    /// Sets the gauges.
    ///
    /// # Errors
    /// Same as [`Node::outbox`].
    pub(crate) async fn set_gauges(&self) -> Result<(), StoreError> {
        let Context { time, metrics, .. } = &*self.context;
        let now = time.refresh();
        let gauges = Gauges {
            fresh_until: self.auth.epochs.fresh_until(),
            leap: time.measured_leap(),
            feed_lag: self.feed.lag(now),
            cached_tokens: self.auth.cached_tokens(),
        };
        metrics.set_gauges(now, gauges);
        let outbox = self.outbox().await?;
        if self.context.store.jobs().is_some() {
            metrics.set_outbox(now, &outbox);
        }
        Ok(())
    }

    /// Counts the stored tokens by status, and sets their gauges.
    ///
    /// # Errors
    /// Same as [`Context::ask`] and [`Context::usable_store`].
    pub(crate) async fn count_tokens(&self) -> Result<(), StoreError> {
        const STATUSES: [TokenStatus; 5] = [
            TokenStatus::Active,
            TokenStatus::ExpiresSoon,
            TokenStatus::Disabled,
            TokenStatus::Expired,
            TokenStatus::Revoked,
        ];
        let Some(store) = self.context.usable_store()?.search_store() else {
            return Ok(());
        };
        let days = self.context.settings.expiry_warning_days();
        let (now, warning) = (self.now(), SignedDuration::from_hours(i64::from(days) * 24));
        let filter = |status| Filter::default().with_status(status, now, warning);
        let filters = STATUSES.map(filter);
        let counting = store.count_each(&filters);
        let counts = self.context.ask(COUNT_TIMEOUT, counting).await?;
        self.context
            .metrics
            .set_tokens(STATUSES.into_iter().zip(counts));
        Ok(())
    }
}
