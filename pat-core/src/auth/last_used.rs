//! Last uses: recorded in memory on the hot path, written in batches.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use smallvec::SmallVec;

use super::cached_token::CachedToken;
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

    /// Writes the new last uses, and returns the number of tokens.
    ///
    /// Uses that could not be written are kept for the next flush.
    pub(crate) async fn flush(&self, store: &dyn TokenStore) -> Result<usize, StoreError> {
        let _guard = self.flushing.lock().await;
        let count = self.write(store, self.unwritten()).await?;
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
    use crate::auth::cached_token::LastUseStamp;
    use crate::auth::epochs::Epochs;
    use crate::memory::MemoryStore;
    use crate::token::{Owner, TokenDigest};

    const SECOND: i64 = 1_000_000;

    fn token(id: i64) -> Token {
        Token {
            id: TokenId::new(id).expect("an id"),
            owner: Owner::new("alice").expect("an owner"),
            name: "ci".into(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            parent: None,
        }
    }

    fn cached(token: &Token) -> Arc<CachedToken> {
        Arc::new(CachedToken {
            digest: TokenDigest::of(&token.id.get().to_le_bytes()),
            cached_until: i64::MAX,
            loaded_at_epoch: 0,
            expires_micros: i64::MAX,
            last_use: LastUseStamp::default(),
            stripes: Epochs::new(false).stripes(token.id, &token.owner),
            expires_at: None,
            sent: 0,
            token_id: token.id,
            owner: token.owner.clone(),
            name: "ci".into(),
        })
    }

    #[test]
    fn a_grant_starts_with_what_an_earlier_one_has_noted() {
        let (last_used, token) = (LastUsed::default(), token(1));
        let [first, second] = [cached(&token), cached(&token)];
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
            let cached = cached(&token);
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
        let flushed = last_used.flush(&MemoryStore::default()).await;
        assert_eq!(flushed.expect("the store takes it"), new.len());
        assert_eq!(last_used.table().tokens.len(), 0);
    }
}
