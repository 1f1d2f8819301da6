use axum::Json;
use axum::extract::{Extension, RawQuery, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode};
use pat_core::{
    Caller, CreateError, DateText, Family, PolicyError, Principal, RevokedCount, RotateError,
    Token, TokenId, UpdateError,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::{JsonBody, malformed};
use super::idempotency::{
    KEY_REUSED, KeyHeader, REVOKED_SINCE, RequestKey, key_reused, unless_revoked,
};
use super::openapi::{Id, NO_SUCH_TOKEN, TOKENS};
use super::problems::{NOT_ROTATABLE, ROTATE_ITSELF_ONLY, no_such_token, sentence};
use super::state::State;
use super::wire::{CreateJson, PolicyJson, RotateJson, TokenJson, UpdateJson};
use crate::http::challenge::Challenges;
use crate::http::path_id::PathId;
use crate::http::problem::Problem;
use crate::pat::NewEnd;

pub(super) type ApiResult<T> = Result<T, Problem>;

/// Creates a token
///
/// The secret is in `rawToken` of this response and cannot be read again. With an `Idempotency-Key`, the request
/// can be repeated without creating another token.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = TOKENS,
    params(KeyHeader),
    request_body = CreateJson,
    responses(
        (
            status = 201,
            description = "The new token",
            body = TokenJson,
            links(
                ("find" = (operation_id = "findToken", parameters(("id" = "$response.body#/id")))),
                ("revoke" = (operation_id = "revokeToken", parameters(("id" = "$response.body#/id")))),
                ("rotate" = (operation_id = "rotateToken", parameters(("id" = "$response.body#/id")))),
            ),
        ),
        (status = 200, description = REPEATED, body = TokenJson),
        (status = 409, description = REVOKED_SINCE),
        (status = 422, description = KEY_REUSED),
    ),
)]
pub(super) async fn create(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    key: RequestKey,
    body: JsonBody,
) -> ApiResult<Response> {
    let mut request = body.read::<CreateJson>()?.into_request()?;
    request.idempotency = key.of_request("/tokens", body.bytes());
    match state.pats.create(&caller, request).await {
        Ok(created) => {
            let json = Json(TokenJson::created(&state.pats, created));
            Ok((StatusCode::CREATED, json).into_response())
        }
        Err(CreateError::Repeated(token)) => {
            let note = "This request has created the token before. The secret was in the first answer; if that \
                        is lost, revoke the token, and create another with a new Idempotency-Key.";
            repeated(&state, *token, note)
        }
        Err(error) => Err(create_problem(error, &state.challenges)),
    }
}

const REPEATED: &str =
    "The token that the same request with this key has created before, without its secret";

fn repeated(state: &State, token: Token, note: &'static str) -> ApiResult<Response> {
    let json = TokenJson::new(&state.pats, unless_revoked(token)?);
    Ok(Json(json.with_note(note)).into_response())
}

fn create_problem(error: CreateError, challenges: &Challenges) -> Problem {
    match error {
        CreateError::Refused(PolicyError::ParentInvalid) => {
            Problem::invalid_token(challenges.invalid_token.clone())
        }
        CreateError::Refused(error) => error.into(),
        CreateError::Unavailable(error) => error.into(),
        CreateError::KeyConflict => key_reused(),
        CreateError::Repeated(_) | _ => Problem::unavailable(),
    }
}

