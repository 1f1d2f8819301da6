//! Last use: noted in memory on the hot path, written in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::principal::LastUseStamp;
use crate::store::LastUse;
use crate::{StoreError, Token, TokenId, TokenStore};

/// How many last uses one statement writes at most.
const BATCH_LEN: usize = 1_000;

/// The last-use stamps of all tokens that this node has loaded and may still use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    tracked: Mutex<HashMap<TokenId, Tracked>>,
    /// One flush at a time, so that an old batch is never written after a newer one was marked.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Tracked {
    stamp: Arc<LastUseStamp>,
    /// What the store has, in microseconds since 1970.
    written: i64,
}

impl Usage {
    fn tracked(&self) -> MutexGuard<'_, HashMap<TokenId, Tracked>> {
        self.tracked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stamp of this token, which has just been loaded. Every load of a token gets the same
    /// stamp as long as one of them is in use.
    pub(crate) fn stamp(&self, token: &Token) -> Arc<LastUseStamp> {
        let written = token.last_used_at.map_or(0, Timestamp::as_microsecond);
        let mut tracked = self.tracked();
        let entry = tracked.entry(token.id).or_insert_with(|| Tracked {
            stamp: Arc::new(LastUseStamp::new(written)),
            written,
        });
        Arc::clone(&entry.stamp)
    }

    /// Fills in last uses that are not written yet.
    pub(crate) fn refresh(&self, tokens: &mut [Token]) {
        let tracked = self.tracked();
        for token in tokens {
            let stamp = tracked.get(&token.id).map_or(0, |entry| entry.stamp.get());
            if stamp > 0 {
                let at = Timestamp::from_microsecond(stamp).ok();
                token.last_used_at = token.last_used_at.max(at);
            }
        }
    }

    /// Writes what is new, and returns how many tokens that were.
    ///
    /// What could not be written stays noted for the next flush.
    pub(crate) async fn flush(&self, store: &dyn TokenStore) -> Result<usize, StoreError> {
        let _turn = self.flushing.lock().await;
        let new = self.unwritten();
        for batch in new.chunks(BATCH_LEN) {
            store.record_use(batch).await?;
            let mut tracked = self.tracked();
            for last_use in batch {
                if let Some(entry) = tracked.get_mut(&last_use.id) {
                    entry.written = last_use.at.as_microsecond();
                }
            }
        }
        self.forget_unused();
        Ok(new.len())
    }

    fn unwritten(&self) -> Vec<LastUse> {
        let mut new: Vec<_> = self
            .tracked()
            .iter()
            .filter(|(_, entry)| entry.stamp.get() > entry.written)
            .filter_map(|(id, entry)| {
                let at = Timestamp::from_microsecond(entry.stamp.get()).ok()?;
                Some(LastUse { id: *id, at })
            })
            .collect();
        new.sort_unstable_by_key(|last_use| last_use.id);
        new
    }

    /// Drops the stamps that no cached token holds any more and that are written.
    fn forget_unused(&self) {
        self.tracked().retain(|_, entry| {
            Arc::strong_count(&entry.stamp) > 1 || entry.stamp.get() > entry.written
        });
    }
}
