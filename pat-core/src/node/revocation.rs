//! Revocations, and their propagation to the other nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Node, WRITE_TIMEOUT};
use crate::error::Unavailable;
use crate::event::EventKind;
use crate::settings::RevocationWait;
use crate::store::{Change, Revocation, RevocationScope, Revoked, StoreError};
use crate::token::{Owner, TokenId, random_u53};

impl Node {
    pub(crate) async fn invalidate_owner(&self, owner: Owner) -> Result<(), StoreError> {
        let (now, change) = (self.now(), Change::OwnerChanged(owner.clone()));
        // A version that may not use the store may do this too: the other nodes reload, not this one.
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

    /// Has all nodes look up every token again.
    pub(crate) async fn invalidate_everything(&self) -> Result<(), StoreError> {
        let now = self.now();
        let append = self.context.usable_store()?;
        let append = append.append_change(&Change::Everything, now);
        let result = self.context.ask(WRITE_TIMEOUT, append).await;
        self.auth.invalidate_all();
        result.map(drop)
    }

    /// Revokes in a task that continues if the caller is dropped.
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

    /// Revokes; with `pat.revocation.wait=cluster`, returns when no node accepts the tokens.
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
            // A revocation does not wait for the random number generator.
            id: self.context.outages.random(random_u53()).ok(),
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
            self.emit_change(revoked.at, revocation.event(revoked.tokens.clone()));
        }
        self.wait_for_cluster().await;
        Ok(revoked)
    }

    /// Writes the recorded last uses of the tokens to be revoked, so that the notification shows them.
    /// A failure does not fail the revocation; the next flush writes the uses.
    async fn write_noted_uses(&self, scope: &RevocationScope) {
        let (last_used, store) = (&self.auth.last_used, &*self.context.store);
        let limit = self.context.auth_timeout();
        let written = match scope {
            RevocationScope::Tokens(ids) => {
                self.context
                    .ask(limit, last_used.flush_of(ids, store))
                    .await
            }
            // Only the store knows these tokens.
            RevocationScope::TokensAndDescendants(_)
            | RevocationScope::Families(_)
            | RevocationScope::Owner(_) => {
                self.context
                    .ask(
                        limit,
                        last_used.flush(store, || self.context.time.now().boot),
                    )
                    .await
            }
        };
        if let Err(error) = written {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "last uses are not written before a revocation"
            );
        }
    }

    /// Runs a change in a task that continues if the caller is dropped. Returns
    /// [`StoreError::Timeout`] after the time limit of requests and `more`; the change may still be made.
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

    /// Bumps the epochs of all tokens of `scope`, whether they were revoked just now, earlier on another
    /// node, or (if the store failed) possibly.
    fn bump_epochs(&self, scope: &RevocationScope, result: &Result<Revoked, StoreError>) {
        let epochs = &self.auth.epochs;
        let bump_tokens = |ids: &[TokenId]| {
            for id in ids {
                epochs.bump(&Change::TokenChanged(*id));
            }
        };
        match scope {
            RevocationScope::Tokens(ids)
            | RevocationScope::TokensAndDescendants(ids)
            | RevocationScope::Families(ids) => bump_tokens(ids),
            RevocationScope::Owner(owner) => {
                epochs.bump(&Change::OwnerChanged(owner.clone()));
            }
        }
        let is_owner = matches!(scope, RevocationScope::Owner(_));
        match result {
            // Also what the named tokens replaced, and their descendants.
            Ok(revoked) if !is_owner => {
                for change in Change::of_revoked(&revoked.tokens) {
                    epochs.bump(&change);
                }
            }
            // If the store has revoked what a named token replaced, the change feed says so.
            Err(_) if !is_owner && !matches!(scope, RevocationScope::Tokens(_)) => {
                epochs.bump_all();
            }
            _ => {}
        }
    }

    /// With `pat.revocation.wait=cluster`, waits until no node uses a cache from before the change.
    ///
    /// That is when all nodes have reported the change. The wait for a node that does not report ends
    /// after the staleness bound, when its cache is no longer fresh; a tenth more allows for clocks of
    /// different speeds. The next change does not wait for it again.
    pub(crate) async fn wait_for_cluster(&self) {
        if let Some(bound) = self.cluster_bound() {
            drop(timeout(bound, self.all_nodes_caught_up(bound)).await);
        }
    }

    /// Returns the longest wait of a change for other nodes; `None` if it does not wait.
    fn cluster_bound(&self) -> Option<Duration> {
        let settings = &self.context.settings;
        let waits =
            settings.revocation_wait() == RevocationWait::Cluster && self.context.is_shared();
        waits.then(|| settings.auth_max_staleness().mul_f64(1.1))
    }

    /// Returns when no node uses a cache from before the latest change.
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
            if let (Some(head), Ok(())) = (head, caught_up) {
                if let Ok(true) = feed.is_known_everywhere(head, bound).await {
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stops using this node's cache and deregisters the node, so that revocations do not wait for it.
    pub(crate) async fn leave_cluster(&self) -> Result<(), StoreError> {
        if self.context.is_shared() {
            self.feed.leave().await?;
        }
        Ok(())
    }
}

/// Returns how much longer a revocation of many tokens may take than that of one: about ten times the
/// measured time.
fn extra_time(scope: &RevocationScope) -> Duration {
    const PER_TOKEN: Duration = Duration::from_millis(1);
    let count = match scope {
        RevocationScope::Tokens(ids)
        | RevocationScope::TokensAndDescendants(ids)
        | RevocationScope::Families(ids) => ids.len(),
        RevocationScope::Owner(_) => 0,
    };
    PER_TOKEN * u32::try_from(count).unwrap_or(u32::MAX)
}
