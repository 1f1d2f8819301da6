use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use serde::{Deserialize, Serialize};

use super::{Owner, TokenId};

/// A stored token, without its secret. Times have microsecond precision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// Its ID.
    pub id: TokenId,
    /// The user it authenticates.
    pub owner: Owner,
    /// The name that its owner chose; not necessarily unique.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires; `None` for a token that never expires.
    pub expires_at: Option<Timestamp>,
    /// When it last authenticated a request; `None` before the first use.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; `None` if it is not.
    pub revoked_at: Option<Timestamp>,
    /// The token that authenticated the request that created it, if one did.
    pub parent: Option<TokenId>,
}

impl Token {
    /// Creates a token that never expires, is unused and unrevoked, and has no parent.
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
            parent: None,
        }
    }

    /// Checks that the token authenticates at `now`. Every decision uses this rule.
    ///
    /// # Errors
    /// [`InvalidToken::Revoked`] if it is revoked, whether or not it has expired, else [`InvalidToken::Expired`]
    /// if it has expired.
    pub fn validity(&self, now: Timestamp) -> Result<(), InvalidToken> {
        if self.revoked_at.is_some() {
            return Err(InvalidToken::Revoked);
        }
        if is_expired(self.expires_at, now) {
            return Err(InvalidToken::Expired);
        }
        Ok(())
    }

    /// Returns the status to show at `now`; [`TokenStatus::ExpiresSoon`] begins `warning` before expiry.
    #[must_use]
    pub fn status(&self, now: Timestamp, warning: SignedDuration) -> TokenStatus {
        match self.expires_at {
            _ if self.revoked_at.is_some() => TokenStatus::Revoked,
            Some(_) if is_expired(self.expires_at, now) => TokenStatus::Expired,
            Some(at) if at.duration_since(now) <= warning => TokenStatus::ExpiresSoon,
            _ => TokenStatus::Active,
        }
    }
}

/// A token is refused from the microsecond of its expiry on.
pub(crate) fn is_expired(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|at| now >= at)
}

/// The reason that a stored token does not authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The token was revoked.
    Revoked,
    /// The token has expired.
    Expired,
}

/// A token's state as lists show it. `Display`, `FromStr` and serde use the
/// [name on the wire](TokenStatus::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum TokenStatus {
    /// The token is valid, and expires after the warning period or never.
    Active,
    /// The token is valid, and expires within the warning period.
    ExpiresSoon,
    /// The token has expired; its row is kept until it is pruned.
    Expired,
    /// The token was revoked; only administrators can list it until it is pruned.
    Revoked,
}

impl FromStr for TokenStatus {
    type Err = InvalidTokenStatus;

    fn from_str(name: &str) -> Result<Self, InvalidTokenStatus> {
        let all = [
            Self::Active,
            Self::ExpiresSoon,
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
#[error("a token's status is ACTIVE, EXPIRES_SOON, EXPIRED or REVOKED")]
pub struct InvalidTokenStatus;

impl TokenStatus {
    /// Returns the name on the wire: `ACTIVE`, `EXPIRES_SOON`, `EXPIRED` or `REVOKED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::ExpiresSoon => "EXPIRES_SOON",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires_at: Option<Timestamp>) -> Token {
        Token {
            id: TokenId::new(1).expect("id"),
            owner: Owner::new("alice").expect("owner"),
            name: "ci".into(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            parent: None,
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
    }
}
