use jiff::{SignedDuration, Timestamp};

use super::Pats;
use crate::caller::Caller;
use crate::directory::User;
use crate::error::{AccessError, CreateError, PolicyError, Unavailable};
use crate::event::EventKind;
use crate::policy::{self, Lifetime, TokenRequest};
use crate::principal::Principal;
use crate::scope::{AllowedScopes, ScopeChoices, ScopeSet, Scopes, TOKENS_ADMIN, WithoutScopes};
use crate::search::{DateRange, Filter};
use crate::store::{Insertion, NewToken, StoreError};
use crate::token::{PlainToken, Token, TokenId, TokenStatus};
use crate::versions::Feature;

/// A token that [`Pats::create`] has just created, with its secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreatedToken {
    /// The new token as it is stored, without its secret.
    pub token: Token,
    /// The secret token string, which the host shows to the token's owner once.
    pub plain: PlainToken,
}

/// How often a new ID is drawn when two nodes drew the same one.
pub(super) const INSERT_ATTEMPTS: usize = 5;

impl Pats {
    /// Creates a token, whose owner is the caller, and returns it with its secret. The owner is not looked up
    /// in the [`UserDirectory`](crate::UserDirectory): a token of an owner who is not active is created, and
    /// refused until the owner is active. So the host's sign-in must not let a disabled user pass.
    ///
    /// # Errors
    /// - [`CreateError::Refused`]: the request breaks the rule that the [`PolicyError`] names.
    /// - [`CreateError::Repeated`] or [`CreateError::KeyConflict`]: a request with the same
    ///   [key](TokenRequest::idempotency) was made before.
    /// - [`CreateError::Unavailable`]: the store fails or does not answer in time. Either no token was
    ///   created, or a token with a lost secret, which the owner can see in the list and revoke.
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

    /// Validates a token name with the rules that [`Pats::create`] applies.
    ///
    /// # Errors
    /// [`PolicyError::NameBlank`], [`PolicyError::NameTooLong`], [`PolicyError::NameHasControlCharacter`] or
    /// [`PolicyError::NameHasBidiControl`]: the first rule that the name breaks.
    pub fn check_name(&self, name: &str) -> Result<(), PolicyError> {
        policy::check_name(self.settings(), name)
    }

    /// Validates the life span of a token ([`TokenRequest::lifetime`]) with the rules that [`Pats::create`]
    /// applies to this caller.
    ///
    /// # Errors
    /// [`PolicyError::DurationNotPositive`], [`PolicyError::DurationTooShort`],
    /// [`PolicyError::DurationTooLong`], [`PolicyError::EternalNotAllowed`] or [`PolicyError::OutlivesParent`]:
    /// the first rule that the life span breaks.
    pub fn check_lifetime(
        &self,
        caller: &Caller,
        lifetime: Option<Lifetime>,
    ) -> Result<(), PolicyError> {
        let end = policy::end(self.settings(), lifetime, caller.token(), self.now());
        end.map(drop)
    }

