//! Changes of tokens: disabling, enabling, names and descriptions.

use std::sync::Arc;

use super::Pats;
use crate::caller::Caller;
use crate::error::{PolicyError, UpdateError};
use crate::node::Node;
use crate::policy;
use crate::principal::Principal;
use crate::scope::TOKENS_ADMIN;
use crate::store::{Change, Presented, StoreError, Update, UpdateRefusal, Updated};
use crate::token::{Owner, Token, TokenId};
use crate::versions::DISABLING;

/// A requested change of a token; see [`Pats::update`]. What is `None` stays as it is. There is no change that extends
/// the life of a token or gives it more scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenUpdate {
    /// Whether the token is to be enabled (`true`) or disabled (`false`).
    pub is_enabled: Option<bool>,
    /// The new name, by the rules of [`TokenRequest::name`](crate::TokenRequest::name).
    pub name: Option<String>,
    /// The new description, by the rules of [`TokenRequest::description`](crate::TokenRequest::description); an empty
    /// text for no description.
    pub description: Option<String>,
}

/// The result of [`Pats::update`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpdatedToken {
    /// The token as it is now.
    pub token: Token,
    /// If the token was disabled, how many descendants of it, and of the tokens that it replaced, stay valid: tokens
    /// that were created with one of these tokens, or with a descendant. Otherwise 0.
    pub live_children: u64,
}

impl Pats {
    /// Disables, enables, renames or describes the token with this ID, if it belongs to the caller or the caller is
    /// an administrator, as for [`Pats::find`]. Returns the token as it is now. A change to what the token is already
    /// is not an error.
    ///
    /// A disabled token does not authenticate until it is enabled again; its expiry goes on, and it counts for the
    /// limit of tokens. Disabling a token also disables those that it replaced, and enabling it enables those that
    /// were disabled with it. The tokens that were created with it go on. If a user who does not own the token has
    /// disabled it as an administrator, only an administrator enables it. A caller whom a token authenticated enables
    /// another token of the same owner only if the caller's token could create it.
    ///
    /// When the method returns, this node refuses a disabled token and accepts an enabled one. Other nodes accept a
    /// disabled token for at most the setting `pat.auth.max.staleness.ms` after that; with the setting
    /// `pat.revocation.wait=cluster`, disabling waits at most 1.1 times as long, and then no node accepts the token.
    /// Other nodes accept an enabled token, and know its new name, within the same time, or, if a node cannot reach
    /// the store, once it can.
    ///
    /// # Errors
    /// - [`UpdateError::NotFound`]: there is no token with this ID, or it is revoked, or it belongs to another user
    ///   and the caller is no administrator.
    /// - [`UpdateError::DisabledByAdministrator`]: the token is to be enabled, an administrator has disabled it, and
    ///   the caller is none. Nothing was changed.
    /// - [`UpdateError::Refused`]: the name or the description breaks a rule of [`Pats::create`]; or the caller's token
    ///   is no longer valid ([`PolicyError::ParentInvalid`]) or may not enable the token
    ///   ([`PolicyError::EnableByToken`]); or an older version of this crate, which does not know disabled tokens, runs
    ///   on the store ([`PolicyError::OlderNodes`]). Nothing was changed.
    /// - [`UpdateError::Unavailable`]: the store or the directory fails or does not answer in time. The change may have
    ///   been made, but is not begun after the method has returned.
    pub async fn update(
        &self,
        caller: &Caller,
        id: TokenId,
        update: TokenUpdate,
    ) -> Result<UpdatedToken, UpdateError> {
        let (pats, caller) = (self.clone(), caller.clone());
        self.0
            .in_own_task(async move { pats.update_now(&caller, id, update).await })
            .await?
    }

    /// Disables a token: [`Pats::update`] with [`TokenUpdate::is_enabled`] `false`.
    ///
    /// # Errors
    /// Same as [`Pats::update`].
    pub async fn disable(&self, caller: &Caller, id: TokenId) -> Result<UpdatedToken, UpdateError> {
        self.switch(caller, id, false).await
    }

    /// Enables a token: [`Pats::update`] with [`TokenUpdate::is_enabled`] `true`.
    ///
    /// # Errors
    /// Same as [`Pats::update`].
    pub async fn enable(&self, caller: &Caller, id: TokenId) -> Result<UpdatedToken, UpdateError> {
        self.switch(caller, id, true).await
    }

    async fn switch(
        &self,
        caller: &Caller,
        id: TokenId,
        is_enabled: bool,
    ) -> Result<UpdatedToken, UpdateError> {
        let update = TokenUpdate {
            is_enabled: Some(is_enabled),
            ..TokenUpdate::default()
        };
        self.update(caller, id, update).await
    }

