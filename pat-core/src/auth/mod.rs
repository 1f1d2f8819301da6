//! Authentication of presented tokens. The only public item is the length of the longest accepted token.

mod cache;
pub(crate) mod cached_token;
mod displaced;
mod epochs;
mod last_used;
mod miss_limiter;
mod refusal;
mod single_flight;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use self::cache::{Cache, REFUSAL_TTL};
use self::cached_token::{CachedToken, LastUseStamp};
use self::displaced::Displaced;
pub(crate) use self::epochs::Epochs;
pub(crate) use self::last_used::LastUsed;
use self::miss_limiter::MissLimiter;
use self::refusal::{Loaded, Refusal};
use self::single_flight::SingleFlight;
use crate::client::Client;
use crate::clock::{Moment, micros};
use crate::context::Context;
use crate::error::{AuthError, Unavailable};
use crate::event::EventKind;
use crate::principal::Principal;
use crate::store::{StoreError, StoreTime, StoreVersions};
use crate::token::{DateText, InvalidToken, Owner, Token, TokenDigest, TokenFormat};

/// The length of the longest accepted token string, in bytes. A longer string is refused before any
/// [`TokenFormat`] sees it.
pub const MAX_TOKEN_LEN: usize = 256;

/// How many of the most recently used and of the most recently created tokens a node reads at its start:
/// three megabytes of each.
const MOST_LEARNED: u32 = 100_000;
/// How long the store may take for them.
const LEARN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long before the expiry of a token, of its cache entry or of the cache's freshness the precise time
/// is read, in microseconds: ten times as long as coarse time may be behind.
const ENDS_SOON: i64 = 1_000_000;

/// Authenticates presented tokens.
#[derive(Debug)]
pub(crate) struct Authenticator {
    context: Arc<Context>,
    formats: Vec<Arc<dyn TokenFormat>>,
    pub(crate) epochs: Epochs,
    pub(crate) last_used: LastUsed,
    cache: Cache,
    displaced: Displaced,
    miss_limiter: MissLimiter,
    single_flight: SingleFlight,
}

/// The authenticated principal, or the reason of the refusal.
pub(crate) type AuthResult = Result<Principal, AuthError>;

impl Authenticator {
    pub(crate) fn new(context: Arc<Context>, formats: Vec<Arc<dyn TokenFormat>>) -> Self {
        let settings = &context.settings;
        Self {
            cache: Cache::new(
                settings.auth_cache_expiry(),
                settings.auth_cache_max_items(),
            ),
            displaced: Displaced::new(settings.auth_cache_max_items()),
            miss_limiter: MissLimiter::new(settings.auth_cache_max_items()),
            epochs: Epochs::new(context.is_shared()),
            single_flight: SingleFlight::default(),
            last_used: LastUsed::default(),
            formats,
            context,
        }
    }

    /// Checks the format of a token string; no I/O. `client` presents it.
    pub(crate) fn check_format(
        &self,
        presented: &[u8],
        client: impl FnOnce() -> Client,
    ) -> Result<(), AuthError> {
        let error = match (self.context.settings.enabled(), self.recognizes(presented)) {
            (true, true) => return Ok(()),
            (false, true) => AuthError::Disabled,
            (_, false) => AuthError::Unrecognized,
        };
        self.context.metrics.refused(&error);
        self.context
            .events
            .emit_refusal(self.context.time.now(), &error, None, client);
        Err(error)
    }

    /// Returns the digest of a string with an accepted format.
    pub(crate) fn digest_of(&self, presented: &[u8]) -> Option<TokenDigest> {
        self.recognizes(presented)
            .then(|| TokenDigest::of(presented))
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        let recognizes = |format: &Arc<dyn TokenFormat>| format.recognizes(presented);
        presented.len() <= MAX_TOKEN_LEN && self.formats.iter().any(recognizes)
    }

    /// Authenticates from memory alone, if possible, and records the use. `client` presents the token.
    pub(crate) fn authenticate_cached(
        &self,
        digest: &TokenDigest,
        client: impl FnOnce() -> Client,
    ) -> Option<AuthResult> {
        match self.authenticate_known(digest) {
            Some(principal) => Some(Ok(principal)),
            None => self.refuse_cached(digest, client).map(Err),
        }
    }

    /// Returns the principal of a cached token, if it is still current, and records the use.
    pub(crate) fn authenticate_known(&self, digest: &TokenDigest) -> Option<Principal> {
        let (principal, now) = self.find_cached(digest)?;
        principal.note_use(now);
        self.context.metrics.hit();
        self.context.metrics.accepted();
        Some(principal)
    }

