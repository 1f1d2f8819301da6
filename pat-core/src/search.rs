//! Searches of administrators for the tokens of all owners: filter, order and pages.
//!
//! A host searches with [`Administration::search`](crate::Administration::search). A store implements
//! [`SearchStore`](crate::store::SearchStore).

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::scope::Scopes;
use crate::text::folded;
use crate::token::{Owner, Token, TokenId, TokenStatus};

/// The time that filters and orders use as the expiry of a token that never expires: the last instant,
/// which is later than any real expiry.
pub const NEVER: Timestamp = Timestamp::MAX;

/// The criteria of a search. A token matches the filter if it meets every criterion.
///
/// Every token meets an empty or absent criterion. [`Filter::default`] matches all unrevoked tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Finds tokens whose name contains this text, ignoring letter case. Empty text finds every token.
    pub name: String,
    /// Finds the tokens of these owners. An empty list finds the tokens of every owner.
    pub owners: Vec<Owner>,
    /// Finds tokens that were created in this range.
    pub created: DateRange,
    /// Finds tokens whose expiry is in this range. A token that never expires counts as expiring at
    /// [`NEVER`].
    pub expires: DateRange,
    /// Finds tokens whose last use is in this range, as far as last uses are written to the store. Unused
    /// tokens are found only if the range has no bound.
    pub last_used: DateRange,
    /// Finds tokens that were revoked in this range. Unrevoked tokens are found only if the range has no bound,
    /// and revoked ones only if [`Filter::revoked`] is not [`RevokedTokens::Excluded`].
    pub revoked_at: DateRange,
    /// Finds tokens that have at least one of these scopes. The names are compared as they are: what a scope
    /// implies is not considered, and a name need not be declared. The empty set finds every token, unless
    /// [`Filter::unrestricted`] is `true`. If both criteria are given, a token that meets one of them is found.
    pub scopes: Scopes,
    /// `true` finds unrestricted tokens, besides those that [`Filter::scopes`] finds; `false` restricts
    /// nothing.
    pub unrestricted: bool,
    /// `Some(true)` finds tokens that have been used, `Some(false)` tokens that have not; `None` finds
    /// both.
    pub is_used: Option<bool>,
    /// `Some(true)` finds tokens that never expire, `Some(false)` tokens that expire or have expired; `None` finds
    /// both.
    pub never_expires: Option<bool>,
    /// `Some(true)` finds tokens that are disabled, `Some(false)` tokens that are enabled; `None` finds both.
    pub is_disabled: Option<bool>,
    /// `Some` finds the tokens whose status [`TokenStatus::ExpiresSoon`] has, or has not, begun by the rule of
    /// life spans ([`Filter::with_status`] sets it); `None` finds both.
    pub warned: Option<Warned>,
    /// Finds tokens whose life span, from their creation to their expiry, is longer than this; tokens that never expire
    /// are among them. `None` restricts nothing.
    pub longer_than: Option<SignedDuration>,
    /// Finds tokens that were neither used nor created after this time. The import of a token
    /// ([`Token::imported_at`]) counts instead of its creation. `None` restricts nothing.
    pub unused_since: Option<Timestamp>,
    /// `Some(true)` finds [transient](Token::is_transient) tokens, `Some(false)` the others; `None` finds both.
    pub is_transient: Option<bool>,
    /// Whether revoked tokens are found, as long as they are stored: the setting
    /// `atlassian.pats.pruning.delay.days` says how many days after its revocation a token is deleted.
    pub revoked: RevokedTokens,
}

/// The criterion by which [`Filter::with_status`] distinguishes [`TokenStatus::Active`] from
/// [`TokenStatus::ExpiresSoon`].
///
/// A token meets it if [`is_warned`](Warned::is_warned) says whether both are true: the token expires at the
/// time [`by`](Warned::by) or earlier, and its life span is longer than [`period`](Warned::period).
///
/// This struct is exhaustive: a store must apply every field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warned {
    /// Whether tokens that meet both conditions are found, or the others.
    pub is_warned: bool,
    /// End of the warning period that begins now.
    pub by: Timestamp,
    /// Length of the warning period.
    pub period: SignedDuration,
}

impl Warned {
    fn finds(self, token: &Token) -> bool {
        let ends_by = token.expires_at.is_some_and(|at| at <= self.by);
        self.is_warned == (ends_by && token.lives_longer_than(self.period))
    }
}

