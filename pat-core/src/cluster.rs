//! The change feed: how a node learns what others have changed, and for how long it may believe
//! that it knows.

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::StoreError;
use crate::auth::Authenticator;
use crate::clock::micros;
use crate::store::{ChangePage, Cursor};

/// Where this node has read the feed to.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// `None` before the first poll. The lock makes polls take turns.
    cursor: Mutex<Option<Cursor>>,
}

impl Feed {
    /// Reads the feed once: raises the floors of what has changed, then trusts the cache for
    /// another `pat.auth.max.staleness.ms`, counted from when the question was sent.
    pub(crate) async fn poll(&self, auth: &Authenticator) -> Result<(), StoreError> {
        let mut cursor = self.cursor.lock().await;
        let sent = auth.time.now();
        let limit = auth.settings.auth_database_timeout();
        let page = timeout(limit, auth.store.changes_since(*cursor))
            .await
            .unwrap_or(Err(StoreError::Timeout))?;
        match page.database_time {
            Some(now) => auth.time.follow(now),
            None => drop(auth.time.refresh()),
        }
        if let Some(cursor) = *cursor {
            match continuity(cursor, &page) {
                Ok(()) => page
                    .entries
                    .iter()
                    .for_each(|entry| auth.floors.raise(&entry.change)),
                Err(gap) => {
                    tracing::error!(
                        gap = ?gap, at = cursor.generation, head = page.head.generation,
                        "the change feed is broken (a failover that lost commits?); \
                         the whole token cache is dropped"
                    );
                    auth.metrics.feed_broken();
                    auth.floors.raise_all();
                    auth.clear();
                }
            }
        }
        *cursor = Some(page.head);
        let lease = auth.settings.auth_max_staleness();
        auth.floors
            .extend_lease(sent.boot.saturating_add(micros(lease)));
        Ok(())
    }
}

/// Why the entries after a cursor cannot be all that happened after it.
#[derive(Debug, PartialEq, Eq)]
enum Gap {
    /// The counter went backwards.
    WentBackwards,
    /// The generation at the cursor is another one than the one that was read.
    Rewritten,
    /// Entries between the cursor and the head are missing.
    Trimmed,
}

/// Decides whether a page continues where the cursor stands, without a gap.
fn continuity(cursor: Cursor, page: &ChangePage) -> Result<(), Gap> {
    if page.head.generation < cursor.generation {
        return Err(Gap::WentBackwards);
    }
    if page.nonce_at_cursor != cursor.nonce {
        return Err(Gap::Rewritten);
    }
    let mut expected = cursor.generation;
    for entry in &page.entries {
        if entry.generation > expected + 1 {
            return Err(Gap::Trimmed);
        }
        expected = entry.generation;
    }
    if expected == page.head.generation {
        Ok(())
    } else {
        Err(Gap::Trimmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenId;
    use crate::store::{Change, ChangeEntry};

    fn page(head: u64, nonce_at_cursor: Option<u64>, generations: &[u64]) -> ChangePage {
        let entry = |generation: &u64| ChangeEntry {
            generation: *generation,
            nonce: *generation,
            change: Change::TokenRevoked(TokenId::new(1).expect("id")),
        };
        ChangePage {
            head: Cursor {
                generation: head,
                nonce: Some(head),
            },
            nonce_at_cursor,
            entries: generations.iter().map(entry).collect(),
            database_time: None,
        }
    }

    const AT_5: Cursor = Cursor {
        generation: 5,
        nonce: Some(5),
    };

    #[test]
    fn entries_up_to_the_head_continue() {
        assert_eq!(continuity(AT_5, &page(5, Some(5), &[])), Ok(()));
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[6, 6, 7])), Ok(()));
        let start = Cursor {
            generation: 0,
            nonce: None,
        };
        assert_eq!(continuity(start, &page(1, None, &[1])), Ok(()));
    }

    #[test]
    fn a_counter_that_goes_backwards_is_a_gap() {
        assert_eq!(
            continuity(AT_5, &page(4, None, &[])),
            Err(Gap::WentBackwards)
        );
    }

    #[test]
    fn a_counter_that_lost_commits_and_caught_up_again_is_a_gap() {
        assert_eq!(
            continuity(AT_5, &page(5, Some(99), &[])),
            Err(Gap::Rewritten)
        );
        assert_eq!(continuity(AT_5, &page(6, None, &[6])), Err(Gap::Rewritten));
    }

    #[test]
    fn missing_entries_are_a_gap() {
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[7])), Err(Gap::Trimmed));
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[6])), Err(Gap::Trimmed));
        assert_eq!(continuity(AT_5, &page(6, Some(5), &[])), Err(Gap::Trimmed));
    }
}
