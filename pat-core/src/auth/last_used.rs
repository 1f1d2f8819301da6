//! Last uses: recorded in memory on the hot path, written in batches.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use smallvec::SmallVec;

use super::cached_token::CachedToken;
use crate::clock::Moment;
use crate::store::{LastUse, StoreError, TokenStore};
use crate::token::{Token, TokenId};

/// The most last uses that one call of the store writes.
const BATCH_LEN: usize = 1_000;

/// How many cached tokens are held before those no longer in use are first released.
const FEW: usize = 1_000;

/// The last uses of all tokens that this node has loaded.
#[derive(Debug, Default)]
pub(crate) struct LastUsed {
    table: Mutex<Table>,
    /// Serialises flushes, so that an old batch is never written after a newer one was marked.
    flushing: tokio::sync::Mutex<()>,
    /// The boot time up to which all uses are written, in microseconds; `None` before the first flush.
    flushed_at: Mutex<Option<i64>>,
}

#[derive(Debug, Default)]
struct Table {
    tokens: HashMap<TokenId, Tracked>,
    /// The number of held cached tokens now, and after the last [`Table::settle`].
    held: usize,
    in_use: usize,
}

#[derive(Debug, Default)]
struct Tracked {
    /// The cached tokens that may still record uses: nearly always one, the one in the cache.
    cached: SmallVec<[Arc<CachedToken>; 1]>,
    /// The last use recorded in released ones, in microseconds since 1970.
    earlier: i64,
    /// The last use in the store, in microseconds since 1970.
    written: i64,
}

impl Tracked {
    /// Returns the last use in microseconds since 1970; 0 for never.
    fn last_use(&self) -> i64 {
        let noted = self.cached.iter().map(|cached| cached.last_use.get());
        noted.fold(self.earlier, i64::max)
    }

    fn unwritten(&self, id: TokenId) -> Option<LastUse> {
        let last_use = self.last_use();
        let at = Timestamp::from_microsecond(last_use).ok()?;
        (last_use > self.written).then_some(LastUse { id, at })
    }

    /// Releases the cached tokens that neither the cache nor a request holds.
    fn settle(&mut self) {
        self.cached.retain_mut(|cached| {
            // Exclusive access ensures that the last use is read.
            let Some(cached) = Arc::get_mut(cached) else {
                return true;
            };
            self.earlier = self.earlier.max(cached.last_use.get());
            false
        });
    }
}

impl Table {
    fn settle(&mut self) {
        self.tokens.values_mut().for_each(Tracked::settle);
        self.in_use = self.tokens.values().map(|entry| entry.cached.len()).sum();
        self.held = self.in_use;
    }
}

impl LastUsed {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_time(&self) -> MutexGuard<'_, Option<i64>> {
        let lock = self.flushed_at.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// Tracks the cache entry of a token that has just been loaded, and copies the token's last known
    /// use into it. Returns whether there is one.
    pub(crate) fn follow(&self, cached: &Arc<CachedToken>, token: &Token) -> bool {
        let mut table = self.table();
        if table.held >= 2 * table.in_use.max(FEW) {
            table.settle();
        }
        table.held += 1;
        let written = token.last_used_at.map_or(0, Timestamp::as_microsecond);
        let entry = table.tokens.entry(token.id).or_insert_with(|| Tracked {
            written,
            ..Tracked::default()
        });
        let last_use = written.max(entry.last_use());
        cached.last_use.note(last_use);
        entry.cached.push(Arc::clone(cached));
        last_use > 0
    }

    /// Replaces last uses by those that are not written yet.
    pub(crate) fn refresh(&self, tokens: &mut [Token]) {
        let table = self.table();
        for token in tokens {
            let last_use = table.tokens.get(&token.id).map_or(0, Tracked::last_use);
            if last_use > 0 {
                let at = Timestamp::from_microsecond(last_use).ok();
                token.last_used_at = token.last_used_at.max(at);
            }
        }
    }

