//! Revocation, and changes of users that revoke.

use std::sync::Arc;
use std::time::Duration;

use super::Pats;
use crate::caller::Caller;
use crate::error::{AccessError, Unavailable};
use crate::settings::CreateByToken;
use crate::store::{RevocationScope, Revoked};
use crate::token::{Owner, TokenId};

/// Whether a revocation also revokes the descendants of a token (the tokens that were created with this
/// token, or with one of its descendants) and the tokens that replaced it. What the token itself replaced is
/// revoked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Family {
    /// The descendants ([`Family`]) are revoked with the token if the setting `pat.create.by.token` is
    /// `capped`, and stay valid otherwise.
    #[default]
    Configured,
    /// The whole line of the token ([`Line`](crate::Line)) and the descendants of all its tokens are revoked,
    /// whatever the settings are.
    Included,
}

/// The result of a revocation: how many tokens it revoked, and how many of their descendants ([`Family`])
/// stay valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedCount {
    /// How many tokens this call revoked, including descendants ([`Family`]). Tokens that were revoked
    /// before do not count.
    pub revoked: u64,
    /// How many descendants of the named tokens ([`Family`]) are valid ([`Token::validity`](crate::Token::validity)) at
    /// the time of the revocation; 0 if descendants are revoked too.
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
    /// Revokes the token with this ID, if it belongs to the caller or the caller is an administrator, as for
    /// [`Pats::find`].
    /// Also revokes the tokens that it replaced ([`Pats::rotate`]); the token that replaced it stays valid. With
    /// the setting `pat.create.by.token=capped`, also revokes its descendants ([`Family`]). Revoking a token again
    /// is not an error.
    ///
    /// When the method returns, this node accepts none of the revoked tokens. Other nodes accept them for at
    /// most the setting `pat.auth.max.staleness.ms` after that; with the setting
    /// `pat.revocation.wait=cluster`, the method waits at most 1.1 times as long, and then no node accepts them.
    ///
    /// # Errors
    /// - [`AccessError::NotFound`]: there is no token with this ID, or it belongs to another user and the
    ///   caller is no administrator.
    /// - [`AccessError::Unavailable`]: the store or the directory fails or does not answer in time. The token
    ///   may or may not be revoked, and revoking again is safe.
    pub async fn revoke(&self, caller: &Caller, id: TokenId) -> Result<(), AccessError> {
        let revoked = self.revoke_with(caller, id, Family::Configured).await;
        revoked.map(drop)
    }

    /// Revokes a token like [`Pats::revoke`], and its family (the tokens that replaced it, and those that were
    /// created with it) according to `family`. Returns how many tokens were revoked, and how many descendants stay valid.
    ///
    /// # Errors
    /// Same as [`Pats::revoke`].
    pub async fn revoke_with(
        &self,
        caller: &Caller,
        id: TokenId,
        family: Family,
    ) -> Result<RevokedCount, AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        // Even if it is revoked already: this node may not know yet.
        let scope = self.scope_of(vec![id], family);
        let is_by_admin = token.owner != *caller.owner();
        let notify = is_by_admin && self.settings().notice_revoked_by_admin();
        let revoked = self
            .0
            .revoke_all(scope, Some(caller.owner().clone()), None, notify)
            .await?;
        Ok(RevokedCount::new(&revoked))
    }

    /// Returns the scope of a revocation of these tokens.
    pub(super) fn scope_of(&self, ids: Vec<TokenId>, family: Family) -> RevocationScope {
        match (family, self.settings().create_by_token()) {
            (Family::Included, _) => RevocationScope::Families(ids),
            (Family::Configured, CreateByToken::Capped) => {
                RevocationScope::TokensAndDescendants(ids)
            }
            (Family::Configured, CreateByToken::Allowed | CreateByToken::Forbidden) => {
                RevocationScope::Tokens(ids)
            }
        }
    }

    /// Applies a change of [`User::is_active`](crate::User::is_active), after the host has disabled, enabled or
    /// locked a user: nodes look up the user and the user's tokens again, this node at once, all nodes within
    /// the time in the setting `pat.auth.max.staleness.ms` (by default 2 seconds).
    ///
    /// Without this call, the change takes effect within the time in the setting
    /// `atlassian.pats.auth.cache.expiry.mins` (by default an hour). A changed name or mail address needs no
    /// call, since neither is cached.
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails or does not answer in time; the call must then be repeated.
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

    /// Records that the host has seen a user, for example when the user signs in. With the setting
    /// `pat.owner.max.absence.days`, a user's tokens are refused ([`AuthError::OwnerAbsent`](crate::AuthError::OwnerAbsent))
    /// from so many days after the last report on, and accepted again after the next one: by this node at once,
    /// by the others within the time in the setting `pat.auth.max.staleness.ms` (by default 2 seconds). Requests
    /// that a token authenticates do not count, unless the host reports them.
    ///
    /// A node writes a report to the store at most once a day for each user, and answers other calls from
    /// memory, so the method may be called at each request with a session. The absence of a user whom the host
    /// has never reported begins when the hourly job first finds a token of the user.
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails or does not answer in time. The report is then not recorded.
    pub async fn user_seen(&self, owner: &Owner) -> Result<(), Unavailable> {
        if !self.0.seen.is_due(owner, self.0.context.time.now()) {
            return Ok(());
        }
        let (node, owner) = (Arc::clone(&self.0), owner.clone());
        self.0
            .run_detached(
                Duration::ZERO,
                async move { Ok(node.note_seen(owner).await?) },
            )
            .await
    }

    /// Revokes all tokens of a user whom the host has deleted, and returns how many were revoked.
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails or does not answer in time; the call must then be repeated.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::AuthError;
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::service::CreatedToken;
    use crate::settings::Settings;
    use crate::testing::TestDirectory;

    async fn create(pats: &Pats, caller: &Caller) -> CreatedToken {
        let request = TokenRequest::new("ci", None);
        pats.create(caller, request).await.expect("a token")
    }

    async fn is_accepted(pats: &Pats, created: &CreatedToken) -> bool {
        let presented = created.plain.expose().as_bytes();
        match pats.authenticate(presented).await {
            Ok(_) => true,
            Err(AuthError::Revoked(_)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_deletion_revokes_the_tokens_of_that_user_alone() {
        let directory = TestDirectory::default();
        let [alice, bob] = ["alice", "bob"].map(|key| directory.add(key));
        let pats = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = pats.users(Arc::new(directory)).build();
        let callers = [&alice, &bob].map(|owner| Caller::cookie_authenticated(owner.clone()));
        let first = create(&pats, &callers[0]).await;
        let second = create(&pats, &callers[0]).await;
        let others = create(&pats, &callers[1]).await;
        assert!(is_accepted(&pats, &first).await);
        assert_eq!(pats.user_deleted(&alice).await.expect("revoked"), 2);
        assert!(!is_accepted(&pats, &first).await);
        assert!(!is_accepted(&pats, &second).await);
        assert!(is_accepted(&pats, &others).await);
        assert_eq!(pats.user_deleted(&alice).await.expect("revoked"), 0);
    }

    #[tokio::test]
    async fn the_setting_and_the_caller_decide_what_falls_with_a_token() {
        for (create_by_token, family, falls) in [
            ("capped", Family::Configured, true),
            ("allowed", Family::Configured, false),
            ("allowed", Family::Included, true),
        ] {
            let settings = Settings::builder().set("pat.create.by.token", create_by_token);
            let settings = settings.expect("a value").build().expect("settings");
            let directory = TestDirectory::default();
            let alice = Caller::cookie_authenticated(directory.add("alice"));
            let pats = Pats::builder(Arc::new(MemoryStore::default())).users(Arc::new(directory));
            let pats = pats.settings(settings).build();
            let parent = create(&pats, &alice).await;
            let presented = parent.plain.expose().as_bytes();
            let principal = pats.authenticate(presented).await.expect("a principal");
            let child = create(&pats, &Caller::with_token(principal)).await;
            let revoked = pats.revoke_with(&alice, parent.token.id, family).await;
            let revoked = revoked.expect("revoked");
            let expected = if falls { (2, 0) } else { (1, 1) };
            assert_eq!((revoked.revoked, revoked.live_children), expected);
            assert!(!is_accepted(&pats, &parent).await);
            assert_eq!(
                is_accepted(&pats, &child).await,
                !falls,
                "{create_by_token}"
            );
        }
    }
}
