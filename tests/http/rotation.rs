//! Tokens that are replaced by new ones.

mod keys;
mod rules;

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::{Answer, NewToken, Server, TOKENS, answer, column, trial};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_replaced_token_is_valid_until_its_overlap_ends),
        trial(a_token_rotates_itself),
        trial(a_cached_token_learns_its_new_end),
        trial(a_lost_answer_costs_neither_access_nor_a_token_too_many),
        trial(a_token_without_an_overlap_ends_at_once),
        trial(a_successor_lives_as_long_as_its_predecessor),
        trial(a_revocation_takes_along_what_the_token_replaced),
        trial(a_family_is_revoked_as_a_whole),
        trial(tokens_at_the_limit_can_be_rotated),
        trial(rules::invalid_rotations_are_refused),
        trial(rules::a_token_rotates_only_itself),
        trial(rules::other_users_tokens_cannot_be_rotated),
        trial(rules::tokens_that_ended_cannot_be_rotated),
        trial(rules::the_settings_say_what_a_token_may),
        trial(rules::a_token_needs_the_scope_for_changes),
        trial(keys::a_repeated_creation_creates_one_token),
        trial(keys::a_repeated_rotation_replaces_once),
        trial(keys::concurrent_repetitions_create_one_token),
        trial(keys::a_key_is_of_one_request_and_one_user),
        trial(keys::a_key_is_visible_ascii),
    ]
}

const HOUR: Duration = Duration::from_hours(1);

/// Starts a server. Its clock stands still, and the first rotation waits until no node can trust a cache from before.
async fn server(properties: &[(&str, &str)]) -> Server {
    let without_cache = [("pat.auth.max.staleness.ms", "0")];
    Server::with(&[&without_cache, properties].concat()).await
}

fn by(request: RequestBuilder, user: &str) -> RequestBuilder {
    request.basic_auth(user, Some(user))
}

/// Asks for a rotation of alice's token by alice.
async fn rotate(server: &Server, token: &NewToken, body: &Value) -> Answer {
    let request = by(server.post(&format!("{}/rotate", token.path())), "alice");
    answer(with_body(request, body)).await
}

/// Asks for a rotation of the token by itself.
async fn rotate_itself(server: &Server, token: &NewToken, body: &Value) -> Answer {
    let request = server.post(&format!("{TOKENS}/current/rotate"));
    answer(with_body(request.bearer_auth(&token.raw), body)).await
}

/// With `null`, the request has no body.
fn with_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    match body {
        Value::Null => request,
        body => request.json(body),
    }
}

/// Creates a token of alice's.
async fn create(server: &Server, body: Value) -> NewToken {
    let request = by(server.post(TOKENS), "alice").json(&body);
    answer(request).await.created()
}

/// The statuses of requests with these tokens.
async fn statuses<const N: usize>(server: &Server, tokens: [&NewToken; N]) -> [u16; N] {
    let mut statuses = [0; N];
    for (status, token) in statuses.iter_mut().zip(tokens) {
        *status = server.try_token(&token.raw).await.as_u16();
    }
    statuses
}

async fn list(server: &Server) -> Value {
    answer(by(server.get(TOKENS), "alice")).await.json()
}

async fn a_replaced_token_is_valid_until_its_overlap_ends() {
    let server = server(&[]).await;
    let old = server.create("alice").await;
    let rotated = rotate(&server, &old, &Value::Null).await;
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let new = rotated.created();
    let expected = format!(
        "{{\"id\":{},\"name\":\"ci\",\"createdAt\":\"2026-02-26T22:42:21.247+00:00\",\
         \"expiringAt\":\"2026-05-27T22:42:21.247+00:00\",\"status\":\"ACTIVE\",\
         \"rawToken\":\"{}\",\"rotatedFrom\":{old},\
         \"ending\":[{{\"id\":{old},\"at\":\"2026-02-26T23:42:21.247+00:00\"}}]}}",
        new.id,
        new.raw,
        old = old.id,
    );
    assert_eq!(rotated.body, expected);
    assert_ne!(new.raw, old.raw);
    assert_eq!(statuses(&server, [&old, &new]).await, [200, 200]);
    let both = list(&server).await;
    assert_eq!(column(&both, "id"), [json!(old.id), json!(new.id)]);
    assert_eq!(column(&both, "rotatedTo"), [json!(new.id), Value::Null]);
    assert_eq!(column(&both, "rotatedFrom"), [Value::Null, json!(old.id)]);
    assert_eq!(both[0]["expiringAt"], "2026-02-26T23:42:21.247+00:00");
    for (token, shown) in [(&old, &both[0]), (&new, &both[1])] {
        let found = answer(by(server.get(&token.path()), "alice")).await;
        assert_eq!(found.json(), *shown);
    }
    server
        .advance(HOUR.saturating_sub(Duration::from_millis(1)))
        .await;
    assert_eq!(statuses(&server, [&old, &new]).await, [200, 200]);
    server.advance(Duration::from_millis(1)).await;
    assert_eq!(statuses(&server, [&old, &new]).await, [401, 200]);
    assert_eq!(column(&list(&server).await, "id"), [json!(new.id)]);
    server.advance(Duration::from_hours(24 * 80)).await;
    assert_eq!(
        server.sent_notifications(),
        [],
        "the old one has not expired"
    );
}

