//! Errors. Their texts are for logs; layers map the variants to responses.

use std::error::Error;
use std::sync::Arc;

use crate::store::StoreError;
use crate::token::{RandomnessError, TokenId};

/// The error of a plug-in.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The reason that a presented token does not authenticate. Its text is for logs; a client learns only
/// that the token is invalid.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Personal access tokens are switched off (`atlassian.pats.enabled`).
    #[error("personal access tokens are switched off")]
    Disabled,
    /// No accepted format recognises the string.
    #[error("the presented string has no accepted token format")]
    Unrecognized,
    /// The string has an accepted format, but no token is stored under its digest.
    #[error("unknown token")]
    Unknown,
    /// The token was revoked.
    #[error("token {0} is revoked")]
    Revoked(TokenId),
    /// The token has expired.
    #[error("token {0} is expired")]
    Expired(TokenId),
    /// The owner is not in the directory.
    #[error("the owner of token {0} does not exist")]
    OwnerGone(TokenId),
    /// The owner is in the directory, but not active.
    #[error("the owner of token {0} is not active")]
    OwnerInactive(TokenId),
    /// The token could not be checked in time; maps to 503, never 401.
    #[error("the token cannot be checked now")]
    Unavailable(#[source] Unavailable),
}

impl AuthError {
    /// Returns a short fixed name, for metrics and logs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unrecognized => "foreign",
            Self::Unknown => "unknown",
            Self::Revoked(_) => "revoked",
            Self::Expired(_) => "expired",
            Self::OwnerGone(_) => "owner_gone",
            Self::OwnerInactive(_) => "owner_inactive",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Returns the token's ID; `None` if the token is unknown or was not looked up.
    #[must_use]
    pub const fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::Revoked(id)
            | Self::Expired(id)
            | Self::OwnerGone(id)
            | Self::OwnerInactive(id) => Some(*id),
            _ => None,
        }
    }
}

/// The part of the service that failed or did not answer in time.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The token store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's user directory.
    #[error("the user directory failed")]
    Directory(#[source] Arc<dyn Error + Send + Sync>),
    /// The random number generator.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// An internal task ended without a result, because it panicked or the runtime is shutting down.
    #[error("an internal task ended without a result")]
    TaskEnded,
    /// So many unknown tokens are presented that this node does not look up tokens missing from its
    /// cache for now.
    #[error("too many unknown tokens are presented")]
    TooManyUnknown,
}

impl Unavailable {
    pub(crate) fn directory(source: BoxError) -> Self {
        Self::Directory(Arc::from(source))
    }
}

