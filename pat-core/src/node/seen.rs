//! Which owners the host has seen, so that each is written to the store once a day.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Node, WRITE_TIMEOUT};
use crate::clock::{Moment, micros};
use crate::store::{Change, SEEN_PRECISION, SeenEffect, SeenOwner, StoreError};
use crate::token::Owner;

/// How many owners are remembered, about ten megabytes. Others are written again, which the store refuses.
const MOST: usize = 100_000;

/// For each owner who was written, the boot time of that.
#[derive(Debug, Default)]
pub(crate) struct SeenOwners(Mutex<HashMap<Owner, i64>>);

impl SeenOwners {
    fn written(&self) -> MutexGuard<'_, HashMap<Owner, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether an owner was not written within a day.
    pub(crate) fn is_due(&self, owner: &Owner, now: Moment) -> bool {
        let written = self.written().get(owner).copied();
        written.is_none_or(|at| now.boot - at >= micros(SEEN_PRECISION))
    }

    fn note(&self, owner: Owner, now: Moment) {
        let mut written = self.written();
        if written.len() >= MOST {
            written.retain(|_, at| now.boot - *at < micros(SEEN_PRECISION));
        }
        if written.len() >= MOST {
            written.clear();
        }
        written.insert(owner, now.boot);
    }
}

impl Node {
    /// Writes that an owner was seen. If the owner's tokens may have been refused, looks them up again.
    pub(crate) async fn note_seen(&self, owner: Owner) -> Result<(), StoreError> {
        let now = self.context.time.refresh();
        let max_absence = self.context.settings.owner_max_absence();
        let seen = SeenOwner::new(owner, now.timestamp(), max_absence);
        let noting = self.context.usable_store()?.note_seen(&seen);
        let effect = self.context.ask(WRITE_TIMEOUT, noting).await?;
        if effect == SeenEffect::Returned {
            self.auth
                .epochs
                .bump(&Change::OwnerChanged(seen.owner.clone()));
        }
        self.seen.note(seen.owner, now);
        Ok(())
    }
}
