//! Errors. Their texts are for logs; layers map the variants to responses.

use std::error::Error;
use std::sync::Arc;

use crate::store::StoreError;
use crate::token::{RandomnessError, Token, TokenId};

/// Any error of a plug-in, such as a [`UserDirectory`](crate::UserDirectory) or an
/// [`EventSink`](crate::event::EventSink).
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The reason that a presented token does not authenticate. The text of the error (`Display`) is for logs;
/// a client learns only that the token is invalid.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Personal access tokens are switched off (the setting `atlassian.pats.enabled` is `false`).
    #[error("personal access tokens are switched off")]
    Disabled,
    /// No accepted token format recognises the presented string, which so may be a credential of another
    /// kind.
    #[error("the presented string has no accepted token format")]
    Unrecognized,
    /// The presented string has an accepted token format, but no token is stored under its digest.
    #[error("unknown token")]
    Unknown,
    /// The token with this ID was revoked.
    #[error("token {0} is revoked")]
    Revoked(TokenId),
    /// The token with this ID has expired.
    #[error("token {0} is expired")]
    Expired(TokenId),
    /// The token with this ID is disabled, until it is enabled again.
    #[error("token {0} is disabled")]
    TokenDisabled(TokenId),
    /// The host has not seen the owner of the token with this ID for the time in the setting
    /// `pat.owner.max.absence.days` ([`Pats::user_seen`](crate::Pats::user_seen)).
    #[error("the owner of token {0} has been absent for too long")]
    OwnerAbsent(TokenId),
    /// The owner of the token with this ID is not in the [`UserDirectory`](crate::UserDirectory).
    #[error("the owner of token {0} does not exist")]
    OwnerGone(TokenId),
    /// The owner of the token with this ID is in the [`UserDirectory`](crate::UserDirectory), but not
    /// active ([`User::is_active`](crate::User::is_active)).
    #[error("the owner of token {0} is not active")]
    OwnerInactive(TokenId),
    /// The token could not be checked in time. Maps to the HTTP status 503, never to 401.
    #[error("the token cannot be checked now")]
    Unavailable(#[source] Unavailable),
}

impl AuthError {
    /// All names that [`AuthError::reason`] returns.
    #[cfg(feature = "metrics")]
    pub(crate) const REASONS: [&'static str; 10] = [
        "disabled",
        "foreign",
        "unknown",
        "revoked",
        "expired",
        "token_disabled",
        "owner_absent",
        "owner_gone",
        "owner_inactive",
        "unavailable",
    ];

    /// Returns a short fixed name of the reason, for metrics, audit events and logs: `disabled`, `foreign`
    /// (for [`AuthError::Unrecognized`]), `unknown`, `revoked`, `expired`, `token_disabled`, `owner_absent`,
    /// `owner_gone`, `owner_inactive` or `unavailable`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unrecognized => "foreign",
            Self::Unknown => "unknown",
            Self::Revoked(_) => "revoked",
            Self::Expired(_) => "expired",
            Self::TokenDisabled(_) => "token_disabled",
            Self::OwnerAbsent(_) => "owner_absent",
            Self::OwnerGone(_) => "owner_gone",
            Self::OwnerInactive(_) => "owner_inactive",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Returns the ID of the refused token; `None` if the token is unknown or was not looked up.
    #[must_use]
    pub const fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::Revoked(id)
            | Self::Expired(id)
            | Self::TokenDisabled(id)
            | Self::OwnerAbsent(id)
            | Self::OwnerGone(id)
            | Self::OwnerInactive(id) => Some(*id),
            _ => None,
        }
    }
}

