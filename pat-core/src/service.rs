//! The service: everything a host does with tokens goes through [`Pats`].

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, Verdict};
use crate::clock::Time;
use crate::cluster::Feed;
use crate::event::EventKind;
use crate::metrics::Metrics;
use crate::notice::NoticeId;
use crate::policy::{self, TokenRequest};
use crate::settings::{CreateByToken, RevocationWait, Settings};
use crate::store::{
    Change, DeadNotice, Insertion, NewToken, Outbox, Revocation, RevocationScope, RevokedToken,
};
use crate::token::{IdSource, TokenFormat};
use crate::{
    AccessError, AuthError, Caller, CreateError, Jobs, Mailer, Owner, PatsBuilder, PlainToken,
    PolicyError, Principal, StoreError, Token, TokenDigest, TokenId, TokenStatus, TokenStore,
    Unavailable, UserDirectory, Zone,
};

/// Personal access tokens: creates, lists, revokes and authenticates them.
///
/// Cheap to clone; all clones are one. Every method needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Pats(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) issued_format: Arc<dyn TokenFormat>,
    pub(crate) ids: IdSource,
    pub(crate) feed: Feed,
    pub(crate) mailers: Vec<Arc<dyn Mailer>>,
    /// Wakes the delivery of notices.
    pub(crate) notice_queued: Notify,
}

/// A token that has just been created, with its secret.
#[derive(Debug)]
pub struct CreatedToken {
    /// What is stored of it.
    pub token: Token,
    /// The secret, to be shown once.
    pub plain: PlainToken,
}

/// How often a new id is drawn when two nodes made the same one.
const INSERT_ATTEMPTS: usize = 5;

impl Pats {
    /// Begins to wire up a service on this store; see [`PatsBuilder`].
    pub fn builder(store: impl TokenStore) -> PatsBuilder {
        PatsBuilder::new(Arc::new(store))
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Starts the jobs: writing last uses, reading the change feed, pruning, checking for expiry,
    /// delivering notices and handing out events.
    ///
    /// Without them nothing is wrong, but on a shared store every request asks the database, last
    /// uses are written only by [`Pats::flush_last_use`], nothing is pruned, nobody is notified, and
    /// event sinks get nothing.
    pub fn start(&self) -> Jobs {
        Jobs::start(self.clone())
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.auth.settings
    }

    /// Whether both are clones of one service.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn store(&self) -> &dyn TokenStore {
        &*self.0.auth.store
    }

    pub(crate) fn directory(&self) -> &dyn UserDirectory {
        &*self.0.auth.directory
    }

    pub(crate) fn mailers(&self) -> &[Arc<dyn Mailer>] {
        &self.0.mailers
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

    /// Whether notices are queued and sent.
    pub(crate) fn notifies(&self) -> bool {
        self.settings().mail_notifications_enabled()
            && !self.mailers().is_empty()
            && self.store().jobs().is_some()
    }

    /// Whether the store answers; for health checks.
    ///
    /// # Errors
    /// It does not, within `pat.auth.database.timeout.ms`.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        let limit = self.settings().auth_database_timeout();
        let head = tokio::time::timeout(limit, self.store().changes_since(None)).await;
        head.unwrap_or(Err(StoreError::Timeout))?;
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.time().refresh().timestamp()
    }

    // Authentication

    /// Whether `presented` could be a token of ours, and its digest; without I/O.
    ///
    /// # Errors
    /// [`AuthError::Foreign`] if no accepted format recognises it, [`AuthError::Disabled`] if
    /// tokens are switched off.
    pub fn recognize(&self, presented: &[u8]) -> Result<TokenDigest, AuthError> {
        self.0.auth.recognize(presented)
    }

    /// Decides from memory alone: `None` if the database must be asked ([`Pats::check`]).
    ///
    /// No I/O, no allocation, and no lock that is held across anything.
    #[must_use]
    pub fn check_cached(&self, digest: &TokenDigest) -> Option<Result<Principal, AuthError>> {
        self.0.auth.check_cached(digest)
    }

