//! The decision whether a presented token authenticates: cache, floors, single flight.

mod cache;
mod flights;
mod flood;
mod floors;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use self::cache::{Cache, REFUSAL_TTL};
use self::flights::Flights;
use self::flood::Flood;
pub(crate) use self::floors::{Floors, Place};
use crate::clock::{Moment, Time, micros};
use crate::cluster::versions::Versions;
use crate::event::{EventKind, Events};
use crate::metrics::Metrics;
use crate::outage::Outages;
use crate::principal::{Grant, LastUseStamp};
use crate::settings::Settings;
use crate::store::{StoreTime, StoreVersions};
use crate::token::{Invalid, TokenFormat};
use crate::usage::Usage;
use crate::{
    AuthError, DateText, Principal, StoreError, Token, TokenDigest, TokenStore, Unavailable,
    UserDirectory,
};

/// Longest string that is looked at as a token, in bytes.
pub const MAX_TOKEN_LEN: usize = 256;

/// How many of the tokens that were used last, and of those created last, a node learns at its start:
/// three megabytes of each.
const MOST_LEARNED: u32 = 100_000;
/// How long the store may take to name them.
const LEARN_TIMEOUT: Duration = Duration::from_secs(30);

/// How near the end of a token, grant or lease the time is read precisely, in microseconds: ten times
/// as much as coarse time may be behind.
const ENDS_SOON: i64 = 1_000_000;

/// Decides about presented tokens.
#[derive(Debug)]
pub(crate) struct Authenticator {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) directory: Arc<dyn UserDirectory>,
    pub(crate) formats: Vec<Arc<dyn TokenFormat>>,
    pub(crate) time: Time,
    pub(crate) floors: Floors,
    pub(crate) usage: Usage,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) versions: Versions,
    pub(crate) outages: Arc<Outages>,
    cache: Cache,
    flood: Flood,
    flights: Flights,
}

/// What a load found out, shared by all requests that waited for it.
pub(crate) type Verdict = Result<Principal, AuthError>;

/// The same, with what tells how long a refusal stands.
type Loaded = Result<Principal, Refusal>;

/// Why a token is refused.
#[derive(Debug, Clone)]
struct Refusal {
    error: AuthError,
    /// Boot time at which the question was sent, in microseconds.
    sent: i64,
    /// For an owner who is gone or not active: he may be back at any time. Where his floors are, and
    /// their stamp from before the question.
    owner_epoch: Option<(Place, u64)>,
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self {
            error,
            sent: 0,
            owner_epoch: None,
        }
    }
}

impl Authenticator {
    pub(crate) fn new(
        settings: Arc<Settings>,
        store: Arc<dyn TokenStore>,
        directory: Arc<dyn UserDirectory>,
        formats: Vec<Arc<dyn TokenFormat>>,
        time: Time,
        events: Events,
        outages: Arc<Outages>,
    ) -> Self {
        Self {
            cache: Cache::new(&settings),
            flood: Flood::new(settings.auth_cache_max_items()),
            floors: Floors::new(store.is_shared()),
            flights: Flights::default(),
            usage: Usage::default(),
            metrics: Metrics::new(),
            versions: Versions::default(),
            outages,
            settings,
            store,
            directory,
            formats,
            time,
            events,
        }
    }

    /// Recognises a token string and digests it; no I/O.
    pub(crate) fn recognize(&self, presented: &[u8]) -> Result<TokenDigest, AuthError> {
        let error = match (self.settings.enabled(), self.digest_of(presented)) {
            (true, Some(digest)) => return Ok(digest),
            (false, Some(_)) => AuthError::Disabled,
            (_, None) => AuthError::Foreign,
        };
        self.metrics.refused(&error);
        self.events.emit_refusal(self.time.now(), &error);
        Err(error)
    }

    /// The digest of what looks like one of our tokens.
    pub(crate) fn digest_of(&self, presented: &[u8]) -> Option<TokenDigest> {
        let is_ours = presented.len() <= MAX_TOKEN_LEN
            && self
                .formats
                .iter()
                .any(|format| format.recognizes(presented));
        is_ours.then(|| TokenDigest::of(presented))
    }

    /// Decides from memory alone, if that is possible; notes the use.
    pub(crate) fn check_cached(&self, digest: &TokenDigest) -> Option<Verdict> {
        if let Some((principal, now)) = self.known_grant(digest) {
            principal.note_use(now);
            self.metrics.hit();
            self.metrics.accepted();
            return Some(Ok(principal));
        }
        let Some(error) = self.known_refusal(digest) else {
            self.metrics.miss();
            return None;
        };
        self.metrics.hit();
        self.metrics.refused(&error);
        self.events.emit_repeated_refusal(self.time.now(), &error);
        Some(Err(error))
    }