/// Replaces a token
///
/// One of the caller's own by a new one, with its name, description and scopes. The secret of the new token is in
/// `rawToken` of this response and cannot be read again. The replaced token stays valid for `overlapSeconds`; until
/// then, it can be replaced again if this response is lost. A token can replace only itself.
#[utoipa::path(
    post,
    path = "/tokens/{id}/rotate",
    operation_id = "rotateToken",
    tag = TOKENS,
    params(Id, KeyHeader),
    request_body = Option<RotateJson>,
    responses(
        (status = 201, description = "The new token", body = TokenJson),
        (status = 200, description = REPEATED, body = TokenJson),
        (status = 404, description = "There is no such token, or it is another user's"),
        (status = 409, description = NOT_ROTATED),
        (status = 422, description = KEY_REUSED),
    ),
)]
pub(super) async fn rotate(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    key: RequestKey,
    body: JsonBody,
) -> ApiResult<Response> {
    // A token is told that it may rotate only itself, whether or not there is another.
    let id = match (id, caller.token()) {
        (Some(id), _) => id,
        (None, Some(_)) => return Err(rotate_problem(RotateError::OnlyItself, &state.challenges)),
        (None, None) => return Err(no_such_token()),
    };
    rotate_by_id(&state, &caller, id, key, &body).await
}

/// Replaces the token that authenticated this request
///
/// As `rotateToken` does. `PAT-Expires-At` of the response says when the replaced token ends.
#[utoipa::path(
    post,
    path = "/tokens/current/rotate",
    operation_id = "rotateCurrentToken",
    tag = TOKENS,
    params(KeyHeader),
    request_body = Option<RotateJson>,
    responses(
        (status = 201, description = "The new token", body = TokenJson),
        (status = 200, description = REPEATED, body = TokenJson),
        (status = 404, description = "No token authenticated the request"),
        (status = 409, description = NOT_ROTATED),
        (status = 422, description = KEY_REUSED),
    ),
)]
pub(super) async fn rotate_current(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    key: RequestKey,
    body: JsonBody,
) -> ApiResult<Response> {
    let id = presented_token(&caller)?;
    rotate_by_id(&state, &caller, id, key, &body).await
}

/// Why there is a 409.
const NOT_ROTATED: &str = "The token has expired, or it or a token of its line is disabled; or the token that the \
                           same request with this key has created is revoked; or nodes of an older version run";

async fn rotate_by_id(
    state: &State,
    caller: &Caller,
    id: TokenId,
    key: RequestKey,
    body: &JsonBody,
) -> ApiResult<Response> {
    let mut request = body.read_optional::<RotateJson>()?.into_request()?;
    // The same for `current`: which token that is may differ from request to request.
    request.idempotency = key.of_request(&format!("/tokens/{id}/rotate"), body.bytes());
    let successor = match state.pats.rotate(caller, id, request).await {
        Ok(successor) => successor,
        Err(RotateError::Repeated(token)) => {
            let note = "This request has replaced the token before. The secret was in the first answer; if that \
                        is lost, rotate again without this key.";
            return repeated(state, *token, note);
        }
        Err(error) => return Err(rotate_problem(error, &state.challenges)),
    };
    let own = successor.ending.iter().find(|ending| ending.id == id);
    let end = own.filter(|_| caller.token().is_some()).map(|own| own.at);
    let json = Json(TokenJson::rotated(&state.pats, successor));
    let mut response = (StatusCode::CREATED, json).into_response();
    if let Some(end) = end {
        response.extensions_mut().insert(NewEnd(DateText::new(end)));
    }
    Ok(response)
}

fn rotate_problem(error: RotateError, challenges: &Challenges) -> Problem {
    let kind = match error {
        RotateError::Refused(error) => return error.into(),
        RotateError::Unavailable(error) => return error.into(),
        RotateError::NotFound => return no_such_token(),
        RotateError::KeyConflict => return key_reused(),
        RotateError::TokenInvalid => {
            return Problem::invalid_token(challenges.invalid_token.clone());
        }
        RotateError::OnlyItself => ROTATE_ITSELF_ONLY,
        RotateError::Expired(_) | RotateError::Disabled(_) => NOT_ROTATABLE,
        RotateError::Repeated(_) | _ => return Problem::unavailable(),
    };
    Problem::new(kind, sentence(&error.to_string()))
}

