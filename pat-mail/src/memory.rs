use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pat_core::{Notification, Notifier, NotifyError};

use crate::Composer;

/// Keeps mails in memory, for tests and demonstrations. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryMailer {
    composer: Composer,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl MemoryMailer {
    /// An empty mailer.
    #[must_use]
    pub fn new(composer: Composer) -> Self {
        Self {
            composer,
            messages: Arc::default(),
        }
    }

    /// What was sent so far, in order, as it would go to a mail server.
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
