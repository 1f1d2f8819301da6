//! What clients of Confluence ask for.

use axum::Json;
use axum::extract::{Extension, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use pat_tower::scope::ScopedRouter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::content::{PAGES, Page, SPACE, SPACE_NAME};
use super::{BaseUrl, Part};
use crate::app::READ;
use crate::failures::failure;
use crate::sign_in::{ActiveUser, Authenticated};
use crate::users::DemoUsers;

/// How many results an answer has unless told.
const PART_LEN: usize = 25;

pub(super) fn router() -> ScopedRouter<DemoUsers> {
    ScopedRouter::new()
        .get("/rest/api/user/current", READ, current_user)
        .get("/rest/api/space", READ, spaces)
        .get("/rest/api/space/{key}", READ, space)
        .get("/rest/api/content", READ, contents)
        .get("/rest/api/content/search", READ, contents)
        .get("/rest/api/content/{id}", READ, content)
        .get("/rest/api/search", READ, search)
}

async fn current_user(ActiveUser(user): ActiveUser) -> Json<Value> {
    Json(json!({
        "type": "known",
        "username": user.username,
        "userKey": user.owner.as_str(),
        "displayName": user.full_name,
    }))
}

/// A part of a list.
fn results(part: &Part, all: Vec<Value>, base_url: &BaseUrl) -> Value {
    let total = all.len();
    let results = part.of(all, PART_LEN);
    json!({
        "start": part.start,
        "limit": part.limit(PART_LEN),
        "size": results.len(),
        "totalSize": total,
        "results": results,
        "_links": {"base": base_url.0, "context": ""},
    })
}

fn space_json(base_url: &BaseUrl) -> Value {
    json!({
        "id": 20_000,
        "key": SPACE,
        "name": SPACE_NAME,
        "type": "global",
        "_links": {"self": format!("{}/rest/api/space/{SPACE}", base_url.0)},
    })
}

async fn spaces(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Query(part): Query<Part>,
) -> Json<Value> {
    Json(results(&part, vec![space_json(&base_url)], &base_url))
}

async fn space(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Path(key): Path<String>,
) -> Result<Json<Value>, Response> {
    if key == SPACE {
        Ok(Json(space_json(&base_url)))
    } else {
        Err(not_found("There is no such space."))
    }
}

fn page_json(page: &Page, base_url: &BaseUrl) -> Value {
    json!({
        "id": page.id,
        "type": "page",
        "status": "current",
        "title": page.title,
        "space": space_json(base_url),
        "version": {"number": 1},
        "body": {"storage": {"value": page.body, "representation": "storage"}},
        "_links": {"self": format!("{}/rest/api/content/{}", base_url.0, page.id)},
    })
}

#[derive(Deserialize)]
struct ContentQuery {
    #[serde(rename = "spaceKey")]
    space_key: Option<String>,
    title: Option<String>,
}

/// The pages of a space, of a title; CQL is not evaluated.
async fn contents(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Query(wanted): Query<ContentQuery>,
    Query(part): Query<Part>,
) -> Json<Value> {
    let is_wanted = |page: &&Page| {
        wanted.space_key.as_deref().is_none_or(|key| key == SPACE)
            && wanted
                .title
                .as_deref()
                .is_none_or(|title| title == page.title)
    };
    let pages = PAGES.iter().filter(is_wanted);
    let pages = pages.map(|page| page_json(page, &base_url)).collect();
    Json(results(&part, pages, &base_url))
}

async fn content(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Value>, Response> {
    let page = PAGES.iter().find(|page| page.id == id);
    let page = page.ok_or_else(|| not_found("There is no such content."))?;
    Ok(Json(page_json(page, &base_url)))
}

async fn search(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Query(part): Query<Part>,
) -> Json<Value> {
    let pages = PAGES.iter().map(|page| {
        json!({
            "content": page_json(page, &base_url),
            "title": page.title,
            "entityType": "content",
            "url": format!("/rest/api/content/{}", page.id),
        })
    });
    Json(results(&part, pages.collect(), &base_url))
}

fn not_found(message: &str) -> Response {
    failure(StatusCode::NOT_FOUND, message)
}
