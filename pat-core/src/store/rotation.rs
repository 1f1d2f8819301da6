use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::token::{InvalidToken, Line, Owner, Replaced, Token, TokenDigest, TokenId, is_expired};

/// A rotation, as [`TokenStore::rotate`](super::TokenStore::rotate) is to make it: a token, the
/// *predecessor*, is replaced by a new one, its *successor*. For the time of the *overlap* both
/// authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rotation {
    /// ID of the token that is replaced.
    pub predecessor: TokenId,
    /// Owner of the predecessor. If it has another owner, the result is
    /// [`NotRotatable::NotFound`].
    pub owner: Owner,
    /// ID of the successor. If the store has a token with this ID, the result is [`Rotated::Duplicate`].
    pub id: TokenId,
    /// Digest of the successor's secret. If the store has a token with this digest, the result is
    /// [`Rotated::Duplicate`].
    pub digest: TokenDigest,
    /// The last four characters of the successor's secret ([`Token::hint`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When the token is replaced, by the caller's clock.
    pub now: Timestamp,
    /// How long the predecessor authenticates after the rotation, unless it ends earlier.
    pub overlap: Duration,
    /// Life span of the successor; `None` if it never expires.
    pub lifetime: Option<SignedDuration>,
    /// Latest end of the successor, whatever its life span is; `None` for no limit.
    pub expires_by: Option<Timestamp>,
    /// Whether the successor is short-lived ([`Token::is_transient`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_transient: bool,
    /// How many tokens of the owner the store may hold, including the successor and revoked and expired ones.
    pub max_rows: u32,
    /// Whether the store queues a
    /// [`NotificationKind::RotatedAgain`](crate::notification::NotificationKind::RotatedAgain) in the
    /// transaction, if the predecessor was replaced before. Always `false` for a store without
    /// [`TokenStore::jobs`](super::TokenStore::jobs).
    pub notify: bool,
    /// Key with which the client may repeat the request; `None` if it sent none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<IdempotencyKey>,
}

impl Rotation {
    /// Creates a rotation without an overlap, whose successor never expires and has no hint. The number of
    /// the owner's tokens is not limited ([`Rotation::max_rows`] is `u32::MAX`), no notification is queued,
    /// and the request has no key.
    #[must_use]
    pub const fn new(
        predecessor: TokenId,
        owner: Owner,
        id: TokenId,
        digest: TokenDigest,
        now: Timestamp,
    ) -> Self {
        Self {
            predecessor,
            owner,
            id,
            digest,
            hint: None,
            now,
            overlap: Duration::ZERO,
            lifetime: None,
            expires_by: None,
            is_transient: false,
            max_rows: u32::MAX,
            notify: false,
            idempotency: None,
        }
    }

