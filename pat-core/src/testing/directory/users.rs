//! Whether users are found by their keys, and by no others.

use std::collections::BTreeSet;

use super::Suite;
use super::calls::{Outcome, differs, find, is_administrator, name};
use super::derive::{keys_like, senseless_keys, similar_keys};
use crate::directory::{MAX_PROFILES, User};
use crate::token::Owner;

impl Suite<'_> {
    /// Returns a key of no user, and texts that no directory has as keys.
    pub(super) fn unknown_keys(&self) -> impl Iterator<Item = Owner> {
        [self.unknown.clone()].into_iter().chain(senseless_keys())
    }

    /// A key of no user, texts that no directory has as keys, and texts that are almost the key of a user.
    pub(super) async fn unknown_keys_are_of_no_user(&self) -> Outcome {
        for key in self.unknown_keys() {
            if let Some(user) = find(self.directory, &key).await? {
                return Err(format!(
                    "find({:?}) returned {}: return `None` for a key without a user",
                    key.as_str(),
                    name(&user)
                ));
            }
            self.is_no_administrator(&key).await?;
        }
        for user in self.users() {
            for key in similar_keys(&user.owner) {
                let Some(found) = find(self.directory, &key).await? else {
                    self.is_no_administrator(&key).await?;
                    continue;
                };
                let as_found = User {
                    owner: found.owner.clone(),
                    ..user.clone()
                };
                if found.owner != key || found == as_found {
                    return Err(format!(
                        "find({:?}) returned {}: compare keys byte by byte, and read numbers and UUIDs with \
                         `Owner::parse`; otherwise a user has several keys, and `Pats::user_deleted` for one of \
                         them leaves the tokens of the others",
                        key.as_str(),
                        name(user)
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that a key without a user is not that of an administrator.
    async fn is_no_administrator(&self, key: &Owner) -> Outcome {
        if !is_administrator(self.directory, key).await? {
            return Ok(());
        }
        Err(format!(
            "is_administrator({:?}) returned true for a key without a user: look up the key as `find` does",
            key.as_str()
        ))
    }

    pub(super) async fn roles_are_right(&self) -> Outcome {
        let expected = [
            (Some(&self.active), "active", false),
            (self.administrator.as_ref(), "administrator", true),
            (self.disabled.as_ref(), "disabled", false),
        ];
        for (user, name, expected) in expected {
            let Some(User { owner, .. }) = user else {
                continue;
            };
            if is_administrator(self.directory, owner).await? != expected {
                let advice = match name {
                    "disabled" => "return false for a user who is not active",
                    "active" => {
                        "return false for a user who is not an administrator, and give `active` the key of one"
                    }
                    _ => {
                        "return true for an administrator, and give `administrator` the key of one"
                    }
                };
                return Err(format!(
                    "is_administrator({:?}) returned {} for the user `{name}`: {advice}",
                    owner.as_str(),
                    !expected
                ));
            }
        }
        Ok(())
    }

    /// Of known and unknown keys, the users with the known ones are returned.
    pub(super) async fn profiles_are_the_users(&self) -> Outcome {
        let mut keys: Vec<_> = self.users().map(|user| user.owner.clone()).collect();
        keys.push(self.unknown.clone());
        self.have_profiles(&keys).await?;
        let others = senseless_keys().chain(similar_keys(&self.active.owner));
        for key in others.chain(keys_like(&self.unknown)) {
            if keys.len() < MAX_PROFILES && !keys.contains(&key) {
                keys.push(key);
            }
        }
        self.have_profiles(&keys).await
    }

    async fn have_profiles(&self, keys: &[Owner]) -> Outcome {
        let call = format!("profiles of {} keys", keys.len());
        let profiles = self.directory.profiles(keys).await.map_err(|error| {
            format!(
                "{call} failed with {error:?}: take up to {MAX_PROFILES} keys, and skip those of no user"
            )
        })?;
        let mut seen = BTreeSet::new();
        for profile in &profiles {
            if !seen.insert(&profile.owner) {
                return Err(format!(
                    "{call} returned {} twice: return each user once",
                    name(profile)
                ));
            }
            let known = self.users().find(|user| user.owner == profile.owner);
            if known.is_some_and(|known| known != profile) {
                return Err(differs(&call, profile));
            }
            let is_found = || async { find(self.directory, &profile.owner).await };
            if !keys.contains(&profile.owner) || is_found().await?.is_none() {
                return Err(format!(
                    "{call} returned {}, who has none of the keys or whom `find` does not know: skip unknown keys",
                    name(profile)
                ));
            }
        }
        match self.users().find(|user| !seen.contains(&user.owner)) {
            Some(missing) => Err(format!(
                "{call} did not return {}, whose key is one of them: return all of these users, active or not",
                name(missing)
            )),
            None => Ok(()),
        }
    }
}
