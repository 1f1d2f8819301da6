//! The HTTP contract, over real HTTP, against the example server.

mod children;
mod creation;
mod scopes;
mod streams;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::node::{sqlite_url, stored_last_use};
use pat_harness::{Answer, MYSELF, Server, TOKENS, answer, column, trial};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_token_is_created_used_listed_and_revoked_over_http),
        trial(both_mount_points_are_one_resource),
        trial(creation::invalid_creations_are_refused),
        trial(creation::wrong_media_types_and_sizes_are_refused),
        trial(creation::a_life_span_can_be_given_in_seconds),
        trial(creation::names_are_stored_unchanged),
        trial(creation::the_limit_counts_expired_tokens),
        trial(creation::a_lowered_limit_says_how_many_tokens_to_revoke),
        trial(creation::a_hundred_concurrent_creates_keep_the_limit),
        trial(scopes::a_token_keeps_and_shows_its_scopes),
        trial(scopes::wrong_scopes_are_refused_by_type),
        trial(scopes::the_host_decides_who_may_give_which_scopes),
        trial(scopes::the_policy_lists_the_callers_choice),
        trial(scopes::scopes_can_be_required),
        trial(scopes::a_token_reaches_what_its_scopes_permit),
        trial(scopes::a_child_may_do_no_more_than_its_parent),
        trial(status_and_expiry_follow_the_clock),
        trial(eternal_tokens_can_be_switched_off),
        trial(tokens_can_be_switched_off),
        trial(the_policy_shows_the_limits),
        trial(the_presented_token_is_current),
        trial(other_users_tokens_do_not_exist),
        trial(administrators_see_and_revoke_all),
        trial(no_route_answers_without_credentials),
        trial(children::a_token_may_create_tokens),
        trial(children::a_revocation_reports_its_live_children),
        trial(children::capped_children_live_and_die_with_their_parent),
        trial(children::creating_by_token_can_be_forbidden),
        trial(updates::a_disabled_token_is_refused_like_any_other_until_it_is_enabled),
        trial(updates::a_change_has_at_least_one_known_member_of_the_right_type),
        trial(updates::names_and_descriptions_are_stored_unchanged),
        trial(updates::another_users_token_cannot_be_changed),
        trial(updates::what_an_administrator_disabled_only_an_administrator_enables),
        trial(updates::a_token_enables_only_what_it_could_create),
        trial(updates::a_token_that_is_no_longer_valid_changes_nothing),
        trial(updates::descendants_of_a_disabled_token_go_on_and_are_counted),
        trial(updates::a_change_needs_the_scope_of_a_revocation),
        trial(updates::another_site_cannot_make_a_browser_change_a_token),
        trial(streams::a_disabled_owner_is_refused_at_once_until_enabled),
        trial(streams::a_stream_ends_with_its_token),
        trial(streams::a_stream_ends_with_its_server),
        trial(last_use_is_written_at_shutdown),
        trial(tokens_work_without_a_cache),
        trial(atlassian_format_and_old_prefixes_are_accepted),
    ]
}

/// Asks as a user by Basic.
fn by(request: RequestBuilder, user: &str) -> RequestBuilder {
    request.basic_auth(user, Some(user))
}

async fn create(server: &Server, body: &Value) -> Answer {
    answer(by(server.post(TOKENS), "alice").json(body)).await
}

