//! Users create and revoke tokens, with and without JavaScript.

use pat_harness::Server;
use pat_harness::browser::Browser;
use reqwest::StatusCode;
use serde_json::json;
use thirtyfour::Key;

use super::{DAY, assert_note, create};

pub(super) async fn a_token_is_created_copied_and_revoked_in_the_browser() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "3")]).await;
    let browser = Browser::start(&server.base).await;
    let clipboard = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.cdp("Browser.grantPermissions", clipboard).await;
    let zone = json!({"timezoneId": "America/New_York"});
    browser.cdp("Emulation.setTimezoneOverride", zone).await;

    // A link fills the form in, also past the sign-in.
    browser
        .go("/tokens/new?name=deploy%20%26%20go&expires=30")
        .await;
    browser.fill("#username", "alice").await;
    browser.fill("#password", "alice").await;
    browser.follow("main button").await;
    let name = browser.find("#pat-name").await;
    assert_eq!(
        name.value().await.expect("a value").as_deref(),
        Some("deploy & go")
    );
    assert!(browser.is_checked("[name=expires][value='30']").await);

    // The token is shown, and copied.
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;
    browser.click("[data-copy=pat-plain]").await;
    let copied = "navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))";
    let copied = browser
        .driver
        .execute_async(copied, Vec::new())
        .await
        .expect("a script");
    assert_eq!(copied.json(), &json!(token));
    assert_eq!(browser.text("[data-copy=pat-plain]").await, "Copied");
    let examples = browser.text(".pat-examples").await;
    assert!(
        examples.contains("curl -H @-") && !examples.contains(&token),
        "{examples}"
    );

    // A reload creates no other, and shows it no more; nor does going back.
    browser.driver.refresh().await.expect("a reload");
    browser.find(".pat-table").await;
    assert_eq!(browser.path().await, "/tokens");
    assert_eq!(browser.count("tbody tr").await, 1);
    browser.driver.back().await.expect("the page before");
    assert!(
        !browser
            .driver
            .source()
            .await
            .expect("a page")
            .contains(&token)
    );

    // It works, and its use shows, in the viewer's time zone.
    browser.go("/tokens").await;
    assert_eq!(
        browser.text("td[data-label='Last used']").await.trim(),
        "Never"
    );
    assert_eq!(server.try_token(&token).await, StatusCode::OK);
    browser.driver.refresh().await.expect("a reload");
    let used = browser.find("td[data-label='Last used'] time").await;
    assert_eq!(used.text().await.expect("a text"), "just now");
    let title = used.attr("title").await.expect("a title");
    assert!(
        title.is_some_and(|title| title.contains("5:42")),
        "22:42 UTC in New York"
    );
    let created = browser.find("td[data-label=Created] time").await;
    assert_eq!(created.text().await.expect("a text"), "just now");
    let title = created.attr("title").await.expect("a title");
    assert_eq!(
        title.as_deref(),
        Some("Thu, Feb 26, 2026, 5:42\u{a0}PM\u{a0}EST")
    );
    let zone = browser.text(".pat-zone").await;
    assert_eq!(zone, "Times are in America/New_York.");

    // Its state follows the clock.
    assert_eq!(browser.text(".pat-badge").await, "ACTIVE");
    server.clock.advance(DAY * 26);
    browser.driver.refresh().await.expect("a reload");
    assert_eq!(browser.text(".pat-badge").await, "EXPIRES SOON");
    server.clock.advance(DAY * 5);
    browser.driver.refresh().await.expect("a reload");
    assert_eq!(browser.text(".pat-badge").await, "EXPIRED");

    mistakes_and_dialog(&server, &browser).await;

    // Who has as many as allowed is told so beforehand.
    let (_second, _third) = (server.create("alice").await, server.create("alice").await);
    browser.go("/tokens").await;
    let warning = browser.text(".pat-warn").await;
    assert!(warning.contains("at most 3 are allowed"), "{warning}");
    assert_eq!(browser.count("a[href='tokens/new']").await, 0);
    browser.follow("header form button").await;
    browser.find("#username").await;
    browser.stop().await;
}

