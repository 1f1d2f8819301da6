use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use pat_core::testing::TestDirectory;
use pat_core::{BoxError, Owner, User, UserDirectory};

/// A directory that counts its calls.
#[derive(Debug, Clone, Default)]
pub struct CountingDirectory {
    /// The users of the directory.
    pub users: TestDirectory,
    finds: Arc<AtomicUsize>,
    role_checks: Arc<AtomicUsize>,
}

impl CountingDirectory {
    /// How often a user has been looked up.
    #[must_use]
    pub fn finds(&self) -> usize {
        self.finds.load(Ordering::SeqCst)
    }

    /// How often it has been asked whether a user is an administrator.
    #[must_use]
    pub fn role_checks(&self) -> usize {
        self.role_checks.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl UserDirectory for CountingDirectory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        self.users.find(owner).await
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.role_checks.fetch_add(1, Ordering::SeqCst);
        self.users.is_administrator(owner).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.users.search(contains, limit).await
    }
}
