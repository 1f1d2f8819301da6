//! The service [`Pats`], through which a host uses tokens.

mod admin;
mod authenticate;
mod builder;
mod by_status;
mod health;
mod history;
mod import;
mod inactive;
mod notifications;
mod own;
mod relatives;
mod restore;
mod revoke;
mod rotate;
mod tokens;
mod update;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

pub use self::admin::{Administration, SearchPage};
pub use self::builder::PatsBuilder;
pub use self::by_status::{StatusPage, StatusPosition, StatusStart};
pub use self::history::TokenHistory;
pub use self::import::{ImportRefusal, ImportRow, Imported, RefusedRow};
pub use self::inactive::InactiveOwners;
pub use self::own::{OwnPage, OwnSearch};
pub use self::relatives::Relatives;
pub use self::restore::{LostToken, Restored};
pub use self::revoke::{Family, RevokedCount};
pub use self::rotate::Successor;
pub use self::tokens::CreatedToken;
pub use self::update::{TokenUpdate, UpdatedToken};
use crate::caller::Caller;
use crate::error::BoxError;
use crate::jobs::{JobRun, Jobs};
use crate::node::{Node, WRITE_TIMEOUT};
use crate::outage::Cause;
use crate::principal::Principal;
use crate::scope::ScopeCatalog;
use crate::settings::Settings;
use crate::store::{Job, StoreError, StoreTime, TokenStore};

