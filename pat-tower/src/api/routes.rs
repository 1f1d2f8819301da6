use axum::Json;
use axum::extract::{Extension, FromRequestParts, Path, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use pat_core::{Caller, CreateError, PolicyError, Principal, TokenId};

use super::State;
use super::body::JsonBody;
use super::openapi::{Id, NO_SUCH_TOKEN, TOKENS};
use super::problems::no_such_token;
use super::wire::{CreateJson, PolicyJson, TokenJson};
use crate::challenge::Challenges;
use crate::problem::Problem;

pub(super) type Answer<T> = Result<T, Problem>;

/// Creates a token
///
/// The secret is in `rawToken` of this answer and nowhere else, ever again.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = TOKENS,
    request_body = CreateJson,
    responses((
        status = 201,
        description = "The new token",
        body = TokenJson,
        links(
            ("find" = (operation_id = "findToken", parameters(("id" = "$response.body#/id")))),
            ("revoke" = (operation_id = "revokeToken", parameters(("id" = "$response.body#/id")))),
        ),
    )),
)]
pub(super) async fn create(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> Answer<Response> {
    let request = body.read::<CreateJson>()?.into_request()?;
    let created = state.pats.create(&caller, request).await;
    let created = created.map_err(|error| create_problem(error, &state.challenges))?;
    let json = Json(TokenJson::created(&state.pats, created));
    Ok((StatusCode::CREATED, json).into_response())
}

fn create_problem(error: CreateError, challenges: &Challenges) -> Problem {
    match error {
        CreateError::Refused(PolicyError::ParentInvalid) => {
            Problem::invalid_token(challenges.invalid_token.clone())
        }
        CreateError::Refused(error) => error.into(),
        CreateError::Unavailable(error) => error.into(),
        _ => Problem::unavailable(),
    }
}

/// Lists the caller's tokens
///
/// Those that are not revoked, in order of their ids. Expired ones are there until they are pruned.
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
) -> Answer<Json<Vec<TokenJson>>> {
    let tokens = state.pats.list(&caller).await?;
    let json = tokens
        .into_iter()
        .map(|token| TokenJson::new(&state.pats, token));
    Ok(Json(json.collect()))
}

/// Finds a token
///
/// One of the caller's own, or any if he is an administrator.
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
    id: PathId,
) -> Answer<Json<TokenJson>> {
    find_by_id(&state, &caller, id.0).await
}

/// Revokes a token
///
/// One of the caller's own, or any if he is an administrator. To do so again is no error.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revokeToken",
    tag = TOKENS,
    params(Id),
    responses((status = 204, description = "It authenticates no more"), (status = 404, description = NO_SUCH_TOKEN)),
)]
pub(super) async fn revoke(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    id: PathId,
) -> Answer<StatusCode> {
    state.pats.revoke(&caller, id.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Finds the token that this very request was made with
///
/// So a client knows which of the listed tokens it holds.
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
) -> Answer<Json<TokenJson>> {
    find_by_id(&state, &caller, presented_token(&caller)?).await
}

/// Revokes the token that this very request was made with
///
/// For a client that has done its work.
#[utoipa::path(
    delete,
    path = "/tokens/current",
    operation_id = "revokeCurrentToken",
    tag = TOKENS,
    responses((status = 204, description = "It authenticates no more"), (status = 404, description = NO_SUCH_TOKEN)),
)]
pub(super) async fn revoke_current(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> Answer<StatusCode> {
    state
        .pats
        .revoke(&caller, presented_token(&caller)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells the limits in force
///
/// They are those of this instance, for tokens that are created from now on.
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "policy",
    tag = TOKENS,
    responses((status = 200, description = "The limits", body = PolicyJson)),
)]
pub(super) async fn policy(AxumState(state): AxumState<State>) -> Json<PolicyJson> {
    Json(PolicyJson::new(&state.pats))
}

/// An administrator who looks at somebody else's token is told whose it is.
async fn find_by_id(state: &State, caller: &Caller, id: TokenId) -> Answer<Json<TokenJson>> {
    let token = state.pats.find(caller, id).await?;
    let is_own = token.owner == *caller.owner();
    let owner = if is_own {
        None
    } else {
        state.pats.owner_of(&token).await?
    };
    let json = TokenJson::new(&state.pats, token);
    Ok(Json(match owner {
        Some(owner) => json.with_owner(owner),
        None => json,
    }))
}

/// An id in a path: digits without a leading zero, or there is no such token.
pub(super) struct PathId(TokenId);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        });
        id.and_then(TokenId::new)
            .map(Self)
            .ok_or_else(no_such_token)
    }
}

fn presented_token(caller: &Caller) -> Answer<TokenId> {
    caller
        .token()
        .map(Principal::token_id)
        .ok_or_else(no_such_token)
}
