use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::miss_limiter::UNKNOWN_PER_SECOND;
use super::*;
use crate::caller::Caller;
use crate::memory::MemoryStore;
use crate::policy::TokenRequest;
use crate::service::Pats;
use crate::settings::Settings;
use crate::store::{Change, SCHEMA_VERSION};
use crate::testing::{RecordingSink, TestClock, TestDirectory};
use crate::token::{Owner, PlainToken, RandomnessError, TokenId};

const SECOND: Duration = Duration::from_secs(1);

struct Host {
    pats: Pats,
    clock: Arc<TestClock>,
    directory: TestDirectory,
    sink: RecordingSink,
    owner: Owner,
}

impl Host {
    fn new() -> Self {
        Self::with_store(Arc::new(MemoryStore::default()))
    }

    fn with_store(store: Arc<MemoryStore>) -> Self {
        let (clock, directory) = (Arc::<TestClock>::default(), TestDirectory::default());
        let sink = RecordingSink::default();
        let pats = Pats::builder(store)
            .users(Arc::new(directory.clone()))
            .clock(clock.clone())
            .events(Arc::new(sink.clone()))
            .build();
        let owner = directory.add("alice");
        Self {
            pats,
            clock,
            directory,
            sink,
            owner,
        }
    }

    fn auth(&self) -> &Arc<Authenticator> {
        &self.pats.0.auth
    }

    /// Creates a token that lasts for a day.
    async fn token(&self) -> (TokenId, TokenDigest) {
        let caller = Caller::cookie_authenticated(self.owner.clone());
        let request = TokenRequest::new("ci", Some(1));
        let created = self.pats.create(&caller, request).await.expect("a token");
        (created.token.id, created.plain.digest())
    }

    /// Creates a token that lasts for a day, and loads it into the cache.
    async fn cached_token(&self) -> (TokenId, TokenDigest) {
        let (id, digest) = self.token().await;
        self.load(digest).await.expect("a principal");
        assert!(self.is_hit(&digest));
        (id, digest)
    }

    async fn load(&self, digest: TokenDigest) -> AuthResult {
        Arc::clone(self.auth()).authenticate_digest(digest).await
    }

    fn is_hit(&self, digest: &TokenDigest) -> bool {
        matches!(
            self.auth().authenticate_cached(digest, Client::current),
            Some(Ok(_))
        )
    }

    /// Returns whether the cache holds a token or a refusal, current or not.
    fn is_held(&self, digest: &TokenDigest) -> bool {
        let cache = &self.auth().cache;
        cache.cached(digest, |_| true).is_some() || cache.refusal(digest, |_| true).is_some()
    }

    /// Presents more unknown tokens than a node looks up.
    fn flood(&self) {
        let auth = self.auth();
        for _ in 0..=UNKNOWN_PER_SECOND {
            auth.miss_limiter.note_unknown(auth.context.time.now());
        }
    }

    /// Returns how many first uses the event sink has received.
    async fn first_uses(&self) -> usize {
        let (context, stop) = (&self.auth().context, CancellationToken::new());
        stop.cancel();
        context.events.deliver(0, &stop, &context.outages).await;
        let events = self.sink.events();
        let is_first_use = |kind: &EventKind| matches!(kind, EventKind::FirstUsed { .. });
        events
            .iter()
            .filter(|event| is_first_use(&event.kind))
            .count()
    }
}

#[tokio::test]
async fn a_hit_lasts_until_a_change_of_its_token_or_its_owner() {
    let host = Host::new();
    let (id, digest) = host.cached_token().await;
    let changes = [
        Change::TokenChanged(id),
        Change::OwnerChanged(host.owner.clone()),
        Change::Everything,
    ];
    for change in changes {
        host.auth().epochs.bump(&change);
        assert!(!host.is_hit(&digest), "{change:?}");
        // Nothing was revoked, so the store accepts it again.
        host.load(digest).await.expect("a principal");
        assert!(host.is_hit(&digest), "{change:?}");
    }
}

#[tokio::test]
async fn a_hit_ends_with_the_token_by_either_clock() {
    let day = SignedDuration::from_hours(24);
    // After a leap is reverted, elapsed time still counts.
    for is_leap in [true, false] {
        let host = Host::new();
        let (_, digest) = host.cached_token().await;
        if is_leap {
            host.clock.step_wall(day);
        } else {
            host.clock.advance(day.unsigned_abs());
        }
        host.pats.0.now();
        assert!(!host.is_hit(&digest), "a leap: {is_leap}");
        host.clock.step_wall(-day);
        host.pats.0.now();
        assert_eq!(
            host.is_hit(&digest),
            is_leap,
            "a leap: {is_leap}, taken back"
        );
    }
}

