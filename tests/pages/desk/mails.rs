//! The notifications that could not be sent.

use pat_core::notification::NotificationKind;
use pat_harness::{Server, answer};
use reqwest::StatusCode;
use serde_json::json;

use super::{ALICE, Session, between, create, page};

const NOTIFICATIONS: &str = "/admin/notifications";
const ROUTE: &str = "/rest/pat/latest/admin/notifications";

/// A server on which a notification to alice could not be sent, that her token was created.
async fn start() -> Server {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    server.mailer.fail_for_good();
    create(&server, "ci", None).await;
    server.run_jobs().await;
    assert_eq!(server.pats.outbox().await.expect("the outbox").dead, 1);
    server.mailer.succeed();
    server
}

pub(super) async fn a_dead_letter_is_sent_again() {
    let server = start().await;
    let admin = Session::start(&server, "admin").await;
    let overview = page(&admin, &server, "/admin").await.body;
    assert!(
        overview.contains("1 mail could not be delivered."),
        "{overview}"
    );
    let list = page(&admin, &server, NOTIFICATIONS).await.body;
    assert!(list.contains(ALICE), "{list}");
    assert!(list.contains("token created"), "{list}");
    let path = between(&list, "action=\"../admin/notifications/", "\"");
    let path = format!("{NOTIFICATIONS}/{path}");
    let forged = super::super::form(&server, &path, &[]).header("cookie", &admin.cookies);
    assert_eq!(answer(forged).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.pats.outbox().await.expect("the outbox").dead, 1);
    let sent = answer(admin.post(&server, &path, &[])).await;
    let location = "../../../admin/notifications?sent";
    assert_eq!(sent.header("location"), Some(location), "{}", sent.body);
    server.run_jobs().await;
    let expected = (NotificationKind::Created, "alice@example.com".to_owned(), 1);
    assert_eq!(server.sent_notifications(), [expected]);
    let list = page(&admin, &server, &format!("{NOTIFICATIONS}?sent"))
        .await
        .body;
    assert!(list.contains("The mail is queued again."), "{list}");
    assert!(list.contains("Every mail was delivered"), "{list}");
    let gone = answer(admin.post(&server, &path, &[])).await;
    let location = "../../../admin/notifications?gone";
    assert_eq!(gone.header("location"), Some(location), "{}", gone.body);
    let list = page(&admin, &server, &format!("{NOTIFICATIONS}?gone"))
        .await
        .body;
    assert!(list.contains("already queued again"), "{list}");
    let nothing = answer(admin.post(&server, "/admin/notifications/x/send", &[])).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
}

pub(super) async fn dead_letters_have_routes() {
    let server = start().await;
    let by_admin = |request: reqwest::RequestBuilder| request.basic_auth("admin", Some("admin"));
    let listed = answer(by_admin(server.get(ROUTE))).await.json();
    let id = listed["values"][0]["id"].as_i64().expect("an ID");
    let dead = listed["values"][0].as_object().expect("an object");
    assert_eq!(
        (&listed["count"], &dead["kind"]),
        (&json!(1), &json!("created"))
    );
    assert_eq!(
        (&dead["userKey"], &dead["attempts"]),
        (&json!("alice"), &json!(1))
    );
    assert!(
        dead["queuedAt"].is_string() && dead["error"].is_string(),
        "{dead:?}"
    );
    for query in ["limit=0", "limit=1001", "limit=x"] {
        let refused = answer(by_admin(server.get(&format!("{ROUTE}?{query}")))).await;
        assert_eq!(refused.problem(), "invalid-search", "{query}");
    }
    let path = format!("{ROUTE}/{id}/send");
    let refused = answer(server.post(&path).basic_auth("alice", Some("alice"))).await;
    assert_eq!(refused.problem(), "not-an-administrator");
    let refused = answer(server.get(ROUTE).basic_auth("alice", Some("alice"))).await;
    assert_eq!(refused.problem(), "not-an-administrator");
    assert_eq!(server.pats.outbox().await.expect("the outbox").dead, 1);
    let sent = answer(by_admin(server.post(&path))).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "{}", sent.body);
    server.run_jobs().await;
    assert_eq!(server.sent_notifications().len(), 1);
    for path in [path, format!("{ROUTE}/x/send")] {
        let gone = answer(by_admin(server.post(&path))).await;
        assert_eq!(gone.problem(), "not-found", "{path}");
    }
}

pub(super) async fn all_dead_letters_are_sent_again() {
    let server = start().await;
    let admin = Session::start(&server, "admin").await;
    let path = format!("{NOTIFICATIONS}/send");
    let dead = async || server.pats.outbox().await.expect("the outbox").dead;
    let fail_again = async || {
        server.mailer.fail_for_good();
        create(&server, "cd", None).await;
        server.run_jobs().await;
        server.mailer.succeed();
    };
    fail_again().await;
    assert_eq!(dead().await, 2);
    let list = page(&admin, &server, NOTIFICATIONS).await.body;
    assert!(
        list.contains("href=\"../admin/notifications/send\""),
        "{list}"
    );
    let question = page(&admin, &server, &path).await.body;
    assert!(
        question.contains("<h1>Send 2 mails again?</h1>"),
        "{question}"
    );
    let forged = super::super::form(&server, &path, &[]).header("cookie", &admin.cookies);
    assert_eq!(answer(forged).await.status, StatusCode::FORBIDDEN);
    let alice = Session::start(&server, "alice").await;
    let refused = answer(alice.post(&server, &path, &[])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(dead().await, 2);
    let sent = answer(admin.post(&server, &path, &[])).await;
    let location = "../../admin/notifications?queued=2";
    assert_eq!(sent.header("location"), Some(location), "{}", sent.body);
    server.run_jobs().await;
    assert_eq!(server.sent_notifications().len(), 2);
    let list = page(&admin, &server, &location["../..".len()..]).await.body;
    assert!(list.contains("2 mails are queued again."), "{list}");
    assert!(!list.contains("notifications/send\""), "{list}");
    let none = admin.get(&server, &path).await;
    assert_eq!(none.header("location"), Some("../../admin/notifications"));
    // The same by a script.
    fail_again().await;
    let route = format!("{ROUTE}/send");
    let refused = answer(server.post(&route).basic_auth("alice", Some("alice"))).await;
    assert_eq!(refused.problem(), "not-an-administrator");
    for count in [1, 0] {
        let sent = answer(server.post(&route).basic_auth("admin", Some("admin"))).await;
        assert_eq!(sent.json(), json!({"count": count}));
    }
    server.run_jobs().await;
    assert_eq!(server.sent_notifications().len(), 3);
}