async fn a_token_is_created_used_listed_and_revoked_over_http() {
    let server = Server::start().await;
    let created = create(
        &server,
        &json!({"name": "tokenName", "expirationDuration": 90}),
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let token = created.created();
    let expected = format!(
        "{{\"id\":{},\"name\":\"tokenName\",\"createdAt\":\"2026-02-26T22:42:21.247+00:00\",\
         \"expiringAt\":\"2026-05-27T22:42:21.247+00:00\",\"status\":\"ACTIVE\",\
         \"rawToken\":\"{}\"}}",
        token.id, token.raw
    );
    assert_eq!(created.body, expected);
    assert!(token.id < 1 << 53);
    assert!(token.raw.starts_with("pat_") && token.raw.len() == 53);

    let myself = answer(server.get(MYSELF).bearer_auth(&token.raw)).await;
    assert_eq!(
        (myself.status, myself.json()["name"].as_str()),
        (StatusCode::OK, Some("alice"))
    );
    assert_eq!(
        myself.header("pat-expires-at"),
        Some("2026-05-27T22:42:21.247+00:00")
    );

    let eternal = create(&server, &json!({"name": "for ever"})).await;
    assert_eq!(
        eternal.json()["expiringAt"],
        "9999-12-31T00:00:00.000+00:00"
    );
    let list = answer(by(server.get(TOKENS), "alice")).await;
    let list = list.json();
    let ids = column(&list, "id");
    assert_eq!(ids, [json!(token.id), eternal.json()["id"].clone()]);
    assert_eq!(
        list[0]["lastAccessedAt"], "2026-02-26T22:42:21.247+00:00",
        "shown at once"
    );
    assert!(
        list[1].get("lastAccessedAt").is_none(),
        "absent before the first use"
    );
    assert!(list[0].get("rawToken").is_none());

    let one = answer(by(server.get(&token.path()), "alice")).await;
    assert_eq!(one.json(), list[0]);
    for _ in 0..2 {
        let revoked = answer(by(server.delete(&token.path()), "alice")).await;
        assert_eq!(
            (revoked.status, revoked.body.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
    }
    let gone = answer(by(server.get(&token.path()), "alice")).await;
    assert_eq!(
        (gone.status, gone.problem().as_str()),
        (StatusCode::NOT_FOUND, "not-found")
    );
    let refused = answer(server.get(MYSELF).bearer_auth(&token.raw)).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid-token")
    );
    let list = answer(by(server.get(TOKENS), "alice")).await;
    assert_eq!(
        list.json().as_array().expect("an array").len(),
        1,
        "revoked ones are not listed"
    );
}

async fn both_mount_points_are_one_resource() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let other = answer(by(server.get("/rest/pat/1.0/tokens"), "alice")).await;
    assert_eq!(other.json()[0]["id"], token.id);
}

async fn status_and_expiry_follow_the_clock() {
    let server = Server::start().await;
    let token = create(&server, &json!({"name": "a", "expirationDuration": 10}))
        .await
        .created();
    let status =
        async || answer(by(server.get(&token.path()), "alice")).await.json()["status"].clone();
    assert_eq!(status().await, "ACTIVE");
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "in the cache now"
    );
    server.clock.advance(Duration::from_hours(5 * 24));
    server.pats.poll_changes().await.expect("a poll");
    assert_eq!(status().await, "EXPIRES_SOON");
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    server
        .clock
        .advance(Duration::from_hours(5 * 24) - Duration::from_micros(1));
    server.pats.poll_changes().await.expect("a poll");
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "up to the last microsecond"
    );
    assert_eq!(status().await, "EXPIRES_SOON");
    server.clock.advance(Duration::from_micros(1));
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::UNAUTHORIZED,
        "also from the cache"
    );
    assert_eq!(status().await, "EXPIRED", "listed until it is pruned");
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn eternal_tokens_can_be_switched_off() {
    let server = Server::with(&[("atlassian.pats.eternal.tokens.enabled", "false")]).await;
    for body in [
        json!({"name": "a"}),
        json!({"name": "a", "expirationDuration": null}),
    ] {
        let answer = create(&server, &body).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "duration-required")
        );
    }
    create(&server, &json!({"name": "a", "expirationDuration": 365}))
        .await
        .created();
}

async fn tokens_can_be_switched_off() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let folder = server.stop().await;
    let url = sqlite_url(folder.path());
    let settings = pat_core::Settings::builder()
        .enabled(false)
        .build()
        .expect("settings");
    let store = pat_sqlx::SqliteStore::connect(&url)
        .await
        .expect("the same database");
    let pats = pat_core::Pats::builder(Arc::new(store))
        .settings(settings)
        .build();
    let refused = pats.authenticate(token.raw.as_bytes()).await;
    assert!(
        matches!(refused, Err(pat_core::AuthError::Disabled)),
        "{refused:?}"
    );
    let alice = pat_core::Caller::header_authenticated("alice".parse().expect("an owner"));
    assert_eq!(
        pats.list(&alice).await.expect("a list").len(),
        1,
        "data stays"
    );

    let off = Server::with(&[("atlassian.pats.enabled", "false")]).await;
    let answer = create(&off, &json!({"name": "a"})).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (StatusCode::BAD_REQUEST, "tokens-disabled")
    );
    assert_eq!(off.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn the_policy_shows_the_limits() {
    let server = Server::with(&[
        ("atlassian.pats.max.tokens.per.user", "7"),
        ("atlassian.pats.max.tokens.expiry.days", "30"),
        ("atlassian.pats.token.name.length", "50"),
        ("atlassian.pats.expiry.warning.days", "3"),
        ("pat.expiry.reminder.days", "1,14,7"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
        ("pat.rotate.overlap.seconds", "1800"),
        ("pat.rotate.overlap.max.seconds", "86400"),
    ])
    .await;
    let policy = answer(by(server.get("/rest/pat/latest/policy"), "alice")).await;
    let expected = json!({
        "enabled": true, "eternalTokensEnabled": false, "maxTokensExpiryDays": 30,
        "maxTokensPerUser": 7, "tokenNameLength": 50, "expiryWarningDays": 3,
        "expiryReminderDays": [14, 7, 1],
        "minExpirationSeconds": 60, "rotateByToken": true, "rotateOverlapSeconds": 1_800,
        "rotateOverlapMaxSeconds": 86_400,
    });
    let mut policy = policy.json();
    let of_scopes = policy.as_object_mut().expect("an object");
    let scopes = of_scopes.remove("scopes").expect("scopes");
    let names = [
        "read",
        "write",
        "tokens:read",
        "tokens:write",
        "tokens:admin",
    ];
    assert_eq!(column(&scopes, "name"), names);
    assert_eq!(of_scopes.remove("scopesRequired"), Some(json!(false)));
    assert_eq!(policy, expected);
}

async fn the_presented_token_is_current() {
    let server = Server::start().await;
    let (first, second) = (server.create("alice").await, server.create("alice").await);
    let path = format!("{TOKENS}/current");
    for token in [&first, &second] {
        let current = answer(server.get(&path).bearer_auth(&token.raw)).await;
        assert_eq!(current.json()["id"], token.id);
    }
    let none = answer(by(server.get(&path), "alice")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "no token was presented");
    let none = answer(by(server.delete(&path), "alice")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let revoked = answer(server.delete(&path).bearer_auth(&first.raw)).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&first.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&second.raw).await, StatusCode::OK);
}

async fn other_users_tokens_do_not_exist() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    for method in [Method::GET, Method::DELETE] {
        let theirs = answer(by(server.request(method.clone(), &token.path()), "bob")).await;
        for path in [
            "1",
            "0",
            "9007199254740991",
            "9007199254740992",
            "-1",
            "1.0",
            "+1",
            "01",
            "x",
            "%00",
        ] {
            let path = format!("{TOKENS}/{path}");
            let unknown = answer(by(server.request(method.clone(), &path), "bob")).await;
            assert_eq!(
                (unknown.status, &unknown.body),
                (StatusCode::NOT_FOUND, &theirs.body),
                "{path}"
            );
            assert_eq!(theirs.status, unknown.status);
            let names = |answer: &Answer| {
                answer
                    .headers
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(&theirs), names(&unknown));
        }
    }
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "and nothing was done"
    );
    let list = answer(by(server.get(TOKENS), "bob")).await;
    assert_eq!(list.body, "[]");
}