    /// Returns up to which time all uses are written; `None` before the first flush.
    ///
    /// It is measured back from `now` on the boot clock, since the date may have been wrong at the last flush.
    pub(crate) fn flushed_at(&self, now: Moment) -> Option<Timestamp> {
        let at = *self.flush_time();
        let micros = now.wall.saturating_sub(now.boot.saturating_sub(at?));
        Timestamp::from_microsecond(micros).ok()
    }

    /// Writes the new last uses, and returns the number of tokens. `now` returns the boot time in microseconds.
    ///
    /// Uses that could not be written are kept for the next flush.
    pub(crate) async fn flush(
        &self,
        store: &dyn TokenStore,
        now: impl FnOnce() -> i64,
    ) -> Result<usize, StoreError> {
        let _guard = self.flushing.lock().await;
        // Before the uses are read.
        let now = now();
        let count = self.write(store, self.unwritten()).await?;
        *self.flush_time() = Some(now);
        self.forget_unused();
        Ok(count)
    }

    /// The same for these tokens only.
    pub(crate) async fn flush_of(
        &self,
        ids: &[TokenId],
        store: &dyn TokenStore,
    ) -> Result<usize, StoreError> {
        let _guard = self.flushing.lock().await;
        self.write(store, self.unwritten_of(ids)).await
    }

    async fn write(&self, store: &dyn TokenStore, new: Vec<LastUse>) -> Result<usize, StoreError> {
        for batch in new.chunks(BATCH_LEN) {
            store.record_use(batch).await?;
            let mut table = self.table();
            for last_use in batch {
                if let Some(entry) = table.tokens.get_mut(&last_use.id) {
                    entry.written = last_use.at.as_microsecond();
                }
            }
        }
        Ok(new.len())
    }

    /// Returns the last uses that are not written yet, in order of ID.
    fn unwritten(&self) -> Vec<LastUse> {
        let table = self.table();
        let tokens = table.tokens.iter();
        let new = tokens.filter_map(|(id, entry)| entry.unwritten(*id));
        let mut new: Vec<_> = new.collect();
        new.sort_unstable_by_key(|last_use| last_use.id);
        new
    }