#[tokio::test]
async fn the_refusal_of_an_inactive_owner_ends_with_a_change_or_after_ten_seconds() {
    let host = Host::new();
    let (id, digest) = host.cached_token().await;
    let change = Change::OwnerChanged(host.owner.clone());
    let is_refused = || {
        let cached = host.auth().authenticate_cached(&digest, Client::current);
        matches!(cached, Some(Err(AuthError::OwnerInactive(refused))) if refused == id)
    };
    for ends_by_change in [true, false] {
        host.directory.set_active(&host.owner, false);
        host.auth().epochs.bump(&change);
        let refused = host.load(digest).await;
        assert!(matches!(refused, Err(AuthError::OwnerInactive(_))));
        assert!(is_refused());
        host.directory.set_active(&host.owner, true);
        assert!(is_refused(), "the host has not said so");
        if ends_by_change {
            host.auth().epochs.bump(&change);
        } else {
            host.clock.advance(10 * SECOND);
        }
        assert!(!is_refused());
        host.load(digest).await.expect("a principal");
    }
}

/// A format of all strings.
#[derive(Debug)]
struct AnyString;

impl TokenFormat for AnyString {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        Ok(PlainToken::new("any".to_owned()))
    }

    fn recognizes(&self, _presented: &[u8]) -> bool {
        true
    }
}

#[test]
fn a_string_is_parsed_if_a_format_recognizes_it_and_it_is_not_too_long() {
    let pats = |format: Option<Arc<dyn TokenFormat>>| {
        let builder = Pats::builder(Arc::new(MemoryStore::default()));
        match format {
            Some(format) => builder.accept(format).build(),
            None => builder.build(),
        }
    };
    let (known, any) = (pats(None), pats(Some(Arc::new(AnyString))));
    let longest = [b'a'; MAX_TOKEN_LEN];
    assert_eq!(any.parse(&longest).ok(), Some(TokenDigest::of(&longest)));
    for (pats, presented) in [(&any, &[b'a'; MAX_TOKEN_LEN + 1][..]), (&known, b"any")] {
        let parsed = pats.parse(presented);
        assert!(matches!(parsed, Err(AuthError::Unrecognized)));
    }
}

#[tokio::test]
async fn a_cache_entry_ends_at_its_time() {
    let host = Host::new();
    let (_, digest) = host.cached_token().await;
    let (principal, now) = host.auth().find_cached(&digest).expect("a hit");
    let ends = principal.0.cached_until;
    let is_current = |boot| {
        let at = Moment { boot, ..now };
        host.auth().is_current(&principal.0, at)
    };
    assert!(is_current(ends - 1) && !is_current(ends));
}

#[tokio::test]
async fn a_shared_load_answers_the_requests_for_which_it_is_recent_enough() {
    let host = Host::new();
    let (id, digest) = host.cached_token().await;
    let auth = host.auth();
    let valid = Arc::clone(auth).load(digest).await;
    host.directory.set_active(&host.owner, false);
    auth.epochs.bump(&Change::OwnerChanged(host.owner.clone()));
    let refused = Arc::clone(auth).load(digest).await;
    assert!(valid.is_ok() && refused.is_err());
    let unknown = Arc::clone(auth).load(TokenDigest::of(b"unknown")).await;
    // Loaded before the change, which the request must see.
    let now = auth.context.time.now();
    assert!(!auth.is_recent_enough(&valid, now));

    let later = now.later(1);
    let requests = |loaded| [now, later].map(|at| auth.is_recent_enough(loaded, at));
    assert_eq!(requests(&refused), [true, true], "the cache is fresh");
    auth.epochs.expire();
    assert_eq!(requests(&refused), [true, false], "sent at {now:?}");
    assert_eq!(requests(&unknown), [true, true], "final");
    auth.epochs.bump(&Change::TokenChanged(id));
    assert_eq!(requests(&refused), [false, false], "changed since");
}

