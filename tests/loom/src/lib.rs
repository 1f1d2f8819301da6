//! The lock-free modules of pat-core, under every order of their steps and every value that the memory
//! model lets a thread read.
//!
//! The modules are compiled here from pat-core's files. Their imports from `sync`, `clock`, `store`
//! and so on find loom's types, or stand-ins, under the same names. [`MODELS`] has one function per
//! promise; [`survivors`] weakens each atomic ordering in turn and returns those that no model needs.

use std::panic::{AssertUnwindSafe, catch_unwind};

#[path = "../../../pat-core/src/clock/anchor.rs"]
mod anchor;
mod auth;
mod models;
mod stand_ins;
mod sync;

pub use self::models::MODELS;
use self::stand_ins::{clock, error, outage, store, token};
use self::sync::atomic::{Met, orderings_met};

/// The name of a promise and its model, which panics if some execution breaks the promise.
pub type Model = (&'static str, fn());

/// Runs all models once for each atomic ordering that they meet, with that ordering weakened by one
/// step. Returns the weakened orderings with which no model fails, and how many were tried.
///
/// # Panics
/// If a model fails with the orderings as they are.
#[must_use]
pub fn survivors() -> (Vec<String>, usize) {
    let met = orderings_met(|| MODELS.iter().for_each(|(_, model)| model()));
    let mutants: Vec<_> = met.into_iter().flat_map(Met::mutants).collect();
    let survivors = mutants.iter().filter(|mutant| {
        let fails = |model: fn()| catch_unwind(AssertUnwindSafe(|| mutant.apply(model))).is_err();
        !MODELS.iter().any(|(_, model)| fails(*model))
    });
    (survivors.map(ToString::to_string).collect(), mutants.len())
}
