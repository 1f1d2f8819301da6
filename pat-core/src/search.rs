//! What an administrator looks for among all tokens.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::token::{Owner, Token, TokenId, TokenStatus};

/// What a filter and an order take for the expiry of a token that never expires: the last instant
/// there is, later than any real expiry.
pub const NEVER: Timestamp = Timestamp::MAX;

/// Which tokens. What is empty or left out restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the name, in any letter case.
    pub name: String,
    /// Whose.
    pub owners: Vec<Owner>,
    /// When they were created.
    pub created: DateRange,
    /// When they expire. One that never expires does so at [`NEVER`].
    pub expires: DateRange,
    /// When they were last used; with an end given, unused ones are left out. What a node has noted
    /// and not yet written down does not count.
    pub last_used: DateRange,
    /// Only those that were used, or only those that were not.
    pub is_used: Option<bool>,
    /// What of those that are revoked and not yet pruned.
    pub revoked: Revoked,
}

/// A range of dates, both ends included; without an end it is open there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateRange {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The last instant.
    pub to: Option<Timestamp>,
}

/// What of tokens that are revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Revoked {
    /// They are left out.
    #[default]
    Excluded,
    /// They are there like any other.
    Included,
    /// Nothing else is.
    Only,
}

impl Filter {
    /// Whether it restricts the tokens that are not revoked in any way.
    #[must_use]
    pub fn is_effective(&self) -> bool {
        let Self {
            name,
            owners,
            created,
            expires,
            last_used,
            is_used,
            revoked,
        } = self;
        !name.is_empty()
            || !owners.is_empty()
            || [created, expires, last_used]
                .iter()
                .any(|range| !range.is_open())
            || is_used.is_some()
            || *revoked == Revoked::Only
    }

    /// Narrows it to tokens that [`Token::status`] calls `status` at `now`, to the microsecond.
    #[must_use]
    pub fn with_status(
        mut self,
        status: TokenStatus,
        now: Timestamp,
        warning: SignedDuration,
    ) -> Self {
        let microsecond = SignedDuration::from_micros(1);
        let after = |at: Timestamp| at.checked_add(microsecond).unwrap_or(NEVER);
        let warned = now.checked_add(warning).unwrap_or(NEVER);
        let (from, to) = match status {
            TokenStatus::Active => (Some(after(warned)), None),
            TokenStatus::ExpiresSoon => (Some(after(now)), Some(warned)),
            TokenStatus::Expired => (None, Some(now)),
            TokenStatus::Revoked => {
                self.revoked = Revoked::Only;
                return self;
            }
        };
        self.revoked = Revoked::Excluded;
        self.expires = self.expires.and(DateRange { from, to });
        self
    }

    /// Whether a token is one of these: what a store must answer.
    #[must_use]
    pub fn matches(&self, token: &Token) -> bool {
        let used = || token.last_used_at;
        (self.name.is_empty() || fold(&token.name).contains(&fold(&self.name)))
            && (self.owners.is_empty() || self.owners.contains(&token.owner))
            && self.created.contains(token.created_at)
            && self.expires.contains(token.expires_at.unwrap_or(NEVER))
            && (self.last_used.is_open() || used().is_some_and(|at| self.last_used.contains(at)))
            && self.is_used.is_none_or(|wanted| wanted == used().is_some())
            && match self.revoked {
                Revoked::Excluded => token.revoked_at.is_none(),
                Revoked::Included => true,
                Revoked::Only => token.revoked_at.is_some(),
            }
    }
}

impl DateRange {
    /// Whether it restricts nothing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// What both ranges have in common.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let to = match (self.to, other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        // `None` is less than any date.
        let from = self.from.max(other.from);
        Self { from, to }
    }

    fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at <= to)
    }
}

/// A text as it is compared where letter case does not matter: the same in every database, whatever
/// its collations know. Of texts over 512 characters, the first 512 are.
#[must_use]
pub fn fold(text: &str) -> String {
    // By way of upper case, which makes one of letters that only differ in lower case (ß and ss).
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).take(512).collect()
}

/// By what tokens are sorted, and in which direction. Of equal ones, the one created last comes
/// first, and then the one of the lesser id, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Greatest first.
    pub is_descending: bool,
}

