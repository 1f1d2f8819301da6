use super::{Scope, ScopeCatalog, ScopeSet, Scopes};

/// The scopes that a user may give new tokens, as the host decides
/// ([`UserDirectory::allowed_scopes`](crate::UserDirectory::allowed_scopes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllowedScopes {
    /// The allowed scopes, as a set of the service's catalog. A scope that these imply is allowed too.
    pub scopes: ScopeSet,
    /// Whether the user may create unrestricted tokens.
    pub unrestricted: bool,
}

impl AllowedScopes {
    /// Allows every scope, and unrestricted tokens.
    #[must_use]
    pub fn all() -> Self {
        Self {
            scopes: ScopeSet::ALL,
            unrestricted: true,
        }
    }

    /// Allows these scopes and what they imply, and no unrestricted tokens.
    #[must_use]
    pub fn only(scopes: ScopeSet) -> Self {
        Self {
            scopes,
            unrestricted: false,
        }
    }
}

/// What a caller may choose for the scopes of a new token
/// ([`Pats::scope_choices`](crate::Pats::scope_choices)).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScopeChoices<'c> {
    /// The scopes that the caller may give the token, in the order of [`ScopeCatalog::iter`].
    pub scopes: Vec<Scope<'c>>,
    /// What a request without scopes gets.
    pub without_scopes: WithoutScopes,
}

/// What a request for a new token without scopes gets ([`ScopeChoices`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithoutScopes {
    /// An unrestricted token.
    Unrestricted,
    /// A token with these scopes: those of the token that authenticated the caller, or the value of the
    /// setting `pat.scopes.default`.
    Restricted(Scopes),
    /// A refusal: the setting `pat.scopes.required` is `true`, or the host does not allow the caller what the
    /// request would get.
    Refused,
}

impl ScopeCatalog {
    /// Returns whether these scopes of a new token, or `None` for an unrestricted one, are allowed.
    pub(crate) fn allows(&self, allowed: &AllowedScopes, scopes: Option<&Scopes>) -> bool {
        scopes.map_or(allowed.unrestricted, |scopes| {
            self.closure(allowed.scopes)
                .contains(self.permitted_by(scopes))
        })
    }

    /// Returns the scopes that permit no more than these sets do.
    pub(crate) fn within(&self, permitted: ScopeSet, allowed: &AllowedScopes) -> Vec<Scope<'_>> {
        let allowed = self.closure(allowed.scopes);
        let scopes = self.iter();
        let within = scopes.filter(|scope| {
            permitted.contains(scope.permits()) && allowed.contains(scope.permits())
        });
        within.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::read_and_write;

    #[test]
    fn a_token_is_allowed_what_the_allowed_scopes_permit() {
        let catalog = read_and_write().build().expect("a catalog");
        let write = AllowedScopes::only(catalog.set(["write"]).expect("a set"));
        for (names, is_allowed) in [
            ("", true),
            ("read", true),
            ("read write", true),
            ("tokens:read", false),
            ("read tokens:read", false),
            // Not declared, so it permits nothing.
            ("gone", true),
        ] {
            let scopes = names.parse().expect("scopes");
            assert_eq!(catalog.allows(&write, Some(&scopes)), is_allowed, "{names}");
            assert!(catalog.allows(&AllowedScopes::all(), Some(&scopes)));
        }
        assert!(!catalog.allows(&write, None));
        assert!(catalog.allows(&AllowedScopes::all(), None));
    }

    #[test]
    fn a_choice_has_the_scopes_that_are_permitted_and_allowed() {
        let catalog = read_and_write().build().expect("a catalog");
        let all = "read write tokens:read tokens:write tokens:admin";
        for (permitted, allowed, expected) in [
            (None, None, all),
            (Some("write tokens:read"), None, "read write tokens:read"),
            (None, Some("write"), "read write"),
            (Some("read"), Some("write"), "read"),
            (Some("write"), Some("read"), "read"),
            (Some("read"), Some("tokens:admin"), ""),
            (None, Some(""), ""),
        ] {
            let names = |names: &str| names.parse::<Scopes>().expect("scopes");
            let permitted = catalog.permitted(permitted.map(names).as_ref());
            let allowed = allowed.map_or(AllowedScopes::all(), |allowed| {
                AllowedScopes::only(catalog.set(names(allowed).iter()).expect("a set"))
            });
            let scopes = catalog.within(permitted, &allowed);
            let names: Vec<_> = scopes.iter().map(Scope::name).collect();
            assert_eq!(names.join(" "), expected, "{permitted:?} {allowed:?}");
        }
    }
}