/// Lists the caller's tokens
///
/// The tokens that are not revoked, in the order of their ids. Expired tokens are listed until they
/// are pruned.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = TOKENS,
    responses((status = 200, description = "The tokens", body = Vec<TokenJson>)),
)]
pub(super) async fn list(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<Json<Vec<TokenJson>>> {
    let tokens = state.pats.list(&caller).await?;
    let json = tokens.iter().map(|token| {
        let latest = token.latest_successor(&tokens);
        TokenJson::new(&state.pats, token.clone()).with_rotated_to(latest)
    });
    Ok(Json(json.collect()))
}

/// Finds a token
///
/// One of the caller's own, or any token for an administrator.
#[utoipa::path(
    get,
    path = "/tokens/{id}",
    operation_id = "findToken",
    tag = TOKENS,
    params(Id),
    responses((status = 200, description = "The token", body = TokenJson), (status = 404, description = NO_SUCH_TOKEN)),
)]
pub(super) async fn find(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> ApiResult<Json<TokenJson>> {
    let id = id.ok_or_else(no_such_token)?;
    find_by_id(&state, &caller, id).await
}

/// Changes a token
///
/// One of the caller's own, or any token for an administrator: disables or enables it, or gives it another name or
/// description. A disabled token does not authenticate until it is enabled. Disabling a token also disables those that
/// it replaced, and enabling it enables those that were disabled with it; the tokens that were created with it go on.
/// What an administrator has disabled, only an administrator enables. A token enables another one only if it could
/// create it. Nothing extends the life of a token.
#[utoipa::path(
    patch,
    path = "/tokens/{id}",
    operation_id = "updateToken",
    tag = TOKENS,
    params(Id),
    request_body = UpdateJson,
    responses(
        (
            status = 200,
            description = "The token as it is now",
            body = TokenJson,
            headers(("PAT-Live-Children" = u64, description = "The number of tokens created with a disabled token that are still valid")),
        ),
        (status = 404, description = NO_SUCH_TOKEN),
        (status = 409, description = "A node of an older version runs, which does not know disabled tokens"),
    ),
)]
pub(super) async fn update(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    body: JsonBody,
) -> ApiResult<Response> {
    let update = body.read::<UpdateJson>()?.into_update();
    let update = update.ok_or_else(|| malformed(NO_CHANGE))?;
    let id = id.ok_or_else(no_such_token)?;
    let updated = state.pats.update(&caller, id, update).await;
    let updated = updated.map_err(|error| update_problem(error, &state.challenges))?;
    let json = token_json(&state, &caller, updated.token).await?;
    Ok(with_live_children(
        json.into_response(),
        updated.live_children,
    ))
}

const NO_CHANGE: &str = "Give at least one of enabled, name and description.";

fn update_problem(error: UpdateError, challenges: &Challenges) -> Problem {
    if let UpdateError::Refused(PolicyError::ParentInvalid) = error {
        return Problem::invalid_token(challenges.invalid_token.clone());
    }
    error.into()
}

/// Revokes a token
///
/// One of the caller's own, or any token for an administrator, and the tokens that it replaced. Revoking a token
/// again succeeds. With `family=true`, the tokens that replaced it are revoked too, and those that were created with
/// all these, directly or through others. `pat.create.by.token=capped` revokes the latter in any case.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revokeToken",
    tag = TOKENS,
    params(Id, FamilyQuery),
    responses(
        (
            status = 204,
            description = "The token is revoked",
            headers(("PAT-Live-Children" = u64, description = "The number of tokens created with it that are still valid")),
        ),
        (status = 400, description = NO_SUCH_FAMILY),
        (status = 404, description = NO_SUCH_TOKEN),
    ),
)]
pub(super) async fn revoke(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let id = id.ok_or_else(no_such_token)?;
    let family = FamilyQuery::parse(query.as_deref())?;
    let revoked = state.pats.revoke_with(&caller, id, family).await?;
    Ok(no_content(revoked))
}