    fn unwritten_of(&self, ids: &[TokenId]) -> Vec<LastUse> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let table = self.table();
        let new = ids
            .into_iter()
            .filter_map(|id| table.tokens.get(&id)?.unwritten(id));
        new.collect()
    }

    /// Drops the tokens that have no cached token in use, and whose last use is written.
    fn forget_unused(&self) {
        let mut table = self.table();
        table.settle();
        table
            .tokens
            .retain(|_, entry| !entry.cached.is_empty() || entry.earlier > entry.written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::token::Owner;

    const SECOND: i64 = 1_000_000;

    fn token(id: i64) -> Token {
        let (id, owner) = (TokenId::new(id), Owner::new("alice"));
        Token::new(
            id.expect("an id"),
            owner.expect("an owner"),
            "ci",
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_grant_starts_with_what_an_earlier_one_has_noted() {
        let (last_used, token) = (LastUsed::default(), token(1));
        let [first, second] = [CachedToken::of(&token), CachedToken::of(&token)];
        assert!(!last_used.follow(&first, &token), "never used");
        first.last_use.note(2 * SECOND);
        assert!(last_used.follow(&second, &token));
        assert_eq!(second.last_use.get(), 2 * SECOND);
        // A request may still hold the first one.
        first.last_use.note(3 * SECOND);
        drop(first);
        let mut tokens = [token];
        last_used.refresh(&mut tokens);
        assert_eq!(tokens[0].last_used_at.map(Timestamp::as_second), Some(3));
    }

    #[tokio::test]
    async fn released_cached_tokens_leave_their_last_use() {
        const TOKENS: i64 = 10_000;
        let last_used = LastUsed::default();
        for id in 1..=TOKENS {
            let token = token(id);
            let cached = CachedToken::of(&token);
            last_used.follow(&cached, &token);
            cached.last_use.note(id * SECOND);
        }
        let held: usize = {
            let table = last_used.table();
            table.tokens.values().map(|entry| entry.cached.len()).sum()
        };
        assert!(held <= 2 * FEW, "{held} cached");
        let new = last_used.unwritten();
        assert!((1..=TOKENS).eq(new.iter().map(|last_use| last_use.at.as_second())));
        let flushed = last_used.flush(&MemoryStore::default(), || 0).await;
        assert_eq!(flushed.expect("the store takes it"), new.len());
        assert_eq!(last_used.table().tokens.len(), 0);
    }
    #[test]
    fn cached_tokens_are_released_when_twice_as_many_are_held_as_in_use() {
        let last_used = LastUsed::default();
        let held = |ids: std::ops::RangeInclusive<i64>| {
            for id in ids {
                last_used.follow(&CachedToken::of(&token(id)), &token(id));
            }
            let table = last_used.table();
            let held = table.tokens.values().map(|entry| entry.cached.len());
            held.sum::<usize>()
        };
        assert_eq!(held(1..=2_000), 2 * FEW);
        assert_eq!(held(2_001..=2_001), 1, "the one that is just loaded");
        assert_eq!(held(2_002..=4_000), 2 * FEW);
    }

    #[tokio::test]
    async fn what_the_store_has_is_neither_written_nor_shown_again() {
        let (last_used, store) = (LastUsed::default(), MemoryStore::default());
        let [never, mut stored, used] = [1, 2, 3].map(token);
        stored.last_used_at = Timestamp::from_second(9).ok();
        let cached = [&never, &stored, &used].map(CachedToken::of);
        assert!(!last_used.follow(&cached[0], &never));
        assert!(last_used.follow(&cached[1], &stored));
        assert!(!last_used.follow(&cached[2], &used));
        assert_eq!(last_used.unwritten(), []);
        cached[2].last_use.note(5 * SECOND);
        let mut tokens = [never, stored, used];
        last_used.refresh(&mut tokens);
        let shown = tokens.map(|token| token.last_used_at.map(Timestamp::as_second));
        assert_eq!(shown, [None, Some(9), Some(5)]);
        assert_eq!(last_used.flush(&store, || 0).await.expect("written"), 1);
        assert_eq!(last_used.unwritten(), []);
    }

    #[tokio::test]
    async fn a_flush_of_some_tokens_leaves_the_others_to_the_next() {
        let (last_used, store) = (LastUsed::default(), MemoryStore::default());
        let tokens = [1, 2, 3].map(token);
        let cached = tokens.each_ref().map(CachedToken::of);
        for (cached, token) in cached.iter().zip(&tokens) {
            last_used.follow(cached, token);
            cached.last_use.note(SECOND);
        }
        let ids = [tokens[0].id, tokens[2].id, tokens[0].id];
        let flushed = last_used.flush_of(&ids, &store).await;
        assert_eq!(flushed.expect("written"), 2);
        let ids = || {
            last_used
                .unwritten()
                .into_iter()
                .map(|last_use| last_use.id)
        };
        assert!(ids().eq([tokens[1].id]));
    }

    #[tokio::test]
    async fn a_token_is_tracked_while_it_is_cached_or_its_use_is_unwritten() {
        let (last_used, store) = (LastUsed::default(), MemoryStore::default());
        let [in_use, unwritten, written] = [1, 2, 3].map(token);
        let cached = CachedToken::of(&in_use);
        last_used.follow(&cached, &in_use);
        for token in [&unwritten, &written] {
            let released = CachedToken::of(token);
            last_used.follow(&released, token);
            released.last_use.note(SECOND);
        }
        let flushed = last_used.flush_of(&[written.id], &store).await;
        assert_eq!(flushed.expect("written"), 1);
        last_used.forget_unused();
        let mut tracked: Vec<_> = last_used.table().tokens.keys().copied().collect();
        tracked.sort_unstable();
        assert_eq!(tracked, [in_use.id, unwritten.id]);
        // Its next use is not lost.
        cached.last_use.note(SECOND);
        assert_eq!(last_used.flush(&store, || 0).await.expect("written"), 2);
    }
}
