//! Calls of a directory whose failure is a message.

use std::collections::BTreeSet;

use crate::directory::{User, UserDirectory};
use crate::token::Owner;

/// What is right, or what is wrong.
pub(super) type Outcome<T = ()> = Result<T, String>;

pub(super) async fn find(directory: &dyn UserDirectory, key: &Owner) -> Outcome<Option<User>> {
    directory.find(key).await.map_err(|error| {
        format!(
            "find({:?}) failed with {error:?}: return `None` for a text that is not a key of this directory; one \
             such owner of a token otherwise keeps pruning from finding any missing owner",
            key.as_str()
        )
    })
}

pub(super) async fn is_administrator(directory: &dyn UserDirectory, key: &Owner) -> Outcome<bool> {
    directory.is_administrator(key).await.map_err(|error| {
        format!(
            "is_administrator({:?}) failed with {error:?}: return false for a text that is not a key of this \
             directory",
            key.as_str()
        )
    })
}

/// Searches, and checks what is so for every search.
pub(super) async fn search(
    directory: &dyn UserDirectory,
    contains: &str,
    limit: usize,
) -> Outcome<Vec<User>> {
    let call = format!("search({contains:?}, {limit})");
    let found = directory.search(contains, limit).await;
    let found = found.map_err(|error| {
        format!("{call} failed with {error:?}: take every text literally; in SQL, bind it as a parameter")
    })?;
    if found.len() > limit {
        return Err(format!(
            "{call} returned {} users: return at most as many as the limit",
            found.len()
        ));
    }
    let mut seen = BTreeSet::new();
    match found.iter().find(|user| !seen.insert(&user.owner)) {
        Some(user) => Err(format!(
            "{call} returned {} twice: return each user once",
            name(user)
        )),
        None => Ok(found),
    }
}

pub(super) fn differs(call: &str, user: &User) -> String {
    format!(
        "{call} returned {} otherwise than `find` returns the user, as {user:?}: read all fields in both",
        name(user)
    )
}

pub(super) fn name(user: &User) -> String {
    format!("the user {:?} ({})", user.owner.as_str(), user.username)
}

pub(super) fn names(users: &[User]) -> String {
    match users {
        [] => "no user".to_owned(),
        [user] => name(user),
        [user, ..] => format!("{} and {} more", name(user), users.len() - 1),
    }
}
