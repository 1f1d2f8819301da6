//! What the lock-free modules share between threads. The package `pat-loom` compiles these modules a
//! second time, with loom's types under the names of this one.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic};

pub(crate) use tokio::spawn;
pub(crate) use tokio::sync::watch;
