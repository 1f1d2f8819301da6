use std::ops::Deref;
use std::sync::Arc;

use http::Extensions;
#[cfg(any(feature = "api", feature = "pages"))]
use pat_core::Caller;
use pat_core::{AuthError, Principal, TokenDigest};

use crate::auth::Config;

/// The personal access token that authenticated a request.
///
/// In axum it is an extractor; elsewhere [`Pat::of`] finds it in the request's extensions.
#[derive(Debug, Clone)]
pub struct Pat(pub Principal);

impl Pat {
    /// The token that authenticated the request with these extensions; `None` if none did.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        match &Verdict::of(extensions)?.outcome {
            Outcome::Accepted(pat) => Some(pat),
            Outcome::Anonymous(_) | Outcome::Refused(_) => None,
        }
    }
}

impl Deref for Pat {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

/// Who is calling: the owner of a token, or else whom the host has put into the extensions.
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) fn caller_of(extensions: &Extensions) -> Option<Caller> {
    match Pat::of(extensions) {
        Some(pat) => Some(Caller::with_token(pat.0.clone())),
        None => extensions.get().cloned(),
    }
}

/// What a layer decided about a request, kept in its extensions: for the handlers, and so that a
/// second layer of the same service does not decide again.
///
/// One that accepts shares nothing but the principal, whose count is the only one that a request
/// with a good token moves: cores that count the same thing wait for each other.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// The number of the service that decided.
    pub(crate) service: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// With the layer's configuration, for handlers that insist on a token.
    Anonymous(Arc<Config>),
    Accepted(Pat),
    /// Let through all the same, in the lenient mode.
    Refused(Arc<Refusal>),
}

/// A token that was refused; no digest if no format recognised it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) config: Arc<Config>,
    pub(crate) digest: Option<TokenDigest>,
    pub(crate) error: AuthError,
}

impl Verdict {
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// What was decided about the token of this digest, if it was this one.
    pub(crate) fn about(&self, digest: &TokenDigest) -> Option<Result<Principal, AuthError>> {
        match &self.outcome {
            Outcome::Accepted(pat) if pat.digest() == digest => Some(Ok(pat.0.clone())),
            Outcome::Refused(refusal) if refusal.digest.as_ref() == Some(digest) => {
                Some(Err(refusal.error.clone()))
            }
            _ => None,
        }
    }
}
