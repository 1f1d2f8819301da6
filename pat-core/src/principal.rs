use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::auth::cached_token::CachedToken;
use crate::clock::Moment;
use crate::scope::{ScopeSet, Scopes};
use crate::token::{DateText, Owner, TokenDigest, TokenId};

/// The token that authenticated a request, and the token's owner. Cheap to clone.
#[derive(Clone)]
pub struct Principal(pub(crate) Arc<CachedToken>);

impl Principal {
    /// Returns the token's ID.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.0.token_id
    }

    /// Returns whether the token has this digest, and so whether a presented string is this token
    /// ([`TokenDigest::of`]).
    #[must_use]
    pub fn has_digest(&self, digest: &TokenDigest) -> bool {
        self.0.digest == *digest
    }

    /// Returns the token's owner: the user who made the request.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// Returns the name that the owner gave the token.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns when the token expires; `None` if it never expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.0.expires_micros {
            i64::MAX => None,
            micros => Timestamp::from_microsecond(micros).ok(),
        }
    }

    /// Returns [`Principal::expires_at`] as text for a response header, such as
    /// `2026-01-02T03:04:05.678+00:00`; `None` if the token never expires. The text is formatted once for as
    /// long as the token is cached.
    #[must_use]
    pub fn expires_at_text(&self) -> Option<&DateText> {
        self.0.expires_at.as_ref()
    }

    /// Returns the token's scopes; `None` if the token is unrestricted, so that it may do everything that its
    /// owner may.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        self.0.scopes.as_ref()
    }

    /// Returns whether the token has scopes, so that it may do only what they permit.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.0.is_restricted
    }

    /// Returns what the token's scopes permit: the declared ones and what they imply, as a set of the
    /// service's [catalog](crate::Pats::scope_catalog). An unrestricted token is permitted every scope.
    #[must_use]
    pub fn permitted(&self) -> ScopeSet {
        self.0.permitted
    }

    /// Records that the token has authenticated a request.
    pub(crate) fn note_use(&self, now: Moment) {
        self.0.last_use.note(now.wall);
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("token_id", &self.0.token_id.get())
            .field("owner", &self.0.owner.as_str())
            .field("expires_at", &self.expires_at())
            .field("scopes", &self.scopes())
            .finish_non_exhaustive()
    }
}
