use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use serde::{Deserialize, Serialize};

use super::{Owner, TokenId};
use crate::scope::Scopes;

/// A token as it is stored, without its secret. Times have microsecond precision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// ID of the token.
    pub id: TokenId,
    /// User whom the token authenticates.
    pub owner: Owner,
    /// Name that the owner chose for the token. Several tokens of an owner may have the same name.
    pub name: String,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token expires or expired; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// When the token last authenticated a request; `None` before its first use.
    ///
    /// A node writes last uses to the store at the interval in the setting
    /// `atlassian.pats.last.used.update.interval.mins` (by default a minute), so a token that is read from
    /// the store may lack the uses since the node's last write.
    /// The methods of [`Pats`](crate::Pats) and [`Administration`](crate::Administration) that return tokens
    /// add the uses that their own node has not written yet.
    pub last_used_at: Option<Timestamp>,
    /// When the token was revoked; `None` if it is not revoked.
    pub revoked_at: Option<Timestamp>,
    /// The owner or administrator who revoked the token; `None` if it is not revoked, or no user revoked it.
    pub revoked_by: Option<Owner>,
    /// Why the token was revoked; `None` if it is not revoked, or no reason was given.
    pub revoke_reason: Option<String>,
    /// ID of the token that authenticated the request to create this one; `None` if the user signed in
    /// otherwise.
    pub parent: Option<TokenId>,
    /// Scopes that restrict what the token may do; `None` for an unrestricted token, which may do everything
    /// that its owner may.
    pub scopes: Option<Scopes>,
    /// Text in which the owner says what the token is for.
    pub description: Option<String>,
    /// The last four characters of the secret token string, by which a user recognizes the token; `None` for a
    /// token that an older version created.
    pub hint: Option<String>,
    /// Place of the token in its line; `None` if the token neither replaced another one nor was replaced.
    pub line: Option<Line>,
    /// When the token was replaced, and the end that it had before; `None` if it is not replaced.
    pub replaced: Option<Replaced>,
    /// When and by whom the token was disabled; `None` if it is enabled.
    pub disabled: Option<Disabled>,
    /// Whether the token is replaced, or was created for less than a day. Such a token is no longer listed or
    /// counted when it has expired, its owner is not notified of its expiry, and it is deleted a day later.
    pub is_transient: bool,
    /// When the token was imported from another table; `None` if it was created.
    pub imported_at: Option<Timestamp>,
}

/// The place of a token in its *line*: a token, the token that replaced it, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// ID of the first token of the line.
    pub id: TokenId,
    /// How many rotations of the line were made up to the one that created this token; 0 for the first token
    /// of the line.
    pub seq: u32,
    /// ID of the token that this one replaced; `None` for the first token of the line.
    pub rotated_from: Option<TokenId>,
}

impl Line {
    /// Creates the place of a token that replaced `rotated_from`, or of the first token of a line.
    #[must_use]
    pub const fn new(id: TokenId, seq: u32, rotated_from: Option<TokenId>) -> Self {
        Self {
            id,
            seq,
            rotated_from,
        }
    }
}

/// The replacement of a token by another one. Until [`Token::expires_at`], the end of the *overlap*, both
/// authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// When the token was replaced.
    pub at: Timestamp,
    /// What [`Token::expires_at`] was before; `None` if the token never expired.
    pub own_expires_at: Option<Timestamp>,
}

impl Replaced {
    /// Creates the record of a replacement at the time `at`.
    #[must_use]
    pub const fn new(at: Timestamp, own_expires_at: Option<Timestamp>) -> Self {
        Self { at, own_expires_at }
    }
}

/// The disabling of a token, which does not authenticate until it is enabled again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disabled {
    /// When the token was disabled.
    pub at: Timestamp,
    /// The user who disabled the token; `None` if no user did.
    pub by: Option<Owner>,
    /// Whether the user acted as an administrator, so that only an administrator may enable the token.
    pub by_administrator: bool,
}

impl Disabled {
    /// Creates the record of a disabling at the time `at`.
    #[must_use]
    pub const fn new(at: Timestamp, by: Option<Owner>, by_administrator: bool) -> Self {
        Self {
            at,
            by,
            by_administrator,
        }
    }
}