    /// Decides what the rotation does at the time `now`: the time of the store's clock, or [`Rotation::now`] if
    /// the store has none. `line` has the predecessor and all other tokens of its line, revoked ones too, in
    /// any order.
    ///
    /// The successor has the name, the description, the scopes and the parent of its predecessor. Its ID
    /// contains the time of the rotation, so it changes as in
    /// [`NewToken::created_now`](super::NewToken::created_now).
    ///
    /// The predecessor ends after the [overlap](Rotation::overlap). If it was replaced before, its end stays,
    /// and the tokens that later rotations of the line created are replaced too, and end with it at the
    /// latest: their secrets may have been lost with the answers. So a line has at most one token that is
    /// neither revoked nor replaced.
    ///
    /// # Errors
    /// [`NotRotatable`]: the reason that the token cannot be replaced.
    pub fn decide(&self, line: &[Token], now: Timestamp) -> Result<Replacement, NotRotatable> {
        let own = |token: &&Token| token.id == self.predecessor && token.owner == self.owner;
        let predecessor = line.iter().find(own).ok_or(NotRotatable::NotFound)?;
        predecessor.validity(now).map_err(|invalid| match invalid {
            InvalidToken::Revoked => NotRotatable::NotFound,
            InvalidToken::Expired => NotRotatable::Ended,
            InvalidToken::Disabled => NotRotatable::Disabled,
        })?;
        let unrevoked = || line.iter().filter(|token| token.revoked_at.is_none());
        // An ended one would stop the line until it is pruned.
        let mut unended = unrevoked().filter(|token| !is_expired(token.expires_at, now));
        if unended.any(is_disabled_by_administrator) {
            return Err(NotRotatable::Disabled);
        }
        let end = match (predecessor.replaced, predecessor.expires_at) {
            (Some(_), Some(end)) => end,
            _ => now.saturating_add(self.overlap).unwrap_or(Timestamp::MAX),
        };
        let mut later: Vec<_> = unrevoked()
            .filter(|token| seq(token) > seq(predecessor))
            .collect();
        later.sort_by_key(|token| seq(token));
        let before: Vec<_> = std::iter::once(predecessor).chain(later).collect();
        let replaced: Vec<_> = before
            .iter()
            .map(|token| replace(token, now, end))
            .collect();
        let ends = std::iter::zip(before, &replaced);
        let ends = ends.filter(|(before, after)| before.expires_at != after.expires_at);
        let greatest = line.iter().map(seq).max().unwrap_or_default();
        Ok(Replacement {
            successor: self.successor(predecessor, now, greatest.saturating_add(1)),
            ends: ends.map(|(_, after)| after.id).collect(),
            is_again: predecessor.replaced.is_some(),
            replaced,
        })
    }

    fn successor(&self, predecessor: &Token, now: Timestamp, seq: u32) -> Token {
        let end = self.lifetime.map(|lifetime| {
            let end = now.saturating_add(lifetime);
            end.unwrap_or(Timestamp::MAX)
        });
        let line = predecessor.line.map_or(predecessor.id, |line| line.id);
        Token {
            expires_at: end.into_iter().chain(self.expires_by).min(),
            parent: predecessor.parent,
            scopes: predecessor.scopes.clone(),
            description: predecessor.description.clone(),
            hint: self.hint.clone(),
            line: Some(Line::new(line, seq, Some(predecessor.id))),
            is_transient: self.is_transient,
            ..Token::new(
                self.id.moved(self.now, now),
                predecessor.owner.clone(),
                predecessor.name.clone(),
                now,
            )
        }
    }
}

fn seq(token: &Token) -> u32 {
    token.line.map_or(0, |line| line.seq)
}

fn is_disabled_by_administrator(token: &Token) -> bool {
    let disabled = token.disabled.as_ref();
    disabled.is_some_and(|disabled| disabled.by_administrator)
}

/// Returns `token` as it is once it is replaced, with this end at the latest.
pub(super) fn replace(token: &Token, now: Timestamp, end: Timestamp) -> Token {
    let replaced = Replaced::new(now, token.expires_at);
    Token {
        expires_at: Some(token.expires_at.map_or(end, |own| own.min(end))),
        line: token.line.or(Some(Line::new(token.id, 0, None))),
        replaced: token.replaced.or(Some(replaced)),
        is_transient: true,
        ..token.clone()
    }
}

/// What a rotation does, as [`Rotation::decide`] returns it: the new token, and the tokens that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replacement {
    /// The token that the store adds.
    pub successor: Token,
    /// The tokens that the store overwrites, as they are after the rotation: the predecessor, and then, in
    /// order of [`Line::seq`], the tokens that are replaced with it. Only [`Token::expires_at`],
    /// [`Token::line`], [`Token::replaced`] and [`Token::is_transient`] change.
    pub replaced: Vec<Token>,
    /// IDs of the tokens among [`replaced`](Replacement::replaced) whose end becomes earlier.
    pub ends: Vec<TokenId>,
    /// Whether the predecessor was replaced before.
    pub is_again: bool,
}