/// The part of the service that failed or did not answer in time. Maps to the HTTP status 503.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The token store failed or did not answer in time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's [`UserDirectory`](crate::UserDirectory) failed or did not answer in time.
    #[error("the user directory failed")]
    Directory(#[source] Arc<dyn Error + Send + Sync>),
    /// The random number generator failed, so no secret could be generated.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// An internal task ended without a result, because it panicked or the tokio runtime is shutting down.
    #[error("an internal task ended without a result")]
    TaskEnded,
    /// Clients present so many unknown tokens that this node looks up only tokens that it knows to exist,
    /// until clients present fewer unknown tokens.
    #[error("too many unknown tokens are presented")]
    TooManyUnknown,
}

impl Unavailable {
    pub(crate) fn directory(source: BoxError) -> Self {
        Self::Directory(Arc::from(source))
    }
}

/// The reason that [`Pats::create`](crate::Pats::create) did not create a token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The request breaks a rule, which the [`PolicyError`] names.
    #[error(transparent)]
    Refused(#[from] PolicyError),
    /// The token could not be created in time. Either no token was created, or a token with a lost secret,
    /// which the owner can see in the list and revoke.
    #[error("the token cannot be created now")]
    Unavailable(#[from] Unavailable),
    /// The same request with the same key ([`TokenRequest::idempotency`](crate::TokenRequest::idempotency)) has
    /// created this token, which may have been revoked since. Its secret was in the first answer.
    #[error("the same request has created token {} before", .0.id)]
    Repeated(Box<Token>),
    /// Another request of the owner had the same key in the last day
    /// ([`TokenRequest::idempotency`](crate::TokenRequest::idempotency)).
    #[error("another request had the same key")]
    KeyConflict,
}

/// The reason that [`Pats::rotate`](crate::Pats::rotate) did not replace a token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The request breaks a rule, which the [`PolicyError`] names.
    #[error(transparent)]
    Refused(#[from] PolicyError),
    /// A token authenticated the caller, and the token to be replaced is another one.
    #[error("a token can rotate only itself")]
    OnlyItself,
    /// There is no token with this ID, or it is revoked, or it belongs to another user.
    #[error("there is no such token")]
    NotFound,
    /// The token has expired.
    #[error("token {0} has expired; create a new one")]
    Expired(TokenId),
    /// The token is disabled, or an administrator has disabled a token that it replaced or that replaced it.
    #[error("token {0}, or one that it replaced or that replaced it, is disabled")]
    Disabled(TokenId),
    /// The token authenticated the caller, and has been revoked or disabled, or has expired, since then.
    #[error("the token used for this request is no longer valid")]
    TokenInvalid,
    /// The token could not be replaced in time. Either nothing was changed, or the token was replaced by one
    /// with a lost secret. Within the overlap, rotating the token again is safe: it replaces this successor too.
    #[error("the token cannot be rotated now")]
    Unavailable(#[from] Unavailable),
    /// The same request with the same key ([`RotationRequest::idempotency`](crate::RotationRequest::idempotency))
    /// has created this successor, which may have been revoked since. Its secret was in the first answer.
    #[error("the same request has created token {} before", .0.id)]
    Repeated(Box<Token>),
    /// Another request of the owner had the same key in the last day
    /// ([`RotationRequest::idempotency`](crate::RotationRequest::idempotency)).
    #[error("another request had the same key")]
    KeyConflict,
}

/// The rule that a [`TokenRequest`](crate::TokenRequest) or a [`RotationRequest`](crate::RotationRequest) breaks. The text of the error (`Display`) is in
/// English and may be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Personal access tokens are switched off (the setting `atlassian.pats.enabled` is `false`).
    #[error("personal access tokens are switched off")]
    Disabled,
    /// A token authenticated the caller, and the setting `pat.create.by.token` is `forbidden`.
    #[error("a token cannot be created with a token; sign in instead")]
    ForbiddenByToken,
    /// The token to be replaced authenticated the caller, and the setting `pat.rotate.by.token` is `false` or the
    /// setting `pat.create.by.token` is `forbidden`.
    #[error("a token cannot rotate itself; sign in instead")]
    RotationForbiddenByToken,
    /// The name is empty or has no visible character ([`text::is_blank`](crate::text::is_blank)).
    #[error("the name is blank; give the token a name with a visible character")]
    NameBlank,
    /// The name has more characters (Unicode scalar values) than the setting
    /// `atlassian.pats.token.name.length` allows.
    #[error("the name is longer than {max} characters")]
    NameTooLong {
        /// Greatest allowed length of a name, in Unicode scalar values: the value of the setting
        /// `atlassian.pats.token.name.length`.
        max: u32,
    },
    /// The name has a control character, or a line or paragraph separator
    /// ([`text::breaks_line`](crate::text::breaks_line)).
    #[error("the name has a control character or a line break; write it on one line")]
    NameHasControlCharacter,
    /// The name has a character that controls the direction of text, such as U+202E or U+200E
    /// ([`text::is_bidi_control`](crate::text::is_bidi_control)), and so could be displayed as another name.
    #[error(
        "the name has an invisible character that turns the direction of text, such as U+202E; leave \
         it out"
    )]
    NameHasBidiControl,
    /// The description has more characters (Unicode scalar values) than
    /// [`TokenRequest::MAX_DESCRIPTION`](crate::TokenRequest::MAX_DESCRIPTION).
    #[error("the description is longer than {max} characters")]
    DescriptionTooLong {
        /// Greatest allowed length of a description, in Unicode scalar values.
        max: usize,
    },
    /// The description has a control character, or a line or paragraph separator
    /// ([`text::breaks_line`](crate::text::breaks_line)).
    #[error("the description has a control character or a line break; write it on one line")]
    DescriptionHasControlCharacter,
    /// The description has a character that controls the direction of text
    /// ([`text::is_bidi_control`](crate::text::is_bidi_control)), and so could be displayed as another text.
    #[error(
        "the description has an invisible character that turns the direction of text, such as U+202E; \
         leave it out"
    )]
    DescriptionHasBidiControl,
    /// The requested life span is zero or negative.
    #[error("the duration must be at least one day")]
    DurationNotPositive,
    /// The requested life span in seconds is shorter than a minute
    /// ([`Lifetime::MIN_SECONDS`](crate::Lifetime::MIN_SECONDS)).
    #[error("the duration must be at least 60 seconds")]
    DurationTooShort,
    /// The requested life span has more days than the setting `atlassian.pats.max.tokens.expiry.days`
    /// allows, or would end after the year 9999.
    #[error("the duration is longer than {max} days")]
    DurationTooLong {
        /// Longest allowed life span, in days of 24 hours: the value of the setting
        /// `atlassian.pats.max.tokens.expiry.days`.
        max: u32,
    },
    /// The request has no life span, so the token would never expire, and the setting
    /// `atlassian.pats.eternal.tokens.enabled` is `false`.
    #[error("a duration is required: tokens that never expire are not allowed")]
    EternalNotAllowed,
    /// The token to be replaced authenticated the caller, and the request is for an overlap of zero: if the
    /// answer were lost, the client would have no token to try again with.
    #[error(
        "a token that rotates itself needs an overlap of at least one second, for another attempt if the \
         answer is lost"
    )]
    NoOverlap,
    /// The requested overlap is longer than the setting `pat.rotate.overlap.max.seconds`.
    #[error("the overlap is longer than {max_seconds} seconds")]
    OverlapTooLong {
        /// Longest allowed overlap, in seconds: the value of the setting `pat.rotate.overlap.max.seconds`.
        max_seconds: u64,
    },
    /// The setting `pat.create.by.token` is `capped`, which limits the expiry of new tokens
    /// ([`CreateByToken::Capped`](crate::settings::CreateByToken::Capped)), and the new token would expire
    /// later than the token that authenticated the caller.
    #[error(
        "the token would expire later than the token that creates it; choose a shorter duration"
    )]
    OutlivesParent,
    /// The request has an empty list of scopes, so that the token could do nothing.
    #[error("the list of scopes is empty; give at least one scope, or no list")]
    NoScope,
    /// The scope at this index is not declared in the service's
    /// [catalog](crate::Pats::scope_catalog). Names are in lower case.
    #[error(
        "the scope at index {index} of the list is unknown; write the name of a scope exactly as this \
         service lists it"
    )]
    UnknownScope {
        /// Index of the name in [`TokenRequest::scopes`](crate::TokenRequest::scopes), counted from 0.
        index: usize,
    },
    /// The scope at this index occurs before in the list.
    #[error("the scope at index {index} of the list occurs twice; give each scope once")]
    DuplicateScope {
        /// Index of the second occurrence in [`TokenRequest::scopes`](crate::TokenRequest::scopes), counted
        /// from 0.
        index: usize,
    },
    /// The request names no scopes, and the setting `pat.scopes.required` is `true`.
    #[error("scopes are required: tokens without a restriction are not allowed")]
    ScopesRequired,
    /// The token that authenticated the caller is restricted, and does not permit all that the scopes of the
    /// new token permit.
    #[error(
        "the token used for this request does not permit all of these scopes; a token cannot create a \
         token that may do more"
    )]
    ScopeExceedsParent,
    /// The host does not allow the caller to create a token with these scopes, or an unrestricted token
    /// ([`UserDirectory::allowed_scopes`](crate::UserDirectory::allowed_scopes)).
    #[error(
        "you may not create a token with these scopes, or without scopes; choose among those listed"
    )]
    ScopeNotAllowed,
    /// The owner has as many unrevoked tokens, expired ones included, as the setting
    /// `atlassian.pats.max.tokens.per.user` allows, or more.
    #[error(
        "you have {}; at most {}, expired ones included. Revoke {} to create another",
        tokens(*count),
        allowed(*max),
        count.saturating_sub(*max).saturating_add(1)
    )]
    LimitReached {
        /// Number of the owner's unrevoked tokens, expired ones included.
        count: u32,
        /// Greatest allowed number of unrevoked tokens (the setting
        /// `atlassian.pats.max.tokens.per.user`).
        max: u32,
    },
    /// The requested token needs a feature of this version of the crate, and another node on the store may
    /// still run an older version, which would accept the token where it must not.
    #[error(
        "{feature} cannot be used while an older version of this service runs; try again when all \
         nodes run this version"
    )]
    OlderNodes {
        /// Name of the requested feature that older versions do not know, for the error text.
        feature: &'static str,
    },
    /// The owner has as many stored tokens, revoked and expired ones included, as the setting
    /// `pat.max.rows.per.user` allows, or more.
    #[error(
        "you have created too many tokens: at most {max} are kept, revoked and expired ones included; \
         each is deleted {} it ends, and then you can create another",
        days_after(*days)
    )]
    TooManyRows {
        /// Greatest allowed number of stored tokens of an owner (the setting `pat.max.rows.per.user`).
        max: u32,
        /// How many days a token is kept after it expires or is revoked, before it is deleted (the
        /// setting `atlassian.pats.pruning.delay.days`).
        days: u32,
    },
    /// The token that authenticated the caller has been revoked or disabled, or has expired, since it authenticated
    /// the request.
    #[error("the token used for this request is no longer valid")]
    ParentInvalid,
    /// The token that authenticated the caller may not create a token like the one that is to be enabled, and so may
    /// not enable it ([`Pats::enable`](crate::Pats::enable)).
    #[error(
        "a token enables only tokens that it could create, and it cannot create this one; sign in instead"
    )]
    EnableByToken,
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

