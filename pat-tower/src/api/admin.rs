//! What administrators do with the tokens of all users.

use axum::Json;
use axum::extract::{Extension, RawQuery, State as AxumState};
use axum::response::{IntoResponse, Response};
use pat_core::scope::TOKENS_ADMIN;
use pat_core::{AdminError, Administration, Caller, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{JsonBody, MAX_IDS_LEN, malformed};
use super::ignored::{StrictQuery, tell};
use super::openapi::{ADMINISTRATION, NO_SUCH_TOKEN};
use super::problems::{INVALID_SEARCH, no_such_token};
use super::routes::{ApiResult, FamilyQuery, family, no_content};
use super::search::{FilterJson, MAX_TOTAL, PageJson, SearchJson};
use super::state::State;
use super::wire::{TokenJson, UserJson};
use crate::http::problem::Problem;
use crate::scope::MissingScopes;

/// The most users that one answer has.
const MAX_USERS: usize = 1_000;
/// The longest reason, in Unicode scalar values: it goes into a mail.
const MAX_REASON_LEN: usize = 1_000;

pub(super) async fn administration<'r>(
    state: &'r State,
    caller: &'r Caller,
) -> ApiResult<Administration<'r>> {
    let administration = state.pats.administration(caller).await;
    administration.map_err(|error| {
        if let AdminError::TokenInvalid(_) = error {
            return Problem::invalid_token(state.challenges.invalid_token.clone());
        }
        if let AdminError::InsufficientScope = error {
            return MissingScopes::one(TOKENS_ADMIN).problem(&state.challenges);
        }
        error.into()
    })
}

/// Searches the tokens of all users
///
/// A criterion that is absent or empty restricts nothing. `page` begins with 0. To page stably while
/// tokens are created and revoked, or beyond the first 10,000, pass `nextCursor` as `cursor` instead;
/// the response then has no totals. Of more than 10,000 tokens no more are counted: `totalCount` is then 10,000,
/// and `totalRelation` is `gte`. Of equal tokens the one created last comes first. Unknown members
/// are ignored and named in `PAT-Ignored-Fields`.
#[utoipa::path(
    post,
    path = "/tokens/search",
    operation_id = "searchTokens",
    tag = ADMINISTRATION,
    params(StrictQuery),
    request_body = SearchJson,
    responses((
        status = 200,
        description = "A page of tokens",
        body = PageJson,
        headers(("PAT-Ignored-Fields" = String, description = "The unknown members")),
    )),
)]
pub(super) async fn search(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    body: JsonBody,
) -> ApiResult<Response> {
    let admin = administration(&state, &caller).await?;
    let search: SearchJson = body.read()?;
    let ignored = tell(&StrictQuery::parse(query.as_deref())?, search.unknown())?;
    let asked = search.into_search(&state.pats)?;
    let page = admin.search(&asked.search).await?;
    let total = match asked.page {
        Some(_) => {
            let filter = &asked.search.filter;
            Some(admin.count_up_to(filter, MAX_TOTAL + 1).await?)
        }
        None => None,
    };
    let owners = admin.owners_of(&page.tokens).await?;
    let tokens = page.tokens.into_iter().zip(owners);
    let values =
        tokens.map(|(token, owner)| TokenJson::for_administrator(&state.pats, token, Some(owner)));
    let json = Json(asked.page_json(values.collect(), page.next, total));
    let mut response = json.into_response();
    response.headers_mut().extend(ignored);
    Ok(response)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// A part of the key, name or mail address.
    #[serde(default)]
    #[param(default = "")]
    contains: String,
    /// The maximum number of users.
    #[serde(default = "twenty")]
    #[param(default = 20, maximum = 1000)]
    limit: usize,
}

fn twenty() -> usize {
    20
}

/// Searches the users of the host
///
/// For a field that completes the author of tokens.
#[utoipa::path(
    get,
    path = "/tokens/search/user",
    operation_id = "searchUsers",
    tag = ADMINISTRATION,
    params(UsersQuery),
    responses(
        (status = 200, description = "The users", body = Vec<UserJson>),
        (status = 400, description = "Invalid limit"),
    ),
)]
pub(super) async fn search_users(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<Vec<UserJson>>> {
    let admin = administration(&state, &caller).await?;
    let query = serde_urlencoded::from_str(query.as_deref().unwrap_or_default());
    let UsersQuery { contains, limit } = query
        .ok()
        .filter(|query: &UsersQuery| query.limit <= MAX_USERS)
        .ok_or_else(|| {
            let detail = format!("limit must be a whole number up to {MAX_USERS}.");
            Problem::new(INVALID_SEARCH, detail)
        })?;
    let users = admin.search_users(&contains, limit).await?;
    Ok(Json(users.into_iter().map(UserJson::from).collect()))
}

/// Revokes tokens
///
/// In one transaction. Unknown ids, and tokens that are revoked already, are skipped.
#[utoipa::path(
    delete,
    path = "/admin/tokens",
    operation_id = "revokeTokens",
    tag = ADMINISTRATION,
    params(FamilyQuery),
    request_body(content = Vec<i64>, description = "Their ids"),
    responses((
        status = 204,
        description = "The tokens are revoked",
        headers(("PAT-Live-Children" = u64, description = "The number of tokens created with them that are still valid")),
    )),
)]
pub(super) async fn revoke(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    body: JsonBody<MAX_IDS_LEN>,
) -> ApiResult<Response> {
    let admin = administration(&state, &caller).await?;
    let family = FamilyQuery::parse(query.as_deref())?;
    let ids = token_ids(&body.read_array()?);
    Ok(no_content(admin.revoke_with(ids, None, family).await?))
}