impl Replacement {
    /// Returns the audit event of the rotation.
    #[must_use]
    pub fn event(&self) -> EventKind {
        let predecessor = self.successor.line.and_then(|line| line.rotated_from);
        EventKind::Rotated {
            token: self.successor.id,
            predecessor: predecessor.unwrap_or(self.successor.id),
            owner: self.successor.owner.clone(),
            expires_at: self.successor.expires_at,
            ends: self.ends.clone(),
            ends_at: self.replaced.first().and_then(|token| token.expires_at),
            is_again: self.is_again,
        }
    }

    /// Returns the result of the rotation, once it is stored.
    #[must_use]
    pub fn into_rotated(self) -> RotatedToken {
        let ends = self.replaced.iter();
        let ends = ends.filter_map(|token| Some(Ending::new(token.id, token.expires_at?)));
        RotatedToken {
            ending: ends.collect(),
            ends: self.ends,
            token: self.successor,
            is_again: self.is_again,
        }
    }
}

/// The reason that a token cannot be replaced, in [`Rotated`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRotatable {
    /// The owner has no such token, or it is revoked.
    NotFound,
    /// The token has expired, or its overlap has ended.
    Ended,
    /// The token is disabled, or an administrator disabled an unrevoked token of its line.
    Disabled,
}

/// The result of [`TokenStore::rotate`](super::TokenStore::rotate).
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The token was replaced.
    Stored(RotatedToken),
    /// Nothing was changed: the store has a token with the same ID or digest. The caller retries with
    /// another ID and another digest.
    Duplicate,
    /// Nothing was changed: the token cannot be replaced.
    Refused(NotRotatable),
    /// Nothing was changed: the owner has [`Rotation::max_rows`] or more tokens, revoked and expired ones
    /// included.
    TooManyRows,
    /// Nothing was changed: the same request with the same [key](IdempotencyKey) has created this token,
    /// which may have been revoked since.
    Repeated(Token),
    /// Nothing was changed: another request had the same [key](IdempotencyKey), or the token that this
    /// request created is deleted.
    KeyConflict,
}

/// A rotation that was made, in [`Rotated`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotatedToken {
    /// The successor.
    pub token: Token,
    /// When the predecessor ends, and then, in order of [`Line::seq`], when each token ends that a rotation
    /// of the same predecessor created before.
    pub ending: Vec<Ending>,
    /// IDs of the tokens whose end has become earlier ([`Replacement::ends`]).
    pub ends: Vec<TokenId>,
    /// Whether the predecessor was replaced before: its client may have lost the answer, or two clients have
    /// its secret.
    pub is_again: bool,
}

impl RotatedToken {
    /// Creates the result of a rotation that made `token` and put an end to the tokens of `ending`, none of them
    /// earlier than before. It is the first one of its predecessor.
    #[must_use]
    pub const fn new(token: Token, ending: Vec<Ending>) -> Self {
        Self {
            token,
            ending,
            ends: Vec::new(),
            is_again: false,
        }
    }
}

/// The end of a replaced token, in [`RotatedToken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// ID of the replaced token.
    pub id: TokenId,
    /// When the token ends, or ended.
    pub at: Timestamp,
}

impl Ending {
    /// Creates the end of the token `id` at the time `at`.
    #[must_use]
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at }
    }
}

/// A key with which a client may repeat a request that creates a token (the header `Idempotency-Key`), and
/// what it is the key of. The store keeps the key for [`IDEMPOTENCY_KEPT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IdempotencyKey {
    /// The key: 1 to 255 visible ASCII characters. Owners have separate keys.
    pub key: String,
    /// Digest of the request. A request with the same key and another digest is refused.
    pub request: [u8; 32],
}

impl IdempotencyKey {
    /// Creates the key `key` of the request with this digest.
    #[must_use]
    pub fn new(key: impl Into<String>, request: [u8; 32]) -> Self {
        let key = key.into();
        Self { key, request }
    }
}

/// How long a store keeps the key of a request that has created a token ([`IdempotencyKey`]): a day.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
