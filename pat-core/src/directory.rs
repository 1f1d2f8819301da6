//! The port to the host's users.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::error::{BoxError, Unavailable};
use crate::scope::{AllowedScopes, ScopeCatalog};
use crate::text::fold_case;
use crate::token::Owner;

/// The host's user directory, in which the service looks up the owners of tokens.
///
/// The key of a user ([`Owner`]) must be stable and never be given to another user. It is the key with which the
/// host's login creates the user's [`Caller`](crate::Caller), and it is compared byte by byte: `07` is not the
/// key of the user 7, nor `ALICE` that of alice.
///
/// `pat_core::testing::check_directory` checks an implementation. `pat_tower::guide::directory` has one on an
/// SQL table; a host with few users can have them in memory:
///
/// ```
/// use pat_core::{BoxError, Owner, User, UserDirectory, async_trait};
///
/// #[derive(Debug)]
/// struct Employees(Vec<User>);
///
/// #[async_trait]
/// impl UserDirectory for Employees {
///     async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
///         Ok(self.0.iter().find(|user| user.owner == *owner).cloned())
///     }
///
///     async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
///         let user = self.find(owner).await?;
///         Ok(user.is_some_and(|user| user.is_active && user.username == "root"))
///     }
///
///     async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
///         let found = self.0.iter().filter(|user| user.matches(contains));
///         Ok(found.take(limit).cloned().collect())
///     }
/// }
///
/// # #[cfg(feature = "testing")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pat_core::InvalidOwner> {
/// let employees = Employees(vec![
///     User::new(Owner::new("1")?, "zoe_a", "Zoë Ångström", true),
///     User::new(Owner::new("2")?, "root", "Ruth Root", true),
///     User::new(Owner::new("3")?, "bob", "Bob Baumeister", false),
/// ]);
/// # use pat_core::testing::{DirectoryUsers, check_directory};
/// # check_directory(&employees, DirectoryUsers {
/// #     active: "1",
/// #     administrator: Some("2"),
/// #     disabled: Some("3"),
/// #     unknown: "4",
/// # }).await;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
#[async_trait]
pub trait UserDirectory: Debug + Send + Sync + 'static {
    /// Returns the user with this key, whether active or not; `None` if the user does not exist or was deleted.
    /// A text that the directory does not use as a key, such as `alice` if keys are numbers, is the key of no
    /// user, and not an error.
    ///
    /// A directory must not return `None` for a disabled user: pruning revokes the tokens of users who are
    /// missing, for good.
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

    /// Returns at most `limit` of the users whose key, user name, full name or mail address has the text
    /// `contains` in it, ignoring letter case. The order is the directory's choice.
    ///
    /// - Inactive users are found too, because their tokens can still be revoked.
    /// - Letter case is ignored beyond ASCII: `zoë` is in the name `ZOË`.
    /// - Each character of `contains` stands for itself, also `%`, `_` and `\`. The empty text is in every text.
    ///   The service passes no text with a NUL character, which PostgreSQL does not take.
    /// - Each user is returned once, and like [`UserDirectory::find`] returns the user.
    /// - The directory may also ignore accents, as collations of databases do: it may find `Zoë` for `zoe`.
    ///
    /// [`User::matches`] decides which users these are. A database decides it on a column with
    /// [`User::search_text`].
    ///
    /// # Errors
    /// The implementation may return any error, if the directory cannot answer. The request then fails with
    /// the HTTP status 503.
    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError>;

    /// Returns the users with these keys, whether active or not, in any order, each like
    /// [`UserDirectory::find`] returns the user. Skips unknown keys. There are 1 to 500 keys, without duplicates.
    ///
    /// The service calls this method for the owners of the tokens on an administrator's page
    /// ([`Administration::owners_of`](crate::Administration::owners_of)), and when pruning looks for owners who
    /// are missing. The default implementation calls [`UserDirectory::find`] for each key.
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

    /// Returns the scopes that this user may give new tokens, as a set of the service's `catalog`. The default
    /// implementation allows every scope, and unrestricted tokens.
    ///
    /// - The set has scopes of `catalog` only: it is made with [`ScopeCatalog::set`], or is that of
    ///   [`AllowedScopes::all`]. A set of another catalog stands for other scopes here.
    /// - The result depends on the user alone, and stays the same until the host changes what the user may do.
    /// - A user who is not active, and a text that is the key of no user, are not errors. What the result is for
    ///   them has no effect, because their tokens do not authenticate.
    ///
    /// The service calls this method before it creates a token, and to list the scopes that a caller may
    /// choose. It does not cache the answer. Tokens that exist keep their scopes. The service does not call this
    /// method if the host declares no scopes ([`PatsBuilder::scopes`](crate::PatsBuilder::scopes)).
    ///
    /// `pat_core::testing::check_allowed_scopes` checks an implementation.
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

/// The greatest number of keys of one call of [`UserDirectory::profiles`].
pub(crate) const MAX_PROFILES: usize = 500;

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
    /// Mail address for notifications, which is not empty; `None` if the user is to get no notifications.
    pub email: Option<String>,
    /// Whether the user is *active*, and so may use the host. If `false`, because the host has disabled or
    /// locked the user, the user's tokens do not authenticate, and the user gets no notifications.
    pub is_active: bool,
    /// Language in which the user gets notifications, as a BCP 47 tag such as `de` or `pt-BR`, of those that the
    /// notifier has; `None` for the notifier's default. A tag of another language, or a text that is no tag, is as
    /// good as none.
    pub language: Option<String>,
}

impl User {
    /// Creates a user without a mail address and a language.
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
            language: None,
        }
    }

    /// Returns whether [`UserDirectory::search`] for `contains` finds the user: whether the user's
    /// [search text](User::search_text) has the text in it, ignoring letter case.
    #[must_use]
    pub fn matches(&self, contains: &str) -> bool {
        self.search_text().contains(&fold_case(contains))
    }

    /// Returns the text in which [`UserDirectory::search`] looks for a part: key, user name, full name and mail
    /// address, one on each line, with the letters folded to one case ([`fold_case`]).
    ///
    /// A host with an SQL table can store it in a column, and then search it for `fold_case(contains)`, on each
    /// database with the same result.
    ///
    /// ```
    /// use pat_core::{Owner, User};
    ///
    /// let user = User::new(Owner::new("7")?, "zoe_a", "Zoë Ångström", true);
    /// assert_eq!(user.search_text(), "7\nzoe_a\nzoë ångström\n");
    /// assert!(user.matches("NGSTRÖ") && !user.matches("zoe%"));
    /// # Ok::<(), pat_core::InvalidOwner>(())
    /// ```
    #[must_use]
    pub fn search_text(&self) -> String {
        let email = self.email.as_deref().unwrap_or_default();
        let texts = [self.owner.as_str(), &self.username, &self.full_name, email];
        fold_case(&texts.join("\n"))
    }
}

/// The directory of a host without a user directory: every owner exists and is active
/// ([`User::is_active`]), and no user is an administrator or has a mail address. It cannot list users: a search
/// finds none, so administrators type the keys of owners in full.
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
            language: None,
        }))
    }

    async fn is_administrator(&self, _: &Owner) -> Result<bool, BoxError> {
        Ok(false)
    }

    async fn search(&self, _: &str, _: usize) -> Result<Vec<User>, BoxError> {
        Ok(Vec::new())
    }
}