/// Finds the token that authenticated this request
///
/// It tells a client which of the listed tokens it holds.
#[utoipa::path(
    get,
    path = "/tokens/current",
    operation_id = "findCurrentToken",
    tag = TOKENS,
    responses((status = 200, description = "The token", body = TokenJson), (status = 404, description = NO_SUCH_TOKEN)),
)]
pub(super) async fn current(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<Json<TokenJson>> {
    find_by_id(&state, &caller, presented_token(&caller)?).await
}

/// Revokes the token that authenticated this request
///
/// For a client that does not need its token any more.
#[utoipa::path(
    delete,
    path = "/tokens/current",
    operation_id = "revokeCurrentToken",
    tag = TOKENS,
    params(FamilyQuery),
    responses(
        (
            status = 204,
            description = "The token is revoked",
            headers(("PAT-Live-Children" = u64, description = "The number of tokens created with it that are still valid")),
        ),
        (status = 400, description = NO_SUCH_FAMILY),
        (status = 404, description = NO_SUCH_TOKEN),
    ),
)]
pub(super) async fn revoke_current(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let family = FamilyQuery::parse(query.as_deref())?;
    let id = presented_token(&caller)?;
    let revoked = state.pats.revoke_with(&caller, id, family).await?;
    Ok(no_content(revoked))
}

/// The query of a revocation.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FamilyQuery {
    /// Whether to revoke the tokens that replaced it, and those that were created with all these, too.
    #[serde(default)]
    #[param(default = false)]
    family: bool,
}

impl FamilyQuery {
    pub(super) fn parse(query: Option<&str>) -> ApiResult<Family> {
        let query = serde_urlencoded::from_str(query.unwrap_or_default());
        let query: Self = query.map_err(|_| malformed("family must be true or false."))?;
        Ok(family(query.family))
    }
}

const NO_SUCH_FAMILY: &str = "`family` is neither true nor false";

pub(super) fn family(is_included: bool) -> Family {
    if is_included {
        Family::Included
    } else {
        Family::Configured
    }
}

/// Revoked, and perhaps outlived by tokens that were created with it.
pub(super) fn no_content(revoked: RevokedCount) -> Response {
    with_live_children(
        StatusCode::NO_CONTENT.into_response(),
        revoked.live_children,
    )
}

fn with_live_children(mut response: Response, live_children: u64) -> Response {
    const PAT_LIVE_CHILDREN: HeaderName = HeaderName::from_static("pat-live-children");
    if live_children > 0 {
        let headers = response.headers_mut();
        headers.insert(PAT_LIVE_CHILDREN, live_children.into());
    }
    response
}

/// Returns the limits in force
///
/// They apply to tokens that the caller creates on this instance from now on.
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "policy",
    tag = TOKENS,
    responses((status = 200, description = "The limits", body = PolicyJson)),
)]
pub(super) async fn policy(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<Json<PolicyJson>> {
    let choices = state.pats.scope_choices(&caller).await?;
    Ok(Json(PolicyJson::new(&state.pats, choices)))
}

async fn find_by_id(state: &State, caller: &Caller, id: TokenId) -> ApiResult<Json<TokenJson>> {
    let token = state.pats.find(caller, id).await?;
    token_json(state, caller, token).await
}

/// Describes a token; an administrator is told the owner of another user's.
async fn token_json(state: &State, caller: &Caller, token: Token) -> ApiResult<Json<TokenJson>> {
    let latest = state.pats.latest_successor(&token).await?;
    let json = if token.owner == *caller.owner() {
        TokenJson::new(&state.pats, token)
    } else {
        let owner = state.pats.owner_of(&token).await?;
        TokenJson::for_administrator(&state.pats, token, owner)
    };
    Ok(Json(json.with_rotated_to(latest)))
}

fn presented_token(caller: &Caller) -> ApiResult<TokenId> {
    caller
        .token()
        .map(Principal::token_id)
        .ok_or_else(no_such_token)
}
