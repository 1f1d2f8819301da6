//! One node: what requests and jobs have in common.

mod revocation;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::Instrument as _;

use crate::auth::Authenticator;
use crate::cluster::Feed;
use crate::context::Context;
use crate::error::Unavailable;
use crate::event::{EventKind, carry_request_id};
use crate::notification::Notifier;
use crate::store::{Outbox, StoreError};
use crate::token::{IdSource, TokenFormat};

/// How long the store may take for writes that no client waits for.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts of a service on this node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) context: Arc<Context>,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) feed: Feed,
    pub(crate) issued_format: Arc<dyn TokenFormat>,
    pub(crate) ids: IdSource,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
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
            notification_queued: Notify::new(),
            change_signalled: Notify::new(),
        }
    }

    /// Returns the time by which tokens are judged.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.time.refresh().timestamp()
    }

    /// Returns whether notifications are queued and sent.
    pub(crate) fn notifies(&self) -> bool {
        self.context.settings.mail_notifications_enabled()
            && !self.notifiers.is_empty()
            && self.context.store.jobs().is_some()
    }

    /// Runs a write in a task of its own: a client that hangs up must not stop it between its
    /// commit and what has to follow.
    pub(crate) async fn in_own_task<T: Send + 'static>(
        &self,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        // The log of the request goes on with what it began.
        let task = tokio::spawn(carry_request_id(write).in_current_span());
        self.context.outages.task(task.await)
    }

    /// Emits a change that is committed.
    pub(crate) fn emit_change(&self, at: Timestamp, kind: EventKind) {
        self.context.events.emit_change(at, kind);
    }

    /// Has the delivery look at the outbox now.
    pub(crate) fn wake_delivery(&self) {
        self.notification_queued.notify_one();
    }

    /// Writes the last uses noted since the last flush; returns of how many tokens.
    ///
    /// # Errors
    /// The store cannot take them; they stay noted for the next flush.
    pub(crate) async fn flush_last_use(&self) -> Result<usize, StoreError> {
        let flush = self.auth.last_used.flush(&*self.context.store);
        let result = self.context.ask(WRITE_TIMEOUT, flush).await;
        if result.is_ok() {
            self.context.metrics.flushed(self.context.time.now());
        }
        result
    }

    /// Has the change feed read at every signal of the store's, until it gives no more.
    pub(crate) async fn listen(&self) {
        let signal = || self.change_signalled.notify_one();
        self.context.store.listen(&signal).await;
        // What was missed since is to be read now.
        signal();
    }

    /// Returns how many notifications wait to be sent, and how many could not be.
    ///
    /// # Errors
    /// The store cannot answer in time.
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
    /// The store cannot answer in time.
    pub(crate) async fn set_gauges(&self) -> Result<(), StoreError> {
        let Context { time, metrics, .. } = &*self.context;
        let now = time.refresh();
        metrics.set_gauges(now, self.auth.epochs.fresh_until(), time.leap());
        let outbox = self.outbox().await?;
        metrics.set_outbox(now, &outbox);
        Ok(())
    }
}
