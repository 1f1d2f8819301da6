//! Nodes of an older and of a newer version on one database.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt as _;
use libtest_mimic::Trial;
use pat_core::scope::ScopeCatalog;
use pat_core::store::SCHEMA_VERSION;
use pat_core::store::StoreError;
use pat_core::testing::{TestClock, need_feature};
use pat_core::{AuthError, Caller, Pats, Settings, TokenRequest, Unavailable};
use pat_harness::database::{AnyDatabase, named_trials_on_all, trials_on_all};
use pat_harness::names::name_in_case;
use pat_harness::node::named_users;
use pat_harness::{Answer, Server, TOKENS, answer, until};
use pat_sqlx::AnyStore;
use pat_tower::api::Api;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::later::make_later;

pub(super) fn trials() -> Vec<Trial> {
    let waits = |case: &str, feature: &'static str| {
        let name = name_in_case(&a_new_feature_waits_until_older_nodes_are_gone, case);
        named_trials_on_all(&name, move |place| {
            a_new_feature_waits_until_older_nodes_are_gone(place, feature)
        })
    };
    [
        trials_on_all(a_node_runs_on_while_a_newer_version_makes_its_tables),
        trials_on_all(an_incompatible_node_stops_within_the_bound),
        waits("made_up", "A made-up feature"),
        waits("scopes", "Scopes"),
        waits("rotation", "Rotation"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn server(place: &AnyDatabase) -> Server {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let properties = [("pat.auth.database.timeout.ms", "400")];
    Server::on(place.url(), folder, &properties).await
}

async fn readable_from(place: &AnyDatabase) -> i64 {
    let sql = "SELECT readable_from FROM pat_clock WHERE id = 1";
    place.number(sql).await
}

/// By a newer node, at once.
async fn raise(place: &AnyDatabase) {
    let next = SCHEMA_VERSION + 1;
    let sql = format!("UPDATE pat_clock SET readable_from = {next} WHERE id = 1");
    place.execute(&sql).await;
}

/// Polls again if the database is too busy to answer in time.
async fn poll(pats: &Pats) {
    let mut tries = 0;
    while let Err(error) = pats.poll_changes().await {
        tries += 1;
        assert!(tries < 10, "{error}");
    }
}

async fn a_node_runs_on_while_a_newer_version_makes_its_tables(place: AnyDatabase) {
    let server = server(&place).await;
    let token = server.create("alice").await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    make_later(&place).await;
    poll(&server.pats).await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let another = server.create("alice").await;
    assert_eq!(server.try_token(&another.raw).await, StatusCode::OK);
    let revoked = server.delete(&token.path());
    let revoked = answer(revoked.basic_auth("alice", Some("alice"))).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    server.pats.flush_last_use().await.expect("a flush");

    // Until that version uses what this one does not know.
    raise(&place).await;
    poll(&server.pats).await;
    let health = server.get("/readyz").send().await.expect("an answer");
    assert_eq!(health.status(), StatusCode::SERVICE_UNAVAILABLE);
    let why = health.text().await.expect("a text");
    assert!(why.contains("start a newer version"), "{why}");
    let refused = server.try_token(&another.raw).await;
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    let list = server.get(TOKENS).basic_auth("alice", Some("alice"));
    assert_eq!(answer(list).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        create(&server).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    server.stop().await;
}

/// Also one that cannot poll, or that nobody has told to.
async fn an_incompatible_node_stops_within_the_bound(place: AnyDatabase) {
    let store = place.store().await;
    let clock = Arc::new(TestClock::default());
    // The long time is for busy machines.
    let settings = Settings::builder().auth_database_timeout_ms(60_000);
    let pats = Pats::builder(store.tokens())
        .settings(settings.build().expect("settings"))
        .users(Arc::new(named_users(&["alice"])))
        .clock(clock.clone())
        .build();
    pats.poll_changes().await.expect("a poll");
    let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
    let request = TokenRequest::new("ci", Some(30));
    let created = pats.create(&alice, request).await.expect("a token");
    let plain = created.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("a good token");
    raise(&place).await;
    pats.authenticate(plain).await.expect("it is cached");
    clock.advance(pats.settings().auth_max_staleness());
    for _ in 0..2 {
        let refused = pats.authenticate(plain).await;
        assert!(
            matches!(
                refused,
                Err(AuthError::Unavailable(Unavailable::Store(
                    StoreError::Outdated { .. }
                )))
            ),
            "{refused:?}"
        );
    }
    assert!(pats.list(&alice).await.is_err());
    assert!(pats.ready().await.is_err());
    store.close().await;
}

async fn create(server: &Server) -> Answer {
    let body = json!({"name": "ci", "expirationDuration": 90});
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    answer(request.json(&body)).await
}

/// A node whose host declares scopes, and its REST API.
struct Node {
    store: AnyStore,
    pats: Pats,
    clock: Arc<TestClock>,
    api: Router,
}

impl Node {
    async fn start(place: &AnyDatabase) -> Self {
        let store = place.store().await;
        let clock = Arc::new(TestClock::default());
        let scopes = ScopeCatalog::builder().scope("read", "Read reports");
        let pats = Pats::builder(store.tokens())
            .users(Arc::new(named_users(&["alice"])))
            .clock(clock.clone())
            .scopes(scopes.build().expect("a catalog"))
            .build();
        pats.poll_changes().await.expect("a poll");
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let api: Router = Api::new(pats.clone()).router();
        Self {
            store,
            clock,
            api: api.layer(Extension(alice)),
            pats,
        }
    }

    /// Returns the status and the JSON of the response to the creation of a token with these scopes.
    async fn create(&self, scopes: &Value) -> (StatusCode, Value) {
        let body = json!({"name": "ci", "scopes": scopes});
        self.post("/tokens", &body).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string()));
        let response = self.api.clone().oneshot(request.expect("a request")).await;
        let response = response.expect("a response");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body");
        (
            status,
            serde_json::from_slice(&body.to_bytes()).expect("JSON"),
        )
    }
}

async fn a_new_feature_waits_until_older_nodes_are_gone(place: AnyDatabase, feature: &str) {
    let node = Node::start(&place).await;
    let scopes = match feature {
        "Scopes" => json!(["read"]),
        _ => Value::Null,
    };
    // The first version that knows the feature.
    let since = match feature {
        "Scopes" => 7,
        "Rotation" => 8,
        _ => {
            need_feature(&node.pats, SCHEMA_VERSION);
            SCHEMA_VERSION
        }
    };
    let old = match feature {
        "Rotation" => Some(node.create(&Value::Null).await.1["id"].clone()),
        _ => None,
    };
    let create = async || match &old {
        Some(id) => node.post(&format!("/tokens/{id}/rotate"), &json!({})).await,
        None => node.create(&scopes).await,
    };
    let refuse = async |why: &str| {
        let (status, problem) = create().await;
        assert_eq!(status, StatusCode::CONFLICT, "{why}: {problem}");
        let problem = problem.to_string();
        assert!(problem.contains("/older-nodes\""), "{why}: {problem}");
        assert!(problem.contains(feature), "{why}: {problem}");
    };
    let reports = "INSERT INTO pat_node (id, applied_gen, reported_at, version) VALUES (7, 0, 0, ";
    place.execute(&format!("{reports}{})", since - 1)).await;
    refuse("an older node runs").await;
    if feature != "A made-up feature" {
        let (status, unrestricted) = node.create(&Value::Null).await;
        assert_eq!(status, StatusCode::CREATED, "{unrestricted}");
    }
    assert_eq!(readable_from(&place).await, 0, "the older one may go on");

    // It is gone; but another one may have just begun.
    place.execute("DELETE FROM pat_node WHERE id = 7").await;
    refuse("the bound is not over").await;
    assert_eq!(readable_from(&place).await, since.cast_signed());

    let bound = node.pats.settings().auth_max_staleness();
    let almost = (bound + bound / 10).saturating_sub(Duration::from_micros(1));
    node.clock.advance(almost);
    refuse("the bound is almost over").await;
    node.clock.advance(Duration::from_micros(1));
    node.pats.poll_changes().await.expect("a poll");
    let (status, created) = create().await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    let plain = created["rawToken"].as_str().expect("a plain token");
    let principal = node.pats.authenticate(plain.as_bytes()).await;
    let found = principal.expect("a good token").scopes().cloned();
    assert_eq!(json!(found), scopes);
    until("and nobody has to wait any more", async || {
        create().await.0 == StatusCode::CREATED
    })
    .await;
    node.store.close().await;
}
