//! A search as it comes over the wire, and its answer.

use std::collections::BTreeMap;

use jiff::fmt::temporal::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use pat_core::scope::{InvalidScopes, MAX_SCOPES, Scopes};
use pat_core::search::{DateRange, Filter, Position, RevokedTokens, Search, Sort, SortKey, Start};
use pat_core::{Owner, Pats, TokenStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::malformed;
use super::problems::{INVALID_SEARCH, sentence};
use super::wire::TokenJson;
use crate::http::cursor::PageCursor;
use crate::http::problem::Problem;

/// The most tokens of a page.
pub(super) const MAX_LIMIT: u32 = 1_000;
/// How deep a page without a cursor may begin: the database counts its way there.
const MAX_OFFSET: u32 = 10_000;

/// Of how many owners a filter may tell: databases limit the values in a statement.
const MAX_OWNERS: usize = 1_000;

/// What a filter may have.
const MEMBERS: &str = "name, userKeys, tokenCreatedDateFrom, tokenCreatedDateTo, \
                       tokenExpiryDateFrom, tokenExpiryDateTo, lastAuthenticatedDateFrom, \
                       lastAuthenticatedDateTo, scopes, unrestricted, isUsed, neverExpires, \
                       status and includeRevoked";

/// The filter of a search. An empty text or list restricts nothing, as does what is left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Filter)]
pub(super) struct FilterJson {
    /// A part of the name, in any letter case.
    name: Option<String>,
    /// The keys of the owners.
    #[schema(max_items = 1000)]
    user_keys: Option<Vec<String>>,
    #[schema(format = DateTime)]
    token_created_date_from: Option<String>,
    #[schema(format = DateTime)]
    token_created_date_to: Option<String>,
    #[schema(format = DateTime)]
    token_expiry_date_from: Option<String>,
    #[schema(format = DateTime)]
    token_expiry_date_to: Option<String>,
    #[schema(format = DateTime)]
    last_authenticated_date_from: Option<String>,
    #[schema(format = DateTime)]
    last_authenticated_date_to: Option<String>,
    /// The names of scopes, declared or not: tokens that have one of them are found.
    #[schema(max_items = 64)]
    scopes: Option<Vec<String>>,
    /// Whether to find unrestricted tokens; with `scopes`, besides those.
    unrestricted: Option<bool>,
    #[schema(value_type = Option<bool>)]
    is_used: Option<YesOrNo>,
    /// Whether to find the tokens that never expire, or the others.
    #[schema(value_type = Option<bool>)]
    never_expires: Option<YesOrNo>,
    /// `ACTIVE`, `EXPIRES_SOON`, `DISABLED`, `EXPIRED` or `REVOKED`; an empty text restricts nothing.
    status: Option<String>,
    /// Whether to list tokens too that are revoked and not yet pruned.
    include_revoked: Option<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: BTreeMap<String, Value>,
}

/// A criterion that is true or false; an empty text restricts nothing.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum YesOrNo {
    Known(bool),
    Text(String),
}

impl YesOrNo {
    fn read(field: Option<Self>, name: &str) -> Result<Option<bool>, Problem> {
        match field {
            None => Ok(None),
            Some(Self::Known(is_wanted)) => Ok(Some(is_wanted)),
            Some(Self::Text(text)) if text.is_empty() => Ok(None),
            Some(Self::Text(_)) => Err(invalid(format!("{name} must be true or false."))),
        }
    }
}

/// The body of a search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Search)]
pub(super) struct SearchJson {
    /// From 0; not beyond the first 10,000 tokens.
    page: Option<u32>,
    /// The maximum number of tokens of the page; 100 by default.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `nextCursor` of the page before, instead of `page`.
    cursor: Option<String>,
    /// `createdAt`, `expiringAt`, `lastAccessedAt`, `name` (the default) or `userKey`.
    sort_by: Option<String>,
    /// `asc` (the default) or `desc`.
    order_by: Option<String>,
    #[serde(flatten)]
    filter: FilterJson,
}

/// A search, and what its answer repeats of the question.
pub(super) struct SearchRequest {
    pub(super) search: Search,
    /// The page, unless a cursor says where to begin.
    pub(super) page: Option<u32>,
}