/// A range of times with both ends included. A range without ends ([`DateRange::default`]) restricts
/// nothing.
///
/// This struct is exhaustive: a range has two ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateRange {
    /// First instant of the range; `None` if the range has no lower bound.
    pub from: Option<Timestamp>,
    /// Last instant of the range; `None` if the range has no upper bound.
    pub to: Option<Timestamp>,
}

/// Whether a [`Filter`] matches revoked tokens.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevokedTokens {
    /// The filter matches only unrevoked tokens.
    #[default]
    Excluded,
    /// The filter matches revoked and unrevoked tokens.
    Included,
    /// The filter matches only revoked tokens.
    Only,
}

impl Filter {
    /// Returns whether the filter has a criterion that restricts the tokens. [`RevokedTokens::Excluded`] and
    /// [`RevokedTokens::Included`] do not count as one.
    #[must_use]
    pub fn is_effective(&self) -> bool {
        let Self {
            name,
            owners,
            created,
            expires,
            last_used,
            revoked_at,
            scopes,
            unrestricted,
            is_used,
            never_expires,
            is_disabled,
            warned,
            longer_than,
            unused_since,
            is_transient,
            revoked,
        } = self;
        !name.is_empty()
            || !owners.is_empty()
            || [created, expires, last_used, revoked_at]
                .iter()
                .any(|range| !range.is_open())
            || !scopes.is_empty()
            || *unrestricted
            || is_used.is_some()
            || never_expires.is_some()
            || is_disabled.is_some()
            || warned.is_some()
            || longer_than.is_some()
            || unused_since.is_some()
            || is_transient.is_some()
            || *revoked == RevokedTokens::Only
    }

    /// Returns the filter with the criterion that tokens have this [status](Token::status) at the time `now`.
    /// `warning` is how long before the expiry of a token its status [`TokenStatus::ExpiresSoon`] begins, if
    /// the life span of the token is longer.
    ///
    /// The method replaces [`Filter::revoked`]: by [`RevokedTokens::Only`] for [`TokenStatus::Revoked`], by
    /// [`RevokedTokens::Excluded`] for any other status, for which it also intersects [`Filter::expires`] with
    /// the range of expiry that the status stands for. For a status of an unexpired token it also replaces
    /// [`Filter::is_disabled`] and [`Filter::warned`]. The other criteria stay the same.
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
            TokenStatus::ExpiresSoon => (Some(after(now)), Some(warned)),
            TokenStatus::Active | TokenStatus::Disabled => (Some(after(now)), None),
            TokenStatus::Expired => (None, Some(now)),
            TokenStatus::Revoked => {
                self.revoked = RevokedTokens::Only;
                return self;
            }
        };
        self.warned = [TokenStatus::Active, TokenStatus::ExpiresSoon]
            .contains(&status)
            .then_some(Warned {
                is_warned: status == TokenStatus::ExpiresSoon,
                by: warned,
                period: warning,
            });
        if status != TokenStatus::Expired {
            self.is_disabled = Some(status == TokenStatus::Disabled);
        }
        self.revoked = RevokedTokens::Excluded;
        self.expires = self.expires.and(DateRange { from, to });
        self
    }

    /// Returns whether a token meets every criterion. The searches of a store must find the tokens for
    /// which this method returns `true`.
    #[must_use]
    pub fn matches(&self, token: &Token) -> bool {
        let used = || token.last_used_at;
        (self.name.is_empty() || fold(&token.name).contains(&fold(&self.name)))
            && (self.owners.is_empty() || self.owners.contains(&token.owner))
            && self.created.contains(token.created_at)
            && self.expires.contains(token.expires_at.unwrap_or(NEVER))
            && self.last_used.contains_some(used())
            && self.revoked_at.contains_some(token.revoked_at)
            && self.finds_scopes(token.scopes.as_ref())
            && self.is_used.is_none_or(|wanted| wanted == used().is_some())
            && self
                .never_expires
                .is_none_or(|wanted| wanted == token.expires_at.is_none())
            && self
                .is_disabled
                .is_none_or(|wanted| wanted == token.disabled.is_some())
            && self.warned.is_none_or(|warned| warned.finds(token))
            && self
                .longer_than
                .is_none_or(|time| token.lives_longer_than(time))
            && self
                .unused_since
                .is_none_or(|since| token.is_unused_since(since))
            && self
                .is_transient
                .is_none_or(|wanted| wanted == token.is_transient)
            && match self.revoked {
                RevokedTokens::Excluded => token.revoked_at.is_none(),
                RevokedTokens::Included => true,
                RevokedTokens::Only => token.revoked_at.is_some(),
            }
    }

    fn finds_scopes(&self, of_token: Option<&Scopes>) -> bool {
        if self.scopes.is_empty() && !self.unrestricted {
            return true;
        }
        match of_token {
            Some(scopes) => self.scopes.iter().any(|name| scopes.contains(name)),
            None => self.unrestricted,
        }
    }
}