/// The service of a host for personal access tokens: creates, lists, revokes and authenticates them.
///
/// A `Pats` is cheap to clone; clones share everything. Its asynchronous methods and [`Pats::start`] need a
/// tokio runtime.
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
    /// Returns a builder for a service that keeps its tokens in `store`.
    pub fn builder(store: Arc<dyn TokenStore>) -> PatsBuilder {
        PatsBuilder::new(store)
    }

    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Starts the jobs: they write last uses, read the [change feed](crate::store::Change), delete old tokens,
    /// queue notifications of expiry, deliver notifications, and pass stored events to shared event sinks.
    /// Also reads once which tokens are in use, so that this node still looks up these tokens while clients
    /// present very many unknown tokens.
    ///
    /// Keep the returned handle: dropping it stops the jobs. Without the jobs, authentication is correct,
    /// but on a shared store ([`TokenStore::is_shared`]) every request queries the database, last uses are
    /// written only by [`Pats::flush_last_use`], no old token is deleted, no notification is sent, and event
    /// sinks receive nothing. The store keeps the events of changes in any case.
    ///
    /// # Panics
    /// If the call is not made within a tokio runtime.
    pub fn start(&self) -> Jobs {
        Jobs::start(Arc::clone(&self.0))
    }

    /// Returns the settings with which the service was built.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.context.settings
    }

    /// Returns the scopes with which tokens can be restricted ([`PatsBuilder::scopes`]).
    #[must_use]
    pub fn scope_catalog(&self) -> &ScopeCatalog {
        &self.0.context.scopes
    }

    /// Returns whether the caller's token permits this scope. An unrestricted token permits every scope, and so
    /// does a caller without a token. If the catalog does not declare the scope, no restricted token permits it.
    #[must_use]
    pub fn permits(&self, caller: &Caller, scope: &str) -> bool {
        let Some(scopes) = caller.token().and_then(Principal::scopes) else {
            return true;
        };
        let catalog = self.scope_catalog();
        // By the names: another service may have authenticated the token, and its sets are of another catalog.
        let permitted = catalog.permitted_by(scopes);
        let needed = catalog.set([scope]);
        needed.is_ok_and(|needed| permitted.contains(needed))
    }

    /// Counts a request that was refused although its token is valid: the token lacks a scope, or the request is
    /// not declared in the scope map. For layers around a service.
    #[doc(hidden)]
    pub fn count_scope_refusal(&self, is_declared: bool) {
        let reason = if is_declared { "missing" } else { "undeclared" };
        self.0.context.metrics.scope_refused(reason);
    }

    /// Identifies this service in its process: all clones have the same. For layers around a service.
    #[doc(hidden)]
    #[must_use]
    pub fn instance(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Returns the present time by which the service decides about tokens: the later of the clock and the
    /// store's [mark](StoreTime::mark), as [`StoreTime::now`]. The clock is that of the database, or that of
    /// this machine if the database has none.
    ///
    /// The method does no I/O: it adds the time that this node's boot clock
    /// ([`Clock::boot`](crate::Clock::boot)) has counted to a time in an earlier response of the store.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Confirms that the database's clock is right, or that of this machine if the database has none, and
    /// sets the store's [mark](StoreTime::mark) to the time of the clock. Returns how far the clock was ahead
    /// of the mark; the duration is negative if the clock was behind, and zero for a store without a mark.
    ///
    /// The call is for an operator who has checked the clock after the log reported that clock and mark
    /// differ. Without the call:
    ///
    /// - While the clock is ahead, old tokens and other old rows are deleted by the mark, so later than by the
    ///   clock. The mark catches up by itself, at up to ten times the speed of the clock: a day in under three
    ///   hours, a year in about forty days.
    /// - While the clock is behind, it is not used. If it is up to a day behind, it catches up by itself, by an
    ///   hour a day. If it is further behind, only this call helps.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or does not answer in time; the call may be repeated.
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

    /// Ends the session of a request in a task of its own, so that it ends even if the client disconnects.
    /// A failing session store is logged as an outage, not once for each request. For layers around a
    /// service.
    #[doc(hidden)]
    pub async fn end_session(
        &self,
        session: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) {
        let node = Arc::clone(&self.0);
        let end = async move {
            match session.await {
                Ok(()) => node.context.outages.works(&Cause::Sessions),
                Err(error) => node.context.outages.failed(Cause::Sessions, &*error),
            }
        };
        // A panic is logged, and the request goes on.
        drop(self.0.in_own_task(end).await);
    }

    // Jobs, each a plain function that a test can call

    /// Writes the last uses of tokens ([`Token::last_used_at`](crate::Token::last_used_at)) that this node has
    /// recorded since its last flush to the store, and returns the number of tokens. The jobs do the same at
    /// the interval in the setting `atlassian.pats.last.used.update.interval.mins` (by default a minute).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or does not answer in time. The last uses are then kept for the
    /// next flush.
    pub async fn flush_last_use(&self) -> Result<usize, StoreError> {
        self.0.flush_last_use().await
    }

    /// Reads from the [change feed](crate::store::Change) the changes that other nodes have made since the
    /// last poll, and stops accepting the tokens that they revoked. If the store is shared
    /// ([`TokenStore::is_shared`]), the jobs do the same at the interval in the setting
    /// `pat.cluster.poll.interval.ms` (by default half a second).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or does not answer in time. This node then uses its cache until its
    /// last successful poll is as old as the setting `pat.auth.max.staleness.ms` (by default 2 seconds); after
    /// that, every request queries the database.
    pub async fn poll_changes(&self) -> Result<(), StoreError> {
        self.0.feed.poll().await
    }

    /// Runs a job if an [occurrence](Job) of the job is due that no other node is running or has run.
    ///
    /// If occurrences were missed because no node ran, only the latest one is run. The jobs of
    /// [`Pats::start`] do the same on schedule; tests with their own clock call this method.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node took over the job during the run, or another
    /// [`StoreError`] if the store fails or does not answer in time. Completed work is kept; the next run
    /// does the rest.
    pub async fn run_if_due(&self, job: Job) -> Result<JobRun, StoreError> {
        self.0.run_if_due(job).await
    }

    /// Sends notifications, in batches, until none is due, and returns how many were sent. Returns 0 without
    /// sending any if the store has no jobs ([`TokenStore::jobs`]), the service has no notifier, or the setting
    /// `atlassian.pats.mail.notifications.enabled` is `false`.
    ///
    /// The jobs of [`Pats::start`] do the same; tests call this method. Several nodes may call it at the
    /// same time: each notification is claimed by one of them.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or does not answer in time. If a notification was sent, but the
    /// sending could not be recorded, the notification may be sent again. The failure of a notifier is not an
    /// error of this method.
    pub async fn deliver_notifications(&self) -> Result<u64, StoreError> {
        self.0.deliver_until(&CancellationToken::new()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;

    /// A service with these scopes, the first of which implies the second.
    fn service(store: &Arc<MemoryStore>, scopes: [&str; 2]) -> Pats {
        let catalog = ScopeCatalog::builder()
            .scope(scopes[0], "One")
            .scope(scopes[1], "Two")
            .implies(scopes[0], scopes[1]);
        let catalog = catalog.build().expect("a catalog");
        Pats::builder(store.clone()).scopes(catalog).build()
    }

    #[tokio::test]
    async fn scopes_permit_by_their_names_whatever_service_has_authenticated_the_token() {
        let store = Arc::<MemoryStore>::default();
        let (ours, others) = (
            service(&store, ["write", "read"]),
            service(&store, ["read", "other"]),
        );
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let principal = async |scopes: Option<&str>| {
            let mut request = TokenRequest::new("ci", None);
            if let Some(scope) = scopes {
                request = request.with_scopes([scope]);
            }
            let created = ours.create(&alice, request).await.expect("a token");
            let presented = created.plain.expose().as_bytes();
            Caller::with_token(ours.authenticate(presented).await.expect("a good token"))
        };
        let (reader, writer) = (
            principal(Some("read")).await,
            principal(Some("write")).await,
        );
        let unrestricted = principal(None).await;
        for (service, scope, expected) in [
            (&ours, "read", [true, true]),
            (&ours, "write", [false, true]),
            (&ours, "tokens:read", [false, false]),
            (&ours, "misspelt", [false, false]),
            (&others, "read", [true, false]),
            (&others, "other", [true, false]),
            (&others, "write", [false, false]),
        ] {
            let permits = [&reader, &writer].map(|caller| service.permits(caller, scope));
            assert_eq!(permits, expected, "{scope}");
            assert!(service.permits(&unrestricted, scope) && service.permits(&alice, scope));
        }
    }
}