async fn a_token_rotates_itself() {
    let server = server(&[]).await;
    let first = server.create("alice").await;
    let body = json!({"overlapSeconds": 60});
    let rotated = rotate_itself(&server, &first, &body).await;
    let second = rotated.created();
    let end = "2026-02-26T22:43:21.247+00:00";
    assert_eq!(
        rotated.json()["ending"],
        json!([{"id": first.id, "at": end}])
    );
    assert_eq!(rotated.header("pat-expires-at"), Some(end));
    let path = format!("{TOKENS}/current");
    let current = answer(server.get(&path).bearer_auth(&first.raw)).await;
    assert_eq!(current.header("pat-expires-at"), Some(end));
    assert_eq!(current.json()["expiringAt"], end);
    // By its own id too.
    let path = format!("{}/rotate", second.path());
    let rotated = answer(server.post(&path).bearer_auth(&second.raw)).await;
    let third = rotated.created();
    assert_eq!(rotated.json()["rotatedFrom"], second.id);
    server.advance(HOUR).await;
    let tokens = [&first, &second, &third];
    assert_eq!(statuses(&server, tokens).await, [401, 401, 200]);
}

/// A rotation makes access smaller, so what the node has cached is outdated at once.
async fn a_cached_token_learns_its_new_end() {
    let server = Server::start().await;
    // The first rotation waits until no node of an older version can answer from its cache.
    let first = server.create("alice").await;
    let time_passes = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            server.clock.advance(Duration::from_millis(50));
            server.pats.poll_changes().await.expect("a poll");
        }
    };
    tokio::select! {
        rotated = rotate(&server, &first, &Value::Null) => drop(rotated.created()),
        () = time_passes => {}
    }
    let old = server.create("alice").await;
    assert_eq!(server.try_token(&old.raw).await, StatusCode::OK);
    let rotated = rotate(&server, &old, &json!({"overlapSeconds": 60})).await;
    let end = rotated.json()["ending"][0]["at"].clone();
    let path = format!("{TOKENS}/current");
    let current = answer(server.get(&path).bearer_auth(&old.raw)).await;
    assert_eq!(current.header("pat-expires-at"), end.as_str());
}

async fn a_lost_answer_costs_neither_access_nor_a_token_too_many() {
    let server = server(&[]).await;
    let old = server.create("alice").await;
    let lost = rotate_itself(&server, &old, &Value::Null).await;
    server.advance(HOUR / 2).await;
    let longer = json!({"overlapSeconds": 7_200});
    let again = rotate_itself(&server, &old, &longer).await;
    let (lost, again) = (lost.created(), (again.created(), again.json()));
    let end = "2026-02-26T23:42:21.247+00:00";
    assert_eq!(
        again.1["ending"],
        json!([{"id": old.id, "at": end}, {"id": lost.id, "at": end}]),
        "the end of the old one stays"
    );
    let again = again.0;
    assert_eq!(statuses(&server, [&old, &lost, &again]).await, [200; 3]);
    let latest = [json!(again.id), json!(again.id), Value::Null];
    assert_eq!(column(&list(&server).await, "rotatedTo"), latest);
    server.advance(HOUR / 2).await;
    assert_eq!(
        statuses(&server, [&old, &lost, &again]).await,
        [401, 401, 200]
    );
    // Its name is alice's, so that she can tell whether it was her client.
    let notices = server.sent_notifications();
    let kinds: Vec<_> = notices.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["rotated-again"]);
}

async fn a_token_without_an_overlap_ends_at_once() {
    let server = server(&[]).await;
    let old = server.create("alice").await;
    let new = rotate(&server, &old, &json!({"overlapSeconds": 0})).await;
    let new = new.created();
    assert_eq!(statuses(&server, [&old, &new]).await, [401, 200]);
}

