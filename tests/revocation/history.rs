//! What the clients did and saw.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Create,
    Revoke,
    Authenticate,
}

/// One request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) op: Op,
    pub(super) node: usize,
    pub(super) token: i64,
    /// Just before the request was sent.
    pub(super) invoked: Duration,
    /// Just after the answer had come, or after the client had given up.
    pub(super) returned: Duration,
    /// `None` without an answer: nobody knows what the server has done.
    pub(super) status: Option<u16>,
}

/// All entries of a run, on one monotonic clock: clients and servers share a machine, and only the
/// clients write. A creation that failed is left out, since its token has no name.
pub(super) struct History {
    start: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            start: instant(),
            entries: Mutex::default(),
        }
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn push(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures a bound of the protocol in real time"
)]
fn instant() -> Instant {
    Instant::now()
}
