//! Every page in every state, for axe-core and for the pictures.

use pat_harness::Server;
use pat_harness::browser::Browser;
use serde_json::json;

use super::{DAY, check, create};

/// Every page: who sees it, and where.
const PAGES: [(&str, &str); 15] = [
    ("", "/login"),
    ("alice", "/"),
    ("alice", "/tokens"),
    ("alice", "/tokens/new?expires=1000&name=ci"),
    ("alice", "/tokens/new"),
    ("alice", "/tokens/new?expires=2026-03-31"),
    ("alice", "/tokens/5/revoke"),
    ("alice", "/admin/tokens"),
    ("admin", "/tokens"),
    ("admin", "/admin/tokens"),
    ("admin", "/admin/tokens?created_from=x"),
    (
        "admin",
        "/admin/tokens?used_from=2026-02-02&used_to=2026-01-01&status=x&owner=%00",
    ),
    ("admin", "/admin/tokens?status=REVOKED"),
    ("admin", "/admin/tokens?name=nothing-at-all"),
    (
        "admin",
        "/admin/tokens/revoke?what=found&status=EXPIRES_SOON",
    ),
];

pub(super) async fn pages_are_accessible() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "100")]).await;
    for (name, days) in [
        ("ci", 90),
        ("a-very-long-name-without-any-space-in-it", 6),
        ("נסחה report", 1),
        ("<b>نسخة</b>", 30),
    ] {
        create(&server, "alice", name, days).await;
    }
    server.clock.advance(DAY);
    let browser = Browser::start(&server.base).await;
    let mut user = "";
    for (wanted, path) in PAGES {
        if wanted != user {
            browser.sign_in(wanted).await;
            user = wanted;
        }
        browser.go(path).await;
        check(&browser, path).await;
    }
    // A list to select from, all of it selected, and the question that follows.
    browser.go("/admin/tokens?status=EXPIRES_SOON").await;
    browser.click("[data-each]").await;
    check(&browser, "selected tokens").await;
    browser.follow("button[value=selected]").await;
    browser.find(".pat-selection time").await;
    check(&browser, "the question about selected tokens").await;
    for number in 0..50 {
        create(&server, "alice", &format!("n {number}"), 30).await;
    }
    browser.go("/admin/tokens?status=ACTIVE").await;
    browser.click("[data-each]").await;
    check(&browser, "a selected page").await;
    browser.click("[data-all=page] button").await;
    check(&browser, "all that match").await;
    browser.go("/tokens").await;
    // And those that follow a form.
    browser.sign_in("alice").await;
    browser.go("/tokens").await;
    browser.click("[data-ask]").await;
    check(&browser, "the dialog").await;
    browser.go("/tokens/new").await;
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-name-error").await;
    check(&browser, "the form with an error").await;
    browser.fill("#pat-name", "new").await;
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-plain").await;
    check(&browser, "the new token").await;
    // The policy has no script of this page ask for anything.
    let ask = "return fetch('/tokens').then(() => 'answered', String)";
    assert_eq!(browser.run(ask).await, "TypeError: Failed to fetch");
    // Forms that are shown again, and what is there in place of one.
    browser
        .go("/tokens/new?again=signed-out&name=typed&expires=days&days=20")
        .await;
    check(&browser, "the form after a sign-in").await;
    // And the answer to a reload.
    let no_script = |value: bool| json!({"value": value});
    let command = "Emulation.setScriptExecutionDisabled";
    browser.cdp(command, no_script(true)).await;
    browser.go("/tokens/new?name=twice").await;
    browser.follow("main button.pat-primary").await;
    browser.driver.refresh().await.expect("a reload");
    browser.cdp(command, no_script(false)).await;
    assert_eq!(browser.text("h1").await, "This token was created already");
    check(&browser, "the answer to a reload").await;
    browser.stop().await;
}