async fn a_successor_lives_as_long_as_its_predecessor() {
    let server = server(&[]).await;
    let day = Duration::from_hours(24);
    let eternal = create(&server, json!({"name": "for ever"})).await;
    let short = json!({"name": "short", "expirationSeconds": 3_600});
    let short = create(&server, short).await;
    let month = json!({"name": "month", "expirationDuration": 30});
    let month = create(&server, month).await;
    let ends = async |token: &NewToken, body: Value| {
        let rotated = rotate(&server, token, &body).await.json();
        rotated["expiringAt"].as_str().expect("an end").to_owned()
    };
    let none = || Value::Null;
    assert_eq!(ends(&short, none()).await, "2026-02-26T23:42:21.247+00:00");
    server.advance(day).await;
    assert_eq!(ends(&month, none()).await, "2026-03-29T22:42:21.247+00:00");
    // Again in the overlap: the life span is not that of the overlap.
    assert_eq!(ends(&month, none()).await, "2026-03-29T22:42:21.247+00:00");
    assert_eq!(
        ends(&eternal, none()).await,
        "9999-12-31T00:00:00.000+00:00"
    );
    for (body, expected) in [
        (
            json!({"expirationDuration": 2}),
            "2026-03-01T22:42:21.247+00:00",
        ),
        (
            json!({"expirationSeconds": 90}),
            "2026-02-27T22:43:51.247+00:00",
        ),
    ] {
        assert_eq!(ends(&month, body).await, expected);
    }
}

/// Three tokens, each of which replaced the one before.
async fn line(server: &Server) -> [NewToken; 3] {
    let first = server.create("alice").await;
    let second = rotate(server, &first, &Value::Null).await.created();
    let third = rotate(server, &second, &Value::Null).await.created();
    [first, second, third]
}

async fn a_revocation_takes_along_what_the_token_replaced() {
    let server = server(&[]).await;
    let [first, second, third] = line(&server).await;
    let revoked = answer(by(server.delete(&second.path()), "alice")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(
        statuses(&server, [&first, &second, &third]).await,
        [401, 401, 200]
    );
    let shown = answer(by(server.get(&third.path()), "alice")).await.json();
    assert_eq!(shown["rotatedFrom"], second.id);
}

async fn a_family_is_revoked_as_a_whole() {
    let server = server(&[]).await;
    let child_of = async |parent: &NewToken| {
        let body = json!({"name": "child", "expirationDuration": 30});
        let request = server.post(TOKENS).bearer_auth(&parent.raw).json(&body);
        answer(request).await.created()
    };
    let [first, second, third] = line(&server).await;
    let child = child_of(&third).await;
    let path = format!("{}?family=true", first.path());
    let revoked = answer(by(server.delete(&path), "alice")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let all = [&first, &second, &third, &child];
    assert_eq!(statuses(&server, all).await, [401; 4]);

    let [first, second, third] = line(&server).await;
    let child = child_of(&first).await;
    let body = json!({"ids": [second.id], "family": true});
    let request = by(server.post("/rest/pat/latest/admin/tokens/revoke"), "admin");
    let revoked = answer(request.json(&body)).await;
    assert_eq!(revoked.json()["count"], 4, "{}", revoked.body);
    let all = [&first, &second, &third, &child];
    assert_eq!(statuses(&server, all).await, [401; 4]);
}

async fn tokens_at_the_limit_can_be_rotated() {
    const LIMIT: usize = 10;
    let server = server(&[]).await;
    let mut tokens = Vec::new();
    for _ in 1..LIMIT {
        tokens.push(server.create("alice").await);
    }
    for round in 0..60 {
        let token = &mut tokens[round * 7 % (LIMIT - 1)];
        // Some answers get lost.
        if round % 3 == 0 {
            rotate_itself(&server, token, &Value::Null).await.created();
        }
        *token = rotate_itself(&server, token, &Value::Null).await.created();
    }
    for token in &tokens {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
    // What was replaced counts once with what replaced it.
    tokens.push(server.create("alice").await);
    let request = by(server.post(TOKENS), "alice").json(&json!({"name": "one more"}));
    assert_eq!(answer(request).await.problem(), "token-limit-reached");
    server.advance(HOUR).await;
    let left = list(&server).await;
    let ids: Vec<_> = column(&left, "id");
    assert_eq!(ids.len(), LIMIT);
    assert!(tokens.iter().all(|token| ids.contains(&json!(token.id))));
}
