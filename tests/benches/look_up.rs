//! What it costs to find a decision by its digest in each structure that could hold the known tokens:
//! look up, count the reference, write the last use, drop it.
//!
//! `cargo bench -p pat-benches --bench look_up` takes turns between all of them, with 5,000 entries and
//! with 1,000,000 (two gigabytes of memory), and writes a Markdown table into `benchmarks`, or
//! into the folder that `PAT_BENCH_OUTPUT` names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwapOption;
use pat_benches::turns::{self, Choice, Keys, Serve, Stack};
use pat_core::TokenDigest;

/// Entries, and how many turns each has.
const SIZES: [(usize, usize); 2] = [(5_000, 101), (1_000_000, 5)];

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let load_before = pat_benches::load();
    let mut rows = String::new();
    for (count, rounds) in SIZES {
        for measured in turns::measure(&stacks(count), rounds) {
            let (uniform, hot) = (measured.uniform, measured.hot);
            let (uniform_beside, hot_beside) = (measured.uniform_beside, measured.hot_beside);
            writeln!(
                rows,
                "| {count} | {} | {uniform:.0} | {hot:.0} | {uniform_beside:.0} | {hot_beside:.0} |",
                measured.name
            )
            .expect("a string takes it");
        }
    }
    let table = format!(
        "# Where the known tokens could be kept\n\n\
         {}, by `cargo bench -p pat-benches --bench look_up`; medians, in nanoseconds.\n\n\
         | entries | structure | uniform | hot | two threads, uniform | hot |\n\
         |---:|---|---:|---:|---:|---:|\n{rows}",
        pat_benches::surroundings(&load_before)
    );
    print!("{table}");
    pat_benches::write("look_up.md", &table);
}

/// As long as a decision, and what is read and written of it where it is there.
#[repr(C)]
struct Entry {
    digest: Digest,
    read: [u64; 4],
    last_use: AtomicU64,
    rest: [u64; 12],
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Digest([u8; 32]);

impl Digest {
    /// The first eight bytes, which nobody can choose.
    fn number(&self) -> u64 {
        let (first, _) = self.0.split_first_chunk().expect("32 bytes");
        u64::from_le_bytes(*first)
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number());
    }
}

/// Takes the number as it is.
#[derive(Default, Clone, Copy)]
struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a digest is one number");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Build = BuildHasherDefault<ByNumber>;

/// A structure that could hold the known tokens.
trait Table: Send + Sync + 'static {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>>;
    fn put(&mut self, entry: Arc<Entry>);
}

/// The least: no other thread may touch it.
impl Table for HashMap<Digest, Arc<Entry>, Build> {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.get(digest).cloned()
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self.insert(entry.digest, entry);
    }
}

impl Table for papaya::HashMap<Digest, Arc<Entry>, Build> {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.pin().get(digest).cloned()
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self.pin().insert(entry.digest, entry);
    }
}

/// What the layer has.
type QuickCache = quick_cache::sync::Cache<Digest, Arc<Entry>, quick_cache::UnitWeighter, Build>;

impl Table for QuickCache {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.get(digest)
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self.insert(entry.digest, entry);
    }
}

impl Table for moka::sync::Cache<Digest, Arc<Entry>, Build> {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.get(digest)
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self.insert(entry.digest, entry);
    }
}

/// A slot for each digest, which others may share.
fn slot<T>(slots: &[T], digest: &Digest) -> usize {
    usize::try_from(digest.number()).unwrap_or_default() & (slots.len() - 1)
}

/// Slots that are swapped, without a bound on age or number of their own.
impl Table for Box<[ArcSwapOption<Entry>]> {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self[slot(self, digest)].load();
        let entry = entry.as_ref().filter(|entry| entry.digest == *digest)?;
        Some(Arc::clone(entry))
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self[slot(self, &entry.digest)].store(Some(entry));
    }
}

/// Slots with locks, for which no reader waits.
impl Table for Box<[RwLock<Option<Arc<Entry>>>]> {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self[slot(self, digest)].try_read().ok()?;
        let entry = entry.as_ref().filter(|entry| entry.digest == *digest)?;
        Some(Arc::clone(entry))
    }

    fn put(&mut self, entry: Arc<Entry>) {
        let slot = slot(self, &entry.digest);
        *self[slot].get_mut().expect("nobody has panicked") = Some(entry);
    }
}

/// Slots of each thread's own, before those that all share.
struct OfThread(Box<[ArcSwapOption<Entry>]>);

thread_local! {
    static OWN: RefCell<Vec<Option<Arc<Entry>>>> = const { RefCell::new(Vec::new()) };
}

impl Table for OfThread {
    fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        OWN.with_borrow_mut(|own| {
            if own.len() != self.0.len() {
                own.resize(self.0.len(), None);
            }
            let own = &mut own[slot(&self.0, digest)];
            if let Some(entry) = own.as_ref().filter(|entry| entry.digest == *digest) {
                return Some(Arc::clone(entry));
            }
            own.clone_from(&self.0.get(digest));
            own.clone()
        })
    }

    fn put(&mut self, entry: Arc<Entry>) {
        self.0.put(entry);
    }
}

fn stacks(count: usize) -> Vec<Stack> {
    let digests: Arc<[Digest]> = (0..count)
        .map(|number| Digest(*TokenDigest::of(&number.to_le_bytes()).as_bytes()))
        .collect();
    let capacity = 2 * count;
    let slots = (4 * count).next_power_of_two();
    let swapped = || (0..slots).map(|_| ArcSwapOption::empty()).collect();
    let locked: Box<[RwLock<Option<Arc<Entry>>>]> = (0..slots).map(|_| RwLock::default()).collect();
    let quick_cache = QuickCache::with(
        capacity,
        capacity as u64,
        quick_cache::UnitWeighter,
        Build::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    let moka = moka::sync::Cache::builder()
        .max_capacity(capacity as u64)
        .time_to_live(std::time::Duration::from_hours(1))
        .build_with_hasher(Build::default());
    vec![
        stack("a plain map, unsynchronised", HashMap::default(), &digests),
        stack("slots, `arc-swap`", swapped() as Box<[_]>, &digests),
        stack("slots, `RwLock::try_read`", locked, &digests),
        stack("slots of each thread", OfThread(swapped()), &digests),
        stack("`papaya`", papaya::HashMap::default(), &digests),
        stack("`quick_cache`", quick_cache, &digests),
        stack("`moka`", moka, &digests),
    ]
}

fn stack(name: &'static str, mut table: impl Table, digests: &Arc<[Digest]>) -> Stack {
    for digest in &**digests {
        table.put(Arc::new(Entry {
            digest: *digest,
            read: [0; 4],
            last_use: AtomicU64::new(0),
            rest: [0; 12],
        }));
    }
    let (table, digests) = (Arc::new(table), Arc::clone(digests));
    Stack::new(name, move |keys: Keys| -> Serve {
        let (table, digests) = (Arc::clone(&table), Arc::clone(&digests));
        let mut choice = Choice::new(keys);
        Box::new(move || {
            let digest = &digests[choice.next(digests.len())];
            // Two that share a slot find one of them.
            if let Some(entry) = table.get(black_box(digest)) {
                black_box((entry.read, entry.rest.len()));
                entry.last_use.store(digest.number(), Ordering::Relaxed);
            }
        })
    })
}
