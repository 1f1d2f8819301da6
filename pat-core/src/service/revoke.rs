//! Everything that takes access away.

use std::time::Duration;

use tokio::time::timeout;

use super::WRITE_TIMEOUT;
use crate::event::EventKind;
use crate::settings::{CreateByToken, RevocationWait};
use crate::store::{Change, Revocation, RevocationScope, Revoked};
use crate::{AccessError, Caller, Owner, Pats, StoreError, TokenId, Unavailable};

/// Whether tokens that were created with a token are revoked with it, directly or through others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// If `pat.create.by.token` is `capped`.
    #[default]
    Configured,
    /// In any case.
    Included,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedCount {
    /// How many tokens were revoked.
    pub revoked: u64,
    /// How many tokens that were created with these go on authenticating.
    pub live_children: u64,
}

impl RevokedCount {
    pub(super) fn new(revoked: &Revoked) -> Self {
        Self {
            revoked: revoked.tokens.len() as u64,
            live_children: revoked.live_children,
        }
    }
}

impl Pats {
    /// Revokes a token that the caller may see. Revoking it again is no error.
    ///
    /// When this returns, no request on this node is authenticated by the token any more, and with
    /// `pat.revocation.wait=cluster` none on any node.
    ///
    /// # Errors
    /// There is no such token (or not for this caller), or the store cannot answer: then the token
    /// may or may not be revoked, and revoking again is safe.
    pub async fn revoke(&self, caller: &Caller, id: TokenId) -> Result<(), AccessError> {
        let revoked = self.revoke_with(caller, id, Family::Configured).await;
        revoked.map(drop)
    }

