use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use pat_core::notification::{Notification, Notifier, NotifyError};
use tokio::task::spawn_blocking;

use crate::message::Composer;

/// A notifier that writes each mail as a file into a folder: for development, or for another program
/// that sends the files.
///
/// The name of a file is `{kind}-{id}.eml`, with the kind and ID of the notification, such as
/// `expired-7.eml`. A file appears only when it is complete. On Unix, only the user that runs the
/// program can read it. If a notification is sent again, its file is overwritten with the same content.
///
/// ```
/// use std::sync::Arc;
///
/// use pat_core::{MemoryStore, Pats};
/// use pat_mail::{Composer, FileMailer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let composer = Composer::builder("Example <noreply@example.com>").build()?;
/// let pats = Pats::builder(Arc::new(MemoryStore::default()))
///     .notifier(Arc::new(FileMailer::new(composer, "mails")))
///     .build();
/// # drop(pats);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileMailer {
    composer: Composer,
    folder: PathBuf,
    written: AtomicU64,
}

impl FileMailer {
    /// Creates a mailer that writes into this folder. The first mail creates the folder if it does not
    /// exist.
    #[must_use]
    pub fn new(composer: Composer, folder: impl Into<PathBuf>) -> Self {
        Self {
            composer,
            folder: folder.into(),
            written: AtomicU64::new(0),
        }
    }

    /// Checks, for start-up diagnostics, that mails can be written: creates the folder if it does not
    /// exist, writes a file and deletes that file.
    ///
    /// # Errors
    /// Returns the error of the operating system, with the path of the folder, if the folder cannot be created, or the file cannot be
    /// written or deleted.
    pub fn check(&self) -> io::Result<()> {
        let path = self.folder.join(format!(".check.{}", std::process::id()));
        let checked = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(&path, "check"))
            .and_then(|()| std::fs::remove_file(&path));
        checked.map_err(|error| {
            let text = format!("{}: {error}", self.folder.display());
            io::Error::new(error.kind(), text)
        })
    }

    /// Returns the folder into which the mailer writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn write(&self, name: String, message: Vec<u8>) -> io::Result<()> {
        // Several processes may share the folder, and several tasks this mailer.
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = format!(".{name}.{}.{number}.part", std::process::id());
        let (part, file) = (self.folder.join(part), self.folder.join(name));
        let folder = self.folder.clone();
        let write = move || {
            std::fs::create_dir_all(folder)?;
            let written = write_new(&part, &message);
            let moved = written.and_then(|()| std::fs::rename(&part, file));
            if moved.is_err() {
                // The caller gets the first error.
                let _ = std::fs::remove_file(&part);
            }
            moved
        };
        // In one piece: each of these steps takes less time than a change of the thread.
        spawn_blocking(write).await.map_err(io::Error::other)?
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[async_trait]
impl Notifier for FileMailer {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let message = self.composer.compose(notification)?.formatted();
        let name = format!("{}-{}.eml", notification.kind, notification.id);
        let written = self.write(name, message).await;
        written.map_err(|error| NotifyError::Temporary(error.into()))
    }

    /// Checks the folder like [`FileMailer::check`].
    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        let checked = self.check();
        checked.map_err(|error| NotifyError::Temporary(error.into()))?;
        Ok(Some(format!("writes into {}", self.folder.display())))
    }
}
