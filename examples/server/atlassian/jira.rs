//! What clients of Jira ask for.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use pat_core::{Owner, Pats};
use pat_tower::scope::ScopedRouter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::content::{Comment, Content, Issue, MAX_COMMENT_LEN, PROJECT, PROJECT_NAME};
use super::{BaseUrl, Part, user_json};
use crate::app::{READ, WRITE};
use crate::failures::{failure, unavailable};
use crate::sign_in::{ActiveUser, Authenticated};
use crate::users::DemoUsers;

/// How many results an answer has unless told.
const PART_LEN: usize = 50;

pub(super) fn router() -> ScopedRouter<DemoUsers> {
    ScopedRouter::new()
        .get("/serverInfo", READ, server_info)
        .get("/myself", READ, myself)
        .get("/user", READ, user)
        .get("/field", READ, fields)
        .get("/project", READ, projects)
        .get("/project/{key}", READ, project)
        .get("/search", READ, search)
        // A search, however it is sent.
        .post("/search", READ, search_by_body)
        .get("/issue/{key}", READ, issue)
        .get("/issue/{key}/comment", READ, comments)
        .post("/issue/{key}/comment", WRITE, comment)
}

async fn server_info(Extension(base_url): Extension<BaseUrl>) -> Json<Value> {
    Json(json!({
        "baseUrl": base_url.0,
        "version": "9.12.0",
        "versionNumbers": [9, 12, 0],
        "deploymentType": "Server",
        "serverTitle": "PAT example",
    }))
}

async fn myself(
    Extension(base_url): Extension<BaseUrl>,
    ActiveUser(user): ActiveUser,
) -> Json<Value> {
    Json(user_json(&user, &base_url))
}

#[derive(Deserialize)]
struct UserQuery {
    #[serde(default)]
    username: String,
}

async fn user(
    State(users): State<DemoUsers>,
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Query(query): Query<UserQuery>,
) -> Result<Json<Value>, Response> {
    let no_such_user = || not_found("There is no such user.");
    let owner = Owner::new(query.username).map_err(|_| no_such_user())?;
    let user = users.active(&owner).await.map_err(unavailable)?;
    let user = user.ok_or_else(no_such_user)?;
    Ok(Json(user_json(&user, &base_url)))
}

/// The Python client `jira` reads the fields before it searches.
async fn fields(_: Authenticated) -> Json<Value> {
    let fields = [
        ("summary", "Summary", "string"),
        ("description", "Description", "string"),
        ("status", "Status", "status"),
        ("project", "Project", "project"),
        ("comment", "Comment", "comments-page"),
    ];
    let fields = fields.map(|(id, name, kind)| {
        json!({
            "id": id,
            "name": name,
            "custom": false,
            "orderable": true,
            "navigable": true,
            "searchable": false,
            "clauseNames": [id],
            "schema": {"type": kind, "system": id},
        })
    });
    Json(json!(fields))
}

fn project_json(base_url: &BaseUrl) -> Value {
    json!({
        "self": format!("{}/rest/api/2/project/10000", base_url.0),
        "id": "10000",
        "key": PROJECT,
        "name": PROJECT_NAME,
        "projectTypeKey": "software",
    })
}

async fn projects(Extension(base_url): Extension<BaseUrl>, _: Authenticated) -> Json<Value> {
    Json(json!([project_json(&base_url)]))
}

async fn project(
    Extension(base_url): Extension<BaseUrl>,
    _: Authenticated,
    Path(key): Path<String>,
) -> Result<Json<Value>, Response> {
    if key.eq_ignore_ascii_case(PROJECT) || key == "10000" {
        Ok(Json(project_json(&base_url)))
    } else {
        Err(not_found("There is no such project."))
    }
}

fn issue_json(issue: &Issue, base_url: &BaseUrl) -> Value {
    let comments = issue.comments.iter();
    let comments: Vec<_> = comments
        .map(|comment| comment_json(issue, comment, base_url))
        .collect();
    json!({
        "self": format!("{}/rest/api/2/issue/{}", base_url.0, issue.id),
        "id": issue.id.to_string(),
        "key": issue.key(),
        "fields": {
            "summary": issue.summary,
            "description": issue.description,
            "status": {"id": "1", "name": "Open"},
            "issuetype": {"id": "3", "name": "Task", "subtask": false},
            "project": project_json(base_url),
            "comment": {
                "startAt": 0,
                "maxResults": comments.len(),
                "total": comments.len(),
                "comments": comments,
            },
        },
    })
}

