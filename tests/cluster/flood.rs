//! A flood of well-formed tokens that nobody has: what it costs in memory and in queries, and what
//! those notification who present good ones meanwhile.
//!
//! `PAT_TEST_FLOOD_TOKENS` says how many; 300,000 unless set.

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::format::{PrefixedFormat, TokenFormat as _, TokenPrefix};
use pat_core::testing::TestClock;
use pat_core::{AuthError, Caller, MemoryStore, Owner, Pats, TokenRequest, Unavailable};
use pat_harness::fault_store::FaultStore;
use pat_harness::memory::resident_kib;
use pat_harness::{blocking_trial, timer_now, trial};
use pat_servers::environment::number;

/// Makes the test program be the flood.
pub(crate) const AS_FLOOD: &str = "PAT_TEST_AS_FLOOD";

const TOKENS: &str = "PAT_TEST_FLOOD_TOKENS";
/// How many clients there are at a time.
const CLIENTS: usize = 64;
/// How many good tokens there are.
const GOOD: usize = 1_000;
/// Every so many tokens a client presents a good one.
const GOOD_EVERY: usize = 20;
/// Promise D6.
const MAX_GROWTH_KIB: u64 = 32 * 1024;
/// What the layer looks up at most, in a second and at once.
const UNKNOWN_PER_SECOND: u64 = 2_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        blocking_trial(a_flood_of_unknown_tokens_does_not_affect_valid_ones),
        trial(a_started_node_tells_tokens_in_use_from_unknown_ones),
    ]
}

fn a_flood_of_unknown_tokens_does_not_affect_valid_ones() {
    let mut command = Command::new(std::env::current_exe().expect("its path"));
    let output = command.env(AS_FLOOD, "1").output();
    let output = output.expect("a process");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

pub(crate) fn flood_as_process() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(flood());
    ExitCode::SUCCESS
}

async fn flood() {
    let total: usize = number(TOKENS, 300_000);
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let pats = Pats::builder(Arc::new(store.clone())).build();
    let good = good_tokens(&pats).await;
    let idle = present(&pats, &good, 0, GOOD * 20).await;
    let (lookups, found, memory) = (store.lookups(), store.found(), resident_kib());

    let start = timer_now();
    let clients = (0..CLIENTS).map(|client| {
        let (pats, good) = (pats.clone(), good.clone());
        let offset = client * 7;
        tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut most = 0;
            let mut left = total / CLIENTS;
            while left > 0 {
                let junk = left.min(1_000);
                seen.add(&present_mixed(&pats, &good, offset, junk).await);
                most = most.max(resident_kib());
                left -= junk;
            }
            (seen, most)
        })
    });
    let (mut seen, mut most) = (Seen::default(), 0);
    for client in futures_util::future::join_all(clients).await {
        let (by_client, memory) = client.expect("a client that did not panic");
        seen.add(&by_client);
        most = most.max(memory);
    }
    let elapsed = start.elapsed();

    let growth = most.saturating_sub(memory);
    let reloaded = store.found() - found;
    let queries = store.lookups() - lookups - reloaded;
    println!(
        "{} junk tokens in {:.1} s: {growth} KiB more memory, {queries} queries for junk, \
         {} refused without a query; {} good tokens presented, {reloaded} of them looked up; \
         in the median {} ns, {} ns before the flood",
        seen.unknown + seen.put_off,
        elapsed.as_secs_f64(),
        seen.put_off,
        seen.good.count(),
        seen.good.median_nanos(),
        idle.good.median_nanos(),
    );
    assert!(growth <= MAX_GROWTH_KIB, "{growth} KiB");
    // What is looked up in a second, a second's worth at once, and what was under way meanwhile.
    let allowed = UNKNOWN_PER_SECOND * (elapsed.as_secs() + 2) + CLIENTS as u64;
    assert!(queries as u64 <= allowed, "{queries} of {allowed} queries");
    assert!(
        reloaded as u64 * 100 <= seen.good.count(),
        "{reloaded} looked up"
    );
}