/// The reason that a caller's token was not found or not revoked; see
/// [`Pats::find`](crate::Pats::find) and [`Pats::revoke`](crate::Pats::revoke).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The token does not exist, or belongs to another user while the caller is no administrator, or is
    /// revoked ([`Pats::find`](crate::Pats::find) only). The error does not reveal which of these is true.
    #[error("there is no such token")]
    NotFound,
    /// The store or the directory failed or did not answer in time. A change may have been made.
    #[error("the tokens cannot be read or changed now")]
    Unavailable(#[from] Unavailable),
}

/// The reason that a token was not changed; see [`Pats::update`](crate::Pats::update).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The token does not exist, or is revoked, or belongs to another user while the caller is no administrator.
    /// The error does not reveal which of these is true.
    #[error("there is no such token")]
    NotFound,
    /// An administrator has disabled the token, so that only an administrator enables it.
    #[error("an administrator has disabled this token, and only an administrator can enable it")]
    DisabledByAdministrator,
    /// The change breaks a rule, which the [`PolicyError`] names.
    #[error(transparent)]
    Refused(#[from] PolicyError),
    /// The store or the directory failed or did not answer in time. The change may have been made.
    #[error("the tokens cannot be read or changed now")]
    Unavailable(#[from] Unavailable),
}

/// The reason that an administrator's call failed ([`Administration`](crate::Administration)). Nothing was
/// changed, except possibly with [`AdminError::Unavailable`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The administration is switched off (the setting `pat.admin.enabled` is `false`).
    #[error("the administration of tokens is switched off")]
    Disabled,
    /// The caller is not an administrator
    /// ([`UserDirectory::is_administrator`](crate::UserDirectory::is_administrator)).
    #[error("only administrators may do this")]
    NotAdministrator,
    /// The token that authenticated the caller is no longer valid. The source is the reason.
    #[error("the token used for this request is no longer valid")]
    TokenInvalid(#[source] AuthError),
    /// The token that authenticated the caller has scopes that do not permit
    /// [`tokens:admin`](crate::scope::TOKENS_ADMIN).
    #[error("the access token lacks the scope tokens:admin")]
    InsufficientScope,
    /// The store has no search capability
    /// ([`TokenStore::search_store`](crate::store::TokenStore::search_store)).
    #[error("the token store cannot be searched")]
    NotSupported,
    /// The store has no audit capability ([`TokenStore::audit`](crate::store::TokenStore::audit)).
    #[error("the token store keeps no audit events")]
    NoAudit,
    /// No event has the number after which events were requested. The database was probably restored from a
    /// backup without [`Pats::after_restore`](crate::Pats::after_restore); a reader that continued would miss
    /// events.
    #[error(
        "no event has the number {after}, and the last one has {last}: the database was restored from \
         a backup; read again from {last} or earlier"
    )]
    UnknownEventNumber {
        /// Number after which events were requested.
        after: u64,
        /// Number of the last event.
        last: u64,
    },
    /// The filter of a revocation has no criterion
    /// ([`Filter::is_effective`](crate::search::Filter::is_effective)), and so would revoke every token.
    #[error("the filter restricts nothing; give it at least one criterion")]
    NoCriterion,
    /// The filter of a revocation matches another number of tokens than the administrator expected.
    #[error("the filter matches {found} tokens, not {expected}; nothing was revoked")]
    CountMismatch {
        /// Number of matching tokens that the administrator expected.
        expected: u64,
        /// Number of tokens that the filter matches.
        found: u64,
    },
    /// The store or the directory failed or did not answer in time. A change may have been made.
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

impl From<StoreError> for RotateError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<StoreError> for UpdateError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<AccessError> for UpdateError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotFound => Self::NotFound,
            AccessError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// Returns an error and its causes on one line, separated by colons.
pub(crate) fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::NotifyError;

    #[test]
    fn the_line_of_an_error_has_its_causes_once() {
        let cause = BoxError::from("busy\nnow");
        let error = NotifyError::Temporary(cause);
        let expected = format!("{error}: busy now");
        assert_eq!(one_line(&error), expected);
        let repeated = std::io::Error::other(error);
        assert_eq!(one_line(&repeated), expected);
    }
}
