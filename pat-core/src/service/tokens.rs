use jiff::SignedDuration;

use super::Pats;
use crate::caller::Caller;
use crate::directory::User;
use crate::error::{AccessError, CreateError, PolicyError, Unavailable};
use crate::event::EventKind;
use crate::policy::{self, TokenRequest};
use crate::principal::Principal;
use crate::search::Filter;
use crate::store::{Insertion, NewToken, StoreError};
use crate::token::{PlainToken, Token, TokenId, TokenStatus};

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
    /// Creates a token for the caller.
    ///
    /// # Errors
    /// A rule forbids it, or the store cannot answer in time; then nothing was created, or at most
    /// a token that nobody knows and the owner sees in his list.
    pub async fn create(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<CreatedToken, CreateError> {
        let (pats, caller) = (self.clone(), caller.clone());
        self.0
            .in_own_task(async move { pats.create_now(&caller, request).await })
            .await?
    }

    /// Why a token may not be called so, by the same rule as of [`Pats::create`], for a form that
    /// says of each field what is wrong with it.
    ///
    /// # Errors
    /// A rule forbids it.
    pub fn check_name(&self, name: &str) -> Result<(), PolicyError> {
        policy::check_name(self.settings(), name)
    }

    /// Why a token of the caller's may not live so many days, by the same rule as of
    /// [`Pats::create`]; `None` is for ever.
    ///
    /// # Errors
    /// A rule forbids it.
    pub fn check_lifetime(
        &self,
        caller: &Caller,
        lifetime_days: Option<i64>,
    ) -> Result<(), PolicyError> {
        let end = policy::end(self.settings(), lifetime_days, caller.token(), self.now());
        end.map(drop)
    }

    async fn create_now(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<CreatedToken, CreateError> {
        let now = self.now();
        let expires_at = policy::expiry(self.settings(), &request, caller.token(), now)?;
        let expires_by = policy::cap(self.settings(), caller.token());
        let feature = self.0.context.versions.feature_of(&request);
        if let Some(feature) = feature
            && !self.0.feed.enable(feature).await?
        {
            let feature = feature.name;
            return Err(PolicyError::OlderNodes { feature }.into());
        }
        let max = self.settings().max_tokens_per_user();
        for _ in 0..INSERT_ATTEMPTS {
            let plain = self
                .0
                .context
                .outages
                .random(self.0.issued_format.generate())?;
            let new = NewToken {
                id: self.0.context.outages.random(self.0.ids.next(now))?,
                digest: plain.digest(),
                owner: caller.owner().clone(),
                name: request.name.clone(),
                created_at: now,
                expires_at,
                expires_by,
                parent: caller.token().map(Principal::token_id),
                max_rows: self.settings().max_rows_per_user(),
                notify: self.0.notifies() && self.settings().notice_created(),
            };
            match self
                .0
                .context
                .ask(
                    self.0.context.request_timeout(),
                    self.0.context.usable_store()?.insert(&new, max),
                )
                .await?
            {
                Insertion::Stored(token) => {
                    self.0.auth.mark_known(&new.digest);
                    if new.notify {
                        self.0.wake_delivery();
                    }
                    self.0.emit_change(
                        token.created_at,
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
                Insertion::LimitReached { count } => {
                    return Err(PolicyError::LimitReached { count, max }.into());
                }
                Insertion::TooManyRows => return Err(self.too_many_rows().into()),
                Insertion::ParentInvalid => return Err(PolicyError::ParentInvalid.into()),
            }
        }
        Err(StoreError::backend("the store calls every new token a duplicate").into())
    }

    fn too_many_rows(&self) -> PolicyError {
        const DAY: u64 = 24 * 60 * 60;
        let days = self.settings().pruning_delay().as_secs() / DAY;
        PolicyError::TooManyRows {
            max: self.settings().max_rows_per_user(),
            days: u32::try_from(days).unwrap_or(u32::MAX),
        }
    }

    /// The caller's own tokens in id order, expired ones included and revoked ones not, each with
    /// its last use up to now.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Token>, AccessError> {
        let tokens = self.0.context.usable_store()?.list(caller.owner());
        let mut tokens = self
            .0
            .context
            .ask(self.0.context.request_timeout(), tokens)
            .await?;
        self.0.auth.last_used.refresh(&mut tokens);
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
        self.0.auth.last_used.refresh(&mut tokens);
        let [token] = tokens;
        Ok(token)
    }

    pub(super) async fn find_even_revoked(
        &self,
        caller: &Caller,
        id: TokenId,
    ) -> Result<Token, AccessError> {
        let found = self
            .0
            .context
            .ask(
                self.0.context.request_timeout(),
                self.0.context.usable_store()?.find(id),
            )
            .await?;
        if let Some(token) = &found
            && token.owner == *caller.owner()
        {
            return Ok(token.clone());
        }
        // An unknown id asks the directory as well: else the time that it takes, and the failure while
        // the directory is down, would tell a caller which ids there are.
        let is_administrator = self.is_administrator(caller).await?;
        found
            .filter(|_| is_administrator)
            .ok_or(AccessError::NotFound)
    }

    /// Whether the caller may see and revoke the tokens of others; asks the host each time.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn is_administrator(&self, caller: &Caller) -> Result<bool, Unavailable> {
        let answer = self.0.context.directory.is_administrator(caller.owner());
        self.0
            .context
            .ask_directory(self.0.context.request_timeout(), answer)
            .await
    }

    /// What the host knows of a token's owner; `None` if he is gone.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn owner_of(&self, token: &Token) -> Result<Option<User>, Unavailable> {
        self.0
            .context
            .ask_directory(
                self.0.context.request_timeout(),
                self.0.context.directory.find(&token.owner),
            )
            .await
    }

    /// Begins to show `token` as [`TokenStatus::ExpiresSoon`] this long before it expires, and says
    /// what it is now.
    #[must_use]
    pub fn status(&self, token: &Token) -> TokenStatus {
        token.status(self.0.context.time.now().timestamp(), self.warning())
    }

    /// Narrows a filter to the tokens that have this status now.
    #[must_use]
    pub fn with_status(&self, filter: Filter, status: TokenStatus) -> Filter {
        let now = self.0.context.time.now().timestamp();
        filter.with_status(status, now, self.warning())
    }

    /// How long before its expiry a token expires soon.
    fn warning(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.settings().expiry_warning_days()) * 24)
    }
}