    /// Returns the cached refusal of a token that is not [known](Self::authenticate_known), if it is still current.
    /// `client` presents the token.
    pub(crate) fn refuse_cached(
        &self,
        digest: &TokenDigest,
        client: impl FnOnce() -> Client,
    ) -> Option<AuthError> {
        let Some(error) = self.find_refusal(digest) else {
            self.context.metrics.miss();
            return None;
        };
        self.context.metrics.hit();
        self.context.metrics.refused(&error);
        self.context
            .events
            .emit_repeated_refusal(self.context.time.now(), &error, client);
        Some(error)
    }

    /// Returns the cached token of this digest, if it is still current, and the time at which it is.
    fn find_cached(&self, digest: &TokenDigest) -> Option<(Principal, Moment)> {
        let mut now = None;
        let principal = self.cache.cached(digest, |cached| {
            now = self.current_time_of(cached);
            now.is_some()
        });
        principal.zip(now)
    }

    /// Returns the cached refusal of this digest, if it is still current.
    fn find_refusal(&self, digest: &TokenDigest) -> Option<AuthError> {
        self.cache.refusal(digest, |refusal| {
            let now = self.context.time.now();
            let is_current = |(stripes, loaded_at_epoch)| {
                self.epochs.is_fresh(now) && self.epochs.is_current(stripes, loaded_at_epoch)
            };
            now.boot < refusal.sent.saturating_add(micros(REFUSAL_TTL))
                && refusal.epoch.is_none_or(is_current)
        })
    }

    /// Returns the time, if the cached token is still current.
    ///
    /// Coarse time is enough unless the token or its cache entry ends soon.
    fn current_time_of(&self, cached: &CachedToken) -> Option<Moment> {
        let now = self.context.time.coarse();
        if self.is_current(cached, now.later(ENDS_SOON)) {
            return Some(now);
        }
        let now = self.context.time.now();
        self.is_current(cached, now).then_some(now)
    }

    fn is_current(&self, cached: &CachedToken, now: Moment) -> bool {
        self.epochs.is_fresh(now)
            && now.boot < cached.cached_until
            && self
                .epochs
                .is_current(cached.stripes, cached.loaded_at_epoch)
            && !cached.is_expired(now)
    }

    /// Authenticates from the database, and records the use.
    ///
    /// Concurrent calls for one digest share one load. It runs in its own task, so that it continues
    /// for the others when the request that began it is dropped.
    pub(crate) async fn authenticate_digest(self: Arc<Self>, digest: TokenDigest) -> AuthResult {
        let verdict = Arc::clone(&self).authenticate_in_time(digest).await;
        match &verdict {
            Ok(_) => self.context.metrics.accepted(),
            Err(error) => self.context.metrics.refused(error),
        }
        verdict
    }

    async fn authenticate_in_time(self: Arc<Self>, digest: TokenDigest) -> AuthResult {
        let deadline = self.context.auth_timeout();
        let Ok(verdict) = timeout(deadline, Arc::clone(&self).look_up(digest)).await else {
            return Err(AuthError::Unavailable(self.context.outages.gave_up()));
        };
        let (principal, now) = (verdict?, self.context.time.now());
        if principal.0.is_expired(now) {
            return Err(AuthError::Expired(principal.token_id()));
        }
        principal.note_use(now);
        Ok(principal)
    }

    async fn look_up(self: Arc<Self>, digest: TokenDigest) -> AuthResult {
        let started = self.context.time.now();
        if !self.miss_limiter.admits(&digest, started) {
            return Err(AuthError::Unavailable(Unavailable::TooManyUnknown));
        }
        loop {
            let load = Client::carry(Arc::clone(&self).load(digest));
            let loaded = self
                .single_flight
                .join(digest, load, &self.context.outages)
                .await;
            // A load that another request began may have read the row before a change that this
            // request must see. Then it loads again.
            if self.is_recent_enough(&loaded, started) {
                return loaded.map_err(|refusal| refusal.error);
            }
        }
    }

    /// Returns whether the result of a load may answer a request that came at `started`.
    fn is_recent_enough(&self, loaded: &Loaded, started: Moment) -> bool {
        let (stripes, loaded_at_epoch, sent) = match loaded {
            Ok(Principal(cached)) => (cached.stripes, cached.loaded_at_epoch, cached.sent),
            Err(refusal) => match refusal.epoch {
                Some((stripes, loaded_at_epoch)) => (stripes, loaded_at_epoch, refusal.sent),
                None => return true,
            },
        };
        // An older result may, like a cached one, only while the cache is fresh: revocations do not wait
        // for a node whose cache is not.
        let may_be_older = self.epochs.is_fresh(self.context.time.now());
        (may_be_older || sent >= started.boot) && self.epochs.is_current(stripes, loaded_at_epoch)
    }

