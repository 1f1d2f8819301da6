//! Revocations, and how they reach the other nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Node, WRITE_TIMEOUT};
use crate::error::Unavailable;
use crate::event::EventKind;
use crate::settings::RevocationWait;
use crate::store::{Change, Revocation, RevocationScope, Revoked, StoreError};
use crate::token::{Owner, TokenId};

impl Node {
    pub(crate) async fn invalidate_owner(&self, owner: Owner) -> Result<(), StoreError> {
        let (now, change) = (self.now(), Change::OwnerChanged(owner.clone()));
        // Also from a version that may not use the store: the others are to judge anew, not this one.
        let store = &self.context.store;
        let result = self
            .context
            .ask(WRITE_TIMEOUT, store.append_change(&change, now))
            .await;
        self.auth.epochs.bump(&change);
        if let Ok(at) = result {
            self.emit_change(at, EventKind::OwnerChanged { owner });
        }
        result.map(drop)
    }

    /// Revokes in a task of its own, which goes on when the caller is gone.
    pub(crate) async fn revoke_all(
        self: &Arc<Self>,
        scope: RevocationScope,
        by: Option<Owner>,
        reason: Option<String>,
        notify: bool,
    ) -> Result<Revoked, Unavailable> {
        let (node, more) = (Arc::clone(self), extra_time(&scope));
        self.run_detached(more, async move {
            node.revoke_now(scope, by, reason, notify).await
        })
        .await
    }

    /// Revokes, and returns once no node authenticates by these tokens where that is waited for.
    pub(crate) async fn revoke_now(
        &self,
        scope: RevocationScope,
        by: Option<Owner>,
        reason: Option<String>,
        notify: bool,
    ) -> Result<Revoked, Unavailable> {
        self.write_noted_uses(&scope).await;
        let revocation = Revocation {
            at: self.now(),
            by,
            reason,
            notify: notify && self.notifies(),
        };
        let limit = WRITE_TIMEOUT + extra_time(&scope);
        let revoke = self.context.usable_store()?.revoke(&scope, &revocation);
        let result = self.context.ask(limit, revoke).await;
        self.bump_epochs(&scope, &result);
        if revocation.notify {
            self.wake_delivery();
        }
        let revoked = result?;
        if !revoked.tokens.is_empty() {
            let event = EventKind::Revoked {
                tokens: revoked.tokens.clone(),
                by: revocation.by,
                reason: revocation.reason,
            };
            self.emit_change(revoked.at, event);
        }
        self.wait_for_cluster().await;
        Ok(revoked)
    }

    /// Writes the last uses that this node has noted of the tokens that are to be revoked, so that
    /// the notification to their owners says what the pages say. A revocation does not fail for it, nor
    /// wait for long: what is not written now is by the next flush.
    async fn write_noted_uses(&self, scope: &RevocationScope) {
        let (last_used, store) = (&self.auth.last_used, &*self.context.store);
        let limit = self.context.auth_timeout();
        let written = match scope {
            RevocationScope::Tokens(ids) => {
                self.context
                    .ask(limit, last_used.flush_of(ids, store))
                    .await
            }
            // Which tokens these are is known to the store.
            RevocationScope::TokensAndDescendants(_) | RevocationScope::Owner(_) => {
                self.context.ask(limit, last_used.flush(store)).await
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
    pub(crate) async fn run_detached<T: Send + 'static>(
        &self,
        more: Duration,
        change: impl Future<Output = Result<T, Unavailable>> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let limit =
            self.context.request_timeout() + more + self.cluster_bound().unwrap_or_default();
        match timeout(limit, self.in_own_task(change)).await {
            Ok(result) => result?,
            Err(_elapsed) => Err(self.context.outages.gave_up()),
        }
    }

    /// After a revocation this node takes nothing from before it: of what was asked for, whether it
    /// was revoked just now, earlier on another node, or (where the store failed) perhaps.
    fn bump_epochs(&self, scope: &RevocationScope, result: &Result<Revoked, StoreError>) {
        let epochs = &self.auth.epochs;
        let bump_tokens = |ids: &[TokenId]| {
            for id in ids {
                epochs.bump(&Change::TokenRevoked(*id));
            }
        };
        match (scope, result) {
            (RevocationScope::Tokens(ids), _) => bump_tokens(ids),
            (RevocationScope::Owner(owner), _) => {
                epochs.bump(&Change::OwnerChanged(owner.clone()));
            }
            (RevocationScope::TokensAndDescendants(ids), Ok(revoked)) => {
                bump_tokens(ids);
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
    pub(crate) async fn wait_for_cluster(&self) {
        if let Some(bound) = self.cluster_bound() {
            drop(timeout(bound, self.all_nodes_caught_up(bound)).await);
        }
    }

    /// How long a change waits for other nodes at most; `None` if it does not.
    fn cluster_bound(&self) -> Option<Duration> {
        let settings = &self.context.settings;
        let waits =
            settings.revocation_wait() == RevocationWait::Cluster && self.context.is_shared();
        waits.then(|| settings.auth_max_staleness().mul_f64(1.1))
    }

    /// Ends when no node can still trust what it knew before all changes up to now.
    async fn all_nodes_caught_up(&self, bound: Duration) {
        const PAUSE: Duration = Duration::from_millis(20);
        let feed = &self.feed;
        let mut head = None;
        loop {
            if head.is_none() {
                let read = self.context.store.changes_since(None);
                let page = self.context.ask(self.context.auth_timeout(), read).await;
                head = page.ok().map(|page| page.head.generation);
            }
            let caught_up = feed.catch_up().await;
            if let (Some(head), Ok(())) = (head, caught_up)
                && let Ok(true) = feed.is_known_everywhere(head, bound).await
            {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends this node's part in the cluster: it uses its cache no longer, and nobody waits for it.
    pub(crate) async fn leave_cluster(&self) -> Result<(), StoreError> {
        if self.context.is_shared() {
            self.feed.leave().await?;
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
