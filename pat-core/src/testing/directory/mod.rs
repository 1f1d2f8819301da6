//! The suite for user directories.

mod calls;
mod derive;
#[cfg(test)]
mod flawed;
mod scopes;
mod search;
mod users;

use self::calls::{Outcome, find, name};
use crate::directory::{User, UserDirectory};
use crate::scope::ScopeCatalog;
use crate::token::Owner;

/// The keys of the users with which [`check_directory`] and [`check_allowed_scopes`] check a directory, which has
/// these users already.
///
/// This struct is exhaustive: the suite needs a user of each kind that the host has.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryUsers<'a> {
    /// The key of an active user who is not an administrator. One of the user's names has an underscore, and one
    /// has a letter beyond ASCII, such as the user name `zoe_a` and the full name `Zoë Ångström`. The user has a
    /// mail address, unless the host has none. Neither it nor the key nor one of the names is a part of another.
    pub active: &'a str,
    /// The key of an active administrator; `None` if the host has no administrators.
    pub administrator: Option<&'a str>,
    /// The key of a user who is not active, best of all a disabled administrator; `None` if the host's users are
    /// always active.
    pub disabled: Option<&'a str>,
    /// A text in the form of the directory's keys that is the key of no user, such as `999` or another UUID.
    pub unknown: &'a str,
}

/// Checks a directory against the contract of [`UserDirectory`], with the users that the host's test has added
/// to it. It calls the directory a few hundred times, and changes nothing.
///
/// | promise | check |
/// |---|---|
/// | `find` returns the user with a key, active or not, without an empty mail address | for the users of [`DirectoryUsers`] |
/// | a key is compared byte by byte, and a text that is no key is unknown | `find` for `unknown`, and for texts such as `07`, `7.0`, `ALICE`, `alice `, `%` and 255 letters, returns `None` |
/// | administrators are active and known | `is_administrator` is true for `administrator`, and false for the others and these texts |
/// | `search` looks into the key, the user name, the full name and the mail address, in any letter case | for a part of each, also in the other case, also of letters beyond ASCII |
/// | each character stands for itself | a name with `_` is found by it, and no name by a text in which any ASCII punctuation stands for a letter, for text, or escapes a letter |
/// | inactive users are found, each user once, as `find` returns the user | in every search |
/// | at most `limit` users | with the limits 0 and 1, also for the empty text |
/// | `profiles` returns the users with the keys, active or not, once, as `find` does, and skips unknown keys | for these users, and among 500 keys |
///
/// It cannot check that a key is never given to another user, that the login uses the same key, and that the
/// directory answers in time when it is busy. [`check_allowed_scopes`] checks `allowed_scopes`.
///
/// ```
/// use pat_core::testing::{DirectoryUsers, TestDirectory, check_directory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // In place of it, the host's own directory.
/// let directory = TestDirectory::default();
/// directory.add("zoë_a");
/// directory.add_administrator("root");
/// let disabled = directory.add_administrator("bob");
/// directory.set_active(&disabled, false);
/// let users = DirectoryUsers {
///     active: "zoë_a",
///     administrator: Some("root"),
///     disabled: Some("bob"),
///     unknown: "nobody",
/// };
/// check_directory(&directory, users).await;
/// # }
/// ```
///
/// # Panics
/// If the directory breaks the contract, or a user is not as [`DirectoryUsers`] says. The message has each broken
/// promise: the call, its result, and what to change.
pub async fn check_directory(directory: &dyn UserDirectory, users: DirectoryUsers<'_>) {
    assert_none(&flaws(directory, users).await);
}

/// Checks [`UserDirectory::allowed_scopes`] of a directory that implements it, with the host's catalog and the users
/// that the host's test has added to the directory. It calls the directory about a hundred times, and changes
/// nothing.
///
/// | promise | check |
/// |---|---|
/// | the set has scopes of the catalog only | for the users of [`DirectoryUsers`], active or not |
/// | the result stays the same | for each of these users, a second call returns what the first one did |
/// | the result depends on the user alone | it is still the same after calls for other users, and in calls at the same time |
/// | an unknown key is not an error | for `unknown`, for texts that no directory has as keys, and for texts that are almost the key of a user |
///
/// It cannot check that the scopes are those that the host wants to allow.
///
/// ```
/// use pat_core::scope::ScopeCatalog;
/// use pat_core::testing::{DirectoryUsers, TestDirectory, check_allowed_scopes};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let catalog = ScopeCatalog::builder().scope("read", "Read reports").build()?;
/// // In place of it, the host's own directory.
/// let directory = TestDirectory::default();
/// directory.add("alice");
/// let users = DirectoryUsers {
///     active: "alice",
///     administrator: None,
///     disabled: None,
///     unknown: "nobody",
/// };
/// check_allowed_scopes(&directory, users, &catalog).await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// As [`check_directory`] does.
pub async fn check_allowed_scopes(
    directory: &dyn UserDirectory,
    users: DirectoryUsers<'_>,
    catalog: &ScopeCatalog,
) {
    assert_none(&flaws_of_scopes(directory, users, catalog).await);
}

