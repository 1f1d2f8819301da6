//! Runs a target on its corpus, then on inputs from its grammar and on mutated ones.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::fs;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bolero::{ByteSliceGenerator, DefaultEngine, Driver, TestTarget, ValueGenerator};

/// The result of `bolero::check!()`. Each test calls the macro itself, which tells `cargo bolero` the
/// test's name.
pub(crate) type Engine = TestTarget<ByteSliceGenerator, DefaultEngine, bolero::BorrowedInput>;

/// The time limit for finding a planted bug.
const PLANTED_LIMIT: Duration = Duration::from_mins(1);
/// The seconds for each of the eight targets, unless `PAT_TEST_FUZZ_SECONDS` is set.
const DEFAULT_SECONDS: f64 = 0.75;

/// A fuzz target: its corpus, and the form of its inputs.
pub(crate) struct Target {
    /// The name of the folder in `corpus`.
    pub(crate) name: &'static str,
    /// Returns an input that is well-formed, or nearly so.
    pub(crate) grammar: fn(&mut Dice<'_>) -> Vec<u8>,
    /// The texts that mutations insert.
    pub(crate) words: &'static [&'static str],
}

impl Target {
    /// Runs `check`, which panics on a fault, on the whole corpus, and then on generated inputs for the
    /// configured time.
    #[expect(clippy::disallowed_methods, reason = "prints how long it took")]
    pub(crate) fn check(&'static self, engine: Engine, check: impl Fn(&[u8])) {
        let corpus = self.corpus();
        for (path, input) in &corpus {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
                eprintln!("the input is {}", path.display());
                resume_unwind(panic);
            }
        }
        let seconds = std::env::var("PAT_TEST_FUZZ_SECONDS");
        let seconds = seconds.map_or(DEFAULT_SECONDS, |text| text.parse().expect("seconds"));
        let time = Duration::from_secs_f64(seconds);
        let (started, count) = (Instant::now(), Cell::new(0_u32));
        self.search(engine.with_test_time(time), corpus, &count, check);
        let rate = f64::from(count.get()) / started.elapsed().as_secs_f64();
        println!("{}: {} inputs, {rate:.0} a second", self.name, count.get());
    }

    /// Asserts that the search finds the bug that is planted in `check`, and that the corpus does not show
    /// it.
    #[expect(clippy::disallowed_methods, reason = "prints how long it took")]
    pub(crate) fn finds(&'static self, engine: Engine, check: impl Fn(&[u8])) {
        let corpus = self.corpus();
        for (path, input) in &corpus {
            let result = catch_unwind(AssertUnwindSafe(|| check(input)));
            assert!(result.is_ok(), "{} has the bug", path.display());
        }
        let engine = engine.with_test_time(PLANTED_LIMIT);
        let engine = engine.with_shrink_time(Duration::ZERO);
        let (started, count) = (Instant::now(), Cell::new(0_u32));
        let search = || self.search(engine, corpus, &count, check);
        let result = catch_unwind(AssertUnwindSafe(search));
        let (name, count, time) = (self.name, count.get(), started.elapsed());
        assert!(
            result.is_err(),
            "{name}: {count} inputs do not show the bug"
        );
        println!("{name}: the planted bug was found in {time:.2?}, by input {count}");
    }

    fn search(
        &'static self,
        engine: Engine,
        corpus: Vec<(PathBuf, Vec<u8>)>,
        count: &Cell<u32>,
        check: impl Fn(&[u8]),
    ) {
        let inputs = Inputs {
            target: self,
            corpus: corpus.into_iter().map(|(_, input)| input).collect(),
        };
        let state = AssertUnwindSafe((count, check));
        engine
            .with_generator(inputs)
            .for_each(move |input: &Input| {
                let (count, check) = &*state;
                count.set(count.get() + 1);
                check(&input.bytes);
            });
    }

    fn corpus(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let files = fs::read_dir(folder.join(self.name)).expect("a corpus");
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} has no corpus", self.name);
        let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a readable file"));
        paths.into_iter().map(read).collect()
    }
}

/// An input. Its `Debug` is the command that adds it to the corpus.
struct Input {
    target: &'static str,
    bytes: Vec<u8>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("printf '%b' '")?;
        for &byte in &self.bytes {
            match byte {
                b' '..=b'~' if !b"\\'".contains(&byte) => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        write!(f, "' >tests/fuzz/corpus/{}/found", self.target)
    }
}

struct Inputs {
    target: &'static Target,
    corpus: Vec<Vec<u8>>,
}

impl ValueGenerator for Inputs {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut below = |end: usize| {
            let drawn = driver.gen_usize(Bound::Included(&0), Bound::Excluded(&end));
            drawn.unwrap_or_default()
        };
        Some(Input {
            target: self.target.name,
            bytes: self.bytes(&mut Dice(&mut below)),
        })
    }
}

impl Inputs {
    fn bytes(&self, dice: &mut Dice<'_>) -> Vec<u8> {
        let mut bytes = match dice.below(8) {
            0..=3 => return (self.target.grammar)(dice),
            4..=5 => (self.target.grammar)(dice),
            6 => dice.pick(&self.corpus).clone(),
            _ => (0..dice.below(24)).map(|_| dice.byte()).collect(),
        };
        for _ in 0..=dice.below(4) {
            self.mutate(dice, &mut bytes);
        }
        bytes
    }

    fn mutate(&self, dice: &mut Dice<'_>, bytes: &mut Vec<u8>) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(8)).min(bytes.len());
        match dice.below(8) {
            0 => bytes.insert(at, dice.byte()),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..end, dice.pick(self.target.words).bytes())),
            3 => drop(bytes.splice(at..at, dice.pick(self.target.words).bytes())),
            4 => {
                let copy = bytes[at..end].repeat(1 + dice.below(40));
                bytes.splice(at..at, copy);
            }
            5 => {
                let other = dice.pick(&self.corpus);
                bytes.truncate(at);
                bytes.extend(&other[dice.below(other.len() + 1)..]);
            }
            6 if !bytes.is_empty() => {
                let other = dice.below(bytes.len());
                bytes.swap(at.saturating_sub(1), other);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add([1, 255, 32, 128][dice.below(4)]);
                }
            }
        }
    }
}

/// Random choices. The engine records them, and makes a failing input smaller by shortening the record:
/// each choice after its end is 0. So a grammar must end when all choices are 0.
pub(crate) struct Dice<'a>(&'a mut dyn FnMut(usize) -> usize);

impl Dice<'_> {
    /// Returns a number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.0)(end)
    }

    /// Returns `true` one time in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    pub(crate) fn word(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }
}
