//! Everything that takes access away.

use std::sync::Arc;
use std::time::Duration;

use super::Pats;
use crate::caller::Caller;
use crate::error::{AccessError, Unavailable};
use crate::settings::CreateByToken;
use crate::store::{RevocationScope, Revoked};
use crate::token::{Owner, TokenId};

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
            .0
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
    /// A host that forgets to call this is bounded by `atlassian.node.auth.cache.expiry.mins`.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_changed(&self, owner: &Owner) -> Result<(), Unavailable> {
        let (node, owner) = (Arc::clone(&self.0), owner.clone());
        self.0
            .run_detached(Duration::ZERO, async move {
                let result = node.invalidate_owner(owner).await;
                node.wait_for_cluster().await;
                Ok(result?)
            })
            .await
    }

    /// The host has deleted a user: all his tokens are revoked. Returns how many that were.
    ///
    /// # Errors
    /// The store cannot answer; call again.
    pub async fn user_deleted(&self, owner: &Owner) -> Result<usize, Unavailable> {
        let (node, owner) = (Arc::clone(&self.0), owner.clone());
        self.0
            .run_detached(Duration::ZERO, async move {
                node.invalidate_owner(owner.clone()).await?;
                let scope = RevocationScope::Owner(owner);
                let reason = Some("the user was deleted".to_owned());
                let revoked = node.revoke_now(scope, None, reason, false).await?;
                Ok(revoked.tokens.len())
            })
            .await
    }
}