/// The greatest `totalCount`: as far as pages with a number go. To count more takes as long as reading all tokens.
pub(super) const MAX_TOTAL: u64 = 10_000;

/// A page of tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Page)]
pub(super) struct PageJson {
    values: Vec<TokenJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    page: Option<u32>,
    limit: u32,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_pages: Option<u64>,
    /// At most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 10_000)]
    total_count: Option<u64>,
    /// `gte` if there are more tokens than `totalCount`; absent if it is their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_relation: Option<&'static str>,
    is_last_page: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

impl SearchRequest {
    pub(super) fn page_json(
        &self,
        values: Vec<TokenJson>,
        next: Option<Position>,
        total: Option<u64>,
    ) -> PageJson {
        let Search { sort, limit, .. } = self.search;
        let counted = total.map(|total| total.min(MAX_TOTAL));
        PageJson {
            size: values.len(),
            values,
            page: self.page,
            limit,
            total_pages: counted.map(|total| total.div_ceil(limit.into())),
            total_count: counted,
            total_relation: (counted < total).then_some("gte"),
            is_last_page: next.is_none(),
            next_cursor: next.map(|after| PageCursor { sort, after }.encode()),
        }
    }
}

fn invalid(detail: impl AsRef<str>) -> Problem {
    Problem::new(INVALID_SEARCH, detail)
}

impl SearchJson {
    /// The names of members that are not known.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &String> {
        self.filter.unknown.keys()
    }

    pub(super) fn into_search(self, pats: &Pats) -> Result<SearchRequest, Problem> {
        let limit = self.limit.unwrap_or(100);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(format!("limit must be from 1 to {MAX_LIMIT}.")));
        }
        let cursor = self.cursor.filter(|text| !text.is_empty());
        let (key, is_descending) = (sort_key(self.sort_by)?, order(self.order_by)?);
        let (sort, start, page) = match cursor {
            None => {
                let page = self.page.unwrap_or(0);
                let sort = Sort {
                    key: key.unwrap_or(SortKey::Name),
                    is_descending: is_descending.unwrap_or(false),
                };
                (sort, Start::Offset(offset(page, limit)?), Some(page))
            }
            Some(_) if self.page.is_some() => {
                return Err(invalid("Give either page or cursor."));
            }
            Some(text) => {
                let cursor = PageCursor::decode(&text);
                let PageCursor { sort, after } = cursor.ok_or_else(|| {
                    invalid("cursor is none that a search has given as nextCursor.")
                })?;
                if key.is_some_and(|key| key != sort.key)
                    || is_descending.is_some_and(|other| other != sort.is_descending)
                {
                    let detail = "cursor comes from a search with another sortBy or orderBy.";
                    return Err(invalid(detail));
                }
                (sort, Start::After(after), None)
            }
        };
        let search = Search::new(self.filter.into_filter(pats)?, sort, start, limit);
        Ok(SearchRequest { search, page })
    }
}

fn offset(page: u32, limit: u32) -> Result<u32, Problem> {
    let offset = page
        .checked_mul(limit)
        .filter(|offset| *offset <= MAX_OFFSET);
    offset.ok_or_else(|| {
        let detail = format!(
            "Pages begin within the first {MAX_OFFSET} tokens; \
             to go deeper, pass nextCursor of a page as cursor of the next."
        );
        invalid(detail)
    })
}

fn sort_key(text: Option<String>) -> Result<Option<SortKey>, Problem> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    Ok(Some(match text.as_str() {
        "createdAt" => SortKey::CreatedAt,
        "expiringAt" => SortKey::ExpiresAt,
        "lastAccessedAt" => SortKey::LastUsedAt,
        "name" => SortKey::Name,
        "userKey" => SortKey::Owner,
        _ => {
            let detail = "sortBy must be createdAt, expiringAt, lastAccessedAt, name or userKey.";
            return Err(invalid(detail));
        }
    }))
}