    async fn load(self: Arc<Self>, digest: TokenDigest) -> Loaded {
        // Another load may have ended since the request looked into the cache.
        if let Some((principal, _)) = self.find_cached(&digest) {
            return Ok(principal);
        }
        if let Some(error) = self.find_refusal(&digest) {
            return Err(error.into());
        }
        let loaded_at_epoch = self.epochs.current();
        let sent = self.context.time.now();
        let loaded = self.evaluate(digest, loaded_at_epoch, sent).await;
        let answered = self.context.time.now();
        self.context.metrics.looked_up(sent, answered);
        let loaded = loaded.map_err(|refusal| Refusal {
            sent: sent.boot,
            ..refusal
        });
        match &loaded {
            Ok(principal) => {
                self.miss_limiter.note_good(&digest);
                for _ in 0..self.cache.insert(principal) {
                    self.context.metrics.displaced();
                    self.displaced.note(answered);
                }
            }
            Err(refusal) => {
                if let AuthError::Unknown = refusal.error {
                    self.miss_limiter.note_unknown(sent);
                }
                if refusal.epoch.is_some() {
                    self.miss_limiter.note_refused(&digest, sent);
                }
                self.cache.insert_refusal(digest, refusal);
                let name = refusal.token_name.as_deref();
                self.context
                    .events
                    .emit_refusal(sent, &refusal.error, name, Client::current);
            }
        }
        loaded
    }

    async fn evaluate(&self, digest: TokenDigest, loaded_at_epoch: u64, sent: Moment) -> Loaded {
        let limit = self.context.auth_timeout();
        let found = self
            .context
            .outages
            .store(limit, self.context.store.find_by_digest(&digest))
            .await;
        let found = found.map_err(|error| AuthError::Unavailable(error.into()))?;
        self.observe(sent, found.time);
        let may_use = self.observe_versions(found.versions);
        may_use.map_err(|error| AuthError::Unavailable(error.into()))?;
        let token = found.token.ok_or(AuthError::Unknown)?;
        match self.judge(&token, loaded_at_epoch).await {
            Ok((now, seen_until)) => {
                let times = (sent, now);
                Ok(self.principal_of(digest, token, loaded_at_epoch, times, seen_until))
            }
            Err(refusal) => Err(Refusal {
                token_name: Some(token.name.into()),
                ..refusal
            }),
        }
    }

    /// Returns when the token was found valid, and when its owner will be absent for too long
    /// ([`Authenticator::seen_until`]); otherwise why it is refused.
    async fn judge(&self, token: &Token, loaded_at_epoch: u64) -> Result<(Moment, i64), Refusal> {
        let limit = self.context.auth_timeout();
        let now = self.context.time.now();
        let stripes = self.epochs.stripes(token.id, &token.owner);
        let until_changed = |error: AuthError| Refusal {
            epoch: Some((stripes, loaded_at_epoch)),
            ..error.into()
        };
        match token.validity(now.timestamp()) {
            Ok(()) => {}
            Err(InvalidToken::Revoked) => return Err(AuthError::Revoked(token.id).into()),
            Err(InvalidToken::Expired) => return Err(AuthError::Expired(token.id).into()),
            Err(InvalidToken::Disabled) => {
                return Err(until_changed(AuthError::TokenDisabled(token.id)));
            }
        }
        let seen_until = self.seen_until(&token.owner).await;
        let seen_until = seen_until.map_err(|error| AuthError::Unavailable(error.into()))?;
        if now.wall >= seen_until {
            return Err(until_changed(AuthError::OwnerAbsent(token.id)));
        }
        let owner = self
            .context
            .outages
            .directory(limit, self.context.directory.find(&token.owner))
            .await;
        match owner.map_err(AuthError::Unavailable)? {
            Some(owner) if owner.is_active => Ok((now, seen_until)),
            Some(_) => Err(until_changed(AuthError::OwnerInactive(token.id))),
            None => Err(until_changed(AuthError::OwnerGone(token.id))),
        }
    }

