//! Replacing, pausing and editing a token in a browser.

use std::time::Duration;

use pat_harness::browser::Browser;
use pat_harness::{Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::json;
use thirtyfour::Key;

use super::{assert_note, check};
use crate::pages::lives::start;

const MENU: &str = "tbody tr:first-child .pat-menu";

/// Creates a token of Alice's that says what it is for.
async fn create(server: &Server, name: &str) -> (String, i64) {
    let body = json!({"name": name, "description": "nightly build", "expirationDuration": 30});
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    let created = answer(request.json(&body)).await.created();
    (created.raw, created.id)
}

pub(super) async fn a_token_is_replaced_and_paused() {
    let server = start(&[]).await;
    let (old, id) = create(&server, "ci").await;
    let browser = Browser::start(&server.base).await;
    let zone = json!({"timezoneId": "America/New_York"});
    browser.cdp("Emulation.setTimezoneOverride", zone).await;
    // The link in the mail leads there, also past the sign-in.
    browser.go(&format!("/tokens/{id}/replace")).await;
    browser.fill("#username", "alice").await;
    browser.fill("#password", "alice").await;
    browser.follow("main button").await;
    assert!(browser.is_checked("[name=overlap][value='3600']").await);
    assert!(browser.is_checked("[name=expires][value=own]").await);
    let choices = browser.text("fieldset:has([name=overlap])").await;
    assert!(
        choices.contains("For 1 hour, until Thu, Feb 26, 2026, 6:42"),
        "{choices}"
    );
    browser.click("[name=overlap][value='86400']").await;
    browser.follow("main button.pat-primary").await;
    let new = browser.text("#pat-plain").await;
    let end = browser.text("main p.pat-below").await;
    assert!(end.contains("works until Fri, Feb 27, 2026, 5:42"), "{end}");
    for token in [&old, &new] {
        assert_eq!(server.try_token(token).await, StatusCode::OK);
    }
    // A reload leads to the list, and shows the secret no more.
    browser.driver.refresh().await.expect("a reload");
    assert_eq!(browser.path().await, "/tokens");
    assert_eq!(browser.count("tbody tr").await, 2);
    assert!(
        browser
            .text("tbody tr:last-child .pat-badge")
            .await
            .contains("REPLACED")
    );
    let expires = browser
        .text("tbody tr:last-child td[data-label=Expires]")
        .await;
    assert!(expires.starts_with("Works until"), "{expires}");

    // The menu is opened and left by the keyboard.
    let is_open = async || browser.count(&format!("{MENU}[open]")).await == 1;
    let summary = browser.find(&format!("{MENU} summary")).await;
    summary.send_keys(Key::Enter + "").await.expect("a key");
    assert!(is_open().await);
    summary.send_keys(Key::Escape + "").await.expect("a key");
    assert!(!is_open().await);
    let focused = "return document.activeElement.textContent";
    assert_eq!(browser.run(focused).await, "More");
    summary.send_keys(Key::Enter + "").await.expect("a key");
    browser.click("h1").await;
    assert!(!is_open().await);

    summary.click().await.expect("a menu");
    browser.follow(&format!("{MENU} a[href$=pause]")).await;
    assert!(
        browser
            .text("main form")
            .await
            .contains("What this token replaced is paused")
    );
    browser.follow("main button.pat-primary").await;
    assert_note(&browser, "“ci” is paused.").await;
    for token in [&old, &new] {
        assert_eq!(server.try_token(token).await, StatusCode::UNAUTHORIZED);
    }
    browser.follow("tbody tr:first-child a[href$=resume]").await;
    browser.follow("main button.pat-primary").await;
    assert_note(&browser, "“ci” is no longer paused.").await;
    for token in [&old, &new] {
        assert_eq!(server.try_token(token).await, StatusCode::OK);
    }

    // The dialog says what the list says, and the date where the list says how long ago it was.
    server.clock.advance(Duration::from_secs(1));
    let (other, _) = create(&server, "other").await;
    assert_eq!(server.try_token(&other).await, StatusCode::OK);
    server.clock.advance(Duration::from_hours(2));
    browser.go("/tokens").await;
    let used = browser
        .text("tbody tr:first-child td[data-label='Last used']")
        .await;
    assert_eq!(used.trim(), "2 hours ago");
    browser.click("tbody tr:first-child [data-ask]").await;
    let facts = browser.text("#pat-ask-facts").await;
    let facts: Vec<_> = facts.lines().collect();
    assert_eq!(facts.len(), 10, "{facts:?}");
    assert_eq!(facts[..2], ["Status", "ACTIVE"]);
    assert_eq!(facts[4], "Last used");
    assert!(facts[5].starts_with("Thu, Feb 26, 2026, 5:42"), "{facts:?}");
    assert!(facts[5].ends_with(", 2 hours ago"), "{facts:?}");
    browser.stop().await;
}

pub(super) async fn a_token_is_replaced_without_scripts() {
    let server = start(&[]).await;
    let (old, _) = create(&server, "ci").await;
    let browser = Browser::start(&server.base).await;
    let none = json!({"value": true});
    browser
        .cdp("Emulation.setScriptExecutionDisabled", none)
        .await;
    browser.sign_in("alice").await;
    browser.go("/tokens").await;
    browser.follow("tbody a[href$=replace]").await;
    browser.click("[name=overlap][value='0']").await;
    browser.follow("main button.pat-primary").await;
    let new = browser.text("#pat-plain").await;
    assert!(
        browser
            .text("main p.pat-below")
            .await
            .contains("refused from now on")
    );
    assert_eq!(server.try_token(&old).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&new).await, StatusCode::OK);
    // A reload sends the form again, which replaces nothing and shows the secret no more.
    browser.driver.refresh().await.expect("a reload");
    let source = browser.driver.source().await.expect("a page");
    assert!(!source.contains(&new[4..]), "{source}");
    assert_eq!(server.try_token(&new).await, StatusCode::OK);

    browser.go("/tokens").await;
    assert_eq!(browser.count("tbody tr").await, 1);
    let used = browser.text("td[data-label='Last used']").await;
    assert_eq!(used.trim(), "just now");
    // The menu opens, and each of its links leads to a page with a form.
    let hidden = browser.find(&format!("{MENU} a[href$=edit]")).await;
    assert!(!hidden.is_displayed().await.expect("a link"));
    browser.click(&format!("{MENU} summary")).await;
    browser.follow(&format!("{MENU} a[href$=edit]")).await;
    browser.fill("#pat-name", "renamed").await;
    browser.fill("#pat-description", "by hand").await;
    browser.follow("main button.pat-primary").await;
    let row = browser.text("tbody tr .pat-name").await;
    assert!(
        row.starts_with("renamed") && row.contains("by hand"),
        "{row}"
    );
    browser.click(&format!("{MENU} summary")).await;
    browser.follow(&format!("{MENU} a[href$=pause]")).await;
    browser.follow("main button.pat-primary").await;
    assert_eq!(server.try_token(&new).await, StatusCode::UNAUTHORIZED);
    browser.follow("tbody a[href$=resume]").await;
    browser.follow("main button.pat-primary").await;
    assert_eq!(server.try_token(&new).await, StatusCode::OK);
    browser.stop().await;
}

