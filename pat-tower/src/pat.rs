use std::ops::Deref;
use std::sync::Arc;

use http::Extensions;
#[cfg(any(feature = "api", feature = "pages"))]
use pat_core::Caller;
use pat_core::{AuthError, Principal, TokenDigest};

use crate::auth::Config;

/// The personal access token that authenticated a request.
///
/// In axum it is an extractor; elsewhere [`Pat::of`] finds it in the request's extensions, where it
/// lies under this very type.
#[derive(Debug, Clone)]
pub struct Pat {
    principal: Principal,
    /// The number of the service whose layer accepted it.
    service: usize,
}

impl Pat {
    pub(crate) fn new(principal: Principal, service: usize) -> Self {
        Self { principal, service }
    }

    /// The token that authenticated the request with these extensions; `None` if none did.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// What the token proves.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Deref for Pat {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

/// Who is calling: the owner of a token, or else whom the host has put into the extensions.
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) fn caller_of(extensions: &Extensions) -> Option<Caller> {
    match Pat::of(extensions) {
        Some(pat) => Some(Caller::with_token(pat.principal.clone())),
        None => extensions.get().cloned(),
    }
}

/// What a layer of a service has decided about a request, kept in its extensions: for the handlers,
/// and so that a second layer of the same service does not decide again. A [`Pat`] beside it is later and
/// counts; a layer that decides for this takes an earlier one out.
///
/// A `Pat` shares nothing but the principal, whose count is the only one that a request with a good
/// token moves: cores that count the same thing wait for each other.
#[derive(Debug, Clone)]
pub(crate) struct Unauthenticated {
    /// The number of the service.
    pub(crate) service: usize,
    pub(crate) why: Why,
}

/// Why a request that was let through has no token.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// It presents none. With the layer's configuration, for handlers that insist on one.
    Anonymous(Arc<Config>),
    /// It is not good, which in the lenient mode comes to the same.
    Refused(Arc<Refusal>),
}

/// A token that was refused; no digest if no format recognised it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) config: Arc<Config>,
    pub(crate) digest: Option<TokenDigest>,
    pub(crate) error: AuthError,
}

impl Unauthenticated {
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }
}

/// What an earlier layer of a service has decided.
pub(crate) enum AuthState<'e> {
    Accepted(&'e Pat),
    Not(&'e Why),
}

impl<'e> AuthState<'e> {
    /// The verdict of the service of this service, if it has decided last.
    pub(crate) fn of(extensions: &'e Extensions, service: usize) -> Option<Self> {
        if let Some(pat) = Pat::of(extensions) {
            return (pat.service == service).then_some(Self::Accepted(pat));
        }
        let not = Unauthenticated::of(extensions)?;
        (not.service == service).then_some(Self::Not(&not.why))
    }

    /// What it says of the token of this digest, if it is about that.
    pub(crate) fn about(&self, digest: &TokenDigest) -> Option<Result<Principal, AuthError>> {
        match self {
            Self::Accepted(pat) if pat.digest() == digest => Some(Ok(pat.principal.clone())),
            Self::Not(Why::Refused(refusal)) if refusal.digest.as_ref() == Some(digest) => {
                Some(Err(refusal.error.clone()))
            }
            _ => None,
        }
    }
}