impl Token {
    /// Creates the record of a token that never expires, is unused, unrevoked and unrestricted, and has no
    /// parent. Every other optional field is `None`.
    #[must_use]
    pub fn new(id: TokenId, owner: Owner, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id,
            owner,
            name: name.into(),
            created_at,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            revoke_reason: None,
            parent: None,
            scopes: None,
            description: None,
            hint: None,
            line: None,
            replaced: None,
            disabled: None,
            is_transient: false,
            imported_at: None,
        }
    }

    /// Returns when the token would expire if it were not replaced; `None` if it would never expire.
    #[must_use]
    pub fn own_expires_at(&self) -> Option<Timestamp> {
        match self.replaced {
            Some(replaced) => replaced.own_expires_at,
            None => self.expires_at,
        }
    }

    /// Returns the ID of the latest token among `tokens` that replaced this one, directly or through others; `None`
    /// if none of them did.
    #[must_use]
    pub fn latest_successor(&self, tokens: &[Self]) -> Option<TokenId> {
        let own = self.line?;
        let later = tokens.iter().filter_map(|token| {
            let line = token.line.filter(|line| line.id == own.id)?;
            (line.seq > own.seq).then_some((line.seq, token.id))
        });
        later.max().map(|(_, id)| id)
    }

    /// Checks that the token authenticates at the time `now`: that it is neither revoked nor expired nor
    /// disabled. A token is expired from its [`expires_at`](Token::expires_at) on.
    ///
    /// # Errors
    /// [`InvalidToken::Revoked`] if the token is revoked; otherwise [`InvalidToken::Expired`] if it has expired;
    /// otherwise [`InvalidToken::Disabled`] if it is disabled.
    pub fn validity(&self, now: Timestamp) -> Result<(), InvalidToken> {
        if self.revoked_at.is_some() {
            return Err(InvalidToken::Revoked);
        }
        if is_expired(self.expires_at, now) {
            return Err(InvalidToken::Expired);
        }
        if self.disabled.is_some() {
            return Err(InvalidToken::Disabled);
        }
        Ok(())
    }

    /// Returns whether the token counts for the limit of tokens of its owner at the time `now`, and is in the
    /// owner's list: unless it is revoked, or [transient](Token::is_transient) and expired. The tokens of one
    /// [line](Line) count as one.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        let is_over = self.is_transient && is_expired(self.expires_at, now);
        self.revoked_at.is_none() && !is_over
    }

    /// Returns the status of the token at the time `now`. `warning` is how long before the token's expiry
    /// its status [`TokenStatus::ExpiresSoon`] begins. A token whose life span is not longer than `warning`
    /// never has this status.
    #[must_use]
    pub fn status(&self, now: Timestamp, warning: SignedDuration) -> TokenStatus {
        match self.expires_at {
            _ if self.revoked_at.is_some() => TokenStatus::Revoked,
            Some(_) if is_expired(self.expires_at, now) => TokenStatus::Expired,
            _ if self.disabled.is_some() => TokenStatus::Disabled,
            Some(at) if at.duration_since(now) <= warning && self.lives_longer_than(warning) => {
                TokenStatus::ExpiresSoon
            }
            _ => TokenStatus::Active,
        }
    }
}

impl Token {
    /// Whether the token was last used, and created or imported, at this time or earlier.
    pub(crate) fn is_unused_since(&self, at: Timestamp) -> bool {
        self.imported_at.unwrap_or(self.created_at) <= at
            && self.last_used_at.is_none_or(|used| used <= at)
    }

    /// Whether the life span of the token, up to the end in force, is longer than `time`.
    pub(crate) fn lives_longer_than(&self, time: SignedDuration) -> bool {
        self.expires_at
            .is_none_or(|at| at.duration_since(self.created_at) > time)
    }
}

/// A token is refused from the microsecond of its expiry on.
pub(crate) fn is_expired(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|at| now >= at)
}

/// The reason that a stored token does not authenticate; see [`Token::validity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The token was revoked.
    Revoked,
    /// The token has expired.
    Expired,
    /// The token is disabled.
    Disabled,
}