pub(super) async fn pages_about_one_token_are_accessible() {
    let server = start(&[]).await;
    let (_, id) = create(&server, "a-very-long-name-without-any-space-in-it").await;
    let (_, paused) = create(&server, "paused").await;
    let (used, _) = create(&server, "used").await;
    assert_eq!(server.try_token(&used).await, StatusCode::OK);
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    browser.go(&format!("/tokens/{paused}/pause")).await;
    browser.follow("main button.pat-primary").await;
    for page in ["replace", "edit", "pause", "revoke?leaked"] {
        browser.go(&format!("/tokens/{id}/{page}")).await;
        check(&browser, &format!("{page} a token")).await;
    }
    for page in ["replace", "resume"] {
        browser.go(&format!("/tokens/{paused}/{page}")).await;
        check(&browser, &format!("{page} of a paused token")).await;
    }
    browser.go(&format!("/tokens/{id}/edit")).await;
    browser.fill("#pat-name", " ").await;
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-name-error").await;
    check(&browser, "the edit form with an error").await;
    browser.go(&format!("/tokens/{id}/replace")).await;
    let choose_none = "document.querySelector('[name=overlap]:checked').checked = false;\
                       document.querySelector('[name=expires][value=days]').click()";
    browser.run(choose_none).await;
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-overlap-error").await;
    browser.find("#pat-expiry-error").await;
    check(&browser, "the replacement form with errors").await;
    browser.click("[name=overlap][value='604800']").await;
    browser.click("[name=expires][value=own]").await;
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-plain").await;
    check(&browser, "the new token of a replacement").await;
    browser.go(&format!("/tokens/{id}/replace")).await;
    check(&browser, "the replacement form of a replaced token").await;
    browser.go("/tokens").await;
    check(&browser, "the list with a replaced token").await;
    for row in ["first", "last"] {
        browser
            .click(&format!("tbody tr:{row}-child .pat-menu summary"))
            .await;
        check(&browser, &format!("the menu of the {row} token")).await;
    }
    browser.go("/tokens").await;
    browser.click("[data-ask]").await;
    check(&browser, "the dialog about a replaced token").await;
    browser.sign_in("admin").await;
    browser.go("/admin/tokens").await;
    check(&browser, "replaced tokens of all users").await;
    browser.stop().await;
}
