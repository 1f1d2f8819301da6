//! The page about one token, and the administrators' pages beside their list, as people see them.

use pat_harness::browser::Browser;
use pat_harness::{NewToken, Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::json;

use super::{DAY, check};

/// A token of alice's with a line, children and a history; many tokens of others, and a dead letter. Returns the IDs
/// of the first token of the line and of the one that replaced it.
async fn populate(server: &Server) -> (NewToken, i64) {
    let body =
        json!({"name": "deploy", "description": "Pushes the site", "expirationDuration": 90});
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    let old = answer(request.json(&body)).await.created();
    for number in 0..22 {
        let body = json!({"name": format!("job {number}"), "expirationDuration": 1 + 3 * number});
        let request = server.post(TOKENS).bearer_auth(&old.raw);
        answer(request.json(&body)).await.created();
    }
    server.clock.advance(DAY * 3);
    server.pats.poll_changes().await.expect("a poll");
    server.try_token(&old.raw).await;
    let rotate = server.post(&format!("{}/rotate", old.path()));
    let rotated = answer(rotate.basic_auth("alice", Some("alice")))
        .await
        .json();
    server.mailer.fail_for_good();
    super::create(
        server,
        "bob",
        "تطبيق \u{1f680} with a name as long as names",
        30,
    )
    .await;
    server.run_jobs().await;
    server.mailer.succeed();
    (old, rotated["id"].as_i64().expect("an ID"))
}

fn properties() -> [(&'static str, &'static str); 4] {
    [
        ("pat.auth.max.staleness.ms", "0"),
        ("pat.notice.created", "true"),
        ("atlassian.pats.max.tokens.per.user", "100"),
        ("atlassian.pats.max.tokens.expiry.days", "91"),
    ]
}

pub(super) async fn pages_of_the_desk_are_accessible() {
    let server = Server::with(&properties()).await;
    let (old, new) = populate(&server).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    for (path, state) in [
        (format!("/tokens/{}", old.id), "token: replaced"),
        (format!("/tokens/{new}"), "token: new"),
    ] {
        browser.go(&path).await;
        check(&browser, state).await;
    }
    browser.sign_in("admin").await;
    for (path, state) in [
        (format!("/admin/tokens/{}", old.id), "token: administration"),
        (
            format!("/admin/tokens/{new}/pause"),
            "token: administration, pause",
        ),
        ("/admin".to_owned(), "overview"),
        ("/admin/identify".to_owned(), "identify"),
        ("/admin/unused?days=1".to_owned(), "unused"),
        ("/admin/unused?days=0".to_owned(), "unused: wrong"),
        ("/admin/unused?days=900".to_owned(), "unused: none"),
        ("/admin/notifications".to_owned(), "notifications"),
    ] {
        browser.go(&path).await;
        check(&browser, state).await;
    }
    browser.go("/admin").await;
    browser.click(".pat-as-table summary").await;
    check(&browser, "overview: table").await;
    for (secret, state) in [
        (old.raw.as_str(), "identify: found"),
        ("pat_nothing", "identify: malformed"),
        ("", "identify: missing"),
    ] {
        browser.go("/admin/identify").await;
        browser.fill("#pat-secret", secret).await;
        browser.follow("main form button").await;
        check(&browser, state).await;
    }
    let revoke = server.delete(&old.path());
    answer(revoke.basic_auth("alice", Some("alice"))).await;
    browser.go(&format!("/admin/tokens/{}", old.id)).await;
    check(&browser, "token: revoked").await;
    browser.go("/admin/notifications").await;
    browser.follow("main td form button").await;
    check(&browser, "notifications: sent").await;
    browser.stop().await;
}

pub(super) async fn a_leaked_token_is_found_and_revoked() {
    let server = Server::with(&properties()).await;
    let (old, new) = populate(&server).await;
    let browser = Browser::start(&server.base).await;
    find_and_revoke(&server, &browser, &old, new).await;
    // Neither the secret nor what was found is there when one goes back.
    browser.driver.back().await.expect("the page before");
    browser.driver.back().await.expect("the page before");
    let source = browser.driver.source().await.expect("a page");
    assert!(!source.contains(&old.raw), "{source}");
    browser.stop().await;
}

pub(super) async fn the_desk_works_without_scripts() {
    let server = Server::with(&properties()).await;
    let (old, new) = populate(&server).await;
    let browser = Browser::start(&server.base).await;
    let command = "Emulation.setScriptExecutionDisabled";
    browser.cdp(command, json!({"value": true})).await;
    find_and_revoke(&server, &browser, &old, new).await;
    browser.go("/admin/notifications").await;
    let count = browser.count("tbody tr").await;
    browser.follow("main td form button").await;
    assert_eq!(browser.count("tbody tr").await, count - 1);
    server.run_jobs().await;
    assert!(!server.sent_notifications().is_empty());
    browser.stop().await;
}

/// From the overview to a secret's token, and to its revocation with what belongs to it.
async fn find_and_revoke(server: &Server, browser: &Browser, old: &NewToken, new: i64) {
    browser.sign_in("admin").await;
    browser.go("/admin").await;
    assert_eq!(
        browser.text(".pat-nav [aria-current=page]").await,
        "Overview"
    );
    browser.follow(".pat-nav a[href$=identify]").await;
    browser.fill("#pat-secret", &old.raw).await;
    browser.follow("main form button").await;
    assert_eq!(browser.path().await, "/admin/identify");
    assert!(browser.text("#pat-answer").await.contains("Alice Liddell"));
    assert_eq!(
        browser
            .find("#pat-secret")
            .await
            .value()
            .await
            .expect("a value")
            .as_deref(),
        Some("")
    );
    browser.follow(".pat-answer .pat-danger").await;
    assert!(browser.is_checked("[name=family]").await);
    browser.follow("main form .pat-danger").await;
    assert!(
        browser.text(".pat-good").await.contains("24"),
        "the line and the children"
    );
    assert_eq!(server.try_token(&old.raw).await, StatusCode::UNAUTHORIZED);
    browser.go(&format!("/admin/tokens/{new}")).await;
    assert_eq!(browser.text("dd .pat-badge").await, "REVOKED");
}
