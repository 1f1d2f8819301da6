//! What administrators see of the scopes of tokens: searches, revocations by a filter, audit events and the
//! export.

use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use pat_core::event::EventKind;
use pat_core::scope::{ScopeCatalog, Scopes};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};
use pat_harness::Log;
use pat_tower::api::{Api, parse_event};
use pat_tower::pages::Pages;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::search::names;
use crate::http::text_of;

struct Host {
    pats: Pats,
    admin: Owner,
}

impl Host {
    /// Returns a host with four tokens, each named like its scopes.
    async fn new() -> Self {
        let users = TestDirectory::default();
        let alice = Caller::header_authenticated(users.add("alice"));
        let admin = users.add_administrator("admin");
        let catalog = ScopeCatalog::builder()
            .scope("read", "Read reports")
            .scope("read-all", "Read the reports of all users")
            .scope("write", "Read and change reports")
            .implies("write", "read");
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(users))
            .clock(Arc::new(TestClock::default()))
            .scopes(catalog.build().expect("a catalog"))
            .build();
        for name in ["all", "read", "read-all", "write read"] {
            let request = TokenRequest::new(name, None);
            let request = match name {
                "all" => request,
                scopes => request.with_scopes(scopes.split(' ')),
            };
            pats.create(&alice, request).await.expect("a token");
        }
        Self { pats, admin }
    }

    /// Returns the status and the body of a response to the administrator.
    async fn ask(&self, request: http::request::Builder, body: String) -> (StatusCode, String) {
        let api: Router = Api::new(self.pats.clone()).router();
        let pages: Router = Pages::new(self.pats.clone()).router();
        let caller = Caller::header_authenticated(self.admin.clone());
        let app = Router::new().nest("/api", api).merge(pages);
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::from(body)).expect("a request");
        let response = app.layer(Extension(caller)).oneshot(request).await;
        let response = response.expect("a response");
        (response.status(), text_of(response).await)
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, body) = self.ask(Request::post(path), body.to_string()).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    async fn search(&self, body: &Value) -> Value {
        let (status, page) = self.post("/api/tokens/search", body).await;
        assert_eq!(status, StatusCode::OK, "{body}: {page}");
        page
    }

    async fn revoke(&self, body: &Value) -> (StatusCode, Value) {
        self.post("/api/admin/tokens/revoke", body).await
    }
}

pub(super) async fn tokens_are_searched_by_their_scopes() {
    let host = Host::new().await;
    let all = &["all", "read", "read-all", "write read"][..];
    for (filter, expected) in [
        (json!({"scopes": [], "unrestricted": false}), all),
        (json!({"scopes": null, "unrestricted": null}), all),
        (json!({"scopes": ["read"]}), &["read", "write read"]),
        (
            json!({"scopes": ["read-all", "write"]}),
            &["read-all", "write read"],
        ),
        (json!({"scopes": ["no-longer-declared"]}), &[]),
        (json!({"unrestricted": true}), &["all"]),
        (
            json!({"scopes": ["write"], "unrestricted": true}),
            &["all", "write read"],
        ),
        (
            json!({"scopes": ["read"], "name": "WRITE"}),
            &["write read"],
        ),
    ] {
        assert_eq!(names(&host.search(&filter).await), expected, "{filter}");
    }
    // Page by page.
    let mut body = json!({"scopes": ["read"], "unrestricted": true, "limit": 1});
    let mut seen = Vec::new();
    loop {
        let page = host.search(&body).await;
        seen.extend(names(&page));
        if page["isLastPage"] == true {
            break;
        }
        body["cursor"] = page["nextCursor"].clone();
    }
    assert_eq!(seen, ["all", "read", "write read"]);
}

pub(super) async fn a_bad_search_for_scopes_says_what_is_wrong() {
    let host = Host::new().await;
    let many: Vec<_> = (0..65).map(|number| format!("s{number}")).collect();
    for (filter, kind, part) in [
        (
            json!({"scopes": ["read", "Write"]}),
            "invalid-search",
            "index 1",
        ),
        (json!({"scopes": [""]}), "invalid-search", "index 0"),
        (
            json!({"scopes": ["read", "read"]}),
            "invalid-search",
            "twice",
        ),
        (json!({"scopes": many}), "invalid-search", "at most 64"),
        (json!({"scopes": "read"}), "malformed-body", ""),
        (json!({"scopes": [1]}), "malformed-body", ""),
        (json!({"unrestricted": "yes"}), "malformed-body", ""),
    ] {
        let revocation = json!({"filter": filter, "dryRun": true});
        for (status, problem) in [
            host.post("/api/tokens/search", &filter).await,
            host.revoke(&revocation).await,
        ] {
            assert_eq!(status, StatusCode::BAD_REQUEST, "{filter}");
            let is_kind = |uri: &str| uri.ends_with(&format!("/{kind}"));
            assert!(
                problem["type"].as_str().is_some_and(is_kind),
                "{filter}: {problem}"
            );
            let detail = problem["detail"].as_str().expect("a detail");
            assert!(detail.contains(part), "{filter}: {detail}");
        }
    }
}