    /// A grant from the cache that still stands, and the time at which it does.
    fn known_grant(&self, digest: &TokenDigest) -> Option<(Principal, Moment)> {
        let mut now = None;
        let principal = self.cache.grant(digest, |grant| {
            now = self.standing(grant);
            now.is_some()
        });
        principal.zip(now)
    }

    /// A refusal from the cache that still stands.
    fn known_refusal(&self, digest: &TokenDigest) -> Option<AuthError> {
        self.cache.refusal(digest, |refusal| {
            let now = self.time.now();
            let is_current =
                |(place, seen)| self.floors.is_fresh(now) && self.floors.is_current(place, seen);
            now.boot < refusal.sent.saturating_add(micros(REFUSAL_TTL))
                && refusal.owner_epoch.is_none_or(is_current)
        })
    }

    /// The time now, if the grant still stands.
    ///
    /// Coarse time will do as long as nothing ends soon.
    fn standing(&self, grant: &Grant) -> Option<Moment> {
        let now = self.time.coarse();
        if self.stands(grant, now.later(ENDS_SOON)) {
            return Some(now);
        }
        let now = self.time.now();
        self.stands(grant, now).then_some(now)
    }

    fn stands(&self, grant: &Grant, now: Moment) -> bool {
        self.floors.allows_cached(grant, now) && !grant.is_expired(now)
    }

    /// Decides from the database; notes the use.
    ///
    /// However many ask about one digest at a time, one load answers them all. It runs in a task of
    /// its own, so that it harms nobody when the request that began it is dropped.
    pub(crate) async fn check(self: Arc<Self>, digest: TokenDigest) -> Verdict {
        let verdict = Arc::clone(&self).check_in_time(digest).await;
        match &verdict {
            Ok(_) => self.metrics.accepted(),
            Err(error) => self.metrics.refused(error),
        }
        verdict
    }

    async fn check_in_time(self: Arc<Self>, digest: TokenDigest) -> Verdict {
        let deadline = self.settings.auth_database_timeout();
        let Ok(verdict) = timeout(deadline, Arc::clone(&self).look_up(digest)).await else {
            return Err(AuthError::Unavailable(self.outages.gave_up()));
        };
        let (principal, now) = (verdict?, self.time.now());
        if principal.0.is_expired(now) {
            return Err(AuthError::Expired(principal.token_id()));
        }
        principal.note_use(now);
        Ok(principal)
    }

    async fn look_up(self: Arc<Self>, digest: TokenDigest) -> Verdict {
        let started = self.time.now();
        if !self.flood.admits(&digest, started) {
            return Err(AuthError::Unavailable(Unavailable::TooManyUnknown));
        }
        loop {
            let load = Arc::clone(&self).load(digest);
            let loaded = self.flights.join(digest, load, &self.outages).await;
            // A load that somebody else began may have read the row before a change that this
            // request must see. Then it asks again.
            if self.covers(&loaded, started) {
                return loaded.map_err(|refusal| refusal.error);
            }
        }
    }

    /// Whether what a load found may answer a request that came at `started`.
    fn covers(&self, loaded: &Loaded, started: Moment) -> bool {
        let (place, seen, sent) = match loaded {
            Ok(Principal(grant)) => (grant.place, grant.seen, grant.sent),
            Err(refusal) => match refusal.owner_epoch {
                Some((place, seen)) => (place, seen, refusal.sent),
                None => return true,
            },
        };
        // An older one may, like one from the cache, only while all changes are known: nobody waits
        // for a node that does not follow them.
        let may_be_older = self.floors.is_fresh(self.time.now());
        (may_be_older || sent >= started.boot) && self.floors.is_current(place, seen)
    }

    async fn load(self: Arc<Self>, digest: TokenDigest) -> Loaded {
        // Another load may have ended since the request looked into the cache.
        if let Some((principal, _)) = self.known_grant(&digest) {
            return Ok(principal);
        }
        if let Some(error) = self.known_refusal(&digest) {
            return Err(error.into());
        }
        let seen = self.floors.stamp();
        let sent = self.time.now();
        let loaded = self.judge(digest, seen, sent).await;
        let loaded = loaded.map_err(|refusal| Refusal {
            sent: sent.boot,
            ..refusal
        });
        match &loaded {
            Ok(principal) => {
                self.flood.note_good(&digest);
                self.cache.keep_grant(principal);
            }
            Err(refusal) => {
                if let AuthError::Unknown = refusal.error {
                    self.flood.note_unknown(sent);
                }
                if refusal.owner_epoch.is_some() {
                    self.flood.note_refused(&digest, sent);
                }
                self.cache.keep_refusal(digest, refusal);
                self.events.emit_refusal(sent, &refusal.error);
            }
        }
        loaded
    }

