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
    /// the store has none. `line` has the predecessor and the other tokens of its line, revoked ones too, in any
    /// order. It may lack tokens that come before the predecessor ([`Line::seq`]), unless an administrator has
    /// disabled them.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scopes;
    use crate::testing::case::{at, id, owner};
    use crate::token::Disabled;

    const HOUR: i64 = 60 * 60;

    /// Returns a token that was not replaced.
    fn token(number: i64) -> Token {
        Token::new(id(number), owner("alice"), "ci", at(0))
    }

    /// Returns the rotation of the token `from`, with an overlap of an hour.
    fn rotation(from: i64, to: i64, now: Timestamp) -> Rotation {
        let digest = TokenDigest::of(b"the successor's secret");
        Rotation {
            overlap: Duration::from_secs(HOUR.unsigned_abs()),
            ..Rotation::new(id(from), owner("alice"), id(to), digest, now)
        }
    }

    /// Carries a rotation out.
    fn rotate(line: &mut Vec<Token>, from: i64, to: i64, now: i64) -> Replacement {
        let replacement = rotation(from, to, at(now)).decide(line, at(now));
        let replacement = replacement.expect("a replacement");
        for after in &replacement.replaced {
            let token = line.iter_mut().find(|token| token.id == after.id);
            token.expect("a token of the line").clone_from(after);
        }
        line.push(replacement.successor.clone());
        replacement
    }

    fn ids<'a>(tokens: impl IntoIterator<Item = &'a Token>) -> Vec<i64> {
        tokens.into_iter().map(|token| token.id.get()).collect()
    }

    #[test]
    fn a_successor_takes_over_what_the_owner_chose() {
        let predecessor = Token {
            scopes: Some(Scopes::none()),
            description: Some("builds".into()),
            hint: Some("aaaa".into()),
            parent: Some(id(9)),
            last_used_at: Some(at(1)),
            imported_at: Some(at(1)),
            ..token(1)
        };
        let rotation = Rotation {
            hint: Some("bbbb".into()),
            lifetime: Some(SignedDuration::from_hours(1)),
            is_transient: true,
            ..rotation(1, 2, at(10))
        };
        let decide = |rotation: &Rotation, now| {
            let replacement = rotation.decide(std::slice::from_ref(&predecessor), now);
            replacement.expect("a replacement").successor
        };
        let expected = Token {
            expires_at: Some(at(10 + HOUR)),
            scopes: Some(Scopes::none()),
            description: Some("builds".into()),
            hint: Some("bbbb".into()),
            parent: Some(id(9)),
            line: Some(Line::new(id(1), 1, Some(id(1)))),
            is_transient: true,
            ..Token::new(id(2), owner("alice"), "ci", at(10))
        };
        assert_eq!(decide(&rotation, at(10)), expected);
        let by_the_stores_clock = decide(&rotation, at(20));
        assert_eq!(by_the_stores_clock.id, id(2).moved(at(10), at(20)));
        assert_eq!(by_the_stores_clock.created_at, at(20));
        assert_eq!(by_the_stores_clock.expires_at, Some(at(20 + HOUR)));
        for (latest, end) in [(30, 30), (10 + 2 * HOUR, 10 + HOUR)] {
            let capped = Rotation {
                expires_by: Some(at(latest)),
                ..rotation.clone()
            };
            assert_eq!(decide(&capped, at(10)).expires_at, Some(at(end)));
        }
    }

    #[test]
    fn a_replaced_token_ends_after_the_overlap_unless_it_ends_earlier() {
        for (own, end, ends) in [
            (None, 10 + HOUR, vec![id(1)]),
            (Some(10 + HOUR + 1), 10 + HOUR, vec![id(1)]),
            (Some(11), 11, vec![]),
        ] {
            let predecessor = Token {
                expires_at: own.map(at),
                ..token(1)
            };
            let expected = Token {
                expires_at: Some(at(end)),
                line: Some(Line::new(id(1), 0, None)),
                replaced: Some(Replaced::new(at(10), own.map(at))),
                is_transient: true,
                ..predecessor.clone()
            };
            let replacement = rotate(&mut vec![predecessor], 1, 2, 10);
            assert_eq!(replacement.replaced, [expected]);
            assert_eq!(replacement.ends, ends);
            assert!(!replacement.is_again);
        }
    }

    #[test]
    fn a_token_that_is_rotated_again_keeps_its_end_and_takes_along_what_came_after_it() {
        let mut line = vec![token(1)];
        rotate(&mut line, 1, 2, 0);
        rotate(&mut line, 2, 3, 10);
        let mut revoked = rotate(&mut line, 3, 4, 20).successor;
        revoked.revoked_at = Some(at(21));
        line[3] = revoked;
        // The order of the tokens does not matter.
        line.reverse();

        let again = rotate(&mut line, 2, 5, 30);
        assert!(again.is_again);
        assert_eq!(ids(&again.replaced), [2, 3], "in the order of the line");
        assert_eq!(again.ends, [id(3)]);
        let ends = again.replaced.iter().map(|token| token.expires_at);
        assert!(ends.eq([Some(at(10 + HOUR)); 2]));
        let replaced_at = again.replaced.iter().map(|token| token.replaced);
        let replaced_at: Vec<_> = replaced_at.flatten().map(|replaced| replaced.at).collect();
        assert_eq!(
            replaced_at,
            [at(10), at(20)],
            "when each was replaced first"
        );
        let expected = Some(Line::new(id(1), 4, Some(id(2))));
        assert_eq!(again.successor.line, expected);

        let unreplaced = line.iter().filter(|token| token.replaced.is_none());
        let unrevoked = unreplaced.filter(|token| token.revoked_at.is_none());
        assert_eq!(ids(unrevoked), [5]);
    }

    #[test]
    fn the_rotation_of_a_token_that_does_not_authenticate_is_refused() {
        let refusal = |from: i64, line: &[Token]| {
            let decided = rotation(from, 9, at(10)).decide(line, at(10));
            decided.map(|replacement| replacement.successor.id.get())
        };
        assert_eq!(refusal(1, &[token(2), token(1)]), Ok(9));
        assert_eq!(refusal(1, &[token(2)]), Err(NotRotatable::NotFound));
        let others = Token::new(id(1), owner("bob"), "ci", at(0));
        assert_eq!(refusal(1, &[others]), Err(NotRotatable::NotFound));
        let revoked = Token {
            revoked_at: Some(at(1)),
            ..token(1)
        };
        assert_eq!(refusal(1, &[revoked]), Err(NotRotatable::NotFound));
        let ended = Token {
            expires_at: Some(at(10)),
            ..token(1)
        };
        assert_eq!(refusal(1, &[ended]), Err(NotRotatable::Ended));
        let disabled = Token {
            disabled: Some(Disabled::new(at(1), None, false)),
            ..token(1)
        };
        assert_eq!(refusal(1, &[disabled]), Err(NotRotatable::Disabled));
    }

    #[test]
    fn an_administrator_who_disables_a_token_stops_its_line_while_the_token_lasts() {
        let mut line = vec![token(1)];
        rotate(&mut line, 1, 2, 0);
        let decide = |by_administrator: bool, change: fn(&mut Token)| {
            let mut line = line.clone();
            line[0].disabled = Some(Disabled::new(at(1), None, by_administrator));
            change(&mut line[0]);
            let decided = rotation(2, 3, at(10)).decide(&line, at(10));
            decided.map(|replacement| ids(&replacement.replaced))
        };
        assert_eq!(decide(true, |_| {}), Err(NotRotatable::Disabled));
        assert_eq!(decide(false, |_| {}), Ok(vec![2]), "by the owner");
        assert_eq!(decide(true, |it| it.revoked_at = Some(at(2))), Ok(vec![2]));
        assert_eq!(decide(true, |it| it.expires_at = Some(at(10))), Ok(vec![2]));
    }

    #[test]
    fn the_event_and_the_result_name_what_ends() {
        let mut line = vec![token(1)];
        rotate(&mut line, 1, 2, 0);
        let again = rotate(&mut line, 1, 3, 10);
        let expected = EventKind::Rotated {
            token: id(3),
            predecessor: id(1),
            owner: owner("alice"),
            expires_at: None,
            ends: vec![id(2)],
            ends_at: Some(at(HOUR)),
            is_again: true,
        };
        assert_eq!(again.event(), expected);
        let ending = [1, 2].map(|number| Ending::new(id(number), at(HOUR)));
        let expected = RotatedToken {
            ends: vec![id(2)],
            is_again: true,
            ..RotatedToken::new(line[2].clone(), ending.to_vec())
        };
        assert_eq!(again.into_rotated(), expected);
    }

    #[test]
    fn a_key_is_kept_for_a_day() {
        assert_eq!(IDEMPOTENCY_KEPT, Duration::from_secs(86_400));
    }
}