pub(super) async fn tokens_are_revoked_by_their_scopes() {
    let host = Host::new().await;
    for filter in [
        json!({"scopes": []}),
        json!({"unrestricted": false}),
        json!({"scopes": null, "unrestricted": false}),
    ] {
        let (status, problem) = host
            .revoke(&json!({"filter": filter, "dryRun": true}))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem.to_string().contains("no-criterion"), "{problem}");
    }
    for (filter, count, left) in [
        (json!({"scopes": ["read"]}), 2, &["all", "read-all"][..]),
        (json!({"unrestricted": true}), 1, &["read-all"]),
    ] {
        let counted = host
            .revoke(&json!({"filter": filter, "dryRun": true}))
            .await;
        assert_eq!(counted.1, json!({"count": count}));
        let (status, _) = host
            .revoke(&json!({"filter": filter, "expectedCount": count + 1}))
            .await;
        assert_eq!(status, StatusCode::CONFLICT);
        let revoked = host
            .revoke(&json!({"filter": filter, "expectedCount": count}))
            .await;
        assert_eq!(revoked.1, json!({"count": count, "children": 0}));
        assert_eq!(names(&host.search(&json!({})).await), left);
    }
}

pub(super) async fn the_event_of_a_creation_has_the_scopes() {
    let host = Host::new().await;
    let (_, lines) = host
        .ask(Request::get("/api/admin/events"), String::new())
        .await;
    let lines: Vec<_> = lines.lines().collect();
    let mut found = Vec::new();
    for line in &lines {
        match parse_event(line).expect("an event").kind {
            EventKind::Created { scopes, .. } => found.push(scopes),
            other => panic!("no creation: {other:?}"),
        }
    }
    let scopes = |names: &str| names.parse::<Scopes>().ok();
    let expected = [
        None,
        scopes("read"),
        scopes("read-all"),
        scopes("read write"),
    ];
    assert_eq!(found, expected);
    assert!(
        lines[3].ends_with(r#","scopes":["read","write"],"tokenName":"write read"}"#),
        "{}",
        lines[3]
    );
    // That of an unrestricted token has no member about scopes.
    let json: Value = serde_json::from_str(lines[0]).expect("JSON");
    let (id, token) = (&json["id"], &json["tokenId"]);
    let unrestricted = format!(
        r#"{{"seq":1,"id":{id},"at":"2026-02-26T22:42:21.247+00:00","event":"created","tokenId":{token},"userKey":"alice","tokenName":"all"}}"#
    );
    assert_eq!(lines[0], unrestricted);
}

/// On a runtime of this thread, whose log it reads.
pub(super) fn the_log_of_a_creation_has_the_scopes() {
    let log = Log::default();
    let guard = log.start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(Host::new());
    drop(guard);
    let log = log.text();
    let created = log.lines().filter(|line| line.contains("token created"));
    let scopes: Vec<_> = created
        .map(|line| Some(line.split_once("scopes=")?.1.split_once(" token.name=")?.0))
        .collect();
    let expected = [
        None,
        Some("\"read\""),
        Some("\"read-all\""),
        Some("\"read write\""),
    ];
    assert_eq!(scopes, expected, "{log}");
}

pub(super) async fn an_export_has_the_scopes() {
    let host = Host::new().await;
    let path = "/admin/tokens/export?sort=name";
    let (status, csv) = host.ask(Request::get(path), String::new()).await;
    assert_eq!(status, StatusCode::OK, "{csv}");
    let mut lines = csv.lines().skip(1).map(|line| line.split(','));
    let head: Vec<_> = lines.next().expect("a head").collect();
    let column = head.iter().position(|cell| *cell == "\"scopes\"");
    let column = column.expect("the column");
    let cells = lines.map(|mut line| line.nth(column).expect("a cell"));
    let cells: Vec<_> = [head[column]].into_iter().chain(cells).collect();
    let expected = [
        "\"scopes\"",
        "\"\"",
        "\"read\"",
        "\"read-all\"",
        "\"read write\"",
    ];
    assert_eq!(cells, expected);
}
