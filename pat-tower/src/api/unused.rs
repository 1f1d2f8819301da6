//! The tokens that no client uses, for administrators.

use axum::Json;
use axum::extract::{Extension, RawQuery, State as AxumState};
use pat_core::search::{Search, Sort, SortKey, Start};
use pat_core::store::StoreError;
use pat_core::{Caller, Unavailable};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::admin::administration;
use super::openapi::ADMINISTRATION;
use super::problems::INVALID_SEARCH;
use super::routes::ApiResult;
use super::search::MAX_LIMIT;
use super::state::State;
use super::wire::TokenJson;
use crate::http::cursor::PageCursor;
use crate::http::problem::Problem;

/// The longest first.
const SORT: Sort = Sort {
    key: SortKey::LastUsedAt,
    is_descending: false,
};
/// The most days of the property.
const MAX_DAYS: u32 = 36_500;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UnusedQuery {
    /// For how many days the tokens have not been used; without it, the setting `pat.unused.revoke.days`.
    #[param(minimum = 1, maximum = 36_500)]
    days: Option<u32>,
    /// The maximum number of tokens of the page.
    #[serde(default = "hundred")]
    #[param(default = 100, minimum = 1, maximum = 1_000)]
    limit: u32,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

fn hundred() -> u32 {
    100
}

/// Unused tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnusedTokens)]
pub(super) struct UnusedJson {
    /// For how many days the tokens have not been used.
    days: u32,
    /// The number of unused tokens.
    count: u64,
    /// The number of valid tokens, the unused ones included.
    valid_count: u64,
    /// Whether more than half of the valid tokens are unused, so that none would be revoked.
    is_more_than_half: bool,
    values: Vec<TokenJson>,
    limit: u32,
    size: usize,
    is_last_page: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Lists the tokens that have not been used for some days
///
/// They are those that the setting `pat.unused.revoke.days` would revoke, after a warning: try the number of days
/// here before you set it. Those that were unused longest come first. A token that was never used counts from
/// its creation, an imported one from its import. Tokens are not listed that are revoked or expired, or that
/// end soon by themselves, because they are replaced or were created for less than a day.
#[utoipa::path(
    get,
    path = "/admin/unused",
    operation_id = "listUnusedTokens",
    tag = ADMINISTRATION,
    params(UnusedQuery),
    responses(
        (status = 200, description = "A page of unused tokens, and their number", body = UnusedJson),
        (status = 400, description = "Invalid days, limit or cursor; or no days, and the setting is 0"),
    ),
)]
pub(super) async fn unused(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<UnusedJson>> {
    let admin = administration(&state, &caller).await?;
    let (days, search) = read(&state, query.as_deref())?;
    let page = admin.search(&search).await?;
    let unused = search.filter.clone();
    let mut valid = unused.clone();
    valid.unused_since = None;
    let counts = admin.count_each(&[unused, valid]).await?;
    let [count, valid_count] = counts[..] else {
        let error = StoreError::backend("the store returned too few counts");
        return Err(Unavailable::Store(error).into());
    };
    let owners = admin.owners_of(&page.tokens).await?;
    let tokens = page.tokens.into_iter().zip(owners);
    let values =
        tokens.map(|(token, owner)| TokenJson::for_administrator(&state.pats, token, Some(owner)));
    let values: Vec<_> = values.collect();
    Ok(Json(UnusedJson {
        days,
        count,
        valid_count,
        is_more_than_half: count > valid_count / 2,
        size: values.len(),
        values,
        limit: search.limit,
        is_last_page: page.next.is_none(),
        next_cursor: page
            .next
            .map(|after| PageCursor { sort: SORT, after }.encode()),
    }))
}

fn read(state: &State, query: Option<&str>) -> ApiResult<(u32, Search)> {
    let invalid = |detail: &str| Problem::new(INVALID_SEARCH, detail);
    let query = serde_urlencoded::from_str(query.unwrap_or_default());
    let UnusedQuery {
        days,
        limit,
        cursor,
    } = query.map_err(|_| invalid("days and limit must be whole numbers."))?;
    let days = days.unwrap_or(state.pats.settings().unused_revoke_days());
    if !(1..=MAX_DAYS).contains(&days) {
        let detail = format!(
            "days must be from 1 to {MAX_DAYS}; it must be given unless pat.unused.revoke.days is set."
        );
        return Err(invalid(&detail));
    }
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(&format!("limit must be from 1 to {MAX_LIMIT}.")));
    }
    let start = match cursor.filter(|text| !text.is_empty()) {
        None => Start::Offset(0),
        Some(text) => match PageCursor::decode(&text) {
            Some(PageCursor { sort, after }) if sort == SORT => Start::After(after),
            _ => {
                return Err(invalid(
                    "cursor is none that this list has given as nextCursor.",
                ));
            }
        },
    };
    let search = Search::new(state.pats.unused_filter(days), SORT, start, limit);
    Ok((days, search))
}