    /// Returns when the owner's absence refuses the owner's tokens, in microseconds since 1970; `i64::MAX` for
    /// never. An owner whom the host has not reported is not absent.
    async fn seen_until(&self, owner: &Owner) -> Result<i64, StoreError> {
        let longest = self.context.settings.owner_max_absence();
        if longest.is_zero() {
            return Ok(i64::MAX);
        }
        let limit = self.context.auth_timeout();
        let seen_at = self.context.store.owner_seen_at(owner);
        let seen_at = self.context.outages.store(limit, seen_at).await?;
        Ok(seen_at.map_or(i64::MAX, |at| {
            at.as_microsecond().saturating_add(micros(longest))
        }))
    }

    /// Returns the principal of a valid token, with its cache entry. The query was sent at `sent`, and
    /// the token was evaluated at `now`. The entry ends with the token, or when the owner is absent for too
    /// long: then the owner may have been seen meanwhile, and the token is loaded again.
    fn principal_of(
        &self,
        digest: TokenDigest,
        token: Token,
        loaded_at_epoch: u64,
        (sent, now): (Moment, Moment),
        seen_until: i64,
    ) -> Principal {
        let expires_micros = token.expires_at.map_or(i64::MAX, Timestamp::as_microsecond);
        // The expiry counts twice: as a date, checked on every hit, and here on the boot clock, which
        // cannot be set back.
        let ends = now
            .boot
            .saturating_add(expires_micros.min(seen_until).saturating_sub(now.wall));
        let cached_until = sent
            .boot
            .saturating_add(micros(self.cache.time_to_live()))
            .min(ends);
        let cached = Arc::new(CachedToken {
            digest,
            token_id: token.id,
            owner: token.owner.clone(),
            name: token.name.as_str().into(),
            expires_micros,
            loaded_at_epoch,
            sent: sent.boot,
            cached_until,
            stripes: self.epochs.stripes(token.id, &token.owner),
            is_restricted: token.scopes.is_some(),
            permitted: self.context.scopes.permitted(token.scopes.as_ref()),
            scopes: token.scopes.clone(),
            last_use: LastUseStamp::default(),
            expires_at: token.expires_at.map(DateText::new),
        });
        if !self.last_used.follow(&cached, &token) {
            let (token, owner) = (token.id, token.owner);
            let kind = EventKind::FirstUsed { token, owner };
            let (at, name) = (sent.timestamp(), Some(&*cached.name));
            let events = &self.context.events;
            events.emit_sample(at, kind, name, Client::current());
        }
        Principal(cached)
    }

    /// Records the store's time from the response to a request sent at `sent`. Invalidates the cache if
    /// the date has moved.
    pub(crate) fn observe(&self, sent: Moment, time: StoreTime) {
        if self.context.time.observe(sent.boot, time) {
            self.invalidate_all();
        }
    }

    /// The same for a request that has moved the mark.
    pub(crate) fn observe_moved(&self, sent: Moment, time: StoreTime) {
        if self.context.time.observe_moved(sent.boot, time) {
            self.invalidate_all();
        }
    }

    /// Invalidates the whole cache, and all loads that have begun.
    pub(crate) fn invalidate_all(&self) {
        self.epochs.bump_all();
        self.clear();
    }

    /// Reads from the store which tokens are in use, so that they are looked up even during a flood of
    /// unknown tokens.
    pub(crate) async fn learn_known(&self) -> Result<(), StoreError> {
        let limit = self
            .context
            .settings
            .auth_cache_max_items()
            .min(MOST_LEARNED);
        let digests = self
            .context
            .outages
            .store(LEARN_TIMEOUT, self.context.store.recent_digests(limit));
        // The latest come first, and must overwrite others in their bucket.
        for digest in digests.await?.iter().rev() {
            self.miss_limiter.note_good(digest);
        }
        Ok(())
    }

    /// Marks a token that was created here as known.
    pub(crate) fn mark_known(&self, digest: &TokenDigest) {
        self.miss_limiter.note_good(digest);
    }

    /// Records the versions that may use the store. Stops using the cache if this one may not.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if only newer versions may.
    pub(crate) fn observe_versions(&self, said: StoreVersions) -> Result<(), StoreError> {
        let was_outdated = self.context.versions.check().is_err();
        self.context
            .versions
            .observe(said, self.context.time.now().boot);
        let is_outdated = self.context.versions.check();
        if is_outdated.is_err() {
            self.epochs.expire();
            if !was_outdated {
                self.invalidate_all();
            }
        }
        is_outdated
    }

    /// Returns how many valid tokens are cached.
    pub(crate) fn cached_tokens(&self) -> usize {
        self.cache.len()
    }

    /// Empties the cache, to free memory; correctness does not depend on it.
    pub(crate) fn clear(&self) {
        self.cache.clear();
    }
}
