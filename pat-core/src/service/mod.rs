//! The service: everything a host does with tokens goes through [`Pats`].

mod admin;
mod authenticate;
mod notifications;
mod revoke;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tracing::Instrument as _;

pub use self::admin::{Administration, SearchPage};
pub use self::revoke::{Family, RevokedCount};
pub use self::tokens::CreatedToken;
use crate::auth::Authenticator;
use crate::clock::Time;
use crate::cluster::Feed;
use crate::event::{EventKind, Events, carry_request_id};
use crate::metrics::Metrics;
use crate::outage::{Cause, Outages};
use crate::settings::Settings;
use crate::store::{AuditStore, JobStore, StoreTime};
use crate::token::{IdSource, TokenFormat};
use crate::{
    BoxError, Jobs, Notifier, PatsBuilder, StoreError, TokenStore, Unavailable, UserDirectory, Zone,
};

/// How long the store may take for what nobody waits for any more.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Personal access tokens: creates, lists, revokes and authenticates them.
///
/// Cheap to clone; all clones are one. Every method needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Pats(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) number: u64,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) issued_format: Arc<dyn TokenFormat>,
    pub(crate) ids: IdSource,
    pub(crate) feed: Feed,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    /// Wakes the delivery of notifications.
    pub(crate) notification_queued: Notify,
    /// Wakes the poll of the change feed.
    pub(crate) change_signalled: Notify,
}

impl Pats {
    /// Begins to wire up a service on this store; see [`PatsBuilder`].
    pub fn builder(store: impl TokenStore) -> PatsBuilder {
        PatsBuilder::new(Arc::new(store))
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Starts the jobs: writing last uses, reading the change feed, pruning, checking for expiry,
    /// delivering notifications and handing out events. Learns once which tokens are in use, so that a flood
    /// of unknown ones does not keep them waiting.
    ///
    /// Without them nothing is wrong, but on a shared store every request asks the database, last
    /// uses are written only by [`Pats::flush_last_use`], nothing is pruned, nobody is notified, and
    /// event sinks get nothing. (The store keeps the events of changes all the same.)
    pub fn start(&self) -> Jobs {
        Jobs::start(self.clone())
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.auth.settings
    }

    /// A number that no other service of this process has; clones of one have the same.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn auth(&self) -> &Authenticator {
        &self.0.auth
    }

    /// The store, for anything that needs to understand what it holds.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if this version does not.
    pub(crate) fn store(&self) -> Result<&dyn TokenStore, StoreError> {
        self.0.auth.versions.check()?;
        Ok(&*self.0.auth.store)
    }

