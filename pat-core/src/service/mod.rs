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
/// Cheap to clone; clones share everything. Every method needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Pats(pub(crate) Arc<Node>);

impl Pats {
    /// Returns a builder of a service on this store.
    pub fn builder(store: impl TokenStore) -> PatsBuilder {
        PatsBuilder::new(Arc::new(store))
    }

    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Starts the jobs: they write last uses, read the change feed, prune old tokens, check for expiry,
    /// deliver notifications and feed event sinks. Also reads once which tokens are in use, so that
    /// they are served during a flood of unknown ones.
    ///
    /// Without the jobs authentication is correct, but on a shared store every request asks the
    /// database, last uses are written only by [`Pats::flush_last_use`], no token is pruned, no
    /// notification is sent, and event sinks receive nothing. The store keeps the events of changes in
    /// any case.
    pub fn start(&self) -> Jobs {
        Jobs::start(Arc::clone(&self.0))
    }

    /// Returns the settings in force.
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

    /// Checks whether this node can do its work, for readiness probes. It can if all of this holds:
    ///
    /// - The store answers.
    /// - This node's last report ([`TokenStore::heartbeat`]) was committed and read back less than 25
    ///   seconds ago. A database that answers and takes no writes fails this. Without running jobs
    ///   ([`Pats::start`]) this call reports.
    /// - The store is not reserved for newer versions.
    /// - The database's clock has not leapt. It has if it is more than a minute from the time that the
    ///   database vouches for ([`StoreTime`]), and either was not when this node first asked, or is not
    ///   according to another node that has reported within 25 seconds. Then it was set, or belongs to
    ///   another server after a failover, and its dates cannot be relied on. Scheduled jobs wait as
    ///   well, until the two agree again, by themselves or by [`Pats::accept_clock`]. A node that starts
    ///   when no other runs believes the clock; if the nodes before it were cut off, 25 seconds later.
    ///
    /// Not for liveness probes: restarting a process does not help against a database that is down.
    ///
    /// # Errors
    /// One of these does not hold, or is not known within twice `pat.auth.database.timeout.ms`.
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
        // By now the reports of the other nodes have been read.
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

    /// Returns the time by which tokens are judged: the database's, where it has a clock.
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
