//! What the clients did and saw.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pat_core::{Clock as _, SystemClock};
use pat_harness::target_folder;

use super::checker::Window;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Create,
    Revoke(Way),
    /// The token is replaced; [`Entry::ends`] says when it ends.
    Rotate,
    Disable,
    Enable,
    Authenticate,
}

/// A way by which tokens lose their power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// The owner revokes one.
    ByOwner,
    /// An administrator does.
    ByAdmin,
    /// A token revokes itself.
    ByItself,
    /// The token that one was created with is revoked.
    WithParent,
    /// An administrator revokes some by their ids.
    ByIds,
    /// An administrator revokes all that a filter matches.
    ByFilter,
    /// The owner is disabled.
    WithDisabledOwner,
    /// The owner is deleted.
    WithDeletedOwner,
    /// The token that replaced it is revoked.
    WithSuccessor,
    /// It is replaced, and its overlap ends.
    ByRotation,
    /// It is disabled and enabled by turns, and disabled at last.
    ByDisabling,
}

impl Way {
    pub(super) const ALL: [Self; 11] = [
        Self::ByOwner,
        Self::ByAdmin,
        Self::ByItself,
        Self::WithParent,
        Self::ByIds,
        Self::ByFilter,
        Self::WithDisabledOwner,
        Self::WithDeletedOwner,
        Self::WithSuccessor,
        Self::ByRotation,
        Self::ByDisabling,
    ];
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
    /// When a token that is replaced ends: as the answer says or, without a good one, at the earliest.
    pub(super) ends: Option<Duration>,
}

/// All entries of a run, on one monotonic clock: clients and servers share a machine, and only the
/// clients write. A creation that failed is left out, since its token has no name.
pub(super) struct History {
    start: Instant,
    /// The date of the start.
    date: Timestamp,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            start: instant(),
            date: SystemClock.wall(),
            entries: Mutex::default(),
        }
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time of a date that a server names. The databases have the clock of this machine, which nothing sets.
    pub(super) fn time_of(&self, date: Timestamp) -> Duration {
        let since = date.duration_since(self.date);
        since.try_into().unwrap_or_default()
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

/// Writes a history down and says where: in the folder that `PAT_TEST_REVOCATION_HISTORY` names, or
/// in the target folder's `tmp`.
pub(super) fn save(run: &str, windows: &[Window], history: &[Entry]) -> PathBuf {
    let folder = std::env::var_os("PAT_TEST_REVOCATION_HISTORY");
    let folder = folder.map_or_else(|| target_folder().join("tmp"), PathBuf::from);
    let name = run.replace(|char: char| !char.is_ascii_alphanumeric(), "-");
    let mut text = format!("{run}\n");
    for Window { from, until } in windows {
        let _ = writeln!(text, "broken\t{}\t{}", from.as_micros(), until.as_micros());
    }
    text += "op\tnode\ttoken\tinvoked (us)\treturned (us)\tstatus\tends (us)\n";
    for entry in history {
        let _ = writeln!(
            text,
            "{:?}\t{}\t{}\t{}\t{}\t{}\t{}",
            entry.op,
            entry.node,
            entry.token,
            entry.invoked.as_micros(),
            entry.returned.as_micros(),
            entry.status.unwrap_or_default(),
            entry.ends.unwrap_or_default().as_micros(),
        );
    }
    let path = folder.join(format!("revocation-{name}.tsv"));
    std::fs::create_dir_all(&folder).expect("a folder for histories");
    std::fs::write(&path, text).expect("a history on disk");
    path
}
