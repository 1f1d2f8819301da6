mod entry;
mod log;
mod tables;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Insertion, LastUse, Lookup, NewToken, Revocation,
    RevocationScope, Revoked,
};
use pat_core::store::{StoreError, TokenStore};
use pat_core::{Owner, Token, TokenDigest, TokenId};

use self::entry::Entry;
pub use self::log::OpenError;
use self::log::{Log, LogError};
use self::tables::Tables;

/// Tokens in one file: a log with a line of JSON for each thing that happened, synced to disk
/// before it is acknowledged, and read back into memory when the store is opened.
///
/// The file is locked, so no second process can use it. It holds digests, never tokens. Nothing is
/// ever taken out of it, which is fine for thousands of tokens and not for millions; and it must not
/// be renamed or rotated while it is open.
#[derive(Debug)]
pub struct FileStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Locked for a whole write, and in blocking tasks only: it is held while the disk is synced.
    log: Mutex<Log>,
    /// What the log says. Written under the log's lock, and only what is safe on disk; so readers
    /// wait for no disk, and see nothing that a crash could take back.
    tables: RwLock<Tables>,
}

impl FileStore {
    /// Opens the log at this path, or begins a new one.
    ///
    /// A last line that is cut short was being written when the process died, so it was never
    /// acknowledged: it is removed.
    ///
    /// # Errors
    /// Another process has the file open, it is no log of ours or one for newer versions only, a
    /// line in it makes no sense, or the file system says no.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        let open = move || {
            let (log, entries) = Log::open(path)?;
            let mut tables = Tables::default();
            for (line, entry) in entries {
                tables
                    .apply(entry)
                    .map_err(|source| log.corrupt(line, source))?;
            }
            let may_read = tables.versions().check();
            may_read.map_err(|source| log.outdated(source))?;
            let (log, tables) = (Mutex::new(log), RwLock::new(tables));
            Ok(Self(Arc::new(Shared { log, tables })))
        };
        // Fails only if `open` panics or the runtime shuts down.
        match tokio::task::spawn_blocking(open).await {
            Ok(result) => result,
            Err(error) => Err(OpenError::Interrupted(error)),
        }
    }

    /// Looks at the tables and writes what `decide` says, with all other writes kept out.
    ///
    /// Runs in a task of its own: a caller that goes away does not stop it half-way.
    async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Tables) -> (Vec<Entry>, T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || shared.write(decide)).await {
            Ok(result) => result,
            Err(error) => Err(StoreError::backend(error)),
        }
    }
}

impl Shared {
    fn write<T>(&self, decide: impl FnOnce(&Tables) -> (Vec<Entry>, T)) -> Result<T, StoreError> {
        let mut log = self.log.lock().map_err(|_| panicked())?;
        let (entries, answer) = decide(&*self.tables()?);
        if entries.is_empty() {
            return Ok(answer);
        }
        log.append(&entries).map_err(StoreError::backend)?;
        let mut tables = self.tables.write().map_err(|_| panicked())?;
        for entry in entries {
            tables.apply(entry).map_err(StoreError::backend)?;
        }
        Ok(answer)
    }

    fn tables(&self) -> Result<RwLockReadGuard<'_, Tables>, StoreError> {
        self.tables.read().map_err(|_| panicked())
    }
}

/// After a panic nobody knows whether the tables still say what the log says.
fn panicked() -> StoreError {
    StoreError::backend(LogError::Panicked)
}

#[async_trait]
impl TokenStore for FileStore {
    /// The lock on the file keeps other processes out.
    fn is_shared(&self) -> bool {
        false
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        let token = token.clone();
        let decide = move |tables: &Tables| match tables.insertion(&token, limit) {
            stored @ Insertion::Stored(_) => (vec![Entry::Created(token)], stored),
            refusal => (Vec::new(), refusal),
        };
        self.write(decide).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        let tables = self.0.tables()?;
        let mut lookup = Lookup::new(tables.find_by_digest(digest).cloned());
        lookup.versions = tables.versions();
        Ok(lookup)
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        Ok(self.0.tables()?.find(id).cloned())
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        Ok(self.0.tables()?.unrevoked_of(owner).cloned().collect())
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let (scope, revocation) = (scope.clone(), revocation.clone());
        let decide = move |tables: &Tables| {
            let mut revoked = Revoked::new(revocation.at, tables.unrevoked_in(&scope));
            revoked.live_children = tables.live_children(&scope, revocation.at);
            if revoked.tokens.is_empty() {
                return (Vec::new(), revoked);
            }
            let entry = Entry::Revoked {
                generation: tables.next_generation(),
                tokens: revoked.tokens.iter().map(|token| token.id).collect(),
                revocation,
            };
            (vec![entry], revoked)
        };
        self.write(decide).await
    }

    async fn append_change(&self, change: &Change, at: Timestamp) -> Result<Timestamp, StoreError> {
        let change = change.clone();
        let decide = move |tables: &Tables| {
            let entry = Entry::Changed {
                generation: tables.next_generation(),
                change,
                at,
            };
            (vec![entry], at)
        };
        self.write(decide).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        Ok(self.0.tables()?.changes_since(cursor))
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        let decide = move |tables: &Tables| {
            let is_news = tables.versions().readable_from < version;
            let entry = is_news.then_some(Entry::ReadableFrom(version));
            (entry.into_iter().collect(), ())
        };
        self.write(decide).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        let decide = move |tables: &Tables| {
            let news = uses.into_iter().filter(|last_use| tables.is_news(last_use));
            (news.map(Entry::Used).collect(), ())
        };
        self.write(decide).await
    }
}