    /// Revokes a token as [`Pats::revoke`] does, and the tokens that were created with it as `family`
    /// says. Returns how many were revoked, and how many that were created with it outlive it.
    ///
    /// # Errors
    /// As of [`Pats::revoke`].
    pub async fn revoke_with(
        &self,
        caller: &Caller,
        id: TokenId,
        family: Family,
    ) -> Result<RevokedCount, AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        // Also if it is revoked already: another node may have done so, and this one not know yet.
        let scope = self.scope_of(vec![id], family);
        let is_by_admin = token.owner != *caller.owner();
        let notify = is_by_admin && self.settings().notice_revoked_by_admin();
        let revoked = self
            .revoke_all(scope, Some(caller.owner().clone()), None, notify)
            .await?;
        Ok(RevokedCount::new(&revoked))
    }

    /// What falls with these tokens.
    pub(super) fn scope_of(&self, ids: Vec<TokenId>, family: Family) -> RevocationScope {
        match (family, self.settings().create_by_token()) {
            (Family::Included, _) | (Family::Configured, CreateByToken::Capped) => {
                RevocationScope::TokensAndDescendants(ids)
            }
            (Family::Configured, CreateByToken::Allowed | CreateByToken::Forbidden) => {
                RevocationScope::Tokens(ids)
            }
        }
    }

    /// The host has changed a user: disabled, enabled, locked. All his tokens are judged anew on
    /// all nodes within `pat.auth.max.staleness.ms`, and on this one at once.
    ///
    /// A host that forgets to call this is bounded by `atlassian.pats.auth.cache.expiry.mins`.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_changed(&self, owner: &Owner) -> Result<(), Unavailable> {
        let (pats, owner) = (self.clone(), owner.clone());
        self.run_detached(Duration::ZERO, async move {
            let result = pats.invalidate_owner(owner).await;
            pats.wait_for_cluster().await;
            Ok(result?)
        })
        .await
    }

    async fn invalidate_owner(&self, owner: Owner) -> Result<(), StoreError> {
        let (now, change) = (self.now(), Change::OwnerChanged(owner.clone()));
        // Also from a version that may not use the store: the others are to judge anew, not this one.
        let store = &self.0.auth.store;
        let result = self
            .ask(WRITE_TIMEOUT, store.append_change(&change, now))
            .await;
        self.0.auth.epochs.bump(&change);
        if let Ok(at) = result {
            self.emit_change(at, EventKind::OwnerChanged { owner });
        }
        result.map(drop)
    }

    /// The host has deleted a user: all his tokens are revoked. Returns how many that were.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_deleted(&self, owner: &Owner) -> Result<usize, Unavailable> {
        let (pats, owner) = (self.clone(), owner.clone());
        self.run_detached(Duration::ZERO, async move {
            pats.invalidate_owner(owner.clone()).await?;
            let scope = RevocationScope::Owner(owner);
            let reason = Some("the user was deleted".to_owned());
            Ok(pats
                .revoke_all(scope, None, reason, false)
                .await?
                .tokens
                .len())
        })
        .await
    }

    pub(crate) async fn revoke_all(
        &self,
        scope: RevocationScope,
        by: Option<Owner>,
        reason: Option<String>,
        notify: bool,
    ) -> Result<Revoked, Unavailable> {
        let (pats, more) = (self.clone(), extra_time(&scope));
        self.run_detached(more, async move {
            pats.write_noted_uses(&scope).await;
            let revocation = Revocation {
                at: pats.now(),
                by,
                reason,
                notify: notify && pats.notifies(),
            };
            let revoke = pats.store()?.revoke(&scope, &revocation);
            let result = pats.ask(WRITE_TIMEOUT + more, revoke).await;
            pats.raise_floors(&scope, &result);
            if revocation.notify {
                pats.wake_delivery();
            }
            let revoked = result?;
            if !revoked.tokens.is_empty() {
                let event = EventKind::Revoked {
                    tokens: revoked.tokens.clone(),
                    by: revocation.by,
                    reason: revocation.reason,
                };
                pats.emit_change(revoked.at, event);
            }
            pats.wait_for_cluster().await;
            Ok(revoked)
        })
        .await
    }

    /// Writes the last uses that this node has noted of the tokens that are to be revoked, so that
    /// the notification to their owners says what the pages say. A revocation does not fail for it, nor
    /// wait for long: what is not written now is by the next flush.
    async fn write_noted_uses(&self, scope: &RevocationScope) {
        let (last_used, store) = (&self.0.auth.last_used, &*self.0.auth.store);
        let limit = self.settings().auth_database_timeout();
        let written = match scope {
            RevocationScope::Tokens(ids) => self.ask(limit, last_used.flush_of(ids, store)).await,
            // Which tokens these are is known to the store.
            RevocationScope::TokensAndDescendants(_) | RevocationScope::Owner(_) => {
                self.ask(limit, last_used.flush(store)).await
            }
        };
        if let Err(error) = written {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "last uses are not written before a revocation"
            );
        }
    }

    /// Runs a change in a task of its own, which goes on when nobody waits for it any more: better
    /// late than not at all. Who has waited for long, and for so much more, is told that it may or
    /// may not be done.
    async fn run_detached<T: Send + 'static>(
        &self,
        more: Duration,
        change: impl Future<Output = Result<T, Unavailable>> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let limit = self.request_timeout() + more + self.cluster_bound().unwrap_or_default();
        match timeout(limit, self.in_own_task(change)).await {
            Ok(result) => result?,
            Err(_elapsed) => Err(self.outages().gave_up()),
        }
    }

    /// After a revocation this node takes nothing from before it: of what was asked for, whether it
    /// was revoked just now, earlier on another node, or (where the store failed) perhaps.
    fn raise_floors(&self, scope: &RevocationScope, result: &Result<Revoked, StoreError>) {
        let epochs = &self.0.auth.epochs;
        let raise_tokens = |ids: &[TokenId]| {
            for id in ids {
                epochs.bump(&Change::TokenRevoked(*id));
            }
        };
        match (scope, result) {
            (RevocationScope::Tokens(ids), _) => raise_tokens(ids),
            (RevocationScope::Owner(owner), _) => {
                epochs.bump(&Change::OwnerChanged(owner.clone()));
            }
            (RevocationScope::TokensAndDescendants(ids), Ok(revoked)) => {
                raise_tokens(ids);
                for change in Change::of_revoked(&revoked.tokens) {
                    epochs.bump(&change);
                }
            }
            (RevocationScope::TokensAndDescendants(_), Err(_)) => epochs.bump_all(),
        }
    }

    /// With `pat.revocation.wait=cluster`: waits until no node can still trust what it knew before
    /// the change.
    ///
    /// That is when all nodes have said so. A node that does not say so cannot be waited for: if it
    /// read the change feed before the commit, it has a lease that ends within the staleness bound;
    /// a tenth more allows for clocks that run at different speeds. The next change does not wait
    /// for it again.
    async fn wait_for_cluster(&self) {
        if let Some(bound) = self.cluster_bound() {
            drop(timeout(bound, self.all_nodes_caught_up(bound)).await);
        }
    }

    /// How long a change waits for other nodes at most; `None` if it does not.
    fn cluster_bound(&self) -> Option<Duration> {
        let settings = self.settings();
        let waits = settings.revocation_wait() == RevocationWait::Cluster && self.is_shared();
        waits.then(|| settings.auth_max_staleness().mul_f64(1.1))
    }

    /// Ends when no node can still trust what it knew before all changes up to now.
    async fn all_nodes_caught_up(&self, bound: Duration) {
        const PAUSE: Duration = Duration::from_millis(20);
        let (auth, feed) = (&self.0.auth, &self.0.feed);
        let mut head = None;
        loop {
            if head.is_none() {
                let read = self.0.auth.store.changes_since(None);
                let page = self
                    .ask(self.settings().auth_database_timeout(), read)
                    .await;
                head = page.ok().map(|page| page.head.generation);
            }
            let caught_up = feed.catch_up(auth).await;
            if let (Some(head), Ok(())) = (head, caught_up)
                && let Ok(true) = feed.is_known_everywhere(auth, head, bound).await
            {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends this node's part in the cluster: it uses its cache no longer, and nobody waits for it.
    pub(crate) async fn leave_cluster(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            self.0.feed.leave(&self.0.auth).await?;
        }
        Ok(())
    }
}

/// How much longer than a single revocation one of many tokens may take: about ten times what it
/// does.
fn extra_time(scope: &RevocationScope) -> Duration {
    const PER_TOKEN: Duration = Duration::from_millis(1);
    let count = match scope {
        RevocationScope::Tokens(ids) | RevocationScope::TokensAndDescendants(ids) => ids.len(),
        RevocationScope::Owner(_) => 0,
    };
    PER_TOKEN * u32::try_from(count).unwrap_or(u32::MAX)
}