/// The status of a token at one time ([`Token::status`]), which lists of tokens show. `Display`, `FromStr`
/// and serde use the [name in the REST API](TokenStatus::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum TokenStatus {
    /// The token is valid. It expires after the warning period (the setting
    /// `atlassian.pats.expiry.warning.days`) or never, or its life span is not longer than the warning period.
    Active,
    /// The token is valid, and expires within the warning period (the setting
    /// `atlassian.pats.expiry.warning.days`), which is shorter than the token's life span.
    ExpiresSoon,
    /// The token is disabled: it does not authenticate until it is enabled again.
    Disabled,
    /// The token has expired. It stays in the lists of its owner until it is revoked or deleted (the setting
    /// `atlassian.pats.pruning.delay.days`).
    Expired,
    /// The token was revoked. Until it is deleted (the setting `atlassian.pats.pruning.delay.days`),
    /// administrators can list it, and its owner can ([`Pats::search_own`](crate::Pats::search_own)).
    Revoked,
}

impl FromStr for TokenStatus {
    type Err = InvalidTokenStatus;

    /// Parses the [name](TokenStatus::as_str) of a status, in upper case.
    ///
    /// # Errors
    /// [`InvalidTokenStatus`] for any other text.
    fn from_str(name: &str) -> Result<Self, InvalidTokenStatus> {
        let all = [
            Self::Active,
            Self::ExpiresSoon,
            Self::Disabled,
            Self::Expired,
            Self::Revoked,
        ];
        let found = all.into_iter().find(|status| status.as_str() == name);
        found.ok_or(InvalidTokenStatus)
    }
}

impl fmt::Display for TokenStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for text that is not the name of a [`TokenStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's status is ACTIVE, EXPIRES_SOON, DISABLED, EXPIRED or REVOKED")]
pub struct InvalidTokenStatus;

impl TokenStatus {
    /// Returns the name of the status in the REST API: `ACTIVE`, `EXPIRES_SOON`, `DISABLED`, `EXPIRED` or
    /// `REVOKED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::ExpiresSoon => "EXPIRES_SOON",
            Self::Disabled => "DISABLED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires_at: Option<Timestamp>) -> Token {
        let (id, owner) = (TokenId::new(1), Owner::new("alice"));
        let token = Token::new(
            id.expect("id"),
            owner.expect("owner"),
            "ci",
            Timestamp::UNIX_EPOCH,
        );
        Token {
            expires_at,
            ..token
        }
    }

    #[test]
    fn expired_means_refused_to_the_microsecond() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().expect("date");
        let microsecond = SignedDuration::from_micros(1);
        let token = token(Some(at));
        assert_eq!(token.validity(at - microsecond), Ok(()));
        assert_eq!(token.validity(at), Err(InvalidToken::Expired));
        assert_eq!(token.validity(at + microsecond), Err(InvalidToken::Expired));
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in [
            TokenStatus::Active,
            TokenStatus::ExpiresSoon,
            TokenStatus::Disabled,
            TokenStatus::Expired,
            TokenStatus::Revoked,
        ] {
            assert_eq!(status.to_string().parse(), Ok(status));
            let json = serde_json::to_string(&status).expect("JSON");
            assert_eq!(json, format!("\"{status}\""));
        }
        assert_eq!("active".parse::<TokenStatus>(), Err(InvalidTokenStatus));
    }

    #[test]
    fn status_follows_expiry_and_warning_period() {
        let at: Timestamp = "2026-01-10T00:00:00Z".parse().expect("date");
        let warning = SignedDuration::from_hours(5 * 24);
        let status = |now: &str| token(Some(at)).status(now.parse().expect("date"), warning);
        assert_eq!(status("2026-01-04T23:59:59Z"), TokenStatus::Active);
        assert_eq!(status("2026-01-05T00:00:00Z"), TokenStatus::ExpiresSoon);
        assert_eq!(status("2026-01-10T00:00:00Z"), TokenStatus::Expired);
        assert_eq!(
            token(None).status(Timestamp::MAX, warning),
            TokenStatus::Active
        );
        // A token that lives no longer than the warning period would be shown so from the beginning.
        for (life, expected) in [
            (warning, TokenStatus::Active),
            (
                warning + SignedDuration::from_micros(1),
                TokenStatus::ExpiresSoon,
            ),
        ] {
            let mut token = token(Some(at));
            token.created_at = at - life;
            assert_eq!(token.status(at - warning, warning), expected);
        }
    }
}