impl DateRange {
    /// Returns whether the range has neither a lower nor an upper bound, and so contains every time.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Returns the range of the times that are in both ranges. If there are none, `from` of the result is later
    /// than `to`, and the result contains no time.
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

    /// Whether the range is open, or there is a time that it contains.
    fn contains_some(&self, at: Option<Timestamp>) -> bool {
        self.is_open() || at.is_some_and(|at| self.contains(at))
    }

    /// Returns whether this time is in the range. A range without ends has every time.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at <= to)
    }
}

/// Returns the name of a token with its letters folded to one case ([`fold_case`](crate::text::fold_case)), cut
/// off after 512 characters.
///
/// Names are folded in Rust, not by the database, so that all databases find and sort the same tokens,
/// whatever their collations.
#[must_use]
pub fn fold(name: &str) -> String {
    folded(name).take(512).collect()
}

/// The order of the tokens of a search: by a key, ascending or descending.
///
/// In either direction, tokens with equal keys are ordered by their creation, latest first, and then by
/// their IDs, lowest first.
///
/// This struct is exhaustive: an order is a key and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// Key that tokens are sorted by.
    pub key: SortKey,
    /// `true` if tokens with the greatest key come first, `false` if those with the least do.
    pub is_descending: bool,
}

/// The key that the tokens of a search are sorted by.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// Sorts by the time of creation.
    CreatedAt,
    /// Sorts by the time of expiry. A token that never expires has the greatest key, [`NEVER`].
    ExpiresAt,
    /// Sorts by the time of the last use that is written to the store. An unused token has the least key.
    /// If a token is used between the reading of two pages, both pages or neither may have it.
    LastUsedAt,
    /// Sorts by the token's name, ignoring letter case ([`fold`]).
    Name,
    /// Sorts by the key of the token's owner ([`Owner::as_str`](crate::Owner::as_str)), byte by byte.
    Owner,
}

/// The position of a token in an order ([`Sort`]), from which a search can continue ([`Start::After`]).
///
/// This struct is exhaustive: its three fields decide the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The token's value of [`Sort::key`].
    pub value: SortValue,
    /// When the token was created, which decides between tokens with equal values.
    pub created_at: Timestamp,
    /// ID of the token, which decides between tokens with equal values and the same time of creation.
    pub id: TokenId,
}

/// A token's value of a [`SortKey`]; see [`SortKey::value_of`].
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// A token's value of [`SortKey::CreatedAt`], [`SortKey::ExpiresAt`] or [`SortKey::LastUsedAt`].
    Time(Timestamp),
    /// A token's value of [`SortKey::Name`], which is folded ([`fold`]), or of [`SortKey::Owner`].
    Text(String),
}

impl SortKey {
    /// Returns the value by which a search with this key sorts `token`: [`NEVER`] as the expiry of a token
    /// that never expires, and 1970-01-01T00:00:00Z as the last use of an unused token.
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

    /// Returns whether `value` has the type of this key's values: [`SortValue::Text`] for a name or an
    /// owner, [`SortValue::Time`] for the other keys.
    #[must_use]
    pub fn fits(self, value: &SortValue) -> bool {
        let is_text = matches!(self, Self::Name | Self::Owner);
        is_text == matches!(value, SortValue::Text(_))
    }
}

impl Sort {
    /// The order by creation, latest first.
    pub const LATEST_FIRST: Self = Self {
        key: SortKey::CreatedAt,
        is_descending: true,
    };

    /// Returns the position of `token` in this order.
    #[must_use]
    pub fn position_of(self, token: &Token) -> Position {
        Position {
            value: self.key.value_of(token),
            created_at: token.created_at,
            id: token.id,
        }
    }