    /// Decides by asking the database, within `pat.auth.database.timeout.ms`.
    ///
    /// However many ask about one token at a time, one query answers them all.
    ///
    /// # Errors
    /// Why the token does not authenticate, or [`AuthError::Unavailable`] if nobody can say.
    pub fn check(
        &self,
        digest: TokenDigest,
    ) -> impl Future<Output = Result<Principal, AuthError>> + Send + 'static {
        Arc::clone(&self.0.auth).check(digest)
    }

    /// Decides whether `presented` authenticates, and notes its use.
    ///
    /// The three steps above in one, for callers that need no more.
    ///
    /// # Errors
    /// As of [`Pats::recognize`] and [`Pats::check`].
    pub async fn authenticate(&self, presented: &[u8]) -> Verdict {
        let digest = self.recognize(presented)?;
        match self.check_cached(&digest) {
            Some(verdict) => verdict,
            None => self.check(digest).await,
        }
    }

    /// Whether a token that authenticated earlier still does: for responses that last long, such
    /// as event streams.
    ///
    /// # Errors
    /// As of [`Pats::check`].
    pub async fn recheck(&self, digest: TokenDigest) -> Verdict {
        match self.check_cached(&digest) {
            Some(verdict) => verdict,
            None => self.check(digest).await,
        }
    }

    /// Ends when a token that authenticated earlier no longer does, and says why: for responses
    /// that last long, such as event streams and web sockets, which would otherwise outlive the
    /// token.
    ///
    /// It looks every `pat.cluster.poll.interval.ms`, but at least once a second, so after a
    /// revocation it ends within the staleness bound and that time. It also ends, with
    /// [`AuthError::Unavailable`], when nobody can say any more whether the token is good.
    ///
    /// ```
    /// # use pat_core::{MemoryStore, Pats, Principal};
    /// async fn stream(pats: Pats, principal: Principal, work: impl Future<Output = ()>) {
    ///     tokio::select! {
    ///         () = work => {}
    ///         _reason = pats.until_invalid(&principal) => {}
    ///     }
    /// }
    /// ```
    pub async fn until_invalid(&self, principal: &Principal) -> AuthError {
        const LONGEST: Duration = Duration::from_secs(1);
        let interval = self.settings().cluster_poll_interval().min(LONGEST);
        loop {
            if let Err(error) = self.recheck(*principal.digest()).await {
                return error;
            }
            tokio::time::sleep(interval).await;
        }
    }

    // Self-service

    /// Creates a token for the caller.
    ///
    /// # Errors
    /// A rule forbids it, or the store cannot answer; then nothing was created.
    pub async fn create(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<CreatedToken, CreateError> {
        let (pats, caller) = (self.clone(), caller.clone());
        in_own_task(async move { pats.create_now(&caller, request).await }).await?
    }

    async fn create_now(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<CreatedToken, CreateError> {
        let now = self.now();
        let expires_at = policy::expiry(self.settings(), &request, caller.token(), now)?;
        let max = self.settings().max_tokens_per_user();
        for _ in 0..INSERT_ATTEMPTS {
            let plain = self.0.issued_format.generate().map_err(Unavailable::from)?;
            let new = NewToken {
                id: self.0.ids.next(now).map_err(Unavailable::from)?,
                digest: plain.digest(),
                owner: caller.owner().clone(),
                name: request.name.clone(),
                created_at: now,
                expires_at,
                parent: caller.token().map(Principal::token_id),
                notify: self.notifies() && self.settings().notice_created(),
            };
            match self.store().insert(&new, max).await? {
                Insertion::Stored => {
                    if new.notify {
                        self.wake_delivery();
                    }
                    let token = new.into_token();
                    self.emit(
                        now,
                        EventKind::Created {
                            token: token.id,
                            owner: token.owner.clone(),
                            expires_at: token.expires_at,
                            parent: token.parent,
                        },
                    );
                    return Ok(CreatedToken { token, plain });
                }
                Insertion::Duplicate => {}
                Insertion::LimitReached => return Err(PolicyError::LimitReached { max }.into()),
                Insertion::ParentInvalid => return Err(PolicyError::ParentInvalid.into()),
            }
        }
        Err(StoreError::backend("the store calls every new token a duplicate").into())
    }

    /// The caller's own tokens in id order, expired ones included and revoked ones not, each with
    /// its last use up to now.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Token>, AccessError> {
        let mut tokens = self.store().list(caller.owner()).await?;
        self.0.auth.usage.refresh(&mut tokens);
        Ok(tokens)
    }

    /// A token that the caller may see: his own, or any if he is an administrator.
    ///
    /// # Errors
    /// There is no such token (or it is revoked, or not for this caller), or the store cannot
    /// answer.
    pub async fn find(&self, caller: &Caller, id: TokenId) -> Result<Token, AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        if token.revoked_at.is_some() {
            return Err(AccessError::NotFound);
        }
        let mut tokens = [token];
        self.0.auth.usage.refresh(&mut tokens);
        let [token] = tokens;
        Ok(token)
    }

    async fn find_even_revoked(&self, caller: &Caller, id: TokenId) -> Result<Token, AccessError> {
        let token = self.store().find(id).await?.ok_or(AccessError::NotFound)?;
        if token.owner != *caller.owner() && !self.is_administrator(caller).await? {
            return Err(AccessError::NotFound);
        }
        Ok(token)
    }

    /// Whether the caller may see and revoke the tokens of others; asks the host each time.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn is_administrator(&self, caller: &Caller) -> Result<bool, Unavailable> {
        let answer = self.directory().is_administrator(caller.owner()).await;
        answer.map_err(Unavailable::directory)
    }

    /// What the host knows of a token's owner; `None` if he is gone.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn owner_of(&self, token: &Token) -> Result<Option<crate::User>, Unavailable> {
        let found = self.directory().find(&token.owner).await;
        found.map_err(Unavailable::directory)
    }

    /// Revokes a token that the caller may see. Revoking it again is no error.
    ///
    /// When this returns, no request on this node is authenticated by the token any more, and with
    /// `pat.revocation.wait=cluster` none on any node.
    ///
    /// # Errors
    /// There is no such token (or not for this caller), or the store cannot answer: then the token
    /// may or may not be revoked, and revoking again is safe.
    pub async fn revoke(&self, caller: &Caller, id: TokenId) -> Result<(), AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        if token.revoked_at.is_some() {
            return Ok(());
        }
        let scope = match self.settings().create_by_token() {
            CreateByToken::Capped => RevocationScope::TokenAndDescendants(id),
            CreateByToken::Allowed | CreateByToken::Forbidden => RevocationScope::Token(id),
        };
        let is_by_admin = token.owner != *caller.owner();
        let notify = is_by_admin && self.settings().notice_revoked_by_admin();
        self.revoke_all(scope, Some(caller.owner().clone()), None, notify)
            .await?;
        Ok(())
    }

    /// Begins to show `token` as [`TokenStatus::ExpiresSoon`] this long before it expires, and says
    /// what it is now.
    #[must_use]
    pub fn status(&self, token: &Token) -> TokenStatus {
        let hours = i64::from(self.settings().expiry_warning_days()) * 24;
        token.status(
            self.0.auth.time.now().timestamp(),
            SignedDuration::from_hours(hours),
        )
    }

    // What the host tells

    /// The host has changed a user: disabled, enabled, locked. All his tokens are judged anew on
    /// all nodes within `pat.auth.max.staleness.ms`, and on this one at once.
    ///
    /// A host that forgets to call this is bounded by `atlassian.pats.auth.cache.expiry.mins`.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_changed(&self, owner: &Owner) -> Result<(), Unavailable> {
        let (pats, owner) = (self.clone(), owner.clone());
        in_own_task(async move {
            let result = pats.judge_anew(owner).await;
            pats.wait_for_cluster().await;
            result
        })
        .await?
        .map_err(Unavailable::from)
    }

    async fn judge_anew(&self, owner: Owner) -> Result<(), StoreError> {
        let (at, change) = (self.now(), Change::OwnerChanged(owner.clone()));
        let result = self.store().append_change(&change, at).await;
        self.0.auth.floors.raise(&change);
        self.emit(at, EventKind::OwnerChanged { owner });
        result
    }

    /// The host has deleted a user: all his tokens are revoked. Returns how many that were.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_deleted(&self, owner: &Owner) -> Result<usize, Unavailable> {
        let (pats, owner) = (self.clone(), owner.clone());
        in_own_task(async move {
            pats.judge_anew(owner.clone()).await?;
            let scope = RevocationScope::Owner(owner);
            let reason = Some("the user was deleted".to_owned());
            Ok(pats.revoke_all(scope, None, reason, false).await?.len())
        })
        .await?
    }

    pub(crate) async fn revoke_all(
        &self,
        scope: RevocationScope,
        by: Option<Owner>,
        reason: Option<String>,
        notify: bool,
    ) -> Result<Vec<RevokedToken>, Unavailable> {
        let pats = self.clone();
        in_own_task(async move {
            let revocation = Revocation {
                at: pats.now(),
                by,
                reason,
                notify: notify && pats.notifies(),
            };
            let result = pats.store().revoke(&scope, &revocation).await;
            pats.raise_floors(&scope, &result);
            if revocation.notify {
                pats.wake_delivery();
            }
            let revoked = result?;
            for token in &revoked {
                pats.emit(
                    revocation.at,
                    EventKind::Revoked {
                        token: token.id,
                        owner: token.owner.clone(),
                        by: revocation.by.clone(),
                        reason: revocation.reason.clone(),
                    },
                );
            }
            pats.wait_for_cluster().await;
            Ok(revoked)
        })
        .await?
    }

    /// After a revocation this node takes nothing from before it. If the store failed, the
    /// revocation may have been committed all the same, so what was asked for counts.
    fn raise_floors(
        &self,
        scope: &RevocationScope,
        result: &Result<Vec<RevokedToken>, StoreError>,
    ) {
        let floors = &self.0.auth.floors;
        for token in result.iter().flatten() {
            floors.raise(&Change::TokenRevoked(token.id));
        }
        if result.is_err() {
            match scope {
                RevocationScope::Token(id) => floors.raise(&Change::TokenRevoked(*id)),
                RevocationScope::TokenAndDescendants(_) => floors.raise_all(),
                RevocationScope::Owner(owner) => floors.raise(&Change::OwnerChanged(owner.clone())),
            }
        }
    }

    /// With `pat.revocation.wait=cluster`: waits until no node can still trust what it knew before
    /// the change.
    ///
    /// That is when all nodes have said so. A node that does not say so cannot be waited for: if it
    /// read the change feed before the commit, it has a lease that ends within the staleness bound;
    /// a tenth more allows for clocks that run at different speeds.
    async fn wait_for_cluster(&self) {
        let settings = self.settings();
        if settings.revocation_wait() == RevocationWait::Cluster && self.store().is_shared() {
            let bound = settings.auth_max_staleness().mul_f64(1.1);
            drop(tokio::time::timeout(bound, self.applied_everywhere()).await);
        }
    }

    /// Ends when every node has applied all changes up to now.
    async fn applied_everywhere(&self) {
        const PAUSE: Duration = Duration::from_millis(20);
        let mut head = None;
        loop {
            if head.is_none() {
                let page = self.store().changes_since(None).await;
                head = page.ok().map(|page| page.head.generation);
            }
            let caught_up = self.0.feed.catch_up(&self.0.auth).await;
            let slowest = self.store().slowest_node().await;
            if let (Some(head), Ok(()), Ok(slowest)) = (head, caught_up, slowest)
                && slowest.is_none_or(|applied| applied >= head)
            {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends this node's part in the cluster: it uses its cache no longer, and nobody waits for it.
    pub(crate) async fn leave_cluster(&self) -> Result<(), StoreError> {
        if self.store().is_shared() {
            self.0.feed.leave(&self.0.auth).await?;
        }
        Ok(())
    }

    // Notices

    /// How many notices wait to be sent, and how many could not be. All zero for a store without
    /// jobs.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        match self.store().jobs() {
            Some(jobs) => jobs.outbox().await,
            None => Ok(Outbox::default()),
        }
    }

    /// The newest notices that could not be sent, at most `limit`: for somebody to look at.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn dead_notices(&self, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        match self.store().jobs() {
            Some(jobs) => jobs.dead_notices(limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Has a notice tried again that could not be sent; false if it is none of those.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn requeue_notice(&self, id: NoticeId) -> Result<bool, StoreError> {
        let Some(jobs) = self.store().jobs() else {
            return Ok(false);
        };
        let is_requeued = jobs.requeue_notice(id, self.now()).await?;
        self.wake_delivery();
        Ok(is_requeued)
    }

    /// Has the delivery look at the outbox now.
    pub(crate) fn wake_delivery(&self) {
        self.0.notice_queued.notify_one();
    }

    pub(crate) fn notice_queued(&self) -> Notified<'_> {
        self.0.notice_queued.notified()
    }

    // Jobs, each a plain function that a test can call

    /// Writes the last uses noted since the last flush; returns how many tokens that were. Runs as
    /// a job every `atlassian.pats.last.used.update.interval.mins`.
    ///
    /// # Errors
    /// The store cannot take them; they stay noted for the next flush.
    pub async fn flush_last_use(&self) -> Result<usize, StoreError> {
        let result = self.0.auth.usage.flush(self.store()).await;
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

    /// Sets the gauges that tell of the state of things.
    pub(crate) async fn set_gauges(&self) -> Result<(), StoreError> {
        let now = self.time().refresh();
        self.metrics()
            .set_gauges(now, self.0.auth.floors.fresh_until());
        let outbox = self.outbox().await?;
        self.metrics().set_outbox(now, &outbox);
        Ok(())
    }

    pub(crate) async fn deliver_events(&self, stop: &CancellationToken) {
        self.0.auth.events.deliver(stop).await;
    }

    pub(crate) fn emit(&self, at: Timestamp, kind: EventKind) {
        self.0.auth.events.emit(at, kind);
    }
}

/// Runs a write in a task of its own: a client that hangs up must not stop it between its commit
/// and what has to follow.
async fn in_own_task<T: Send + 'static>(
    write: impl Future<Output = T> + Send + 'static,
) -> Result<T, Unavailable> {
    tokio::spawn(write)
        .await
        .map_err(|_ended| Unavailable::TaskEnded)
}
