use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Insertion, LastUse, Lookup, NewToken, Revocation,
    RevocationScope, Revoked, Rotated, Rotation, SearchStore, StoreError, TokenStore, Update,
    Updated,
};
use pat_core::{BoxError, MemoryStore, Owner, Token, TokenDigest, TokenId, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::Deserializer;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

/// A store in one file, for one process and thousands of tokens.
///
/// The file lists the calls that change tokens, each as a line of JSON. A call is written to disk
/// before a [`MemoryStore`] executes it, and opening the file executes all calls again. The file
/// contains digests, never plain tokens. It only grows, with refused calls too, and must not be renamed
/// while it is open.
#[derive(Debug)]
pub struct FileStore {
    tokens: MemoryStore,
    log: Arc<Mutex<Log>>,
}

/// A call that changes tokens.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Call {
    Insert(NewToken, u32),
    Rotate(Rotation),
    Revoke(RevocationScope, Revocation),
    Update(Update),
    AppendChange(Change, Timestamp),
    RaiseReadableFrom(u64),
    RecordUse(Vec<LastUse>),
}

impl FileStore {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// The file is in use, damaged, or of another program or version, or the file system fails.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, BoxError> {
        let path = path.into();
        let (log, calls) = spawn_blocking(move || Log::open(&path)).await??;
        let tokens = MemoryStore::default();
        for call in calls {
            match call {
                Call::Insert(token, limit) => drop(tokens.insert(&token, limit).await?),
                Call::Rotate(rotation) => drop(tokens.rotate(&rotation).await?),
                Call::Revoke(scope, revocation) => drop(tokens.revoke(&scope, &revocation).await?),
                Call::Update(update) => drop(tokens.update(&update).await?),
                Call::AppendChange(change, at) => drop(tokens.append_change(&change, at).await?),
                Call::RaiseReadableFrom(version) => tokens.raise_readable_from(version).await?,
                Call::RecordUse(uses) => tokens.record_use(&uses).await?,
            }
        }
        let log = Arc::new(Mutex::new(log));
        Ok(Self { tokens, log })
    }

    /// Writes a call to disk. The caller executes it before the guard is dropped, so calls are executed
    /// in the order of the file.
    async fn write(&self, call: &Call) -> Result<OwnedMutexGuard<Log>, StoreError> {
        let mut line = serde_json::to_vec(call).map_err(StoreError::backend)?;
        line.push(b'\n');
        let mut log = Arc::clone(&self.log).lock_owned().await;
        let write = move || log.write(&line).map(|end| (log, end));
        let written = spawn_blocking(write).await.map_err(io::Error::from);
        let (mut log, end) = written.flatten().map_err(StoreError::backend)?;
        // Not reached if the caller is gone: then nothing executes the call, and the next one replaces it.
        log.end = end;
        Ok(log)
    }
}

#[async_trait]
impl TokenStore for FileStore {
    /// Returns `false`, because the lock on the file excludes other processes.
    fn is_shared(&self) -> bool {
        false
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        let _guard = self.write(&Call::Insert(token.clone(), limit)).await?;
        self.tokens.insert(token, limit).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        self.tokens.find_by_digest(digest).await
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.tokens.find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.tokens.list(owner).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let call = Call::Revoke(scope.clone(), revocation.clone());
        let _guard = self.write(&call).await?;
        self.tokens.revoke(scope, revocation).await
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let _guard = self.write(&Call::Rotate(rotation.clone())).await?;
        self.tokens.rotate(rotation).await
    }

    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        let _guard = self.write(&Call::Update(update.clone())).await?;
        self.tokens.update(update).await
    }

    async fn append_change(&self, change: &Change, at: Timestamp) -> Result<Timestamp, StoreError> {
        let _guard = self.write(&Call::AppendChange(change.clone(), at)).await?;
        self.tokens.append_change(change, at).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        self.tokens.changes_since(cursor).await
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        let _guard = self.write(&Call::RaiseReadableFrom(version)).await?;
        self.tokens.raise_readable_from(version).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let _guard = self.write(&Call::RecordUse(uses.to_vec())).await?;
        self.tokens.record_use(uses).await
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        self.tokens.search_store()
    }
}

/// The first line of the file.
const HEADER: &[u8] = b"{\"pat-token-log\":2}\n";

#[derive(Debug)]
struct Log {
    file: File,
    /// The end of the last call that was executed. The next call is written there.
    end: u64,
}

impl Log {
    /// Opens and locks the file, and reads its calls.
    fn open(path: &Path) -> Result<(Self, Vec<Call>), BoxError> {
        let mut options = File::options();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let locked = file.try_lock();
        locked.map_err(|error| format!("the token log is in use: {error}"))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let mut log = Self { file, end: 0 };
        if HEADER.starts_with(&content) {
            // The file is new, or its process died before the header was complete.
            log.write(HEADER)?;
            let path = std::path::absolute(path)?;
            File::open(path.parent().unwrap_or(&path))?.sync_all()?;
            content = HEADER.to_vec();
        }
        if !content.starts_with(HEADER) {
            return Err("the file is not a token log of this version".into());
        }
        while !content.ends_with(b"\n") {
            // The process died while it wrote this line, so the call was never acknowledged.
            content.pop();
        }
        log.end = content.len() as u64;
        // The header's line feed is included for the line numbers in errors.
        let calls = Deserializer::from_slice(&content[HEADER.len() - 1..]).into_iter();
        Ok((log, calls.collect::<Result<_, _>>()?))
    }

    /// Writes a line to disk, and returns its end.
    fn write(&mut self, line: &[u8]) -> io::Result<u64> {
        self.file.set_len(self.end)?;
        self.file.write_all(line)?;
        self.file.sync_data()?;
        Ok(self.end + line.len() as u64)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A process that is being started has a copy of the file, which would keep it locked.
        let _ = self.file.unlock();
    }
}