/// What cannot be an id is as unknown as any other.
fn token_ids(numbers: &[i64]) -> Vec<TokenId> {
    numbers.iter().copied().filter_map(TokenId::new).collect()
}

/// Which tokens to revoke: either `ids`, or a `filter` with `expectedCount` or `dryRun`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Revocation)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RevokeJson {
    ids: Option<Vec<i64>>,
    /// As of a search, with at least one criterion and no unknown one.
    filter: Option<FilterJson>,
    /// The number of tokens that the filter must match; otherwise none is revoked.
    expected_count: Option<u64>,
    /// Whether to count the tokens without revoking them.
    dry_run: Option<bool>,
    /// Whether to revoke the tokens that replaced these too, and those that were created with all of them, directly
    /// or through others.
    family: Option<bool>,
    /// The reason, for the owners' mails and the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// How many tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Count)]
pub(super) struct CountJson {
    count: u64,
    /// The number of tokens created with these that are still valid; absent with `dryRun`.
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<u64>,
}

/// Revokes tokens by ids or by filter
///
/// In one transaction. With `dryRun` the response only says how many tokens the filter matches.
#[utoipa::path(
    post,
    path = "/admin/tokens/revoke",
    operation_id = "revokeMatchingTokens",
    tag = ADMINISTRATION,
    request_body = RevokeJson,
    responses(
        (status = 200, description = "The number of revoked tokens", body = CountJson),
        (status = 409, description = "The filter matches another number of tokens; none was revoked"),
    ),
)]
pub(super) async fn revoke_matching(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    body: JsonBody<MAX_IDS_LEN>,
) -> ApiResult<Json<CountJson>> {
    let admin = administration(&state, &caller).await?;
    let json: RevokeJson = body.read()?;
    let reason = reason(json.reason)?;
    let is_dry_run = json.dry_run.unwrap_or(false);
    let family = family(json.family.unwrap_or(false));
    let revoked = match (json.ids, json.filter) {
        (Some(ids), None) => {
            if is_dry_run || json.expected_count.is_some() {
                let detail = "dryRun and expectedCount go with a filter; leave them out with ids.";
                return Err(malformed(detail));
            }
            admin.revoke_with(token_ids(&ids), reason, family).await?
        }
        (None, Some(filter)) => {
            let filter = filter.into_strict_filter(&state.pats)?;
            match json.expected_count {
                _ if is_dry_run => {
                    let count = admin.count_revocable(&filter).await?;
                    let children = None;
                    return Ok(Json(CountJson { count, children }));
                }
                Some(expected) => {
                    let revoked = admin.revoke_matching_with(&filter, expected, reason, family);
                    revoked.await?
                }
                None => {
                    let detail = "Say how many tokens you expect the filter to match in \
                                  expectedCount; dryRun tells you.";
                    return Err(malformed(detail));
                }
            }
        }
        _ => return Err(malformed("Give either ids or a filter.")),
    };
    Ok(Json(CountJson {
        count: revoked.revoked,
        children: Some(revoked.live_children),
    }))
}

fn reason(text: Option<String>) -> ApiResult<Option<String>> {
    let text = text.filter(|text| !text.trim().is_empty());
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_REASON_LEN)
    {
        let detail = format!("The reason is longer than {MAX_REASON_LEN} characters.");
        return Err(malformed(&detail));
    }
    Ok(text)
}

/// A string to be looked up.
#[derive(Deserialize, ToSchema)]
#[schema(as = Presented)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentifyJson {
    token: String,
}

/// Identifies a token by its secret
///
/// Finds revoked and expired tokens too. The secret is not logged, and the request does not count as a
/// use of the token.
#[utoipa::path(
    post,
    path = "/admin/tokens/identify",
    operation_id = "identifyToken",
    tag = ADMINISTRATION,
    request_body = IdentifyJson,
    responses((status = 200, description = "The token", body = TokenJson), (status = 404, description = NO_SUCH_TOKEN)),
)]
pub(super) async fn identify(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> ApiResult<Json<TokenJson>> {
    let admin = administration(&state, &caller).await?;
    let IdentifyJson { token } = body.read()?;
    let found = admin.identify(token.trim().as_bytes()).await?;
    let token = found.ok_or_else(no_such_token)?;
    let owners = admin.owners_of(std::slice::from_ref(&token)).await?;
    let owner = owners.into_iter().next();
    Ok(Json(TokenJson::for_administrator(
        &state.pats,
        token,
        owner,
    )))
}