    /// The jobs' part of it, where it has one.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn job_store(&self) -> Result<Option<&dyn JobStore>, StoreError> {
        Ok(self.store()?.jobs())
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.0.auth.store.is_shared()
    }

    pub(crate) fn has_jobs(&self) -> bool {
        self.0.auth.store.jobs().is_some()
    }

    pub(crate) fn directory(&self) -> &dyn UserDirectory {
        &*self.0.auth.directory
    }

    pub(crate) fn notifiers(&self) -> &[Arc<dyn Notifier>] {
        &self.0.notifiers
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.auth.metrics
    }

    pub(crate) fn time(&self) -> &Time {
        &self.0.auth.time
    }

    pub(crate) fn zone(&self) -> &Zone {
        self.settings().time_zone()
    }

    /// Whether notifications are queued and sent.
    pub(crate) fn notifies(&self) -> bool {
        self.settings().mail_notifications_enabled()
            && !self.notifiers().is_empty()
            && self.has_jobs()
    }

    /// Whether this node can do its work, for checks of readiness: the store answers, and the last
    /// report of this node ([`TokenStore::heartbeat`]) was committed and read back less than 25
    /// seconds ago, and this version may use it. A database that answers and takes no writes is found
    /// out by that. Where no job reports ([`Pats::start`]), this does.
    ///
    /// Nor is it ready while the database's clock is more than a minute from what the database vouches
    /// for ([`StoreTime`]) and was not when this node first asked, or is not as another node sees it
    /// that has reported within 25 seconds: it was set, or is that of another server after a failover,
    /// and what expires by it may be none. It is again once they agree, by themselves or by
    /// [`Pats::accept_clock`]. Jobs that go by a schedule wait as well. A node that starts when none
    /// runs believes the clock, 25 seconds later if those before it were cut off.
    ///
    /// A check of liveness has nothing to ask here: a process that answers is alive, and one that
    /// cannot reach its database gets no better by being started again.
    ///
    /// # Errors
    /// It cannot, or not within twice `pat.auth.database.timeout.ms`, or it may not
    /// ([`StoreError::Outdated`]).
    pub async fn ready(&self) -> Result<(), Unavailable> {
        let (auth, feed) = (&self.0.auth, &self.0.feed);
        let limit = self.settings().auth_database_timeout();
        let page = self.ask(limit, auth.store.changes_since(None)).await?;
        auth.observe_versions(page.versions)?;
        if auth.store.is_shared() && !feed.is_reported(auth) {
            self.ask(limit, feed.poll(auth)).await?;
            if !feed.is_reported(auth) {
                let unread = "the last report of this node is not read back";
                return Err(StoreError::backend(unread).into());
            }
        }
        // By now the other nodes are heard, who may know better.
        match self.time().doubtful_leap() {
            None => Ok(()),
            Some(leap) => Err(StoreError::backend(format!(
                "the database's clock is {} s from the time that it has vouched for; set it \
                 right, or if it is, call Pats::accept_clock",
                leap / 1_000_000
            ))
            .into()),
        }
    }

    /// The time by which tokens are judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time().refresh().timestamp()
    }

    /// Believes the clock as it is now: the database's, or this machine's where that has none.
    ///
    /// For an operator who has looked at it, after a log line has said that the clock is far from
    /// what the database vouches for ([`StoreTime`]). Until then nothing is
    /// deleted for its age if the clock is ahead, and the clock is passed over if it is behind; in
    /// time either goes away by itself. Returns how far the clock was ahead of the mark.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn accept_clock(&self) -> Result<SignedDuration, StoreError> {
        let auth = &self.0.auth;
        let sent = auth.time.now();
        let machines = auth.time.machine();
        let accepted = self.store()?.accept_clock(machines);
        let before = self.ask(WRITE_TIMEOUT, accepted).await?;
        let clock = before.clock.unwrap_or(machines);
        let accepted = StoreTime {
            mark: before.mark.map(|_| clock),
            ..before
        };
        auth.observe_moved(sent, accepted);
        auth.invalidate_all();
        let leap = before.mark.map(|mark| clock.duration_since(mark));
        Ok(leap.unwrap_or_default())
    }

    /// How long a request other than authentication waits for the store. Longer than that one does,
    /// since a change may have to wait for its turn.
    fn request_timeout(&self) -> Duration {
        self.settings().auth_database_timeout() * 5
    }

    /// The store's answer, if it comes in time.
    pub(crate) async fn ask<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.outages().store(limit, answer).await
    }

    /// The directory's answer, if it comes in time.
    pub(crate) async fn ask_directory<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, Unavailable> {
        self.outages().directory(limit, answer).await
    }

    /// Takes in whether a session was ended that came with a request, so that a session layer that
    /// fails is told of as an outage, not once for each request. For layers around a service.
    #[doc(hidden)]
    pub fn report_sessions(&self, ended: &Result<(), BoxError>) {
        match ended {
            Ok(()) => self.outages().works(&Cause::Sessions),
            Err(error) => self.outages().failed(Cause::Sessions, &**error),
        }
    }

    pub(crate) fn outages(&self) -> &Outages {
        &self.0.auth.outages
    }

    /// Runs a write in a task of its own: a client that hangs up must not stop it between its
    /// commit and what has to follow.
    async fn in_own_task<T: Send + 'static>(
        &self,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        // The log of the request goes on with what it began.
        let task = tokio::spawn(carry_request_id(write).in_current_span());
        self.outages().task(task.await)
    }

    // Jobs, each a plain function that a test can call

    /// Writes the last uses noted since the last flush; returns how many tokens that were. Runs as
    /// a job every `atlassian.pats.last.used.update.interval.mins`.
    ///
    /// # Errors
    /// The store cannot take them; they stay noted for the next flush.
    pub async fn flush_last_use(&self) -> Result<usize, StoreError> {
        let flush = self.0.auth.last_used.flush(&*self.0.auth.store);
        let result = self.ask(WRITE_TIMEOUT, flush).await;
        if result.is_ok() {
            self.metrics().flushed(self.time().now());
        }
        result
    }

    /// Reads the change feed once. Runs as a job every `pat.cluster.poll.interval.ms` where the
    /// store is shared.
    ///
    /// # Errors
    /// The store cannot answer. The cache is trusted until the lease of the last successful poll
    /// ends, and then every request asks the database.
    pub async fn poll_changes(&self) -> Result<(), StoreError> {
        self.0.feed.poll(&self.0.auth).await
    }

    /// Has the change feed read at every hint of the store's, until it gives no more.
    pub(crate) async fn listen(&self) {
        let hint = || self.0.change_signalled.notify_one();
        self.0.auth.store.listen(&hint).await;
        // What was missed since is to be read now.
        hint();
    }

    pub(crate) fn change_signalled(&self) -> Notified<'_> {
        self.0.change_signalled.notified()
    }

    /// Sets the gauges that tell of the state of things.
    pub(crate) async fn set_gauges(&self) -> Result<(), StoreError> {
        let now = self.time().refresh();
        self.metrics()
            .set_gauges(now, self.0.auth.epochs.fresh_until(), self.time().leap());
        let outbox = self.outbox().await?;
        self.metrics().set_outbox(now, &outbox);
        Ok(())
    }

    pub(crate) fn events(&self) -> &Events {
        &self.0.auth.events
    }

    /// What the audit needs of the store, with what the jobs need, if it has both.
    pub(crate) fn audit_store(&self) -> Option<(&dyn AuditStore, &dyn JobStore)> {
        let store = &self.0.auth.store;
        store.audit().zip(store.jobs())
    }

    /// Tells of a change that is committed.
    pub(crate) fn emit_change(&self, at: Timestamp, kind: EventKind) {
        self.events().emit_change(at, kind);
    }
}
