use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pat_core::notification::{Notification, Notifier, NotifyError};

use crate::message::Composer;

/// A notifier that keeps mails in memory, for tests and demonstrations. Clones share the mails.
///
/// ```
/// use std::sync::Arc;
///
/// use pat_core::{MemoryStore, Pats};
/// use pat_mail::{Composer, MemoryMailer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let composer = Composer::builder("Example <noreply@example.com>").build()?;
/// let mailer = MemoryMailer::new(composer);
/// let pats = Pats::builder(Arc::new(MemoryStore::default()))
///     .notifier(Arc::new(mailer.clone()))
///     .build();
/// assert!(mailer.messages().is_empty());
/// # drop(pats);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryMailer {
    composer: Composer,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl MemoryMailer {
    /// Creates a mailer that has no mails yet.
    #[must_use]
    pub fn new(composer: Composer) -> Self {
        Self {
            composer,
            messages: Arc::default(),
        }
    }

    /// Returns all mails so far, in the order in which they were sent, each in the format of RFC 5322.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let messages = self.messages.lock();
        messages.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Notifier for MemoryMailer {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let message = self.composer.compose(notification)?.formatted();
        let messages = self.messages.lock();
        messages
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        Ok(())
    }
}
