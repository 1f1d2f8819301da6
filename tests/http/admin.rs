//! What an administrator does with the tokens of all users, over HTTP.

mod revocation;
mod scopes;
mod search;
mod unused;

use libtest_mimic::Trial;
use pat_harness::{Answer, NewToken, Server, TOKENS, answer, blocking_trial, trial};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const SEARCH: &str = "/rest/pat/latest/tokens/search";

const USERS: &str = "/rest/pat/latest/tokens/search/user";

const BULK: &str = "/rest/pat/latest/admin/tokens";

const REVOKE: &str = "/rest/pat/latest/admin/tokens/revoke";

const UNUSED: &str = "/rest/pat/latest/admin/unused";

const IDENTIFY: &str = "/rest/pat/latest/admin/tokens/identify";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(search::a_page_has_all_that_clients_read),
        trial(search::every_filter_filters),
        trial(search::a_bad_search_says_what_is_wrong),
        trial(search::a_cursor_goes_on_while_tokens_come_and_go),
        trial(search::users_are_found_for_the_author_picker),
        trial(revocation::bulk_revocation_is_atomic_and_idempotent),
        trial(revocation::revoking_by_ids_and_by_filter_is_alike),
        trial(revocation::a_filter_revokes_what_was_expected_or_nothing),
        trial(revocation::bulk_revocation_includes_capped_children),
        trial(revocation::children_that_outlive_a_bulk_revocation_are_counted),
        trial(revocation::more_than_a_thousand_are_revoked_at_once),
        trial(revocation::a_bulk_revocation_notifies_owners_and_records_events),
        trial(revocation::a_revocation_says_who_when_and_why_and_has_one_number),
        blocking_trial(revocation::the_log_of_a_bulk_revocation_says_what_it_leaves_out),
        trial(search::a_found_string_is_identified),
        trial(scopes::tokens_are_searched_by_their_scopes),
        trial(scopes::a_bad_search_for_scopes_says_what_is_wrong),
        trial(scopes::tokens_are_revoked_by_their_scopes),
        trial(scopes::the_event_of_a_creation_has_the_scopes),
        blocking_trial(scopes::the_log_of_a_creation_has_the_scopes),
        trial(scopes::an_export_has_the_scopes),
        trial(unused::unused_tokens_are_listed_before_the_setting_revokes_them),
        trial(unused::the_days_of_the_list_are_those_of_the_setting),
        trial(only_administrators_get_in),
        trial(the_administration_can_be_switched_off),
    ]
}

fn by_admin(request: RequestBuilder) -> RequestBuilder {
    request.basic_auth("admin", Some("admin"))
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    answer(by_admin(server.post(path)).json(body)).await
}

async fn search(server: &Server, body: &Value) -> Value {
    let found = post(server, SEARCH, body).await;
    assert_eq!(found.status, StatusCode::OK, "{body}: {}", found.body);
    found.json()
}

async fn create(server: &Server, user: &str, name: &str, days: Option<u32>) -> Value {
    let mut body = json!({"name": name});
    if let Some(days) = days {
        body["expirationDuration"] = days.into();
    }
    let request = server.post(TOKENS).basic_auth(user, Some(user));
    let created = answer(request.json(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    created.json()
}

fn id(token: &Value) -> i64 {
    token["id"].as_i64().expect("an id")
}

fn raw(token: &Value) -> &str {
    token["rawToken"].as_str().expect("a raw token")
}

/// Every request that only an administrator may send, about this token.
fn requests(token: &NewToken) -> [(Method, &'static str, Value); 7] {
    [
        (Method::POST, SEARCH, json!({})),
        (Method::GET, USERS, Value::Null),
        (Method::DELETE, BULK, json!([token.id])),
        (Method::POST, REVOKE, json!({"ids": [token.id]})),
        (Method::POST, REVOKE, json!("nonsense")),
        (Method::POST, IDENTIFY, json!({"token": token.raw})),
        (Method::GET, UNUSED, Value::Null),
    ]
}

fn request(server: &Server, method: Method, path: &str, body: &Value) -> RequestBuilder {
    let request = server.request(method, path);
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

async fn the_administration_can_be_switched_off() {
    let server = Server::with(&[("pat.admin.enabled", "false")]).await;
    let token = server.create("alice").await;
    for (method, path, body) in requests(&token) {
        let request = request(&server, method, path, &body);
        let none = answer(request.basic_auth("admin", Some("admin"))).await;
        assert_eq!(none.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(none.problem(), "not-found", "{path}");
    }
    let admin = |request: RequestBuilder| answer(request.basic_auth("admin", Some("admin")));
    let home = admin(server.get("/tokens")).await;
    assert!(!home.body.contains("/admin/tokens"), "{}", home.body);
    // One token is an administrator's as before.
    assert_eq!(
        admin(server.get(&token.path())).await.status,
        StatusCode::OK
    );
    let revoked = admin(server.delete(&token.path())).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
}

async fn only_administrators_get_in() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let others = server.create("bob").await;
    for (method, path, body) in requests(&others) {
        let request = || request(&server, method.clone(), path, &body);
        let anonymous = answer(request()).await;
        assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED, "{path}");
        for request in [
            request().basic_auth("alice", Some("alice")),
            request().bearer_auth(&token.raw),
        ] {
            let refused = answer(request).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
            assert_eq!(refused.problem(), "not-an-administrator", "{path}");
            assert!(!refused.body.contains("bob"), "{path}");
        }
    }
    assert_eq!(server.try_token(&others.raw).await, StatusCode::OK);
}