fn assert_none(flaws: &[String]) {
    assert!(
        flaws.is_empty(),
        "{} in the user directory:\n- {}\n",
        if flaws.len() == 1 { "a flaw" } else { "flaws" },
        flaws.join("\n- ")
    );
}

/// Returns a message for each rule that the directory breaks.
async fn flaws(directory: &dyn UserDirectory, users: DirectoryUsers<'_>) -> Vec<String> {
    let suite = match Suite::new(directory, users).await {
        Ok(suite) => suite,
        Err(flaw) => return vec![flaw],
    };
    let outcomes = [
        suite.unknown_keys_are_of_no_user().await,
        suite.roles_are_right().await,
        suite.texts_are_searched().await,
        suite.characters_stand_for_themselves().await,
        suite.every_user_is_searched().await,
        suite.the_limit_is_kept().await,
        suite.profiles_are_the_users().await,
    ];
    outcomes.into_iter().filter_map(Result::err).collect()
}

/// Returns a message for each rule about scopes that the directory breaks.
async fn flaws_of_scopes(
    directory: &dyn UserDirectory,
    users: DirectoryUsers<'_>,
    catalog: &ScopeCatalog,
) -> Vec<String> {
    let suite = match Suite::new(directory, users).await {
        Ok(suite) => suite,
        Err(flaw) => return vec![flaw],
    };
    let outcomes = [
        suite.allowed_scopes_depend_on_the_user_alone(catalog).await,
        suite.unknown_keys_have_allowed_scopes(catalog).await,
    ];
    outcomes.into_iter().filter_map(Result::err).collect()
}

/// The directory with its users.
struct Suite<'a> {
    directory: &'a dyn UserDirectory,
    active: User,
    administrator: Option<User>,
    disabled: Option<User>,
    unknown: Owner,
}

impl<'a> Suite<'a> {
    /// Looks up the users.
    async fn new(
        directory: &'a dyn UserDirectory,
        users: DirectoryUsers<'_>,
    ) -> Outcome<Suite<'a>> {
        let unknown = owner(users.unknown)?;
        let active = known(directory, "active", users.active).await?;
        let administrator = match users.administrator {
            Some(key) => Some(known(directory, "administrator", key).await?),
            None => None,
        };
        let disabled = match users.disabled {
            Some(key) => Some(known(directory, "disabled", key).await?),
            None => None,
        };
        Ok(Self {
            directory,
            active,
            administrator,
            disabled,
            unknown,
        })
    }

    fn users(&self) -> impl Iterator<Item = &User> {
        let others = [&self.administrator, &self.disabled];
        [&self.active]
            .into_iter()
            .chain(others.into_iter().flatten())
    }
}

fn owner(key: &str) -> Outcome<Owner> {
    Owner::new(key).map_err(|error| format!("{key:?} is not a key: {error}"))
}

/// Looks up a user of [`DirectoryUsers`], and checks that the user is as the field of this name says.
async fn known(directory: &dyn UserDirectory, field: &str, key: &str) -> Outcome<User> {
    let owner = owner(key)?;
    let Some(user) = find(directory, &owner).await? else {
        let advice = match field {
            "disabled" => {
                "return a user with `is_active: false`; pruning would take the disabled user for a deleted one, \
                 and revoke the tokens for good"
            }
            _ => "add the user before the check, and return the user with this key",
        };
        return Err(format!(
            "find({key:?}) returned None for the user `{field}`: {advice}"
        ));
    };
    let call = format!("find({key:?}) returned {}", name(&user));
    let is_active = field != "disabled";
    if user.owner != owner {
        Err(format!("{call}: `User::owner` must be the key of the call"))
    } else if user.is_active != is_active {
        Err(format!(
            "{call} with `is_active: {}`: give `{field}` the key of a user for whom it is {is_active}, or \
             correct the directory",
            user.is_active
        ))
    } else if user
        .email
        .as_ref()
        .is_some_and(|email| email.trim().is_empty())
    {
        Err(format!(
            "{call} with an empty mail address: return `None` for a user without one"
        ))
    } else {
        Ok(user)
    }
}