async fn mistakes_and_dialog(server: &Server, browser: &Browser) {
    // All that is wrong is told at once, and the first of it has the focus.
    browser.go("/tokens/new").await;
    let choose_none = "document.querySelector('[name=expires]:checked').checked = false";
    browser.run(choose_none).await;
    browser.follow("main button.pat-primary").await;
    assert!(browser.text("#pat-name-error").await.contains("a name"));
    assert!(browser.text("#pat-expiry-error").await.contains("Choose"));
    let focused = "return document.activeElement.id || document.activeElement.value";
    assert_eq!(browser.run(focused).await, "pat-name");
    browser.fill("#pat-name", "again").await;
    browser.follow("main button.pat-primary").await;
    assert_eq!(browser.count("#pat-name-error").await, 0);
    assert_eq!(browser.run(focused).await, "7");

    // What is wrong stands beside the field, and what was typed stays.
    browser.go("/tokens/new").await;
    browser.fill("#pat-name", "again").await;
    browser.click("[name=expires][value=days]").await;
    browser.fill("#pat-days", "366").await;
    browser.follow("main button.pat-primary").await;
    assert!(browser.text("#pat-expiry-error").await.contains("365 days"));
    assert_eq!(browser.run(focused).await, "pat-days");
    browser.fill("#pat-days", "20").await;
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;

    // It is revoked in a dialog, which the keyboard closes, and then refused.
    browser.follow(".pat-buttons a").await;
    browser.click("tbody tr:first-child [data-ask]").await;
    assert!(browser.text("#pat-ask-title").await.contains("again"));
    let dialog = browser.find("#pat-ask").await;
    dialog.send_keys(Key::Escape + "").await.expect("a key");
    assert!(!dialog.is_displayed().await.expect("a dialog"));
    assert_eq!(server.try_token(&token).await, StatusCode::OK);
    browser.click("tbody tr:first-child [data-ask]").await;
    browser.follow("#pat-ask .pat-danger").await;
    assert_note(browser, "“again” was revoked.").await;
    assert_eq!(browser.path().await, "/tokens");
    assert_eq!(browser.count("tbody tr").await, 1);
    assert_eq!(server.try_token(&token).await, StatusCode::UNAUTHORIZED);
}

pub(super) async fn forms_work_without_scripts() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    let script = json!({"urls": ["*pat.js*"]});
    browser.cdp("Network.enable", json!({})).await;
    browser.cdp("Network.setBlockedURLs", script).await;
    let none = json!({"value": true});
    browser
        .cdp("Emulation.setScriptExecutionDisabled", none)
        .await;
    browser.sign_in("alice").await;
    browser.go("/tokens").await;
    assert!(browser.text(".pat-empty").await.contains("no tokens yet"));
    browser.follow(".pat-heading a").await;
    browser.fill("#pat-name", "by hand").await;
    browser.click("[name=expires][value='7']").await;
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;
    assert_eq!(server.try_token(&token).await, StatusCode::OK);
    // Buttons that would do nothing are not there.
    let copy = browser.find("[data-copy]").await;
    assert!(!copy.is_displayed().await.expect("a button"));
    // A reload sends the form again, which creates nothing and shows the token no more.
    browser.driver.refresh().await.expect("a reload");
    assert_eq!(browser.text("h1").await, "This token was created already");
    let source = browser.driver.source().await.expect("a page");
    assert!(!source.contains(&token) && source.contains("by hand"));
    assert_eq!(server.try_token(&token).await, StatusCode::OK);
    browser.follow(".pat-buttons a").await;
    assert_eq!(browser.count("tbody tr").await, 1);
    let created = browser.find("td[data-label=Created] time").await;
    let title = created.attr("title").await.expect("a title");
    assert_eq!(title.as_deref(), Some("Thu 26 Feb 2026, 22:42\u{a0}UTC"));
    browser.follow("tbody .pat-actions .pat-danger-text").await;
    assert!(browser.path().await.ends_with("/revoke"));
    browser.follow("main .pat-danger").await;
    assert_note(&browser, "“by hand” was revoked.").await;
    assert_eq!(server.try_token(&token).await, StatusCode::UNAUTHORIZED);

    // What an administrator's filter finds is revoked by a button of its own.
    create(&server, "alice", "by filter", 2).await;
    let kept = create(&server, "alice", "kept", 30).await;
    browser.sign_in("admin").await;
    browser.go("/admin/tokens?name=by+filter").await;
    let each = browser.find("[data-each]").await;
    assert!(!each.is_displayed().await.expect("a box"));
    browser.follow("button[value=found]").await;
    assert_eq!(browser.text("h1").await, "Revoke 1 token?");
    browser.follow("main .pat-danger").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 1 token.");
    assert_eq!(server.try_token(&kept).await, StatusCode::OK);
    browser.stop().await;
}