/// The reason that a token was not created.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The request breaks a rule, or tokens are switched off.
    #[error(transparent)]
    Refused(#[from] PolicyError),
    /// The token could not be created in time. It may exist all the same; its secret is lost, and its
    /// owner can revoke it.
    #[error("the token cannot be created now")]
    Unavailable(#[from] Unavailable),
}

/// The rule that a request for a token breaks. The texts may be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// `atlassian.pats.enabled` is off.
    #[error("personal access tokens are switched off")]
    Disabled,
    /// `pat.create.by.token` is `forbidden`, and a token authenticated the caller.
    #[error("a token cannot be created with a token; sign in instead")]
    ForbiddenByToken,
    /// The name is empty or has no visible character ([`text::is_blank`](crate::text::is_blank)).
    #[error("the name is blank; give the token a name with a visible character")]
    NameBlank,
    /// The name is longer than `atlassian.pats.token.name.length` characters.
    #[error("the name is longer than {max} characters")]
    NameTooLong {
        /// The allowed length, in Unicode scalar values.
        max: u32,
    },
    /// The name has a control character, or a line or paragraph separator.
    #[error("the name has a control character or a line break; write it on one line")]
    NameHasControlCharacter,
    /// The name has a character that controls the direction of text, such as U+202E or U+200E, and so
    /// could be displayed as another name.
    #[error(
        "the name has an invisible character that turns the direction of text, such as U+202E; leave \
         it out"
    )]
    NameHasBidiControl,
    /// The duration is zero or negative.
    #[error("the duration must be at least one day")]
    DurationNotPositive,
    /// The duration is longer than `atlassian.pats.max.tokens.expiry.days`.
    #[error("the duration is longer than {max} days")]
    DurationTooLong {
        /// The allowed duration, in days of 24 hours.
        max: u32,
    },
    /// No duration was given, and `atlassian.pats.eternal.tokens.enabled` is off.
    #[error("a duration is required: tokens that never expire are not allowed")]
    EternalNotAllowed,
    /// `pat.create.by.token` is `capped`, and the token would outlive the one that creates it.
    #[error(
        "the token would expire later than the token that creates it; choose a shorter duration"
    )]
    OutlivesParent,
    /// The owner has `atlassian.pats.max.tokens.per.user` tokens or more, expired ones included.
    #[error(
        "you have {}; at most {}, expired ones included. Revoke {} to create another",
        tokens(*count),
        allowed(*max),
        count.saturating_sub(*max).saturating_add(1)
    )]
    LimitReached {
        /// The owner's tokens.
        count: u32,
        /// The allowed number.
        max: u32,
    },
    /// An older version of this service runs, and would accept the token where it must not.
    #[error(
        "{feature} cannot be used while an older version of this service runs; try again when all \
         nodes run this version"
    )]
    OlderNodes {
        /// The feature that older versions do not know.
        feature: &'static str,
    },
    /// The owner has `pat.max.rows.per.user` tokens, revoked and expired ones included.
    #[error(
        "you have created too many tokens: at most {max} are kept, revoked and expired ones included; \
         each is deleted {} it ends, and then you can create another",
        days_after(*days)
    )]
    TooManyRows {
        /// The allowed number.
        max: u32,
        /// The days after its expiry or revocation until a token is deleted
        /// (`atlassian.pats.pruning.delay.days`).
        days: u32,
    },
    /// The token that authenticated the caller was revoked or expired meanwhile.
    #[error("the token used for this request is no longer valid")]
    ParentInvalid,
}

fn tokens(count: u32) -> String {
    match count {
        1 => "1 token".to_owned(),
        count => format!("{count} tokens"),
    }
}

fn allowed(max: u32) -> String {
    match max {
        1 => "1 is allowed".to_owned(),
        max => format!("{max} are allowed"),
    }
}

fn days_after(days: u32) -> String {
    match days {
        0 => "at the first pruning after".to_owned(),
        1 => "a day after".to_owned(),
        days => format!("{days} days after"),
    }
}

/// The reason that a token was not found or not revoked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The caller has no such token. Says nothing on whether another user has it.
    #[error("there is no such token")]
    NotFound,
    /// The tokens could not be read or changed in time.
    #[error("the tokens cannot be read or changed now")]
    Unavailable(#[from] Unavailable),
}

/// The reason that a call of the administration failed. Nothing was changed, except possibly with
/// [`AdminError::Unavailable`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The administration is switched off (`pat.admin.enabled`).
    #[error("the administration of tokens is switched off")]
    Disabled,
    /// The caller is not an administrator.
    #[error("only administrators may do this")]
    NotAdministrator,
    /// The token that authenticated the caller is no longer valid.
    #[error("the token used for this request is no longer valid")]
    TokenInvalid(#[source] AuthError),
    /// The store cannot be searched ([`TokenStore::search_store`](crate::store::TokenStore::search_store)).
    #[error("the token store cannot be searched")]
    NotSupported,
    /// The store keeps no audit events ([`TokenStore::audit`](crate::store::TokenStore::audit)).
    #[error("the token store keeps no audit events")]
    NoAudit,
    /// The filter of a revocation restricts nothing.
    #[error("the filter restricts nothing; give it at least one criterion")]
    NoCriterion,
    /// The filter matches another number of tokens than the administrator expected.
    #[error("the filter matches {found} tokens, not {expected}; nothing was revoked")]
    CountMismatch {
        /// The number that the administrator expected.
        expected: u64,
        /// The number that the filter matches.
        found: u64,
    },
    /// The tokens could not be read or changed in time; a change may have been made.
    #[error("the tokens cannot be read or changed now")]
    Unavailable(#[from] Unavailable),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<AuthError> for AdminError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable(error) => Self::Unavailable(error),
            error => Self::TokenInvalid(error),
        }
    }
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}
