//! Search for tokens of all owners, by administrators.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::token::{Owner, Token, TokenId, TokenStatus};

/// The expiry of a token that never expires, in filters and orders: the last instant, later than any
/// real expiry.
pub const NEVER: Timestamp = Timestamp::MAX;

/// The criteria of a search: a token matches if it meets all of them. An empty or absent criterion
/// restricts nothing, except that revoked tokens are excluded by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Text that the name contains, ignoring letter case.
    pub name: String,
    /// The owners, one of which the token has.
    pub owners: Vec<Owner>,
    /// The time of creation.
    pub created: DateRange,
    /// The time of expiry; [`NEVER`] for a token that never expires.
    pub expires: DateRange,
    /// The time of the last use that is written to the store. An unused token matches no range with
    /// a bound.
    pub last_used: DateRange,
    /// `true` for used tokens only, `false` for unused tokens only.
    pub is_used: Option<bool>,
    /// Whether revoked tokens match, until they are pruned.
    pub revoked: RevokedTokens,
}

/// A range of times, both ends included. An absent end is unbounded. Exhaustive: a range has two ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateRange {
    /// The first instant; `None` for no lower bound.
    pub from: Option<Timestamp>,
    /// The last instant; `None` for no upper bound.
    pub to: Option<Timestamp>,
}

/// Whether a [`Filter`] matches revoked tokens. Exhaustive: a store must handle each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevokedTokens {
    /// Only unrevoked tokens match.
    #[default]
    Excluded,
    /// Revoked and unrevoked tokens match.
    Included,
    /// Only revoked tokens match.
    Only,
}

impl Filter {
    /// Returns whether a criterion other than [`RevokedTokens::Excluded`] or [`RevokedTokens::Included`] is set.
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
            || *revoked == RevokedTokens::Only
    }

    /// Narrows the filter to tokens with this [`Token::status`] at `now`, to the microsecond.
    /// `warning` is how long before expiry [`TokenStatus::ExpiresSoon`] begins.
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
                self.revoked = RevokedTokens::Only;
                return self;
            }
        };
        self.revoked = RevokedTokens::Excluded;
        self.expires = self.expires.and(DateRange { from, to });
        self
    }

    /// Returns whether a token matches. Defines the result of a store's search.
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
                RevokedTokens::Excluded => token.revoked_at.is_none(),
                RevokedTokens::Included => true,
                RevokedTokens::Only => token.revoked_at.is_some(),
            }
    }
}

impl DateRange {
    /// Returns whether the range has no bound.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Returns the intersection of both ranges.
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

/// Returns the text for comparisons that ignore letter case: the same with every database, whatever
/// its collations. Cuts it off after 512 characters.
#[must_use]
pub fn fold(text: &str) -> String {
    // Via upper case, since some texts differ in lower case only (ß and ss).
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).take(512).collect()
}

/// The order of a search. Tokens with equal keys are ordered by creation, latest first, and then by ID,
/// lowest first, in either direction. Exhaustive: an order is a key and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The key.
    pub key: SortKey,
    /// Whether the greatest key comes first.
    pub is_descending: bool,
}

/// The key that tokens are sorted by. Exhaustive: a store must handle each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The time of creation.
    CreatedAt,
    /// The time of expiry; tokens that never expire have the greatest.
    ExpiresAt,
    /// The time of the last use; unused tokens have the least. It may change between two pages.
    LastUsedAt,
    /// The name, ignoring letter case ([`fold`]).
    Name,
    /// The owner's key, byte by byte.
    Owner,
}

/// The position of a token in an order, from which a search can continue ([`Start::After`]).
/// Exhaustive: these three decide the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The value of the sort key.
    pub value: SortValue,
    /// When the token was created.
    pub created_at: Timestamp,
    /// The token's ID.
    pub id: TokenId,
}

/// The value of a [`SortKey`]. Exhaustive: a store must handle each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// The value of [`SortKey::CreatedAt`], [`SortKey::ExpiresAt`] or [`SortKey::LastUsedAt`].
    Time(Timestamp),
    /// The value of [`SortKey::Name`] or [`SortKey::Owner`].
    Text(String),
}

impl SortKey {
    /// Returns the token's value of this key.
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

    /// Returns whether the value has the type of this key.
    #[must_use]
    pub fn fits(self, value: &SortValue) -> bool {
        let is_text = matches!(self, Self::Name | Self::Owner);
        is_text == matches!(value, SortValue::Text(_))
    }
}

impl Sort {
    /// Returns the token's position in this order.
    #[must_use]
    pub fn position_of(self, token: &Token) -> Position {
        Position {
            value: self.key.value_of(token),
            created_at: token.created_at,
            id: token.id,
        }
    }

    /// Compares two positions in this order.
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

/// A search for one page of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// The criteria.
    pub filter: Filter,
    /// The order.
    pub sort: Sort,
    /// Where the page begins.
    pub start: Start,
    /// The most tokens of the page; at least 1.
    pub limit: u32,
}

impl Search {
    /// Creates a search.
    #[must_use]
    pub const fn new(filter: Filter, sort: Sort, start: Start, limit: u32) -> Self {
        Self {
            filter,
            sort,
            start,
            limit,
        }
    }
}

/// The start of a page. Exhaustive: a store must handle each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Skips this many tokens. Pages may miss or repeat tokens while others are created or deleted,
    /// and the database reads all skipped tokens each time.
    Offset(u32),
    /// Begins after this position, whether or not its token still exists. Every token that exists
    /// throughout is on exactly one page, and the last page costs no more than the first.
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
