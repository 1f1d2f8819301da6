use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use pat_core::BoxError;

use super::entry::Entry;

/// The first line, by which a log is told from other files: those are never written to.
const HEADER: &[u8] = b"{\"pat-token-log\":1}\n";

/// The log file, open and locked.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// How long the file is, as far as it was acknowledged.
    len: u64,
    /// Whether there may be something behind that, from a write that failed.
    is_torn: bool,
}

/// Why a [`FileStore`](super::FileStore) cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system says no.
    #[error("cannot use the token log {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// Another process, or another store in this one, has the file open.
    #[error("the token log {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{path} is no token log")]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// Only newer versions of this program may read the file.
    #[error("cannot read the token log {path}")]
    Outdated {
        /// The file.
        path: PathBuf,
        /// Which versions may.
        source: pat_core::store::StoreError,
    },
    /// A line makes no sense, and is not just the last one cut short.
    #[error("line {line} of the token log {path} is corrupt")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The task that opened the file was ended.
    #[error("the token log was not read to its end")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error("cannot write to the token log")]
    Io(#[from] io::Error),
    #[error("cannot encode an entry of the token log")]
    Encode(#[from] serde_json::Error),
    #[error("an earlier write to the token log panicked")]
    Panicked,
}

impl Log {
    /// The error of a log that only newer versions may read.
    pub(super) fn outdated(&self, source: pat_core::store::StoreError) -> OpenError {
        let path = self.path.clone();
        OpenError::Outdated { path, source }
    }

    /// Opens and locks the file, and reads its entries, each with the number of its line.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<(usize, Entry)>), OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = options.open(&path).map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let mut log = Self {
            path: path.clone(),
            file,
            len: HEADER.len() as u64,
            is_torn: false,
        };
        let mut content = Vec::new();
        log.file.read_to_end(&mut content).map_err(io_error)?;
        if content.len() < HEADER.len() && HEADER.starts_with(&content) {
            // New, or its process died before it was begun.
            begin(&mut log.file, &path).map_err(io_error)?;
            content = HEADER.to_vec();
        }
        if !content.starts_with(HEADER) {
            return Err(OpenError::NotALog { path });
        }
        let mut entries = Vec::new();
        for (line, text) in (2..).zip(content[HEADER.len()..].split_inclusive(|b| *b == b'\n')) {
            if !text.ends_with(b"\n") {
                tracing::warn!(path = %log.path.display(), line, "a torn last line is cut off");
                let cut = log.cut();
                cut.map_err(|source| OpenError::Io {
                    path: log.path.clone(),
                    source,
                })?;
                break;
            }
            let entry = Entry::from_line(text).map_err(|source| log.corrupt(line, source))?;
            entries.push((line, entry));
            log.len += text.len() as u64;
        }
        Ok((log, entries))
    }

    /// The error that names a line.
    pub(super) fn corrupt(&self, line: usize, source: impl Into<BoxError>) -> OpenError {
        OpenError::Corrupt {
            path: self.path.clone(),
            line,
            source: source.into(),
        }
    }

    /// Appends entries; on return they outlive a crash. If it fails, none of them is there, except
    /// that after a crash some of the first may be.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let mut lines = Vec::new();
        for entry in entries {
            lines.extend(entry.to_line()?);
        }
        if self.is_torn {
            self.cut()?;
        }
        let written = self.file.write_all(&lines);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // If this fails too, it is tried again before the next write.
            self.is_torn = self.cut().is_err();
            return Err(error.into());
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what was not acknowledged.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.sync_all()?;
        self.is_torn = false;
        Ok(())
    }
}

impl Drop for Log {
    /// Closing the file would leave it locked as long as a process that is just being started has a
    /// copy of it.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Begins a log, and makes sure that the file itself outlives a crash.
fn begin(file: &mut File, path: &Path) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(HEADER)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
