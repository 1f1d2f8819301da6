//! The promises.

use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::Model;
use crate::anchor::Anchor;
use crate::auth::epochs::Epochs;
use crate::auth::single_flight::SingleFlight;
use crate::clock::Moment;
use crate::outage::Outages;
use crate::store::Change;
use crate::token::{Owner, TokenDigest, TokenId};

/// All promises, each with its model.
pub const MODELS: [Model; 6] = [
    (
        "after its acknowledgement no load from before a revocation is used",
        a_load_from_before_a_revocation,
    ),
    (
        "an entry that another thread loaded is not used after the acknowledgement either",
        an_entry_from_before_a_revocation,
    ),
    (
        "a change that another thread makes at the same time hides no revocation",
        a_revocation_beside_another_change,
    ),
    (
        "a cache that a poll has made fresh is used with the changes of that poll",
        a_poll_before_freshness,
    ),
    (
        "a coarse reading of the boot clock is never behind a suspension",
        a_suspension,
    ),
    (
        "requests at the same time share a load, and one after it begins another",
        requests_that_share_a_load,
    ),
];

/// One, since the hashers are seeded at random, and a model must not depend on that.
const STRIPES: u16 = 1;

/// What the threads of one model share: a node's epochs, and the row of a token in the database.
struct Fixture {
    epochs: Epochs,
    token: TokenId,
    owner: Owner,
    /// Read and written without any order: the database is another process.
    is_revoked: AtomicBool,
    /// Whether the client has been told. A client's next request comes after that.
    is_acknowledged: AtomicBool,
}

impl Fixture {
    fn new(is_shared: bool) -> Arc<Self> {
        Arc::new(Self {
            epochs: Epochs::with_stripes(STRIPES, is_shared),
            token: TokenId::new(1).expect("an ID"),
            owner: Owner::new("alice").expect("an owner"),
            is_revoked: AtomicBool::new(false),
            is_acknowledged: AtomicBool::new(false),
        })
    }

    fn revoke(&self, change: &Change) {
        self.is_revoked.store(true, Ordering::Relaxed);
        self.epochs.bump(change);
        self.is_acknowledged.store(true, Ordering::Release);
    }

    /// Returns the epoch of a load that found a valid token.
    fn load(&self) -> Option<u64> {
        let loaded_at_epoch = self.epochs.current();
        let is_valid = !self.is_revoked.load(Ordering::Relaxed);
        is_valid.then_some(loaded_at_epoch)
    }

    /// Uses what was loaded, if it is current.
    fn check(&self, loaded: Option<u64>) {
        let was_acknowledged = self.is_acknowledged.load(Ordering::Acquire);
        let stripes = self.epochs.stripes(self.token, &self.owner);
        let is_used = loaded.is_some_and(|loaded| self.epochs.is_current(stripes, loaded));
        assert!(!(is_used && was_acknowledged), "a revoked token is used");
    }

    /// The changes that end the use of the token.
    fn changes(&self) -> [Change; 3] {
        [
            Change::TokenChanged(self.token),
            Change::OwnerChanged(self.owner.clone()),
            Change::Everything,
        ]
    }
}

/// Explores the executions in which threads are interrupted at most `interruptions` times, each with
/// every value that a load may return.
fn check(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(model);
}

/// Checks a model for each kind of change.
fn for_each_change(model: fn(&Arc<Fixture>, Change)) {
    for kind in 0..3 {
        check(3, move || {
            let fixture = Fixture::new(false);
            let [token, owner, all] = fixture.changes();
            model(&fixture, [token, owner, all][kind].clone());
        });
    }
}

fn a_load_from_before_a_revocation() {
    for_each_change(|fixture, change| {
        let writer = Arc::clone(fixture);
        thread::spawn(move || writer.revoke(&change));
        fixture.check(fixture.load());
    });
}

fn an_entry_from_before_a_revocation() {
    for_each_change(|fixture, change| {
        let cache = Arc::new(Mutex::new(None));
        let (writer, other, inserted) =
            (Arc::clone(fixture), Arc::clone(fixture), Arc::clone(&cache));
        thread::spawn(move || writer.revoke(&change));
        thread::spawn(move || {
            let loaded = other.load();
            *inserted.lock().expect("no thread panics") = loaded;
        });
        let entry = *cache.lock().expect("no thread panics");
        fixture.check(entry);
    });
}

fn a_revocation_beside_another_change() {
    for_each_change(|fixture, change| {
        let (writer, other) = (Arc::clone(fixture), Arc::clone(fixture));
        thread::spawn(move || writer.revoke(&change));
        thread::spawn(move || {
            let token = TokenId::new(2).expect("an ID");
            other.epochs.bump(&Change::TokenChanged(token));
        });
        fixture.check(fixture.load());
    });
}

fn a_poll_before_freshness() {
    for kind in 0..3 {
        check(3, move || {
            let fixture = Fixture::new(true);
            let loaded = fixture.load().expect("a valid token");
            let poll = Arc::clone(&fixture);
            thread::spawn(move || {
                poll.epochs.bump(&poll.changes()[kind]);
                poll.epochs.extend_until(10);
            });
            let stripes = fixture.epochs.stripes(fixture.token, &fixture.owner);
            let is_used = fixture.epochs.is_fresh(Moment { boot: 9, wall: 0 })
                && fixture.epochs.is_current(stripes, loaded);
            assert!(!is_used, "an entry from before the poll is used");
        });
    }
}

fn a_suspension() {
    check(3, || {
        let anchor = Arc::new(Anchor::new());
        // In seconds: 5 since the start, and 1,000 between the dates.
        let at = |anchor: &Anchor, suspended: i64| {
            let seconds = |count: i64| count * 1_000_000_000;
            let boot = anchor.boot(seconds(5), seconds(1_005 + suspended), || {
                seconds(suspended)
            });
            boot / seconds(1)
        };
        assert_eq!(at(&anchor, 0), 5);
        let threads = [0, 1].map(|_| {
            let anchor = Arc::clone(&anchor);
            thread::spawn(move || assert_eq!(at(&anchor, 30), 35, "the suspension is missing"))
        });
        assert_eq!(at(&anchor, 30), 35, "the suspension is missing");
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

fn requests_that_share_a_load() {
    check(2, || {
        let flight = Arc::new(SingleFlight::default());
        let begun = Arc::new(AtomicU32::new(0));
        let running = Arc::new(AtomicU32::new(0));
        let digest = TokenDigest::of(b"a token");
        let join =
            move |flight: &SingleFlight, begun: &Arc<AtomicU32>, running: &Arc<AtomicU32>| {
                let (begun, running) = (Arc::clone(begun), Arc::clone(running));
                let load = async move {
                    assert_eq!(
                        running.fetch_add(1, Ordering::AcqRel),
                        0,
                        "two loads at a time"
                    );
                    let number = begun.fetch_add(1, Ordering::AcqRel) + 1;
                    running.fetch_sub(1, Ordering::AcqRel);
                    Ok(number)
                };
                block_on(flight.join(digest, load, &Outages)).expect("a load that ends")
            };
        let (other, its_begun, its_running) = (
            Arc::clone(&flight),
            Arc::clone(&begun),
            Arc::clone(&running),
        );
        let thread = thread::spawn(move || join(&other, &its_begun, &its_running));
        let first = join(&flight, &begun, &running);
        let second = join(&flight, &begun, &running);
        assert!(second > first, "a load that has ended is joined");
        thread.join().expect("no panic");
    });
}
