//! What a form says while it is filled in, what is said of a change, and what becomes of a form that goes wrong.

use std::time::Duration;

use pat_harness::browser::Browser;
use pat_harness::{Server, answer};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{assert_note, create};

/// What screen readers get of the page: the name of each node of this role.
async fn nodes(browser: &Browser, role: &str) -> Vec<String> {
    let tree = browser.cdp("Accessibility.getFullAXTree", json!({})).await;
    let nodes = tree["nodes"].as_array().expect("nodes").clone();
    let child = |id: &Value| nodes.iter().find(|node| node["nodeId"] == *id);
    let text = |node: &Value| {
        let own = node["name"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let children = node["childIds"].as_array().into_iter().flatten();
        let words = children.filter_map(child);
        let words = words.filter_map(|node| node["name"]["value"].as_str());
        [own]
            .into_iter()
            .chain(words.map(str::to_owned))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let of_role = nodes.iter().filter(|node| node["role"]["value"] == role);
    of_role.map(text).collect()
}

/// Waits until a status region says this.
async fn assert_said(browser: &Browser, expected: &str) {
    let mut said = Vec::new();
    for _ in 0..200 {
        said = nodes(browser, "status").await;
        if said.iter().any(|said| said.contains(expected)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{expected} is not among {said:?}");
}

async fn delete_cookie(browser: &Browser, name: &str) {
    let cookie = json!({"name": name, "url": browser.run("return location.href").await});
    browser.cdp("Network.deleteCookies", cookie).await;
}

pub(super) async fn a_form_survives_a_lost_session_and_a_lost_cookie() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    let value = async |selector: &str| {
        let value = browser.find(selector).await.value().await;
        value.expect("a value").unwrap_or_default()
    };
    let fill = async || {
        browser.go("/tokens/new").await;
        browser.fill("#pat-name", "nightly & build").await;
        browser.fill("#pat-description", "typed with care").await;
        browser.click("[name=expires][value=days]").await;
        browser.fill("#pat-days", "20").await;
    };
    let assert_filled = async |sentence: &str| {
        // It is announced once the page is there, and was no part of the region before.
        assert_said(&browser, sentence).await;
        assert_eq!(value("#pat-name").await, "nightly & build");
        assert_eq!(value("#pat-description").await, "typed with care");
        assert_eq!(value("#pat-days").await, "20");
        assert!(browser.is_checked("[name=expires][value=days]").await);
        let note = browser.text(".pat-mishap").await;
        assert!(note.starts_with(sentence), "{note}");
    };
    // The session ends while the form is open.
    fill().await;
    delete_cookie(&browser, "JSESSIONID").await;
    browser.follow("main button.pat-primary").await;
    browser.fill("#username", "alice").await;
    browser.fill("#password", "alice").await;
    browser.follow("main button").await;
    assert_filled("You had been signed out").await;
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;
    assert_eq!(server.try_token(&token).await, StatusCode::OK);
    // The cookie of the forms is lost.
    fill().await;
    delete_cookie(&browser, "pat-form").await;
    browser.follow("main button.pat-primary").await;
    assert_filled("This form had expired").await;
    // Another token has the name by now.
    browser.follow("main button.pat-primary").await;
    browser.find("#pat-plain").await;
    let page = browser.text("main").await;
    assert!(page.contains("another token with this name"), "{page}");
    browser.go("/tokens").await;
    assert_eq!(browser.count("tbody tr").await, 2);
    browser.stop().await;
}

pub(super) async fn changes_are_said_by_name_and_have_the_focus() {
    let server = Server::start().await;
    for name in ["one", "two"] {
        create(&server, "alice", name, 30).await;
        server.clock.advance(Duration::from_mins(1));
    }
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    // The new one is highlighted.
    browser.go("/tokens/new?name=three").await;
    browser.follow("main button.pat-primary").await;
    browser.follow(".pat-buttons a.pat-primary").await;
    assert!(browser.text(".pat-marked").await.starts_with("three"));
    assert_eq!(browser.count(".pat-marked").await, 1);
    // What was changed has the focus, and screen readers get it from there.
    browser.click("tbody tr:last-child .pat-menu summary").await;
    browser.follow("tbody tr:last-child a[href$=edit]").await;
    browser.fill("#pat-name", "first").await;
    browser.follow("main button.pat-primary").await;
    assert_note(&browser, "“first” was changed.").await;
    assert!(browser.text(".pat-marked").await.starts_with("first"));
    let tree = browser.cdp("Accessibility.getFullAXTree", json!({})).await;
    let focused = tree["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .find(|node| {
            let mut properties = node["properties"].as_array().into_iter().flatten();
            properties.any(|it| it["name"] == "focused" && it["value"]["value"] == true)
                && node["role"]["value"] != "RootWebArea"
        });
    assert_eq!(focused.expect("a node")["role"]["value"], "paragraph");
    // Someone else was faster.
    let question = browser.find("tbody tr:first-child [data-ask]").await;
    let question = question.prop("pathname").await.expect("a property");
    let question = question.expect("a path");
    browser.go(&question).await;
    browser.follow("main .pat-danger").await;
    assert_note(&browser, "“three” was revoked.").await;
    assert_eq!(browser.path().await, "/tokens");
    browser.go(&question).await;
    assert_note(&browser, "“three” was already revoked.").await;
    // The region was empty when the page came.
    let page = server.get("/tokens").basic_auth("alice", Some("alice"));
    let page = answer(page).await.body;
    assert!(
        page.contains("role=\"status\" id=\"pat-said\"></p>"),
        "{page}"
    );
    browser.stop().await;
}

pub(super) async fn a_form_says_when_the_token_expires() {
    let server = Server::start().await;
    create(&server, "alice", "ci", 30).await;
    let browser = Browser::start(&server.base).await;
    let zone = json!({"timezoneId": "America/New_York"});
    browser.cdp("Emulation.setTimezoneOverride", zone).await;
    browser.sign_in("alice").await;
    browser.go("/tokens/new").await;
    let when = async || browser.text("[data-when]").await.replace('\u{a0}', " ");
    // It is 22:42 in UTC; summer time begins in between.
    let says = |date: &str| format!("The token will expire on {date}.");
    browser.click("[name=expires][value='7']").await;
    assert_eq!(when().await, says("Thu, Mar 5, 2026, 5:42 PM EST"));
    browser.click("[name=expires][value='30']").await;
    assert_eq!(when().await, says("Sat, Mar 28, 2026, 6:42 PM EDT"));
    browser.click("[name=expires][value=days]").await;
    browser.fill("#pat-days", "1").await;
    assert_eq!(when().await, says("Fri, Feb 27, 2026, 5:42 PM EST"));
    browser.fill("#pat-days", "366").await;
    assert!(
        !browser
            .find("[data-when]")
            .await
            .is_displayed()
            .await
            .expect("a text")
    );
    browser.click("[name=expires][value=date]").await;
    let date = "const field = document.querySelector('#pat-date'); field.value = '2026-12-25'; \
                field.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.run(date).await;
    assert_eq!(when().await, says("Fri, Dec 25, 2026, 5:42 PM EST"));
    browser.click("[name=expires][value=never]").await;
    assert_eq!(when().await, "The token will never expire.");
    // Changes of the sentence are announced.
    assert_said(&browser, "The token will never expire.").await;
    // What it says is what happens.
    browser.click("[name=expires][value=date]").await;
    browser.fill("#pat-name", "until then").await;
    let said = when().await;
    browser.follow("main button.pat-primary").await;
    let facts = browser.text(".pat-facts").await.replace('\u{a0}', " ");
    let (_, date) = said.split_once(" on ").expect("a date");
    assert!(
        facts.contains(date.trim_end_matches('.')),
        "{said}: {facts}"
    );

    // Without a script, each choice has its date.
    let none = json!({"value": true});
    browser
        .cdp("Emulation.setScriptExecutionDisabled", none)
        .await;
    browser.go("/tokens/new").await;
    let choices = browser.text(".pat-choices").await.replace('\u{a0}', " ");
    assert!(choices.contains("7 days 5 Mar 2026"), "{choices}");
    assert_eq!(browser.text(".pat-zone").await, "Times are in UTC.");
    browser.stop().await;
}

pub(super) async fn characters_are_counted() {
    let server = Server::start().await;
    create(&server, "alice", "ci", 30).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    browser.go("/tokens/new").await;
    let count = async || browser.text("[data-counts=pat-name]").await;
    assert_eq!(count().await, "0 of 40 characters");
    // One emoji is one character, as for the server.
    browser
        .run("document.querySelector('#pat-name').value = '🐎🐎'")
        .await;
    let name = browser.find("#pat-name").await;
    name.send_keys("x").await.expect("a key");
    assert_eq!(count().await, "3 of 40 characters");
    // Only near the limit is it announced.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let said = nodes(&browser, "status").await;
    assert!(!said.iter().any(|said| said.contains("of 40")), "{said:?}");
    name.send_keys(&"y".repeat(30)).await.expect("keys");
    assert_said(&browser, "33 of 40 characters").await;
    name.send_keys(&"y".repeat(10)).await.expect("keys");
    assert_eq!(browser.text("[data-over]").await, "43 of 40 characters");
    // So is a name that is taken.
    browser.fill("#pat-name", "ci").await;
    assert_said(&browser, "You already have a token with this name.").await;
    name.send_keys("2").await.expect("a key");
    assert_eq!(browser.text("#pat-name-taken").await, "");
    browser.stop().await;
}

pub(super) async fn the_filter_sends_the_zone_of_the_browser() {
    let server = Server::start().await;
    create(&server, "alice", "ci", 30).await;
    let browser = Browser::start(&server.base).await;
    let zone = json!({"timezoneId": "Asia/Tokyo"});
    browser.cdp("Emulation.setTimezoneOverride", zone).await;
    browser.sign_in("admin").await;
    browser.go("/admin/tokens").await;
    let hint = browser.text("#pat-f-zone").await;
    assert_eq!(hint, "Days in Asia/Tokyo, both included.");
    // In Tokyo it is the 27th.
    browser
        .run("document.querySelector('[name=created_from]').value = '2026-02-27'")
        .await;
    browser.follow(".pat-filter .pat-primary").await;
    assert_eq!(
        browser.path().await,
        "/admin/tokens?created_from=2026-02-27&zone=Asia%2FTokyo"
    );
    assert_eq!(browser.count("tbody tr").await, 1);
    // An administrator who follows the link sees the same, in the same zone.
    let zone = json!({"timezoneId": "America/New_York"});
    browser.cdp("Emulation.setTimezoneOverride", zone).await;
    browser.driver.refresh().await.expect("a reload");
    assert_eq!(browser.count("tbody tr").await, 1);
    assert_eq!(browser.text("#pat-f-zone").await, hint);
    assert_eq!(browser.text(".pat-zone").await, "Times are in Asia/Tokyo.");
    let created = browser.find("td[data-label=Created] time").await;
    let title = created
        .attr("title")
        .await
        .expect("a title")
        .expect("a title");
    assert!(title.starts_with("Fri, Feb 27, 2026, 7:42"), "{title}");
    browser.stop().await;
}

pub(super) async fn a_token_is_gone_after_back_and_on_paper() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    browser.go("/tokens").await;
    browser.go("/tokens/new?name=ci").await;
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;
    // On paper there is neither the token nor what can be pressed.
    browser
        .cdp("Emulation.setEmulatedMedia", json!({"media": "print"}))
        .await;
    let printed = browser.text("body").await;
    assert!(
        !printed.contains(&token) && printed.contains("not printed"),
        "{printed}"
    );
    let shown = "return [...document.querySelectorAll('button, a, nav, header, details')]\
                 .filter(part => part.checkVisibility()).map(part => part.outerHTML)";
    assert_eq!(browser.run(shown).await, json!([]));
    browser
        .cdp("Emulation.setEmulatedMedia", json!({"media": ""}))
        .await;
    assert!(browser.text("body").await.contains(&token));
    // Back, forward, and back from another page: with and without the cache of whole pages.
    let assert_gone = async |step: &str| {
        let page = browser
            .run("return document.documentElement.outerHTML")
            .await;
        let page = page.as_str().expect("a text").to_owned();
        assert!(!page.contains(&token[4..]), "{step}: {page}");
    };
    browser.follow(".pat-buttons a.pat-primary").await;
    assert_gone("the list").await;
    for step in ["back", "back", "forward", "forward"] {
        browser.run(&format!("history.{step}()")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_gone(step).await;
    }
    browser.driver.refresh().await.expect("a reload");
    assert_gone("a reload").await;
    browser.go("/tokens").await;
    assert_eq!(browser.count("tbody tr").await, 1);
    browser.stop().await;
}
