use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pat_core::{Caller, CreateError, PolicyError, Principal, TokenId};

use super::State;
use super::problems::no_such_token;
use super::wire::{PolicyJson, TokenJson, token_request};
use crate::challenge::Challenges;
use crate::problem::Problem;

pub(super) type Answer<T> = Result<T, Problem>;

pub(super) async fn create(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer<Response> {
    let request = token_request(&body)?;
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

pub(super) async fn find(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<Json<TokenJson>> {
    find_by_id(&state, &caller, parse_id(&id)?).await
}

pub(super) async fn revoke(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    state.pats.revoke(&caller, parse_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn current(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> Answer<Json<TokenJson>> {
    find_by_id(&state, &caller, presented_token(&caller)?).await
}

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
fn parse_id(text: &str) -> Answer<TokenId> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &i64| number.to_string() == text);
    number.and_then(TokenId::new).ok_or_else(no_such_token)
}

fn presented_token(caller: &Caller) -> Answer<TokenId> {
    caller
        .token()
        .map(Principal::token_id)
        .ok_or_else(no_such_token)
}
