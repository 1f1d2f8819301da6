use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::secret::{RandomnessError, fill_random};

/// 2⁵³ − 1: the largest integer that every JSON reader keeps exact.
const MAX_ID: i64 = (1 << 53) - 1;

/// The ID of a token: a number from 0 to 2⁵³ − 1, so that a JSON number can hold it.
///
/// An ID is not secret, and is not part of the token string. The upper bits of an ID that the service draws
/// are the time of creation in milliseconds. So of two tokens, the one that was created later has the greater
/// ID, unless the clocks of the nodes that created them differ. The ID of an imported token
/// ([`Pats::import`](crate::Pats::import)) has the time of its first creation, but at the earliest 2020, and may be
/// a little later if many tokens were created at the same time.
///
/// `Display`, `FromStr` and serde use the decimal number.
///
/// ```
/// use pat_core::TokenId;
///
/// let id: TokenId = "42".parse()?;
/// assert_eq!((id.get(), id.to_string()), (42, "42".to_owned()));
/// assert!("-1".parse::<TokenId>().is_err());
/// # Ok::<(), pat_core::InvalidTokenId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct TokenId(i64);

impl TokenId {
    /// Creates the ID with this number; `None` unless `number` is from 0 to 2⁵³ − 1.
    #[must_use]
    pub fn new(number: i64) -> Option<Self> {
        (0..=MAX_ID).contains(&number).then_some(Self(number))
    }

    /// Returns the ID of the token if it is created at `to` instead of `from`, earlier or later by the
    /// same number of milliseconds; so IDs keep their order.
    pub(crate) fn moved(self, from: Timestamp, to: Timestamp) -> Self {
        let millis = to.as_millisecond().saturating_sub(from.as_millisecond());
        let id = self.0.saturating_add(millis.saturating_mul(1 << LOW_BITS));
        Self(id.clamp(0, MAX_ID))
    }

    /// Draws an ID for a token that was created at this time, which may be long ago. Another table may have many
    /// tokens of one millisecond, or of one day: with each `attempt`, from 0, the ID may be later by sixteen
    /// times as much, so that the IDs last.
    ///
    /// # Errors
    /// [`RandomnessError`] if the random number generator fails.
    pub(crate) fn draw(created_at: Timestamp, attempt: u32) -> Result<Self, RandomnessError> {
        let random = super::random_u53()?;
        let bits = (LOW_BITS + 4 * attempt).min(48);
        Ok(Self(
            (first_id(created_at) + random % (1 << bits)).min(MAX_ID),
        ))
    }

    /// Returns the number of the ID, from 0 to 2⁵³ − 1.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl From<TokenId> for i64 {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl TryFrom<i64> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(number: i64) -> Result<Self, InvalidTokenId> {
        Self::new(number).ok_or(InvalidTokenId)
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    /// Parses an ID from decimal digits, without a sign or white space.
    ///
    /// # Errors
    /// [`InvalidTokenId`] for any other text, and for a number over 2⁵³ − 1.
    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_digits);
        number.and_then(Self::new).ok_or(InvalidTokenId)
    }
}

/// The error for a number or text that is not a [`TokenId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token ID is a whole number from 0 to 9007199254740991")]
pub struct InvalidTokenId;

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 2020-01-01T00:00:00Z in Unix milliseconds, the epoch of IDs.
const EPOCH_MILLIS: i64 = 1_577_836_800_000;
const LOW_BITS: u32 = 12;

/// Returns the least ID of a token that is created at this time.
fn first_id(created_at: Timestamp) -> i64 {
    let millis = created_at.as_millisecond() - EPOCH_MILLIS;
    millis.clamp(0, MAX_ID >> LOW_BITS) << LOW_BITS
}

/// A minute. If the clock goes back by more, it was wrong before, and IDs follow it back.
const SET_BACK: i64 = 60_000 << LOW_BITS;

/// Generates token IDs: 41 bits of milliseconds since 2020, which last until 2089, then 12 bits that
/// start at random and count up. Monotonic in one process, unless its clock is set back by more than a
/// minute. Two nodes may generate the same ID; the store reports a duplicate, and another is generated.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    last: AtomicI64,
}

impl IdSource {
    pub(crate) fn next(&self, now: Timestamp) -> Result<TokenId, RandomnessError> {
        let mut random = [0; 2];
        fill_random(&mut random)?;
        let low = i64::from(u16::from_le_bytes(random)) & ((1 << LOW_BITS) - 1);
        let candidate = first_id(now) | low;
        let next = |last: i64| {
            if last - candidate > SET_BACK {
                return candidate;
            }
            candidate.max(last.saturating_add(1)).min(MAX_ID)
        };
        let previous = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            })
            .unwrap_or_else(|last| last);
        Ok(TokenId(next(previous)))
    }
}