    /// Compares two positions in this order. Returns [`Ordering::Less`] if the token at `one` comes before
    /// the token at `two`.
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

/// A search for one page of the tokens that match a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// Criteria that the tokens of the page meet.
    pub filter: Filter,
    /// Order of the tokens, within the page and from page to page.
    pub sort: Sort,
    /// Where the page begins among all matching tokens.
    pub start: Start,
    /// Greatest number of tokens on the page, which is read into memory. There is no upper limit. With 0,
    /// [`Administration::search`](crate::Administration::search) returns an empty page without a next page.
    pub limit: u32,
}

impl Search {
    /// Creates a search for the page of at most `limit` tokens that begins at `start`.
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

/// The start of a page among the tokens that match a filter, in their order.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The page begins after this many tokens. If tokens are created or deleted while pages are read, the
    /// pages may miss or repeat others. The database reads all skipped tokens for each page.
    Offset(u32),
    /// The page begins after this position ([`Sort::position_of`] the last token of the page before),
    /// whether or not the token at the position still exists. A token that matches the filter all the time
    /// while pages are read is on exactly one page, unless its sort key changes. A late page costs no more
    /// than an early one.
    After(Position),
    /// The page ends before this position ([`Sort::position_of`] the first token of the page after), whether or
    /// not the token at the position still exists. It has the last tokens before the position, in the order of
    /// the search. A late page costs no more than an early one.
    Before(Position),
}

/// The order of a list that the service sorts itself, or in which it reads several searches: that of a search,
/// or by status, which depends on the time.
///
/// This enum is exhaustive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The order of a [search](Search).
    By(Sort),
    /// By status, in the order of [`Order::STATUSES`]. Tokens with the same status are ordered by their creation,
    /// latest first, in both directions.
    ByStatus {
        /// `true` if revoked tokens come first, `false` if active ones do.
        is_descending: bool,
    },
}

impl Order {
    /// The order by creation, latest first.
    pub const LATEST_FIRST: Self = Self::By(Sort::LATEST_FIRST);
    /// All statuses, in ascending order.
    pub const STATUSES: [TokenStatus; 5] = [
        TokenStatus::Active,
        TokenStatus::ExpiresSoon,
        TokenStatus::Disabled,
        TokenStatus::Expired,
        TokenStatus::Revoked,
    ];

    /// Sorts tokens. `status` returns the status of a token.
    pub(crate) fn sort(self, tokens: &mut [Token], status: impl Fn(&Token) -> TokenStatus) {
        match self {
            Self::By(sort) => {
                tokens.sort_by_cached_key(|token| Sorted(sort, sort.position_of(token)));
            }
            Self::ByStatus { is_descending } => tokens.sort_by_cached_key(|token| {
                let status = status(token);
                let rank = Self::STATUSES.iter().position(|other| *other == status);
                let rank = rank.map_or(i64::MAX, |rank| i64::try_from(rank).unwrap_or(i64::MAX));
                let rank = if is_descending { -rank } else { rank };
                let sort = Sort::LATEST_FIRST;
                (rank, Sorted(sort, sort.position_of(token)))
            }),
        }
    }
}

/// A position as a key to sort by.
struct Sorted(Sort, Position);

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(&self.1, &other.1)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sorted {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Disabled;

    #[test]
    fn a_folded_name_fits_its_column() {
        assert_eq!(fold("CI / Straße"), "ci / strasse");
        assert_eq!(fold(&"ß".repeat(300)), "s".repeat(512));
    }

    #[test]
    fn a_status_is_a_range_of_expiry() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a date");
        let warning = SignedDuration::from_hours(5 * 24);
        let microsecond = SignedDuration::from_micros(1);
        let token = |(expires_at, disabled, created_at)| Token {
            expires_at,
            disabled,
            ..Token::new(
                TokenId::new(1).expect("an id"),
                Owner::new("alice").expect("an owner"),
                "ci",
                created_at,
            )
        };
        let expiries = [now, now + warning].map(|at| [at - microsecond, at, at + microsecond]);
        let expiries = expiries.into_iter().flatten().map(Some).chain([None]);
        let disabled = [None, Some(Disabled::new(now, None, false))];
        // Most tokens that expire within the warning period live no longer than it, if created now.
        let created = [now, now - microsecond, now - warning];
        let states = expiries.flat_map(|end| disabled.clone().map(|disabled| (end, disabled)));
        let states = states.flat_map(|(end, disabled)| {
            created.map(|created_at| (end, disabled.clone(), created_at))
        });
        for token in states.map(token) {
            for status in [
                TokenStatus::Active,
                TokenStatus::ExpiresSoon,
                TokenStatus::Disabled,
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