fn comment_json(issue: &Issue, comment: &Comment, base_url: &BaseUrl) -> Value {
    let author = user_json(&comment.author, base_url);
    json!({
        "self": format!("{}/rest/api/2/issue/{}/comment/{}", base_url.0, issue.id, comment.id),
        "id": comment.id.to_string(),
        "author": author,
        "updateAuthor": author,
        "body": comment.body,
        "created": comment.created,
        "updated": comment.created,
    })
}

async fn issue(
    Extension(base_url): Extension<BaseUrl>,
    Extension(content): Extension<Content>,
    _: Authenticated,
    Path(key): Path<String>,
) -> Result<Json<Value>, Response> {
    let issue = content.issue(&key).ok_or_else(no_such_issue)?;
    Ok(Json(issue_json(&issue, &base_url)))
}

async fn comments(
    Extension(base_url): Extension<BaseUrl>,
    Extension(content): Extension<Content>,
    _: Authenticated,
    Path(key): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Response> {
    let issue = content.issue(&key).ok_or_else(no_such_issue)?;
    let comments = part.of(&issue.comments, PART_LEN).into_iter();
    let comments = comments.map(|comment| comment_json(&issue, comment, &base_url));
    Ok(Json(json!({
        "startAt": part.start,
        "maxResults": part.limit(PART_LEN),
        "total": issue.comments.len(),
        "comments": comments.collect::<Vec<_>>(),
    })))
}

#[derive(Deserialize)]
struct NewComment {
    body: String,
}

async fn comment(
    Extension(base_url): Extension<BaseUrl>,
    Extension(content): Extension<Content>,
    Extension(pats): Extension<Pats>,
    ActiveUser(user): ActiveUser,
    Path(key): Path<String>,
    Json(new): Json<NewComment>,
) -> Result<Response, Response> {
    let issue = content.issue(&key).ok_or_else(no_such_issue)?;
    if new.body.trim().is_empty() || new.body.chars().count() > MAX_COMMENT_LEN {
        let message = format!("A comment has from 1 to {MAX_COMMENT_LEN} characters.");
        return Err(failure(StatusCode::BAD_REQUEST, &message));
    }
    let created = pats
        .now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3f+0000")
        .to_string();
    let comment = content.comment(&key, user, new.body, created);
    let comment = comment.ok_or_else(no_such_issue)?;
    let json = Json(comment_json(&issue, &comment, &base_url));
    Ok((StatusCode::CREATED, json).into_response())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Search {
    jql: String,
    #[serde(flatten)]
    part: Part,
}

async fn search_by_body(
    Extension(base_url): Extension<BaseUrl>,
    Extension(content): Extension<Content>,
    _: Authenticated,
    search: Option<Json<Search>>,
) -> Json<Value> {
    let Json(search) = search.unwrap_or_default();
    Json(found(&search.jql, &search.part, &content, &base_url))
}

#[derive(Deserialize)]
struct JqlQuery {
    #[serde(default)]
    jql: String,
}

async fn search(
    Extension(base_url): Extension<BaseUrl>,
    Extension(content): Extension<Content>,
    _: Authenticated,
    Query(JqlQuery { jql }): Query<JqlQuery>,
    Query(part): Query<Part>,
) -> Json<Value> {
    Json(found(&jql, &part, &content, &base_url))
}

fn found(jql: &str, part: &Part, content: &Content, base_url: &BaseUrl) -> Value {
    let all = content.issues();
    let issues = part.of(&all, PART_LEN).into_iter();
    let issues: Vec<_> = issues.map(|issue| issue_json(issue, base_url)).collect();
    let mut found = json!({
        "startAt": part.start,
        "maxResults": part.limit(PART_LEN),
        "total": all.len(),
        "issues": issues,
    });
    if !jql.trim().is_empty() {
        let warning = "This example does not evaluate JQL: these are all issues.";
        found["warningMessages"] = json!([warning]);
    }
    found
}

fn no_such_issue() -> Response {
    not_found("There is no such issue.")
}

fn not_found(message: &str) -> Response {
    failure(StatusCode::NOT_FOUND, message)
}