async fn administrators_see_and_revoke_all() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let seen = answer(by(server.get(&token.path()), "admin")).await.json();
    let owner = json!({
        "userKey": "alice", "username": "alice", "fullName": "Alice Liddell", "email": "alice@example.com",
    });
    assert_eq!(seen["userProfileResource"], owner);
    let own = answer(by(server.get(&token.path()), "alice")).await.json();
    assert!(
        own.get("userProfileResource").is_none(),
        "only in an administrator's answers"
    );
    let revoked = answer(by(server.delete(&token.path()), "admin")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn no_route_answers_without_credentials() {
    let server = Server::start().await;
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    let paths = [
        "/tokens",
        "/tokens/1",
        "/tokens/current",
        "/policy",
        "/nowhere",
        "",
        "/tokens/",
        "/tokens/1/x",
    ];
    for method in methods {
        for path in paths {
            for mount in ["/rest/pat/latest", "/rest/pat/1.0"] {
                let request = server.request(method.clone(), &format!("{mount}{path}"));
                let answer = answer(request).await;
                if answer.status == StatusCode::NOT_FOUND && path.ends_with(['/']) | path.is_empty()
                {
                    continue;
                }
                assert_eq!(
                    answer.status,
                    StatusCode::UNAUTHORIZED,
                    "{method} {mount}{path}"
                );
                assert_eq!(answer.problem(), "not-signed-in");
                assert_eq!(
                    answer.challenges(),
                    ["Bearer realm=\"PAT\""],
                    "{method} {mount}{path}"
                );
            }
        }
    }
}

async fn last_use_is_written_at_shutdown() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let folder = server.stop().await;
    let last_used = stored_last_use(folder.path()).await;
    let last_used = last_used.map(|at| at.to_string());
    assert_eq!(last_used.as_deref(), Some("2026-02-26T22:42:22.247Z"));
}

async fn tokens_work_without_a_cache() {
    let server = Server::with(&[("atlassian.pats.auth.cache.expiry.mins", "0")]).await;
    let token = server.create("alice").await;
    for _ in 0..3 {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
    let list = answer(by(server.get(TOKENS), "alice")).await.json();
    assert!(list[0].get("lastAccessedAt").is_some(), "the use is noted");
    answer(by(server.delete(&token.path()), "alice")).await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn atlassian_format_and_old_prefixes_are_accepted() {
    let server = Server::with(&[
        ("pat.token.format", "atlassian"),
        ("pat.token.accepted", "prefixed:old"),
    ])
    .await;
    let token = server.create("alice").await;
    assert_eq!(token.raw.len(), 44);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let folder = server.stop().await;
    let url = sqlite_url(folder.path());
    let store = pat_sqlx::SqliteStore::connect(&url)
        .await
        .expect("the same database");
    let pats = pat_core::Pats::builder(Arc::new(store)).build();
    let refused = pats.authenticate(token.raw.as_bytes()).await;
    assert!(
        matches!(refused, Err(pat_core::AuthError::Unrecognized)),
        "no longer accepted"
    );
}
