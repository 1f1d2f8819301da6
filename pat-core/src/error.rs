//! What can go wrong, for the people who read logs and for the layers that make answers of it.

use std::error::Error;
use std::sync::Arc;

use crate::store::StoreError;
use crate::token::{RandomnessError, TokenId};

/// Any error of a host's plug-in.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a presented token does not authenticate. The full detail is for logs; a client learns no
/// more than "invalid".
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Personal access tokens are switched off (`atlassian.pats.enabled`).
    #[error("personal access tokens are switched off")]
    Disabled,
    /// No accepted format recognises the string.
    #[error("the presented string is no token of ours")]
    Unrecognized,
    /// It looks like a token, but none is stored under its digest.
    #[error("unknown token")]
    Unknown,
    /// It was revoked.
    #[error("token {0} is revoked")]
    Revoked(TokenId),
    /// Its life span is over.
    #[error("token {0} is expired")]
    Expired(TokenId),
    /// Its owner is no longer in the directory.
    #[error("the owner of token {0} is gone")]
    OwnerGone(TokenId),
    /// Its owner is in the directory, but not active.
    #[error("the owner of token {0} is not active")]
    OwnerInactive(TokenId),
    /// Nobody can say in time: an answer of "try again", never of "not allowed".
    #[error("the token cannot be checked now")]
    Unavailable(#[source] Unavailable),
}

impl AuthError {
    /// A short fixed name, for metrics and logs.
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

    /// The token, where it is known.
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

/// Something that is needed for an answer does not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The token store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's user directory.
    #[error("the user directory failed")]
    Directory(#[source] Arc<dyn Error + Send + Sync>),
    /// The operating system's random number generator.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A task of ours ended without an answer, because it panicked or the runtime is shutting down.
    #[error("the task that should have answered ended early")]
    TaskEnded,
    /// So many unknown tokens are presented that those which this node does not know are not looked
    /// up for now.
    #[error("too many unknown tokens are presented")]
    TooManyUnknown,
}

impl Unavailable {
    pub(crate) fn directory(source: BoxError) -> Self {
        Self::Directory(Arc::from(source))
    }
}

/// Why a token was not created.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Tokens are switched off, or the request breaks a rule.
    #[error(transparent)]
    Refused(#[from] PolicyError),
    /// Nobody can say in time whether it may be created. Nothing was created.
    #[error("the token cannot be created now")]
    Unavailable(#[from] Unavailable),
}

/// A rule that forbids creating a token as asked. The texts are fit to be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// `atlassian.pats.enabled` is off.
    #[error("personal access tokens are switched off")]
    Disabled,
    /// `pat.create.by.token` is `forbidden` and the caller came with a token.
    #[error("a token cannot be created with a token; sign in instead")]
    ForbiddenByToken,
    /// The name is missing, or nothing of it can be seen ([`text::is_blank`](crate::text::is_blank)).
    #[error("give the token a name that can be seen")]
    NameBlank,
    /// The name is longer than `atlassian.pats.token.name.length` characters.
    #[error("the name is longer than {max} characters")]
    NameTooLong {
        /// The longest that is allowed, in Unicode scalar values.
        max: u32,
    },
    /// The name has a control character, or a separator of lines or paragraphs.
    #[error("the name has a control character or a line break; write it on one line")]
    NameHasControlCharacter,
    /// The name has a character that steers the direction of text, such as U+202E or U+200E, and so
    /// could show as another name.
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
        /// The longest that is allowed, in days of 24 hours.
        max: u32,
    },
    /// No duration was given, and `atlassian.pats.eternal.tokens.enabled` is off.
    #[error("a duration is needed: tokens that never expire are switched off")]
    EternalNotAllowed,
    /// `pat.create.by.token` is `capped` and the token would outlive the one that creates it.
    #[error("the token would live longer than the token it is created with")]
    OutlivesParent,
    /// The owner has `atlassian.pats.max.tokens.per.user` tokens or more, expired ones included.
    #[error(
        "you have {}; at most {}, expired ones included. Revoke {} to create another",
        tokens(*count),
        allowed(*max),
        count.saturating_sub(*max).saturating_add(1)
    )]
    LimitReached {
        /// How many there are.
        count: u32,
        /// The most that are allowed.
        max: u32,
    },
    /// An older version of this service runs, which would take the token for more than it is.
    #[error(
        "{feature} cannot be used yet: an older version of this service, which does not know it, runs \
         or has just run; try again once all of it is of this version"
    )]
    OlderNodes {
        /// What the token would have that older versions do not know.
        feature: &'static str,
    },
    /// The owner has `pat.max.rows.per.user` tokens, revoked and expired ones included.
    #[error(
        "you have created too many tokens: {max} are kept, revoked and expired ones included; \
         each is deleted {} its end, and then you can create another",
        days_after(*days)
    )]
    TooManyRows {
        /// The most that are kept.
        max: u32,
        /// How many days after its end a token is deleted (`atlassian.pats.pruning.delay.days`).
        days: u32,
    },
    /// The token that the caller came with was revoked or expired meanwhile.
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

/// Why a token was not found or not revoked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// There is no such token, or it is somebody else's: the caller learns no more.
    #[error("there is no such token")]
    NotFound,
    /// Nobody can say in time.
    #[error("the tokens cannot be read or changed now")]
    Unavailable(#[from] Unavailable),
}

/// Why an administrator's wish was not carried out. Nothing was done, unless it is
/// [`AdminError::Unavailable`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The administration is switched off (`pat.admin.enabled`).
    #[error("the administration of tokens is switched off")]
    Disabled,
    /// The caller is no administrator.
    #[error("only administrators may do this")]
    NotAdministrator,
    /// The token that the caller came with is no longer good.
    #[error("the token used for this request is no longer valid")]
    TokenInvalid(#[source] AuthError),
    /// The store cannot be searched ([`TokenStore::search_store`](crate::TokenStore::search_store)).
    #[error("the token store cannot be searched")]
    NotSupported,
    /// The store keeps no audit events ([`TokenStore::audit`](crate::TokenStore::audit)).
    #[error("the token store keeps no audit events")]
    NoAudit,
    /// Tokens were to be revoked by a filter that restricts nothing.
    #[error("the filter restricts nothing; give it at least one criterion")]
    NoCriterion,
    /// The filter does not match as many tokens as the administrator saw.
    #[error("the filter matches {found} tokens and not {expected}; nothing was revoked")]
    CountMismatch {
        /// How many he expected.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Nobody can say in time.
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
