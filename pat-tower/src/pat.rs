use http::Extensions;
use jiff::Timestamp;
use pat_core::{Owner, Principal, TokenId};

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