/// Whether the order is a descending one.
fn order(text: Option<String>) -> Result<Option<bool>, Problem> {
    match given(text) {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("asc") => Ok(Some(false)),
        Some(text) if text.eq_ignore_ascii_case("desc") => Ok(Some(true)),
        Some(_) => Err(invalid("orderBy must be asc or desc.")),
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl FilterJson {
    /// The filter of a revocation: a misspelt criterion must not widen it.
    pub(super) fn into_strict_filter(self, pats: &Pats) -> Result<Filter, Problem> {
        if !self.unknown.is_empty() {
            let detail = format!("The filter has members that are not known; {MEMBERS} are.");
            return Err(malformed(&detail));
        }
        self.into_filter(pats)
    }

    fn into_filter(self, pats: &Pats) -> Result<Filter, Problem> {
        let owners = self.user_keys.unwrap_or_default();
        if owners.len() > MAX_OWNERS {
            let detail = format!("userKeys must have at most {MAX_OWNERS} members.");
            return Err(invalid(detail));
        }
        let owners: Result<_, _> = owners.into_iter().map(Owner::new).collect();
        let is_used = YesOrNo::read(self.is_used, "isUsed")?;
        let never_expires = YesOrNo::read(self.never_expires, "neverExpires")?;
        let mut filter = Filter::default();
        filter.name = self.name.unwrap_or_default();
        filter.owners = owners.map_err(|_| invalid("A user key is empty or too long."))?;
        filter.created = range(
            ("tokenCreatedDateFrom", self.token_created_date_from),
            ("tokenCreatedDateTo", self.token_created_date_to),
        )?;
        filter.expires = range(
            ("tokenExpiryDateFrom", self.token_expiry_date_from),
            ("tokenExpiryDateTo", self.token_expiry_date_to),
        )?;
        filter.last_used = range(
            (
                "lastAuthenticatedDateFrom",
                self.last_authenticated_date_from,
            ),
            ("lastAuthenticatedDateTo", self.last_authenticated_date_to),
        )?;
        filter.scopes = scopes(self.scopes.unwrap_or_default())?;
        filter.unrestricted = self.unrestricted.unwrap_or(false);
        filter.is_used = is_used;
        filter.never_expires = never_expires;
        filter.revoked = match self.include_revoked {
            Some(true) => RevokedTokens::Included,
            _ => RevokedTokens::Excluded,
        };
        let Some(status) = given(self.status) else {
            return Ok(filter);
        };
        let status = status.parse::<TokenStatus>().map_err(|_| {
            invalid("status must be ACTIVE, EXPIRES_SOON, DISABLED, EXPIRED or REVOKED.")
        })?;
        Ok(pats.with_status(filter, status))
    }
}

fn scopes(names: Vec<String>) -> Result<Scopes, Problem> {
    Scopes::new(names).map_err(|error| {
        // That text is about tokens.
        if error == InvalidScopes::TooMany {
            invalid(format!("scopes must have at most {MAX_SCOPES} members."))
        } else {
            invalid(sentence(&error.to_string()))
        }
    })
}

type Field = (&'static str, Option<String>);

fn range(from: Field, to: Field) -> Result<DateRange, Problem> {
    // Dates on the wire end with the millisecond: the range ends with the end of it.
    let millisecond_end = |at: Timestamp| {
        let is_whole = at.as_microsecond() % 1_000 == 0;
        let rest = SignedDuration::from_micros(if is_whole { 999 } else { 0 });
        at.checked_add(rest).unwrap_or(Timestamp::MAX)
    };
    Ok(DateRange {
        from: date(from)?,
        to: date(to)?.map(millisecond_end),
    })
}

fn date((name, text): Field) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    if let Ok(at) = text.parse() {
        return Ok(Some(at));
    }
    // What a token that never expires carries is a little more than a timestamp can hold.
    let pieces = DateTimeParser::new().parse_pieces(&text).ok();
    let pieces = pieces.filter(|pieces| pieces.offset().is_some() && pieces.time().is_some());
    match pieces.map(|pieces| pieces.date().year()) {
        Some(9999) => Ok(Some(Timestamp::MAX)),
        Some(-9999) => Ok(Some(Timestamp::MIN)),
        _ => Err(invalid(format!(
            "{name} must be a date with a time and a zone, such as 2026-02-26T22:42:21.247+00:00."
        ))),
    }
}
