//! loom's types under the names of pat-core's module `sync`.

pub(crate) mod atomic;
pub(crate) mod watch;

pub(crate) use std::sync::PoisonError;

pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

/// Runs `future` in a thread of the model.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    loom::thread::spawn(|| loom::future::block_on(future));
}
