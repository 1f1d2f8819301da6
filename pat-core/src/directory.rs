//! The port to the host's users.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::error::{BoxError, Unavailable};
use crate::scope::{AllowedScopes, ScopeCatalog};
use crate::token::Owner;

/// The host's user directory, in which the service looks up the owners of tokens.
///
/// The key of a user ([`Owner`]) must be stable and never be given to another user.
/// `pat_core::testing::check_directory` checks an implementation.
///
/// ```
/// use async_trait::async_trait;
/// use pat_core::{BoxError, Owner, User, UserDirectory};
///
/// /// Everybody is an active user, and root an administrator.
/// #[derive(Debug)]
/// struct Everybody;
///
/// #[async_trait]
/// impl UserDirectory for Everybody {
///     async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
///         Ok(Some(User::new(owner.clone(), owner.as_str(), owner.as_str(), true)))
///     }
///
///     async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
///         Ok(owner.as_str() == "root")
///     }
///
///     async fn search(&self, _contains: &str, _limit: usize) -> Result<Vec<User>, BoxError> {
///         Ok(Vec::new())
///     }
/// }
/// ```
#[async_trait]
pub trait UserDirectory: Debug + Send + Sync + 'static {
    /// Returns the user with this key; `None` if the user does not exist or was deleted.
    ///
    /// The service calls this method when it loads a token into the cache, not on every request. After the host
    /// has disabled, enabled or locked a user, it must call
    /// [`Pats::user_changed`](crate::Pats::user_changed). The service also calls this method where it needs the
    /// user's name or mail address, for example for a notification.
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The request then fails with
    /// the HTTP status 503.
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError>;

    /// Returns whether the user with this key may see and revoke the tokens of all users; `false` for an
    /// unknown or inactive user.
    ///
    /// The service calls this method on each request of an administrator, and again for each chunk of a long
    /// response. It does not cache the answer.
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The request then fails with
    /// the HTTP status 503.
    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError>;

    /// Returns at most `limit` users whose key, user name, full name or mail address has the text `contains`
    /// in it, ignoring letter case.
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The request then fails with
    /// the HTTP status 503.
    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError>;

    /// Returns the users with these keys, in any order. Skips unknown keys. The keys have no duplicates.
    ///
    /// The service calls this method for the owners of the tokens on an administrator's page
    /// ([`Administration::owners_of`](crate::Administration::owners_of)), and when pruning looks for owners who
    /// are missing, with up to 500 keys at once. The default implementation calls [`UserDirectory::find`] for
    /// each key.
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The administrator's request
    /// then fails with the HTTP status 503; pruning counts no owner as missing.
    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        let mut users = Vec::with_capacity(owners.len());
        for owner in owners {
            users.extend(self.find(owner).await?);
        }
        Ok(users)
    }

    /// Returns the scopes that this user may give new tokens, as a set of the service's `catalog`.
    ///
    /// The service calls this method before it creates a token, and to list the scopes that a caller may
    /// choose. Tokens that exist keep their scopes. The default implementation allows every scope, and
    /// unrestricted tokens. The service does not call this method if the host declares no scopes
    /// ([`PatsBuilder::scopes`](crate::PatsBuilder::scopes)).
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The request then fails with
    /// the HTTP status 503.
    async fn allowed_scopes(
        &self,
        owner: &Owner,
        catalog: &ScopeCatalog,
    ) -> Result<AllowedScopes, BoxError> {
        let _ = (owner, catalog);
        Ok(AllowedScopes::all())
    }
}

/// Returns the directory's answer, if it comes within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Unavailable> {
    let answer = timeout(limit, answer).await;
    answer
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(Unavailable::directory)
}

/// A user of the host, as the [`UserDirectory`] describes the user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// Stable key of the user.
    pub owner: Owner,
    /// Name that the user signs in with.
    pub username: String,
    /// Full name of the user, which pages and notifications show. It may be empty: mails then greet the
    /// user without a name, and pages show an empty name.
    pub full_name: String,
    /// Mail address for notifications; `None` if the user is to get no notifications.
    pub email: Option<String>,
    /// Whether the user is *active*, and so may use the host. If `false`, because the host has disabled or
    /// locked the user, the user's tokens do not authenticate, and the user gets no notifications.
    pub is_active: bool,
}

impl User {
    /// Creates a user without a mail address.
    #[must_use]
    pub fn new(
        owner: Owner,
        username: impl Into<String>,
        full_name: impl Into<String>,
        is_active: bool,
    ) -> Self {
        Self {
            owner,
            username: username.into(),
            full_name: full_name.into(),
            email: None,
            is_active,
        }
    }
}

/// The directory of a host without a user directory: every owner exists and is active
/// ([`User::is_active`]), and no user is an administrator or has a mail address.
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
