//! What the host knows of its users.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::error::{BoxError, Unavailable};
use crate::token::Owner;

/// The host's users, as far as tokens need to know them.
///
/// An owner's key is stable and never given to somebody else. `pat_core::testing::check_directory`
/// checks an implementation against its users.
#[async_trait]
pub trait UserDirectory: Debug + Send + Sync + 'static {
    /// The user of this key; `None` if there is none (any more).
    ///
    /// Asked when a token is loaded into the cache, not on every request: after a user was
    /// disabled or changed, call [`Pats::user_changed`](crate::Pats::user_changed).
    ///
    /// # Errors
    /// The directory cannot answer; the request is refused with "try again".
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError>;

    /// Whether this caller may see and revoke the tokens of others: not a user who is gone or inactive.
    /// Asked on each request of the administration, for each part of a long answer, and never cached.
    ///
    /// # Errors
    /// The directory cannot answer; the request is refused with "try again".
    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError>;

    /// At most `limit` users whose key, name or mail address contains this text in any letter case.
    ///
    /// # Errors
    /// The directory cannot answer.
    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError>;

    /// The users of these keys, in any order; unknown keys are passed over.
    ///
    /// Asks one by one unless an implementation knows better.
    ///
    /// # Errors
    /// The directory cannot answer.
    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        let mut users = Vec::with_capacity(owners.len());
        for owner in owners {
            users.extend(self.find(owner).await?);
        }
        Ok(users)
    }
}

/// The directory's answer, if it comes within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Unavailable> {
    let answer = timeout(limit, answer).await;
    answer
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(Unavailable::directory)
}

/// A shared directory is a directory.
#[async_trait]
impl<T: UserDirectory + ?Sized> UserDirectory for Arc<T> {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        (**self).find(owner).await
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        (**self).is_administrator(owner).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        (**self).search(contains, limit).await
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        (**self).profiles(owners).await
    }
}

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The stable key.
    pub owner: Owner,
    /// The name he signs in with.
    pub username: String,
    /// The name people call him.
    pub full_name: String,
    /// Where notifications go; `None` if he has no address.
    pub email: Option<String>,
    /// Whether he may use the host now; the tokens of an inactive user are refused.
    pub is_active: bool,
}

/// The directory of a host that has not plugged one in: every owner exists and is active, nobody is
/// an administrator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenDirectory;

#[async_trait]
impl UserDirectory for OpenDirectory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        Ok(Some(User {
            owner: owner.clone(),
            username: owner.to_string(),
            full_name: owner.to_string(),
            email: None,
            is_active: true,
        }))
    }

    async fn is_administrator(&self, _: &Owner) -> Result<bool, BoxError> {
        Ok(false)
    }

    async fn search(&self, _: &str, _: usize) -> Result<Vec<User>, BoxError> {
        Ok(Vec::new())
    }
}
