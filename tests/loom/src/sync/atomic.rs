//! loom's atomics. One ordering, at one place of the source, can be weakened.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
pub(crate) use std::sync::atomic::Ordering;

thread_local! {
    // loom's threads all run in the thread that checks the model.
    static MET: RefCell<Vec<Met>> = const { RefCell::new(Vec::new()) };
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// An ordering, and where the source names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    at: &'static Location<'static>,
    ordering: Ordering,
}

/// A weaker ordering at the place of another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutant {
    of: Met,
    weaker: Ordering,
}

/// Runs the models, and returns the orderings that they have met, each once.
pub(crate) fn orderings_met(models: impl FnOnce()) -> Vec<Met> {
    MET.take();
    models();
    MET.take()
}

impl Met {
    /// Returns the orderings that are weaker by one step.
    pub(crate) fn mutants(self) -> impl Iterator<Item = Mutant> {
        let weaker: &[_] = match self.ordering {
            Ordering::Relaxed => &[],
            Ordering::Acquire | Ordering::Release => &[Ordering::Relaxed],
            Ordering::AcqRel => &[Ordering::Acquire, Ordering::Release],
            other => panic!("loom does not tell {other:?} from AcqRel: {}", self.at),
        };
        weaker.iter().map(move |weaker| Mutant {
            of: self,
            weaker: *weaker,
        })
    }
}

impl Mutant {
    /// Runs the model with this mutant.
    pub(crate) fn apply(self, model: impl FnOnce()) {
        struct Undo;
        impl Drop for Undo {
            fn drop(&mut self) {
                MUTANT.set(None);
            }
        }
        MUTANT.set(Some(self));
        let _undo = Undo;
        model();
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, weaker } = self;
        write!(f, "{}: {weaker:?} for {:?}", of.at, of.ordering)
    }
}

/// Returns the ordering for an access that names this one.
#[track_caller]
fn effective(ordering: Ordering) -> Ordering {
    let met = Met {
        at: Location::caller(),
        ordering,
    };
    MET.with_borrow_mut(|all| {
        if !all.contains(&met) {
            all.push(met);
        }
    });
    match MUTANT.get() {
        Some(mutant) if mutant.of == met => mutant.weaker,
        _ => ordering,
    }
}

macro_rules! atomic {
    ($($name:ident: $integer:ty),+) => {$(
        /// loom's atomic of this name.
        #[derive(Debug)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        #[expect(dead_code, reason = "neither type needs all of them")]
        impl $name {
            pub(crate) fn new(value: $integer) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $integer {
                self.0.load(effective(ordering))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $integer, ordering: Ordering) {
                self.0.store(value, effective(ordering));
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $integer, ordering: Ordering) -> $integer {
                self.0.fetch_add(value, effective(ordering))
            }

            #[track_caller]
            pub(crate) fn fetch_max(&self, value: $integer, ordering: Ordering) -> $integer {
                self.0.fetch_max(value, effective(ordering))
            }
        }
    )+};
}

atomic!(AtomicI64: i64, AtomicU64: u64);
