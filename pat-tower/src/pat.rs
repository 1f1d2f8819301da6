use http::Extensions;
use jiff::Timestamp;
use pat_core::scope::{ScopeSet, Scopes};
use pat_core::{DateText, Owner, Principal, TokenId};

/// The personal access token that authenticated a request, without its secret.
///
/// In axum this type is an extractor. Elsewhere [`Pat::of`] finds it in the request's extensions, into
/// which a [`PatLayer`](crate::PatLayer) has inserted it.
#[derive(Debug, Clone)]
pub struct Pat {
    principal: Principal,
    service: usize,
}

impl Pat {
    pub(crate) fn new(principal: Principal, service: usize) -> Self {
        Self { principal, service }
    }

    /// Returns the token that authenticated the request with these extensions; `None` if no token did.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Returns the token's ID.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.principal.token_id()
    }

    /// Returns the user to whom the token belongs.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        self.principal.owner()
    }

    /// Returns the name that the user has given to the token.
    #[must_use]
    pub fn name(&self) -> &str {
        self.principal.name()
    }

    /// Returns when the token expires; `None` if the token never expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at()
    }

    /// Returns the token's scopes; `None` if the token is unrestricted.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        self.principal.scopes()
    }

    /// Returns whether the token permits all of these scopes, which
    /// [`ScopeCatalog::set`](pat_core::scope::ScopeCatalog::set) of the service's
    /// [catalog](pat_core::Pats::scope_catalog) has made from names. An unrestricted token permits every scope.
    #[must_use]
    pub fn permits(&self, scopes: ScopeSet) -> bool {
        self.principal.permitted().contains(scopes)
    }

    /// Returns the proof that the token authenticated, from which
    /// [`Caller::with_token`](pat_core::Caller::with_token) makes the caller for the methods of
    /// [`Pats`](pat_core::Pats).
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the process-unique ID of the service whose layer accepted the token.
    pub(crate) fn service(&self) -> usize {
        self.service
    }
}

/// In the extensions of a response: when the token of the request ends now, after the request has changed that. The
/// layer takes its `PAT-Expires-At` from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewEnd(pub(crate) DateText);