    /// Gives a token another name: [`Pats::update`] with this [`TokenUpdate::name`].
    ///
    /// # Errors
    /// Same as [`Pats::update`].
    pub async fn rename(
        &self,
        caller: &Caller,
        id: TokenId,
        name: impl Into<String>,
    ) -> Result<UpdatedToken, UpdateError> {
        let update = TokenUpdate {
            name: Some(name.into()),
            ..TokenUpdate::default()
        };
        self.update(caller, id, update).await
    }

    /// Validates a description with the rules that [`Pats::create`] and [`Pats::update`] apply.
    ///
    /// # Errors
    /// [`PolicyError::DescriptionTooLong`], [`PolicyError::DescriptionHasControlCharacter`] or
    /// [`PolicyError::DescriptionHasBidiControl`]: the first rule that the description breaks.
    pub fn check_description(&self, description: &str) -> Result<(), PolicyError> {
        policy::check_description(description)
    }

    async fn update_now(
        &self,
        caller: &Caller,
        id: TokenId,
        update: TokenUpdate,
    ) -> Result<UpdatedToken, UpdateError> {
        // Before the rules: they must not tell a stranger that the token exists.
        let token = self.find(caller, id).await?;
        if let Some(name) = &update.name {
            self.check_name(name)?;
        }
        if let Some(description) = &update.description {
            self.check_description(description)?;
        }
        let is_own = token.owner == *caller.owner();
        if update.is_enabled == Some(true) && is_own {
            self.check_enabling(caller, &token)?;
        }
        let by_administrator = !is_own
            || self
                .enables_as_administrator(caller, &token, &update)
                .await?;
        if update.is_enabled == Some(false) {
            self.make_usable(DISABLING).await??;
        }
        let presented = caller.token();
        let update = Update {
            by_administrator,
            presented: presented
                .map(|token| Presented::new(token.token_id(), token.scopes().cloned())),
            is_enabled: update.is_enabled,
            name: update.name,
            description: update.description,
            ..Update::new(id, self.now(), caller.owner().clone())
        };
        let stored = match self.0.update(&update, &token.owner).await? {
            Updated::Stored(stored) => stored,
            Updated::Refused(UpdateRefusal::NotFound) => return Err(UpdateError::NotFound),
            Updated::Refused(UpdateRefusal::DisabledByAdministrator) => {
                return Err(UpdateError::DisabledByAdministrator);
            }
            Updated::Refused(UpdateRefusal::PresentedInvalid) => {
                return Err(PolicyError::ParentInvalid.into());
            }
        };
        let mut tokens = [stored.token];
        self.0.auth.last_used.refresh(&mut tokens);
        let [token] = tokens;
        Ok(UpdatedToken {
            token,
            live_children: stored.live_children,
        })
    }

    fn check_enabling(&self, caller: &Caller, token: &Token) -> Result<(), PolicyError> {
        let others = |presented: &&Principal| presented.token_id() != token.id;
        // A token does not enable itself: the store refuses a presented token that is disabled.
        match caller.token().filter(others) {
            Some(presented) => {
                policy::check_enabling(self.scope_catalog(), self.settings(), token, presented)
            }
            None => Ok(()),
        }
    }

    /// Returns whether the caller enables an own token as an administrator, because another one has disabled it.
    async fn enables_as_administrator(
        &self,
        caller: &Caller,
        token: &Token,
        update: &TokenUpdate,
    ) -> Result<bool, UpdateError> {
        let is_held = token
            .disabled
            .as_ref()
            .is_some_and(|it| it.by_administrator);
        Ok(update.is_enabled == Some(true)
            && is_held
            && self.permits(caller, TOKENS_ADMIN)
            && self.is_administrator(caller).await?)
    }
}

impl Node {
    /// Changes a token of this owner. No transaction begins after the time limit of requests, so that a change that
    /// failed does not undo a later one.
    async fn update(
        self: &Arc<Self>,
        update: &Update,
        owner: &Owner,
    ) -> Result<Updated, StoreError> {
        let limit = self.context.request_timeout();
        let changed = self.context.usable_store()?.update(update);
        let result = self.context.ask(limit, changed).await;
        // Whether the change was made just now, earlier on another node, or (if the store failed) possibly: the owner
        // stands for all tokens of the line.
        self.auth.epochs.bump(&Change::OwnerChanged(owner.clone()));
        let updated = result?;
        if let Updated::Stored(stored) = &updated {
            for event in &stored.events {
                self.emit_token_change(stored.at, event.clone(), &stored.token.name);
            }
            if update.is_enabled == Some(false) {
                self.wait_for_cluster().await;
            }
        }
        Ok(updated)
    }
}