    /// Returns what the caller may choose for the scopes of a new token. If the host declares no scopes, the
    /// list is empty.
    ///
    /// # Errors
    /// [`Unavailable::Directory`]: the directory fails or does not answer in time.
    pub async fn scope_choices(&self, caller: &Caller) -> Result<ScopeChoices<'_>, Unavailable> {
        let allowed = self.allowed_scopes(caller).await?;
        let catalog = self.scope_catalog();
        let permitted = caller.token().map_or(ScopeSet::ALL, Principal::permitted);
        let without_scopes = match policy::scopes(catalog, self.settings(), None, caller.token()) {
            Ok(scopes) if !catalog.allows(&allowed, scopes.as_ref()) => WithoutScopes::Refused,
            Ok(Some(scopes)) => WithoutScopes::Restricted(scopes),
            Ok(None) => WithoutScopes::Unrestricted,
            Err(_) => WithoutScopes::Refused,
        };
        Ok(ScopeChoices {
            scopes: catalog.within(permitted, &allowed),
            without_scopes,
        })
    }

    /// Asks the host which scopes the caller may give a token, if there are any.
    async fn allowed_scopes(&self, caller: &Caller) -> Result<AllowedScopes, Unavailable> {
        let catalog = self.scope_catalog();
        if catalog.is_empty() {
            return Ok(AllowedScopes::all());
        }
        let directory = &self.0.context.directory;
        let answer = directory.allowed_scopes(caller.owner(), catalog);
        self.0
            .context
            .ask_directory(self.0.context.request_timeout(), answer)
            .await
    }

    /// Returns the scopes of the requested token, or the rule that they break.
    async fn scopes_of(
        &self,
        caller: &Caller,
        request: &TokenRequest,
    ) -> Result<Option<Scopes>, CreateError> {
        let catalog = self.scope_catalog();
        let requested = request.scopes.as_deref();
        let scopes = policy::scopes(catalog, self.settings(), requested, caller.token())?;
        let allowed = self.allowed_scopes(caller).await?;
        if catalog.allows(&allowed, scopes.as_ref()) {
            Ok(scopes)
        } else {
            Err(PolicyError::ScopeNotAllowed.into())
        }
    }

    /// Makes a feature usable, or says that an older node prevents it. It is the last step before something is
    /// stored, since versions that do not know the feature are excluded from then on.
    pub(super) async fn make_usable(
        &self,
        feature: Feature,
    ) -> Result<Result<(), PolicyError>, StoreError> {
        let is_usable = self.0.feed.enable(feature).await?;
        let feature = feature.name;
        Ok(is_usable
            .then_some(())
            .ok_or(PolicyError::OlderNodes { feature }))
    }

    async fn create_now(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<CreatedToken, CreateError> {
        let now = self.now();
        let expires_at = policy::expiry(self.settings(), &request, caller.token(), now)?;
        let expires_by = policy::cap(self.settings(), caller.token());
        let scopes = self.scopes_of(caller, &request).await?;
        if let Some(feature) = self.0.context.versions.feature_of(scopes.as_ref()) {
            self.make_usable(feature).await??;
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
                scopes: scopes.clone(),
                parent_scopes: caller.token().and_then(Principal::scopes).cloned(),
                description: request.description.clone().filter(|text| !text.is_empty()),
                hint: Some(plain.hint().to_owned()),
                is_transient: request.lifetime.is_some_and(Lifetime::is_short),
                max_rows: self.settings().max_rows_per_user(),
                notify: self.0.notifies() && self.settings().notice_created(),
                idempotency: request.idempotency.clone(),
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
                    self.0.emit_token_change(
                        token.created_at,
                        EventKind::Created {
                            token: token.id,
                            owner: token.owner.clone(),
                            expires_at: token.expires_at,
                            parent: token.parent,
                            scopes: token.scopes.clone(),
                        },
                        &token.name,
                    );
                    return Ok(CreatedToken { token, plain });
                }
                Insertion::Duplicate => {}
                Insertion::LimitReached { count } => {
                    return Err(PolicyError::LimitReached { count, max }.into());
                }
                Insertion::TooManyRows => return Err(self.too_many_rows().into()),
                Insertion::ParentInvalid => return Err(PolicyError::ParentInvalid.into()),
                Insertion::Repeated(token) => return Err(CreateError::Repeated(Box::new(token))),
                Insertion::KeyConflict => return Err(CreateError::KeyConflict),
            }
        }
        Err(StoreError::backend("the store reports each new token as a duplicate").into())
    }

    pub(super) fn too_many_rows(&self) -> PolicyError {
        const DAY: u64 = 24 * 60 * 60;
        let days = self.settings().pruning_delay().as_secs() / DAY;
        PolicyError::TooManyRows {
            max: self.settings().max_rows_per_user(),
            days: u32::try_from(days).unwrap_or(u32::MAX),
        }
    }

    /// Returns the caller's own unrevoked tokens, expired ones included, in ascending order of ID; without the
    /// replaced and short-lived tokens that have expired ([`Token::counts`]). Their last uses include those that
    /// this node has not written to the store yet.
    ///
    /// # Errors
    /// [`AccessError::Unavailable`]: the store fails or does not answer in time.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Token>, AccessError> {
        let tokens = self.0.context.usable_store()?.list(caller.owner());
        let mut tokens = self
            .0
            .context
            .ask(self.0.context.request_timeout(), tokens)
            .await?;
        let now = self.now();
        tokens.retain(|token| token.counts(now));
        self.0.auth.last_used.refresh(&mut tokens);
        Ok(tokens)
    }

    /// Returns the unrevoked token with this ID, if it belongs to the caller or the caller is an
    /// administrator. A token with scopes that do not permit [`tokens:admin`](crate::scope::TOKENS_ADMIN) does not
    /// make its caller an administrator.
    ///
    /// # Errors
    /// - [`AccessError::NotFound`]: there is no token with this ID, or it is revoked, or it belongs to
    ///   another user and the caller is no administrator.
    /// - [`AccessError::Unavailable`]: the store or the directory fails or does not answer in time.
    pub async fn find(&self, caller: &Caller, id: TokenId) -> Result<Token, AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        if token.revoked_at.is_some() {
            return Err(AccessError::NotFound);
        }
        Ok(token)
    }

    /// Returns the ID of the latest unrevoked token that replaced `token`, directly or through others
    /// ([`Pats::rotate`]); `None` if there is none.
    ///
    /// # Errors
    /// [`AccessError::Unavailable`]: the store fails or does not answer in time.
    pub async fn latest_successor(&self, token: &Token) -> Result<Option<TokenId>, AccessError> {
        if token.replaced.is_none() {
            return Ok(None);
        }
        let context = &self.0.context;
        let tokens = context.usable_store()?.list(&token.owner);
        let tokens = context.ask(context.request_timeout(), tokens).await?;
        Ok(token.latest_successor(&tokens))
    }

    /// Returns the token with this ID as [`Pats::find`] does, also if it is revoked.
    ///
    /// # Errors
    /// - [`AccessError::NotFound`]: there is no token with this ID, or it belongs to another user and the caller is no
    ///   administrator.
    /// - [`AccessError::Unavailable`]: the store or the directory fails or does not answer in time.
    pub async fn find_even_revoked(
        &self,
        caller: &Caller,
        id: TokenId,
    ) -> Result<Token, AccessError> {
        let mut found = self
            .0
            .context
            .ask(
                self.0.context.request_timeout(),
                self.0.context.usable_store()?.find(id),
            )
            .await?;
        self.0.auth.last_used.refresh(found.as_mut_slice());
        let own = |token: &&Token| token.owner == *caller.owner();
        if let Some(token) = found.as_ref().filter(own) {
            return Ok(token.clone());
        }
        // The directory is asked about an unknown ID too; else its response time and outages would
        // reveal which IDs exist.
        let is_administrator =
            self.permits(caller, TOKENS_ADMIN) && self.is_administrator(caller).await?;
        found
            .filter(|_| is_administrator)
            .ok_or(AccessError::NotFound)
    }

    /// Returns whether the caller is an administrator. Each call asks the directory
    /// ([`UserDirectory::is_administrator`](crate::UserDirectory::is_administrator)). The scopes of the caller's
    /// token are not considered; see [`Pats::permits`].
    ///
    /// # Errors
    /// [`Unavailable::Directory`]: the directory fails or does not answer in time.
    pub async fn is_administrator(&self, caller: &Caller) -> Result<bool, Unavailable> {
        let answer = self.0.context.directory.is_administrator(caller.owner());
        self.0
            .context
            .ask_directory(self.0.context.request_timeout(), answer)
            .await
    }

    /// Returns the user who owns `token`; `None` if the directory does not know the owner.
    ///
    /// # Errors
    /// [`Unavailable::Directory`]: the directory fails or does not answer in time.
    pub async fn owner_of(&self, token: &Token) -> Result<Option<User>, Unavailable> {
        self.0
            .context
            .ask_directory(
                self.0.context.request_timeout(),
                self.0.context.directory.find(&token.owner),
            )
            .await
    }

    /// Returns the current status of `token`. The status [`TokenStatus::ExpiresSoon`] begins the number of days
    /// in the setting `atlassian.pats.expiry.warning.days` (by default 5) before the token's expiry, if its life span
    /// is longer.
    #[must_use]
    pub fn status(&self, token: &Token) -> TokenStatus {
        token.status(self.0.context.time.now().timestamp(), self.warning())
    }

    /// Returns `filter` with the criterion that tokens have this status now ([`Pats::status`]); see
    /// [`Filter::with_status`].
    #[must_use]
    pub fn with_status(&self, filter: Filter, status: TokenStatus) -> Filter {
        let now = self.0.context.time.now().timestamp();
        filter.with_status(status, now, self.warning())
    }

    /// Returns the filter of the valid tokens that have not been used for `days` days of 24 hours: those that the
    /// setting `pat.unused.revoke.days` with this number revokes, after a warning. A token that was never used
    /// counts from its creation or import. [Transient](Token::is_transient) tokens, which end soon by themselves,
    /// are not found.
    ///
    /// Last uses of the last minutes may be missing in the store
    /// (`atlassian.pats.last.used.update.interval.mins`).
    #[must_use]
    pub fn unused_filter(&self, days: u32) -> Filter {
        let time = &self.0.context.time;
        let days = SignedDuration::from_hours(i64::from(days) * 24);
        let since = time.vouched().checked_sub(days);
        let valid_after = time.now().timestamp() + SignedDuration::from_micros(1);
        Filter {
            unused_since: Some(since.unwrap_or(Timestamp::MIN)),
            is_transient: Some(false),
            expires: DateRange {
                from: Some(valid_after),
                to: None,
            },
            ..Filter::default()
        }
    }

    /// Returns how long before expiry [`TokenStatus::ExpiresSoon`] begins.
    fn warning(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.settings().expiry_warning_days()) * 24)
    }
}
