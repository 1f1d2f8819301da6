//! Creations of one user come one after the other on this node, and few of them wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pat_core::Owner;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// How many forms of one user wait while one is worked at.
const MAX_WAITING: usize = 4;

/// The users whose forms are here now. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Creations(Arc<Mutex<HashMap<Owner, Queue>>>);

#[derive(Debug, Default)]
struct Queue {
    lock: Arc<AsyncMutex<()>>,
    /// How many are at it or wait.
    forms: usize,
}

impl Creations {
    /// A place in the user's queue, or `None` if that is full.
    pub(super) fn enter(&self, owner: &Owner) -> Option<QueuedCreation> {
        let mut by_owner = self.by_owner();
        let queue = by_owner.entry(owner.clone()).or_default();
        if queue.forms > MAX_WAITING {
            return None;
        }
        queue.forms += 1;
        Some(QueuedCreation {
            lock: Arc::clone(&queue.lock),
            creations: self.clone(),
            owner: owner.clone(),
        })
    }

    fn leave(&self, owner: &Owner) {
        let mut by_owner = self.by_owner();
        if let Some(queue) = by_owner.get_mut(owner) {
            queue.forms -= 1;
            if queue.forms == 0 {
                by_owner.remove(owner);
            }
        }
    }

    fn by_owner(&self) -> MutexGuard<'_, HashMap<Owner, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a queue, until it is dropped.
#[derive(Debug)]
pub(super) struct QueuedCreation {
    lock: Arc<AsyncMutex<()>>,
    creations: Creations,
    owner: Owner,
}

/// What comes next waits until this is dropped.
#[derive(Debug)]
pub(super) struct CreationGuard {
    // In this order: a form that enters an empty queue finds its lock free.
    _guard: OwnedMutexGuard<()>,
    _place: QueuedCreation,
}

impl QueuedCreation {
    /// Waits for those in front.
    pub(super) async fn turn(self) -> CreationGuard {
        CreationGuard {
            _guard: Arc::clone(&self.lock).lock_owned().await,
            _place: self,
        }
    }
}

impl Drop for QueuedCreation {
    fn drop(&mut self) {
        self.creations.leave(&self.owner);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn owner(key: &str) -> Owner {
        Owner::new(key).expect("an owner")
    }

    #[test]
    fn a_queue_is_for_one_user_and_short() {
        let creations = Creations::default();
        let (alice, bob) = (owner("alice"), owner("bob"));
        let enter = || creations.enter(&alice).expect("a place");
        let first = enter().turn().now_or_never().expect("it is free");
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(enter().turn())).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert!(creations.enter(&alice).is_none(), "it is full");
        let others = creations.enter(&bob).expect("a place");
        assert!(others.turn().now_or_never().is_some(), "one's own queue");
        // One that gives up makes room, and the next one's turn comes.
        drop(waiting.pop());
        assert!(creations.enter(&alice).is_some());
        drop(first);
        assert!(waiting.remove(0).now_or_never().is_some());
        drop(waiting);
        assert!(creations.by_owner().is_empty(), "nothing is left");
    }
}