    async fn judge(&self, digest: TokenDigest, seen: u64, sent: Moment) -> Loaded {
        let limit = self.settings.auth_database_timeout();
        let found = self
            .outages
            .store(limit, self.store.find_by_digest(&digest))
            .await;
        let found = found.map_err(|error| AuthError::Unavailable(error.into()))?;
        self.observe(sent, found.time);
        let may_use = self.observe_versions(found.versions);
        may_use.map_err(|error| AuthError::Unavailable(error.into()))?;
        let token = found.token.ok_or(AuthError::Unknown)?;
        let now = self.time.now();
        token
            .validity(now.timestamp())
            .map_err(|invalid| match invalid {
                Invalid::Revoked => AuthError::Revoked(token.id),
                Invalid::Expired => AuthError::Expired(token.id),
            })?;
        let owner = self
            .outages
            .directory(limit, self.directory.find(&token.owner))
            .await;
        let error = match owner.map_err(AuthError::Unavailable)? {
            Some(owner) if owner.is_active => {
                return Ok(self.grant(digest, token, seen, (sent, now)));
            }
            Some(_) => AuthError::OwnerInactive(token.id),
            None => AuthError::OwnerGone(token.id),
        };
        let place = self.floors.place(token.id, &token.owner);
        Err(Refusal {
            owner_epoch: Some((place, seen)),
            ..error.into()
        })
    }

    /// The decision that a token is good, which was asked for at the first of these times and made
    /// at the second.
    fn grant(
        &self,
        digest: TokenDigest,
        token: Token,
        seen: u64,
        (sent, now): (Moment, Moment),
    ) -> Principal {
        let expires_micros = token.expires_at.map_or(i64::MAX, Timestamp::as_microsecond);
        // Its end counts twice: as a date, which is checked on every hit, and here on the boot
        // clock, which nobody can set back.
        let ends = now
            .boot
            .saturating_add(expires_micros.saturating_sub(now.wall));
        let cached_until = sent
            .boot
            .saturating_add(micros(self.cache.time_to_live()))
            .min(ends);
        let grant = Arc::new(Grant {
            digest,
            token_id: token.id,
            owner: token.owner.clone(),
            name: token.name.as_str().into(),
            expires_micros,
            seen,
            sent: sent.boot,
            cached_until,
            place: self.floors.place(token.id, &token.owner),
            last_use: LastUseStamp::default(),
            expires_at: token.expires_at.map(DateText::new),
        });
        if !self.usage.follow(&grant, &token) {
            let (token, owner) = (token.id, token.owner);
            let kind = EventKind::FirstUsed { token, owner };
            self.events.emit_sample(sent.timestamp(), kind);
        }
        Principal(grant)
    }

    /// Takes over what the store has said of the time, in an answer to a question that was sent then.
    /// If the date has moved, everything is judged anew.
    pub(crate) fn observe(&self, sent: Moment, time: StoreTime) {
        if self.time.observe(sent.boot, time) {
            self.judge_anew();
        }
    }

    /// The same, of an answer to a question that has moved the mark.
    pub(crate) fn observe_moved(&self, sent: Moment, time: StoreTime) {
        if self.time.observe_moved(sent.boot, time) {
            self.judge_anew();
        }
    }

    /// Takes nothing that was judged before this for granted.
    pub(crate) fn judge_anew(&self) {
        self.floors.raise_all();
        self.clear();
    }

    /// Learns from the store which tokens are in use, so that they need not wait if there is a flood
    /// of unknown ones before they are first presented here.
    pub(crate) async fn learn_known(&self) -> Result<(), StoreError> {
        let limit = self.settings.auth_cache_max_items().min(MOST_LEARNED);
        let digests = self
            .outages
            .store(LEARN_TIMEOUT, self.store.recent_digests(limit));
        // The latest come first, and are to stay where several share a place.
        for digest in digests.await?.iter().rev() {
            self.flood.note_good(digest);
        }
        Ok(())
    }

    /// Expects a token that was created here to be presented soon.
    pub(crate) fn expect(&self, digest: &TokenDigest) {
        self.flood.note_good(digest);
    }

    /// Takes in what the store has just said of the versions that may use it.
    ///
    /// # Errors
    /// This one may not. From then on nothing is taken from the cache.
    pub(crate) fn observe_versions(&self, said: StoreVersions) -> Result<(), StoreError> {
        let was_outdated = self.versions.check().is_err();
        self.versions.observe(said, self.time.now().boot);
        let is_outdated = self.versions.check();
        if is_outdated.is_err() {
            self.floors.end_lease();
            if !was_outdated {
                self.judge_anew();
            }
        }
        is_outdated
    }

    /// Forgets all that is cached; a matter of memory, not of correctness.
    pub(crate) fn clear(&self) {
        self.cache.clear();
    }
}
