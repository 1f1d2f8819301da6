//! Whether a directory allows each user scopes of the catalog, whatever it was asked before.

use futures_util::future::join_all;

use super::Suite;
use super::calls::Outcome;
use super::derive::similar_keys;
use crate::scope::{AllowedScopes, ScopeCatalog};
use crate::token::Owner;

impl Suite<'_> {
    pub(super) async fn allowed_scopes_depend_on_the_user_alone(
        &self,
        catalog: &ScopeCatalog,
    ) -> Outcome {
        let mut first = Vec::new();
        for user in self.users() {
            let key = &user.owner;
            let allowed = self.allowed_scopes(key, catalog).await?;
            let again = self.allowed_scopes(key, catalog).await?;
            is_unchanged(key, &allowed, &again, "in the next call", catalog)?;
            first.push((key, allowed));
        }
        // In another order, and with an unknown key between.
        for (key, allowed) in first.iter().rev() {
            // Its errors are those of the check of unknown keys.
            let _ = self.directory.allowed_scopes(&self.unknown, catalog).await;
            let later = self.allowed_scopes(key, catalog).await?;
            is_unchanged(key, allowed, &later, "after calls for others", catalog)?;
        }
        let calls = first
            .iter()
            .map(|(key, _)| self.allowed_scopes(key, catalog));
        for ((key, allowed), later) in first.iter().zip(join_all(calls).await) {
            let when = "in calls at the same time";
            is_unchanged(key, allowed, &later?, when, catalog)?;
        }
        Ok(())
    }

    /// An unknown key is not an error.
    pub(super) async fn unknown_keys_have_allowed_scopes(&self, catalog: &ScopeCatalog) -> Outcome {
        let similar = self.users().flat_map(|user| similar_keys(&user.owner));
        for key in self.unknown_keys().chain(similar) {
            let allowed = self.directory.allowed_scopes(&key, catalog).await;
            allowed.map_err(|error| {
                format!(
                    "allowed_scopes({:?}) failed with {error:?}: return any scopes for a text that is the key of \
                     no user",
                    key.as_str()
                )
            })?;
        }
        Ok(())
    }

    /// Asks for the scopes of a user, and checks that they are of the catalog.
    async fn allowed_scopes(&self, key: &Owner, catalog: &ScopeCatalog) -> Outcome<AllowedScopes> {
        let call = format!("allowed_scopes({:?})", key.as_str());
        let allowed = self.directory.allowed_scopes(key, catalog).await;
        let allowed = allowed.map_err(|error| {
            format!(
                "{call} failed with {error:?}: answer for each user, active or not, and name only scopes that \
                 the catalog declares"
            )
        })?;
        let declared = catalog.set(catalog.iter().map(|scope| scope.name()));
        let are_declared = declared.is_ok_and(|declared| declared.contains(allowed.scopes));
        if are_declared || allowed.scopes == AllowedScopes::all().scopes {
            return Ok(allowed);
        }
        Err(format!(
            "{call} returned a set of another catalog: make it with the `set` of the catalog of the call"
        ))
    }
}

fn is_unchanged(
    key: &Owner,
    before: &AllowedScopes,
    later: &AllowedScopes,
    when: &str,
    catalog: &ScopeCatalog,
) -> Outcome {
    if before == later {
        return Ok(());
    }
    Err(format!(
        "allowed_scopes({:?}) returned {}, and {when} {}: it must depend on the user alone, and \
         stay the same until the host changes what the user may do",
        key.as_str(),
        text_of(before, catalog),
        text_of(later, catalog)
    ))
}

fn text_of(allowed: &AllowedScopes, catalog: &ScopeCatalog) -> String {
    let names: Vec<_> = catalog.names_of(allowed.scopes).collect();
    let unrestricted = if allowed.unrestricted {
        "with"
    } else {
        "without"
    };
    format!("the scopes {names:?} {unrestricted} unrestricted tokens")
}
