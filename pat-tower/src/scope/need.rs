use pat_core::scope::{ScopeCatalog, ScopeSet, UndeclaredScope};

/// What a request needs of a restricted token.
// Exhaustive: these are all the answers that a scope map can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// All of these scopes, which [`ScopeCatalog::set`] of the service's
    /// [catalog](pat_core::Pats::scope_catalog) has made from names. The empty set is [`Need::Undeclared`].
    Scopes(ScopeSet),
    /// No scope: every valid token is permitted.
    Nothing,
    /// Not declared: no restricted token is permitted, whatever its scopes are.
    Undeclared,
}

/// The names of the scopes that a request needs, all of them; or [none](RequiredScopes::none).
///
/// Converts from a name, and from an array of names. An empty array is not the same as
/// [`RequiredScopes::none`]: it declares nothing, so that no restricted token is permitted.
///
/// ```
/// use pat_tower::scope::RequiredScopes;
///
/// let one = RequiredScopes::from("read");
/// let both = RequiredScopes::from(["read", "export"]);
/// let none = RequiredScopes::none();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredScopes(Names);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    None,
    All(Vec<String>),
}

impl RequiredScopes {
    /// Returns the value that requires no scope: every valid token is permitted.
    #[must_use]
    pub fn none() -> Self {
        Self(Names::None)
    }

    pub(crate) fn resolve(&self, catalog: &ScopeCatalog) -> Result<Need, UndeclaredScope> {
        Ok(match &self.0 {
            Names::None => Need::Nothing,
            Names::All(names) if names.is_empty() => Need::Undeclared,
            Names::All(names) => Need::Scopes(catalog.set(names)?),
        })
    }
}

impl From<&str> for RequiredScopes {
    fn from(name: &str) -> Self {
        [name].into()
    }
}

impl From<String> for RequiredScopes {
    fn from(name: String) -> Self {
        [name].into()
    }
}

impl<N: Into<String>, const COUNT: usize> From<[N; COUNT]> for RequiredScopes {
    fn from(names: [N; COUNT]) -> Self {
        Self(Names::All(names.map(Into::into).into()))
    }
}

impl From<Vec<String>> for RequiredScopes {
    fn from(names: Vec<String>) -> Self {
        Self(Names::All(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_declares_nothing() {
        let catalog = ScopeCatalog::builder().scope("read", "Read").build();
        let catalog = catalog.expect("a catalog");
        let read = catalog.set(["read"]).expect("a set");
        for (scopes, need) in [
            (RequiredScopes::none(), Need::Nothing),
            (RequiredScopes::from([""; 0]), Need::Undeclared),
            (RequiredScopes::from(Vec::new()), Need::Undeclared),
            (RequiredScopes::from("read"), Need::Scopes(read)),
            (RequiredScopes::from(["read"]), Need::Scopes(read)),
        ] {
            assert_eq!(scopes.resolve(&catalog), Ok(need), "{scopes:?}");
        }
        let wrong = RequiredScopes::from(["read", "wirte"]).resolve(&catalog);
        assert_eq!(wrong.expect_err("no need").name, "wirte");
    }
}