/// By what tokens are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The time of creation.
    CreatedAt,
    /// The time of expiry; those that never expire are last.
    ExpiresAt,
    /// The time of the last use; those never used are first. It may change while one pages.
    LastUsedAt,
    /// The name, as [`fold`] makes it.
    Name,
    /// The owner's key, byte by byte.
    Owner,
}

/// Where a token is in an order: what to remember in order to go on after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The value it is sorted by.
    pub value: SortValue,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its public number.
    pub id: TokenId,
}

/// A value that tokens are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// Of [`SortKey::CreatedAt`], [`SortKey::ExpiresAt`] and [`SortKey::LastUsedAt`].
    Time(Timestamp),
    /// Of [`SortKey::Name`] and [`SortKey::Owner`].
    Text(String),
}

impl SortKey {
    /// The value that a token is sorted by.
    #[must_use]
    pub fn value_of(self, token: &Token) -> SortValue {
        match self {
            Self::CreatedAt => SortValue::Time(token.created_at),
            Self::ExpiresAt => SortValue::Time(token.expires_at.unwrap_or(NEVER)),
            Self::LastUsedAt => SortValue::Time(token.last_used_at.unwrap_or_default()),
            Self::Name => SortValue::Text(fold(&token.name)),
            Self::Owner => SortValue::Text(token.owner.to_string()),
        }
    }

    /// Whether a value can be one of these.
    #[must_use]
    pub fn fits(self, value: &SortValue) -> bool {
        let is_text = matches!(self, Self::Name | Self::Owner);
        is_text == matches!(value, SortValue::Text(_))
    }
}

impl Sort {
    /// Where a token is in this order.
    #[must_use]
    pub fn position_of(self, token: &Token) -> Position {
        Position {
            value: self.key.value_of(token),
            created_at: token.created_at,
            id: token.id,
        }
    }

    /// Which of two places comes first in this order.
    #[must_use]
    pub fn compare(self, one: &Position, two: &Position) -> Ordering {
        let by_value = one.value.cmp(&two.value);
        let by_value = if self.is_descending {
            by_value.reverse()
        } else {
            by_value
        };
        by_value
            .then_with(|| two.created_at.cmp(&one.created_at))
            .then_with(|| one.id.cmp(&two.id))
    }
}

/// A question for some tokens in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Which tokens.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// Where to begin.
    pub start: Start,
    /// How many at most; at least 1.
    pub limit: u32,
}

/// Where in an order to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After so many tokens. Who pages by this misses or repeats some while others come and go, and
    /// the database counts them all each time.
    Offset(u32),
    /// After this place, whether there is still a token or not. Who pages by this sees every token
    /// once that is there throughout, and the last page costs no more than the first.
    After(Position),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_blind_to_letter_case() {
        for (one, two) in [
            ("CI / Work", "ci / wORK"),
            ("ÄÖÜ", "äöü"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "straße"),
            ("Ǆ", "ǆ"),
        ] {
            assert_eq!(fold(one), fold(two), "{one} {two}");
        }
        assert_ne!(fold("a"), fold("ä"));
    }

    #[test]
    fn a_status_is_a_range_of_expiry() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a date");
        let warning = SignedDuration::from_hours(5 * 24);
        let microsecond = SignedDuration::from_micros(1);
        let token = |expires_at| Token {
            id: TokenId::new(1).expect("an id"),
            owner: Owner::new("alice").expect("an owner"),
            name: "ci".into(),
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            parent: None,
        };
        let expiries = [now, now + warning].map(|at| [at - microsecond, at, at + microsecond]);
        let expiries = expiries.into_iter().flatten().map(Some).chain([None]);
        for token in expiries.map(token) {
            for status in [
                TokenStatus::Active,
                TokenStatus::ExpiresSoon,
                TokenStatus::Expired,
            ] {
                let filter = Filter::default().with_status(status, now, warning);
                let is_it = token.status(now, warning) == status;
                assert_eq!(filter.matches(&token), is_it, "{token:?} {status:?}");
            }
        }
    }

    #[test]
    fn ranges_are_cut_to_what_they_have_in_common() {
        let at = |second| Timestamp::from_second(second).ok();
        let range = |from, to| DateRange { from, to };
        let open = DateRange::default();
        assert_eq!(open.and(range(at(1), None)), range(at(1), None));
        assert_eq!(range(at(1), at(4)).and(open), range(at(1), at(4)));
        assert_eq!(
            range(at(1), at(4)).and(range(at(2), at(3))),
            range(at(2), at(3))
        );
    }
}
