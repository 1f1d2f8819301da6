//! Administrators filter, select and revoke.

use pat_harness::Server;
use pat_harness::browser::Browser;
use reqwest::StatusCode;
use thirtyfour::Key;

use super::create;

pub(super) async fn an_administrator_filters_and_revokes() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "100")]).await;
    let mut tokens = Vec::new();
    for number in 0..6 {
        tokens.push(create(&server, "alice", &format!("build {number}"), 30).await);
    }
    let backup = create(&server, "bob", "backup", 90).await;
    let other = create(&server, "bob", "build of bob", 3).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    browser.follow("header a[href='/admin/tokens']").await;
    assert_eq!(browser.text(".pat-count").await, "8 tokens");

    // Filters work together, and the order can be turned round.
    browser.fill("#pat-f-name", "BUILD").await;
    browser.fill("#pat-f-owner", "liddell").await;
    browser.follow(".pat-filter .pat-primary").await;
    assert_eq!(browser.text(".pat-count").await, "6 tokens");
    // Owners are suggested as one types: the key goes into the field.
    browser.fill("#pat-f-owner", "LIDD").await;
    let suggested = browser.find("#pat-f-owners option[value=alice]").await;
    let label = suggested.attr("label").await.expect("an attribute");
    let label = label
        .expect("a label")
        .replace(['\u{2068}', '\u{2069}'], "");
    assert_eq!(label, "Alice Liddell · alice · alice@example.com");
    assert_eq!(browser.count("#pat-f-owners option").await, 1);
    browser.fill("#pat-f-owner", "b").await;
    browser.find("#pat-f-owners option[value=bob]").await;
    browser.fill("#pat-f-owner", "alice").await;
    browser.follow(".pat-filter .pat-primary").await;
    assert_eq!(browser.text(".pat-count").await, "6 tokens");
    browser.follow("thead th:nth-child(2) button").await;
    assert_eq!(
        browser.text("tbody tr:first-child .pat-name bdi").await,
        "build 0"
    );
    browser.follow("thead th:nth-child(2) button").await;
    assert_eq!(
        browser.text("tbody tr:first-child .pat-name bdi").await,
        "build 5"
    );
    let order = browser
        .find("thead th:nth-child(2)")
        .await
        .attr("aria-sort")
        .await;
    assert_eq!(order.expect("an attribute").as_deref(), Some("descending"));

    // All on the page, but one of them not.
    browser.click("[data-each]").await;
    assert_eq!(browser.text(".pat-selected").await, "Selected: 6");
    // There are no more than these to be selected.
    assert_eq!(browser.count("[data-all]").await, 0);
    browser.click("tbody tr:first-child input").await;
    assert_eq!(browser.text(".pat-selected").await, "Selected: 5");
    browser.follow("button[value=selected]").await;
    assert_eq!(browser.text("h1").await, "Revoke 5 tokens?");
    assert_eq!(browser.count(".pat-selection li").await, 5);
    browser.fill("#pat-reason", "the old build is gone").await;
    browser.follow("main .pat-danger").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 5 tokens.");
    // A reload does not say it again, and keeps the filter.
    assert_eq!(browser.path().await, "/admin/tokens?name=BUILD&owner=alice");
    assert_eq!(browser.text(".pat-count").await, "1 token");
    for (number, token) in tokens.iter().enumerate() {
        let expected = if number == 5 {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        assert_eq!(server.try_token(token).await, expected, "{number}");
    }

    all_that_match(&server, &browser).await;
    for (token, expected) in [
        (&other, StatusCode::UNAUTHORIZED),
        (&backup, StatusCode::OK),
    ] {
        assert_eq!(server.try_token(token).await, expected);
    }
    browser.stop().await;
}

/// All that a filter finds is selected beyond the page, and not revoked if there are more meanwhile.
async fn all_that_match(server: &Server, browser: &Browser) {
    for number in 0..52 {
        create(server, "alice", &format!("late {number}"), 2).await;
    }
    let is_shown = async |selector: &str| {
        let element = browser.find(selector).await;
        element.is_displayed().await.expect("an element")
    };
    browser.go("/admin/tokens?expires_to=2026-03-10").await;
    assert_eq!(browser.text(".pat-count").await, "1–50 of 53");
    assert!(!is_shown("[data-all=page]").await && !is_shown("[data-unscripted]").await);
    browser.click("[data-each]").await;
    assert_eq!(browser.text(".pat-selected").await, "Selected: 50");
    let offer = browser.text("[data-all=page]").await;
    let lines = [
        "All 50 on this page are selected.",
        "Select all 53 that match",
    ];
    assert_eq!(offer, lines.join("\n"));
    // By the keyboard, which finds itself where the next choice is.
    let button = browser.find("[data-all=page] button").await;
    button.send_keys(Key::Enter + "").await.expect("a key");
    let selected = browser.text("[data-all=found]").await;
    let lines = ["All 53 that match are selected.", "Clear selection"];
    assert_eq!(selected, lines.join("\n"));
    assert!(!is_shown("[data-all=page]").await);
    let focused = "return document.activeElement.textContent";
    assert_eq!(browser.run(focused).await, "Clear selection");
    // One that is left out leaves all but the page's out.
    browser.click("tbody tr:first-child input").await;
    assert!(!is_shown("[data-all=found]").await && !is_shown("[data-all=page]").await);
    assert_eq!(browser.text(".pat-selected").await, "Selected: 49");
    assert_eq!(browser.count("button[value=found]").await, 1);
    browser.click("tbody tr:first-child input").await;
    browser.click("[data-all=page] button").await;
    browser.click("[data-all=found] button").await;
    assert_eq!(browser.count("input[name=id]:checked").await, 0);

    // On a narrow screen, where each token is a card, the same is there.
    browser.screen(360, false).await;
    browser.click("[data-each]").await;
    browser.click("[data-all=page] button").await;
    browser.wide(false).await;
    browser
        .follow("form[data-select] button:not([data-unscripted])[name=what]")
        .await;
    assert_eq!(browser.text("h1").await, "Revoke 53 tokens?");
    create(server, "alice", "later", 2).await;
    browser.fill("#pat-typed", "53").await;
    browser.follow("main .pat-danger").await;
    assert!(browser.text(".pat-warn").await.contains("54 tokens now"));
    browser.fill("#pat-typed", "54").await;
    browser.follow("main .pat-danger").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 54 tokens.");

    // Nothing is revoked by the filter before there is one.
    for number in 0..52 {
        create(server, "alice", &format!("more {number}"), 30).await;
    }
    browser.go("/admin/tokens").await;
    assert_eq!(browser.count("button[value=found]").await, 0);
    browser.click("[data-each]").await;
    let hint = browser.text("[data-all=page]").await;
    assert!(hint.ends_with("set a filter first."), "{hint}");
    assert_eq!(browser.count("[data-all] button").await, 0);
}
