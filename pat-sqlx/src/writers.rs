//! The queue of the writers of this process to a database that has one writer at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as FairMutex, OwnedMutexGuard};
use tokio::time::timeout;

/// How long a writer waits for those before it: as long as a transaction is repeated that loses to the writers of
/// other processes. Its caller may give up earlier.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// Lets one transaction of this process after the other begin, in the order in which they ask.
///
/// SQLite has no such order: a connection that finds another writer sleeps and tries again, for up to a tenth
/// of a second each time, so under load some wait for seconds. Other processes are not in this queue, so the
/// first writer of each process still waits for them in that way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writers {
    /// `None` where the database lets several writers in.
    queue: Option<Arc<FairMutex<()>>>,
}

/// A place at the head of the queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    _guard: Option<OwnedMutexGuard<()>>,
}

impl Writers {
    /// Returns the queue for this file: the same one for all stores of this process.
    pub(crate) fn of_file(file: &Path) -> Self {
        static QUEUES: LazyLock<Mutex<HashMap<PathBuf, Weak<FairMutex<()>>>>> =
            LazyLock::new(Mutex::default);
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        let file = resolve(file);
        let queue = queues.get(&file).and_then(Weak::upgrade);
        let queue = queue.unwrap_or_default();
        queues.insert(file, Arc::downgrade(&queue));
        Self { queue: Some(queue) }
    }

    /// Waits until all earlier writers are done, but no longer than `limit`; `None` if that is too short.
    pub(crate) async fn enter(&self, limit: Duration) -> Option<Admission> {
        let Some(queue) = &self.queue else {
            return Some(Admission { _guard: None });
        };
        let guard = timeout(limit, Arc::clone(queue).lock_owned()).await.ok()?;
        let guard = Some(guard);
        Some(Admission { _guard: guard })
    }
}

/// Returns one path for all names of a file, which may not exist yet. If two names are not recognised as one,
/// their writers are not in order, but SQLite still lets only one of them write.
fn resolve(file: &Path) -> PathBuf {
    if let Ok(path) = file.canonicalize() {
        return path;
    }
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn writers_enter_in_the_order_in_which_they_ask() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.db");
        let (writers, others) = (Writers::of_file(&file), Writers::of_file(&file));
        let first = writers.enter(WAIT).await.expect("an empty queue");
        let mut second = Box::pin(others.enter(WAIT));
        assert!((&mut second).now_or_never().is_none(), "one at a time");
        let mut third = Box::pin(writers.enter(WAIT));
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        // A fair lock is handed over: not even a writer that asks at the right moment overtakes.
        assert!(writers.enter(Duration::ZERO).await.is_none());
        assert!((&mut third).now_or_never().is_none(), "after the second");
        drop(second.await.expect("its turn"));
        assert!(third.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_waits_no_longer_than_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let writers = Writers::of_file(&folder.path().join("a.db"));
        let held = writers.enter(WAIT).await;
        assert!(writers.enter(WAIT).await.is_none());
        drop(held);
        assert!(writers.enter(WAIT).await.is_some(), "it left the queue");
    }

    #[test]
    fn a_file_has_one_queue_by_all_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.db");
        let before = resolve(&file);
        std::fs::write(&file, "").expect("a file");
        assert_eq!(resolve(&file), before);
        let roundabout = folder.path().join(".").join("a.db");
        assert_eq!(resolve(&roundabout), before);
        assert_ne!(resolve(&folder.path().join("b.db")), before);
    }
}
