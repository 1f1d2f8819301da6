//! The service [`Pats`], through which a host uses tokens.

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
///
/// ```
/// use std::sync::Arc;
///
/// use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let alice = Caller::cookie_authenticated(Owner::new("alice")?);
/// let created = pats.create(&alice, TokenRequest::new("ci", Some(90))).await?;
/// let principal = pats.authenticate(created.plain.expose().as_bytes()).await?;
/// assert_eq!(principal.owner(), alice.owner());
/// pats.revoke(&alice, created.token.id).await?;
/// assert!(pats.authenticate(created.plain.expose().as_bytes()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pats(pub(crate) Arc<Node>);

impl Pats {
    /// Returns a builder of a service on this store.
    pub fn builder(store: Arc<dyn TokenStore>) -> PatsBuilder {
        PatsBuilder::new(store)
    }

    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Starts the jobs: they write last uses, read the change feed, prune old tokens, check for expiry,
    /// deliver notifications and feed event sinks. Also reads once which tokens are in use, so that
    /// they are accepted during a flood of unknown ones.
    ///
    /// Without the jobs authentication is correct, but on a shared store every request queries the
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
    ///   seconds ago. So a database that accepts no writes fails the check. Without running jobs
    ///   ([`Pats::start`]) this call reports.
    /// - The store is not reserved for newer versions.
    /// - The database's clock has not leapt. It has if it differs by more than a minute from the mark
    ///   ([`StoreTime`]), and either did not when this node first read it, or does not according to
    ///   another node that has reported within 25 seconds. Then the clock was set, or is that of another
    ///   server after a failover, and may be wrong. Scheduled jobs wait as well, until the two agree
    ///   again or [`Pats::accept_clock`] is called. A node that starts while no other runs trusts the
    ///   clock: at once, or after 25 seconds if the previous nodes were killed.
    ///
    /// Not for liveness probes: restarting a process does not help against a database that is down.
    ///
    /// # Errors
    /// [`Unavailable::Store`] if one of these does not hold, or the store does not answer within twice
    /// `pat.auth.database.timeout.ms`.
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
                let unread = "the last report of this node could not be read back";
                return Err(StoreError::backend(unread).into());
            }
        }
        // By now the reports of the other nodes have been read.
        match context.time.doubtful_leap() {
            None => Ok(()),
            Some(leap) => Err(StoreError::backend(format!(
                "the database's clock differs by {} s from the store's mark; set it right, or if \
                 it is right, call Pats::accept_clock",
                leap / 1_000_000
            ))
            .into()),
        }
    }

    /// Returns the time for decisions about tokens: the database's, if it has a clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Confirms the present clock: the database's, or this machine's if the database has none. Sets the
    /// store's mark ([`StoreTime`]) to it. Returns how far the clock was ahead of the mark; negative if
    /// it was behind.
    ///
    /// For an operator who has checked the clock after a log line about its distance from the mark.
    /// Without this call, nothing is deleted for its age while the clock is ahead, and the clock is not
    /// used while it is behind. A clock that is up to a day behind catches up by itself, and so does the
    /// mark with a clock that is ahead.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer; the call may be repeated.
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

    /// Records whether the session of a request was ended, so that a failing session layer is logged
    /// as an outage, not once for each request. For layers around a service.
    #[doc(hidden)]
    pub fn report_sessions(&self, ended: &Result<(), BoxError>) {
        match ended {
            Ok(()) => self.0.context.outages.works(&Cause::Sessions),
            Err(error) => self.0.context.outages.failed(Cause::Sessions, &**error),
        }
    }

    // Jobs, each a plain function that a test can call

    /// Writes the last uses recorded since the last flush, and returns the number of tokens. Runs as a
    /// job every `atlassian.pats.last.used.update.interval.mins`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot write them; they are kept for the next flush.
    pub async fn flush_last_use(&self) -> Result<usize, StoreError> {
        self.0.flush_last_use().await
    }

    /// Reads the changes of other nodes once, and stops accepting the tokens that they revoked. Runs as
    /// a job every `pat.cluster.poll.interval.ms` if the store is shared.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer. The cache is used until
    /// `pat.auth.max.staleness.ms` after the last successful poll; then every request queries the database.
    pub async fn poll_changes(&self) -> Result<(), StoreError> {
        self.0.feed.poll().await
    }

    /// Runs a job if it is due and no other node runs it or has run it.
    ///
    /// If occurrences were missed because no node ran, only the latest one is run. Called by the jobs of
    /// [`Pats::start`], and by tests with their own clock.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node took over, or another [`StoreError`] if the store
    /// cannot answer. Completed work is kept; the next run does the rest.
    pub async fn run_if_due(&self, job: Job) -> Result<JobRun, StoreError> {
        self.0.run_if_due(job).await
    }

    /// Sends the due notifications, and returns how many were sent.
    ///
    /// Called by the jobs of [`Pats::start`], and by tests. Several nodes may call it concurrently:
    /// each notification is claimed by one of them.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer. A notification that was sent and could not be marked
    /// as sent may be sent again.
    pub async fn deliver_notifications(&self) -> Result<u64, StoreError> {
        self.0.deliver_until(&CancellationToken::new()).await
    }
}