/// The owner of a token: the key by which the host identifies a user, 1 to 255 bytes without control
/// characters.
///
/// A key must identify one user forever. If a host gives a deleted user's key to another user, that
/// user gets the tokens too.
///
/// Keys are compared byte by byte: `7` and `07`, or `alice` and `Alice`, are the keys of two users.
/// [`Owner::parse`] reads a key that is a number or a UUID.
///
/// `Display`, `FromStr` and serde use the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner(Arc<str>);

impl Owner {
    /// Creates an owner from a user's key.
    ///
    /// # Errors
    /// [`InvalidOwner`] if the key is empty, longer than 255 bytes, or has a control character.
    pub fn new(key: impl Into<Arc<str>>) -> Result<Self, InvalidOwner> {
        let key = key.into();
        if key.is_empty() || key.len() > 255 || key.chars().any(char::is_control) {
            return Err(InvalidOwner);
        }
        Ok(Self(key))
    }

    /// Returns the user's key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the key as a `T`, such as the number or UUID of a row. Returns `None` if the key is not the text
    /// that `T` displays: `007`, `+7` and `alice` are not the key of the user with the number 7.
    ///
    /// ```
    /// use pat_core::Owner;
    ///
    /// let owner = Owner::new(7.to_string())?;
    /// assert_eq!(owner.parse::<i64>(), Some(7));
    /// assert_eq!(Owner::new("007")?.parse::<i64>(), None);
    /// # Ok::<(), pat_core::InvalidOwner>(())
    /// ```
    #[must_use]
    pub fn parse<T: FromStr + fmt::Display>(&self) -> Option<T> {
        let value = self.0.parse::<T>().ok()?;
        (value.to_string() == *self.0).then_some(value)
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.as_str().to_owned()
    }
}

impl TryFrom<String> for Owner {
    type Error = InvalidOwner;

    fn try_from(key: String) -> Result<Self, InvalidOwner> {
        Self::new(key)
    }
}

impl FromStr for Owner {
    type Err = InvalidOwner;

    /// Creates an owner from a user's key, like [`Owner::new`].
    ///
    /// # Errors
    /// [`InvalidOwner`] if the key is empty, longer than 255 bytes, or has a control character.
    fn from_str(key: &str) -> Result<Self, InvalidOwner> {
        Self::new(key)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error for text that is not an [`Owner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner's key is 1 to 255 bytes without control characters")]
pub struct InvalidOwner;

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for number in [0, 42, MAX_ID] {
            let id = TokenId(number);
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).expect("JSON");
            assert_eq!(json, number.to_string());
            assert_eq!(serde_json::from_str::<TokenId>(&json).expect("an ID"), id);
        }
        for bad in ["", "+1", "-1", " 1", "x", "9007199254740992"] {
            assert_eq!(bad.parse::<TokenId>(), Err(InvalidTokenId), "{bad}");
            assert!(serde_json::from_str::<TokenId>(bad).is_err() || bad == " 1");
        }
    }

    #[test]
    fn ids_fit_a_json_number_and_grow() {
        let source = IdSource::default();
        let now: Timestamp = "2026-11-24T03:00:00Z".parse().expect("date");
        let mut last = TokenId(0);
        for _ in 0..10_000 {
            let id = source.next(now).expect("randomness");
            assert!(id > last && id.get() <= MAX_ID);
            last = id;
        }
        let far: Timestamp = "9999-01-01T00:00:00Z".parse().expect("date");
        assert!(source.next(far).expect("randomness").get() <= MAX_ID);
        let before: Timestamp = "1970-01-01T00:00:00Z".parse().expect("date");
        assert!(source.next(before).expect("randomness").get() <= MAX_ID);
    }

    #[test]
    fn ids_follow_a_clock_that_was_wrong() {
        let source = IdSource::default();
        let now = Timestamp::from_second(1_772_145_741).expect("a time");
        let id = |now| source.next(now).expect("randomness");
        let ahead = id(now + SignedDuration::from_hours(24));
        let right = id(now);
        assert!(right < ahead);
        // A small correction does not move IDs back.
        assert!(id(now - SignedDuration::from_secs(30)) > right);
    }

    #[test]
    fn owners_are_short_texts_without_control_characters() {
        assert!(Owner::new("alice").is_ok());
        assert!(Owner::new("JIRAUSER10100 ä").is_ok());
        for bad in ["", "a\nb", "a\0"] {
            assert_eq!(Owner::new(bad), Err(InvalidOwner));
        }
        assert_eq!(Owner::new("x".repeat(256)), Err(InvalidOwner));
    }

    #[test]
    fn only_the_canonical_text_of_a_number_is_its_key() {
        let parse = |key: &str| Owner::new(key).expect("a key").parse::<i64>();
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(parse(&number.to_string()), Some(number));
        }
        for key in [
            "007",
            "+7",
            "-0",
            " 7",
            "7 ",
            "7.0",
            "alice",
            "9223372036854775808",
        ] {
            assert_eq!(parse(key), None, "{key}");
        }
    }
}
