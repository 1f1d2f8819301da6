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
