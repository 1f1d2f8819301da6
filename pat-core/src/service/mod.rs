//! The service: everything a host does with tokens goes through [`Pats`].

mod admin;
mod authenticate;
mod builder;
mod notifications;
mod revoke;
mod tokens;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

pub use self::admin::{Administration, SearchPage};
pub use self::builder::PatsBuilder;
pub use self::revoke::{Family, RevokedCount};
pub use self::tokens::CreatedToken;
use crate::error::{BoxError, Unavailable};
use crate::jobs::{JobRun, Jobs};
use crate::node::{Node, WRITE_TIMEOUT};
use crate::outage::Cause;
use crate::settings::Settings;
use crate::store::{Job, StoreError, StoreTime, TokenStore};

/// Personal access tokens: creates, lists, revokes and authenticates them.
///
/// Cheap to clone; all clones are one. Every method needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Pats(pub(crate) Arc<Node>);

impl Pats {
    /// Begins to wire up a service on this store; see [`PatsBuilder`].
    pub fn builder(store: impl TokenStore) -> PatsBuilder {
        PatsBuilder::new(Arc::new(store))
    }

    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Starts the jobs: writing last uses, reading the change feed, pruning, checking for expiry,
    /// delivering notifications and handing out events. Learns once which tokens are in use, so that a flood
    /// of unknown ones does not keep them waiting.
    ///
    /// Without them nothing is wrong, but on a shared store every request asks the database, last
    /// uses are written only by [`Pats::flush_last_use`], nothing is pruned, nobody is notified, and
    /// event sinks get nothing. (The store keeps the events of changes all the same.)
    pub fn start(&self) -> Jobs {
        Jobs::start(Arc::clone(&self.0))
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.context.settings
    }

    /// Identifies this service in its process: all clones have the same. For layers around a service.
    #[doc(hidden)]
    #[must_use]
    pub fn instance(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
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
        let Node {
            context,
            auth,
            feed,
            ..
        } = &*self.0;
        let limit = context.auth_timeout();
        let page = context
            .ask(limit, context.store.changes_since(None))
            .await?;
        auth.observe_versions(page.versions)?;
        if context.is_shared() && !feed.is_reported() {
            context.ask(limit, feed.poll()).await?;
            if !feed.is_reported() {
                let unread = "the last report of this node is not read back";
                return Err(StoreError::backend(unread).into());
            }
        }
        // By now the other nodes are heard, who may know better.
        match context.time.doubtful_leap() {
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
        self.0.now()
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
        let Node { context, auth, .. } = &*self.0;
        let sent = context.time.now();
        let machines = context.time.machine();
        let accepted = context.usable_store()?.accept_clock(machines);
        let before = context.ask(WRITE_TIMEOUT, accepted).await?;
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

    /// Takes in whether a session was ended that came with a request, so that a session layer that
    /// fails is told of as an outage, not once for each request. For layers around a service.
    #[doc(hidden)]
    pub fn report_sessions(&self, ended: &Result<(), BoxError>) {
        match ended {
            Ok(()) => self.0.context.outages.works(&Cause::Sessions),
            Err(error) => self.0.context.outages.failed(Cause::Sessions, &**error),
        }
    }

    // Jobs, each a plain function that a test can call

    /// Writes the last uses noted since the last flush; returns of how many tokens. Runs as a job
    /// every `atlassian.pats.last.used.update.interval.mins`.
    ///
    /// # Errors
    /// The store cannot take them; they stay noted for the next flush.
    pub async fn flush_last_use(&self) -> Result<usize, StoreError> {
        self.0.flush_last_use().await
    }

    /// Reads the change feed once. Runs as a job every `pat.cluster.poll.interval.ms` where the
    /// store is shared.
    ///
    /// # Errors
    /// The store cannot answer. The cache is trusted until the time that the last successful poll
    /// gave it ends, and then every request asks the database.
    pub async fn poll_changes(&self) -> Result<(), StoreError> {
        self.0.feed.poll().await
    }

    /// Runs a job if its schedule says so and no other node runs it or has run it.
    ///
    /// An occurrence that was missed because no node was up is caught up: the latest one, once.
    /// Called by [`Pats::start`]'s jobs, and by tests with a clock of their own.
    ///
    /// # Errors
    /// The store cannot answer, or another runner took over. What was done is kept; the next run
    /// does the rest.
    pub async fn run_if_due(&self, job: Job) -> Result<JobRun, StoreError> {
        self.0.run_if_due(job).await
    }

    /// Sends the notifications that are due; returns how many were sent.
    ///
    /// Called by [`Pats::start`]'s jobs, and by tests. Several nodes may call it at a time: each
    /// notification is claimed by one of them.
    ///
    /// # Errors
    /// The store cannot answer. A notification that was sent and could not be marked as sent may be
    /// sent again.
    pub async fn deliver_notifications(&self) -> Result<u64, StoreError> {
        self.0.deliver_until(&CancellationToken::new()).await
    }
}
