//! What a layer leaves in the extensions of a request that it let through.
//!
//! Handlers read it, and a second layer of the same service does not decide again. A request with a
//! good token has a [`Pat`], which shares nothing but the principal: its reference count is the only
//! one that such a request moves, unless the host renders rejections, since cores that count the same
//! thing wait for each other.

use std::sync::Arc;

use http::Extensions;
use pat_core::{AuthError, Principal, TokenDigest};

use crate::http::challenge::Challenges;
use crate::pat::Pat;

/// The mark of a request that was let through without a token. A [`Pat`] beside it was inserted later
/// and counts; a layer that inserts this removes an earlier one.
#[derive(Debug, Clone)]
pub(crate) struct Unauthenticated {
    /// The process-unique ID of the layer's service.
    pub(super) service: usize,
    pub(super) why: Why,
}

/// Why a request that was let through has no token.
#[derive(Debug, Clone)]
pub(super) enum Why {
    /// It presents none.
    NoToken(Arc<Challenges>),
    /// Its token was refused, which the lenient mode treats like none.
    Refused(Arc<Refusal>),
}

/// A token that was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) challenges: Arc<Challenges>,
    /// `None` if no format recognised the token.
    pub(super) digest: Option<TokenDigest>,
    pub(super) error: AuthError,
}

impl Unauthenticated {
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Returns the challenges for a handler that insists on a token.
    #[cfg_attr(
        not(feature = "axum"),
        expect(dead_code, reason = "the extractors alone ask for them")
    )]
    pub(crate) fn challenges(&self) -> &Challenges {
        match &self.why {
            Why::NoToken(challenges) => challenges,
            Why::Refused(refusal) => &refusal.challenges,
        }
    }
}

/// What an earlier layer of a service has decided about a request.
pub(super) enum AuthState<'e> {
    Accepted(&'e Pat),
    Unauthenticated(&'e Why),
}

impl<'e> AuthState<'e> {
    /// Returns the decision of an earlier layer, if that was one of this service.
    pub(super) fn of(extensions: &'e Extensions, service: usize) -> Option<Self> {
        if let Some(pat) = Pat::of(extensions) {
            return (pat.service() == service).then_some(Self::Accepted(pat));
        }
        let mark = Unauthenticated::of(extensions)?;
        (mark.service == service).then_some(Self::Unauthenticated(&mark.why))
    }

    /// Returns the result for the token of this digest, if the decision was about that token.
    pub(super) fn result_for(&self, digest: &TokenDigest) -> Option<Result<Principal, AuthError>> {
        match self {
            Self::Accepted(pat) if pat.principal().has_digest(digest) => {
                Some(Ok(pat.principal().clone()))
            }
            Self::Unauthenticated(Why::Refused(refusal))
                if refusal.digest.as_ref() == Some(digest) =>
            {
                Some(Err(refusal.error.clone()))
            }
            Self::Accepted(_) | Self::Unauthenticated(_) => None,
        }
    }
}
