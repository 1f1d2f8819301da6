use pat_core::scope::{ScopeCatalog, ScopeSet};
use pat_core::{Pats, TokenId};

use super::head::RequestHead;
#[cfg(feature = "api")]
use crate::http::challenge::Challenges;
#[cfg(feature = "api")]
use crate::http::problem::Problem;

/// The names of the scopes that a request needs, and of those that the token lacks.
#[derive(Debug, Clone)]
pub(crate) struct MissingScopes {
    pub(crate) required: Vec<String>,
    pub(crate) missing: Vec<String>,
}

impl MissingScopes {
    /// Of a request that needs the scopes `required`, and a token that permits others. `None` if the missing ones have
    /// no names, since they are a set of another catalog.
    pub(crate) fn new(
        catalog: &ScopeCatalog,
        required: ScopeSet,
        permitted: ScopeSet,
    ) -> Option<Self> {
        let names = |set| catalog.names_of(set).map(str::to_owned).collect();
        let scopes = Self {
            required: names(required),
            missing: names(required.without(permitted)),
        };
        (!scopes.missing.is_empty()).then_some(scopes)
    }

    /// Of a request that needs the scope of this name, and a token that does not permit it.
    #[cfg(feature = "axum")]
    pub(crate) fn one(name: &str) -> Self {
        let required = vec![name.to_owned()];
        let missing = required.clone();
        Self { required, missing }
    }

    /// Returns the response to the request.
    #[cfg(feature = "api")]
    pub(crate) fn problem(&self, challenges: &Challenges) -> Problem {
        Problem::insufficient_scope(Some(self), challenges.missing_scopes(&self.required))
    }
}

/// Counts and logs the refusal of a caller whose scopes do not permit a request. `missing` is empty if the request is
/// not declared.
pub(crate) fn note(
    service: &Pats,
    token: Option<TokenId>,
    head: RequestHead<'_>,
    missing: &[impl AsRef<str>],
) {
    service.count_scope_refusal(!missing.is_empty());
    let token = token.map(TokenId::get);
    let method = head.method().as_str();
    // Never the query, which may have secrets.
    let path = head.matched_path().unwrap_or_else(|| head.uri().path());
    if missing.is_empty() {
        // What the host forgot to declare is for its developers to see.
        tracing::info!(
            token.id = token,
            method,
            path,
            "refused a token with scopes: the scope map does not declare the request"
        );
    } else {
        let missing: Vec<_> = missing.iter().map(AsRef::as_ref).collect();
        let missing = missing.join(" ");
        tracing::debug!(
            token.id = token,
            method,
            path,
            missing,
            "refused a token that lacks scopes"
        );
    }
}