/// A node that has just started tells tokens in use, and those created lately, from junk.
async fn a_started_node_tells_tokens_in_use_from_unknown_ones() {
    let store = Arc::new(MemoryStore::default());
    let before = Pats::builder(store.clone()).build();
    let good = good_tokens(&before).await;
    before.flush_last_use().await.expect("last uses");
    let is_known_at_once = async |is_started: bool| {
        // Its time stands still, so that those who wait do so for ever.
        let clock = Arc::new(TestClock::default());
        let node = Pats::builder(store.clone()).clock(clock).build();
        let jobs = is_started.then(|| node.start());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let format = PrefixedFormat::new(TokenPrefix::default());
        let mut looked_up = 0;
        loop {
            let junk = format.generate().expect("randomness");
            match node.authenticate(junk.expose().as_bytes()).await {
                Err(AuthError::Unknown) => looked_up += 1,
                Err(AuthError::Unavailable(Unavailable::TooManyUnknown)) => break,
                other => panic!("junk is answered with {other:?}"),
            }
            assert!(looked_up < 10_000, "there is no end to what is looked up");
        }
        let mut known = 0;
        for token in &good {
            known += usize::from(node.authenticate(token.as_bytes()).await.is_ok());
        }
        drop(jobs);
        known
    };
    // By chance some may share what they are known by.
    let known = is_known_at_once(true).await;
    assert!(known * 100 >= GOOD * 99, "{known}");
    assert!(
        is_known_at_once(false).await < GOOD,
        "it is by what is learned"
    );
}

async fn good_tokens(pats: &Pats) -> Vec<String> {
    let mut good = Vec::with_capacity(GOOD);
    for number in 0..GOOD {
        let owner = Owner::new(format!("user{number}")).expect("an owner");
        let request = TokenRequest::new("ci", Some(90));
        let created = pats
            .create(&Caller::header_authenticated(owner), request)
            .await;
        let token = created.expect("a token").plain.expose().to_owned();
        pats.authenticate(token.as_bytes()).await.expect("good");
        good.push(token);
    }
    good
}

/// What clients have seen.
#[derive(Default)]
struct Seen {
    /// How many were refused as unknown, and how many because there were too many.
    unknown: u64,
    put_off: u64,
    /// How many answers about good tokens took how long, in steps of a fiftieth of a microsecond: of a
    /// fixed size, because memory is what is measured.
    good: Histogram,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.unknown += other.unknown;
        self.put_off += other.put_off;
        self.good.add(&other.good);
    }
}

async fn present_mixed(pats: &Pats, good: &[String], offset: usize, junk: usize) -> Seen {
    let format = PrefixedFormat::new(TokenPrefix::default());
    let mut seen = Seen::default();
    for number in 0..junk {
        let token = format.generate().expect("randomness");
        match pats.authenticate(token.expose().as_bytes()).await {
            Err(AuthError::Unknown) => seen.unknown += 1,
            Err(AuthError::Unavailable(Unavailable::TooManyUnknown)) => seen.put_off += 1,
            other => panic!("junk is answered with {other:?}"),
        }
        if number.is_multiple_of(GOOD_EVERY) {
            seen.add(&present(pats, good, offset + number, 1).await);
        }
    }
    seen
}

/// Presents this many good tokens, and takes the time.
async fn present(pats: &Pats, good: &[String], offset: usize, count: usize) -> Seen {
    let mut seen = Seen::default();
    for token in good.iter().cycle().skip(offset % GOOD).take(count) {
        let start = timer_now();
        let verdict = pats.authenticate(token.as_bytes()).await;
        seen.good.note(start.elapsed());
        verdict.expect("a good token is accepted during a flood");
    }
    seen
}

struct Histogram([u64; 500]);

const STEP_NANOS: u128 = 20;

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 500])
    }
}

impl Histogram {
    fn note(&mut self, took: Duration) {
        let step = usize::try_from(took.as_nanos() / STEP_NANOS).expect("short");
        self.0[step.min(499)] += 1;
    }

    fn add(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            *mine += others;
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    fn median_nanos(&self) -> u128 {
        let (half, mut passed) = (self.count() / 2, 0);
        let step = self.0.iter().position(|count| {
            passed += count;
            passed > half
        });
        step.unwrap_or_default() as u128 * STEP_NANOS
    }
}