#[tokio::test]
async fn a_date_that_moves_invalidates_all_that_was_loaded_before() {
    let observes: [fn(&Authenticator, Moment, StoreTime); 2] =
        [Authenticator::observe, Authenticator::observe_moved];
    for observe in observes {
        let host = Host::new();
        let (_, digest) = host.cached_token().await;
        let unknown = TokenDigest::of(b"unknown");
        assert!(host.load(unknown).await.is_err());
        let auth = host.auth();
        let before = auth.context.time.now();
        let loaded = Arc::clone(auth).load(digest).await;
        observe(auth, before, StoreTime::default());
        assert!(host.is_hit(&digest), "it has not moved");
        assert!(auth.is_recent_enough(&loaded, before));
        host.clock.step_wall(SignedDuration::from_hours(1));
        observe(auth, before, StoreTime::default());
        assert!(!auth.is_recent_enough(&loaded, before), "a load under way");
        assert!(!host.is_held(&digest) && !host.is_held(&unknown));
    }
}

#[tokio::test]
async fn an_outdated_node_stops_using_its_cache_once_and_its_store_each_time() {
    let host = Host::new();
    let (_, digest) = host.cached_token().await;
    let auth = host.auth();
    let versions = |readable_from| StoreVersions {
        version: SCHEMA_VERSION + 1,
        readable_from,
    };
    let epoch = auth.epochs.current();
    let observed = auth.observe_versions(versions(SCHEMA_VERSION));
    assert!(observed.is_ok() && host.is_hit(&digest));
    for _ in 0..2 {
        let observed = auth.observe_versions(versions(SCHEMA_VERSION + 1));
        assert!(matches!(observed, Err(StoreError::Outdated { .. })));
        assert!(!auth.epochs.is_fresh(auth.context.time.now()));
        assert!(!host.is_held(&digest));
        assert_eq!(auth.epochs.current(), epoch + 1);
    }
}

#[tokio::test]
async fn tokens_of_the_store_and_new_ones_are_looked_up_during_a_flood() {
    let store = Arc::new(MemoryStore::default());
    let (host, other) = (Host::with_store(store.clone()), Host::with_store(store));
    let (_, digest) = other.token().await;
    host.flood();
    let refused = host.load(digest).await;
    assert!(matches!(
        refused,
        Err(AuthError::Unavailable(Unavailable::TooManyUnknown))
    ));
    host.auth().learn_known().await.expect("they are read");
    host.load(digest).await.expect("a token of the store");
    let (_, new) = host.token().await;
    host.load(new).await.expect("a new token");
}

#[tokio::test]
async fn the_first_use_of_a_token_is_an_event_and_later_ones_are_not() {
    let host = Host::new();
    let (id, digest) = host.token().await;
    assert_eq!(host.first_uses().await, 0);
    for _ in 0..2 {
        host.load(digest).await.expect("a principal");
        assert_eq!(host.first_uses().await, 1);
        host.auth().epochs.bump(&Change::TokenChanged(id));
    }
}

#[tokio::test]
async fn tokens_of_absent_owners_are_refused_until_the_host_sees_them_again() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (store, clock) = (
        Arc::new(MemoryStore::default()),
        Arc::<TestClock>::default(),
    );
    let directory = TestDirectory::default();
    let owner = directory.add("alice");
    let service = |days| {
        let settings = Settings::builder().owner_max_absence_days(days);
        Pats::builder(store.clone())
            .settings(settings.build().expect("settings"))
            .users(Arc::new(directory.clone()))
            .clock(clock.clone())
            .build()
    };
    let (pats, without_limit) = (service(30), service(0));
    let caller = Caller::cookie_authenticated(owner.clone());
    let request = TokenRequest::new("ci", None);
    let created = pats.create(&caller, request).await.expect("a token");
    let presented = created.plain.expose().as_bytes();
    let refusal = async || {
        let result = pats.authenticate(presented).await;
        result.err().map(|error| error.reason())
    };
    clock.advance(100 * DAY);
    assert_eq!(refusal().await, None, "the host has not reported the owner");
    pats.user_seen(&owner).await.expect("recorded");
    clock.advance(DAY / 2);
    // Answered from memory, so the absence counts from the first report.
    pats.user_seen(&owner).await.expect("recorded");
    clock.advance(29 * DAY);
    clock.advance((DAY / 2).saturating_sub(SECOND));
    assert_eq!(refusal().await, None);
    clock.advance(SECOND);
    assert_eq!(refusal().await, Some("owner_absent"), "from the cache too");
    assert!(without_limit.authenticate(presented).await.is_ok());
    assert_eq!(refusal().await, Some("owner_absent"));
    pats.user_seen(&owner).await.expect("recorded");
    assert_eq!(refusal().await, None, "at once");
    // Seen again before the cached token ends: it goes on.
    clock.advance(20 * DAY);
    assert_eq!(refusal().await, None);
    pats.user_seen(&owner).await.expect("recorded");
    clock.advance(15 * DAY);
    assert_eq!(refusal().await, None);
}
