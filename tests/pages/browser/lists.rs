//! Lists with several pages, what is selected on them, and their filter.

use pat_core::{Caller, Owner, TokenId, TokenRequest};
use pat_harness::Server;
use pat_harness::browser::Browser;
use serde_json::json;
use thirtyfour::Key;

use super::check::check;
use super::{DAY, create};

/// A server on which alice has so many tokens.
async fn server_with(count: usize) -> Server {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "2000")]).await;
    let alice = Caller::header_authenticated(Owner::new("alice").expect("an owner"));
    for number in 0..count {
        server.clock.advance(std::time::Duration::from_secs(1));
        let request = TokenRequest::new(format!("n{number:03}"), Some(30));
        server.pats.create(&alice, request).await.expect("a token");
    }
    server
}

/// The box in the row with this number.
fn row_box(number: usize) -> String {
    format!("tbody tr:nth-child({number}) input")
}

pub(super) async fn tokens_of_two_pages_are_selected() {
    let server = server_with(60).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    browser.go("/admin/tokens?sort=name&order=asc").await;
    for number in [2, 50] {
        browser.click(&row_box(number)).await;
    }
    // The bar with the button is there at the end of the page, too, and hides nothing that has the focus.
    let top = "return document.querySelector('.pat-bar').getBoundingClientRect().top";
    browser.run("scrollTo(0, document.body.scrollHeight)").await;
    assert_eq!(browser.run(top).await, 0);
    let hidden = "document.querySelectorAll('tbody a')[4].focus(); \
         return document.activeElement.getBoundingClientRect().top \
         < document.querySelector('.pat-bar').getBoundingClientRect().bottom";
    assert_eq!(browser.run(hidden).await, false);
    browser.follow("button[name=after]").await;
    assert_eq!(browser.text(".pat-count").await, "51–60 of 60");
    assert_eq!(browser.text("[data-selected]").await, "Selected: 2");
    assert_eq!(
        browser.text(".pat-selected").await,
        "Selected: 2 (2 not on this page) Clear selection"
    );
    browser.click(&row_box(1)).await;
    assert_eq!(browser.text("[data-selected]").await, "Selected: 3");
    // By the keyboard, to the page before.
    let previous = browser.find("button[name=before]").await;
    previous.send_keys(Key::Enter + "").await.expect("a key");
    browser.find(&format!("{}:checked", row_box(50))).await;
    assert_eq!(
        browser.count("input[type=checkbox][name=id]:checked").await,
        2
    );
    assert_eq!(browser.text("[data-selected]").await, "Selected: 3");
    browser.follow("button[value=selected]").await;
    assert_eq!(browser.text("h1").await, "Revoke 3 tokens?");
    assert_eq!(browser.text("main .pat-danger").await, "Revoke 3 tokens");
    browser.follow("main .pat-danger").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 3 tokens.");

    // All that match stay selected, until one is not.
    browser.go("/admin/tokens?name=n").await;
    browser.click("[data-each]").await;
    browser.click("[data-all=page] button").await;
    browser.follow("button[name=after]").await;
    let found = browser.find("[data-all=found]").await;
    assert!(found.is_displayed().await.expect("a text"));
    assert_eq!(
        browser
            .count("button[value=found]:not([data-unscripted])")
            .await,
        1
    );
    browser.click(&row_box(1)).await;
    assert!(!found.is_displayed().await.expect("a text"));
    assert_eq!(browser.text("[data-selected]").await, "Selected: 6");
    browser.click("[data-each]").await;
    browser.click("[data-each]").await;
    assert_eq!(browser.text("[data-selected]").await, "");
    let button = browser.find("button[value=selected]").await;
    assert!(!button.is_enabled().await.expect("a button"));
    browser.stop().await;
}

pub(super) async fn tokens_of_two_pages_are_selected_without_scripts() {
    let server = server_with(60).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    let no_script = json!({"value": true});
    browser
        .cdp("Emulation.setScriptExecutionDisabled", no_script)
        .await;
    let follow = async |selector: &str, then: &str| {
        browser.click(selector).await;
        browser.find(then).await;
    };
    browser.go("/admin/tokens?sort=name&order=asc").await;
    // The filter opens without a script.
    browser.click(".pat-filter summary").await;
    let field = browser.find("#pat-f-name").await;
    assert!(field.is_displayed().await.expect("a field"));
    browser.click(&row_box(1)).await;
    follow("button[name=after]", "button[name=before]").await;
    assert!(
        browser
            .text(".pat-selected")
            .await
            .contains("(1 not on this page)")
    );
    browser.click(&row_box(2)).await;
    follow("button[value=selected]", "#pat-reason").await;
    assert_eq!(browser.text("h1").await, "Revoke 2 tokens?");
    follow("main .pat-danger", ".pat-good").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 2 tokens.");
    // All that match are revoked by the number.
    browser.go("/admin/tokens?name=n").await;
    follow("button[value=found]", "#pat-typed").await;
    browser.fill("#pat-typed", "57").await;
    follow("main .pat-danger", "#pat-typed-error").await;
    browser.fill("#pat-typed", "58").await;
    follow("main .pat-danger", ".pat-good").await;
    assert_eq!(browser.text(".pat-good").await, "Revoked: 58 tokens.");
    browser.stop().await;
}

pub(super) async fn a_selection_is_kept_when_the_list_is_sorted_and_filtered() {
    let server = server_with(3).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    for is_scripted in [true, false] {
        let follow = async |selector: &str, then: &str| {
            // What a script moves while the page loads is no aim.
            if is_scripted {
                browser.follow(selector).await;
            } else {
                browser.click(selector).await;
            }
            browser.find(then).await;
        };
        let no_script = json!({"value": !is_scripted});
        browser
            .cdp("Emulation.setScriptExecutionDisabled", no_script)
            .await;
        browser.go("/admin/tokens?sort=name&order=asc").await;
        browser.click(&row_box(1)).await;
        // Enter in a box shows the same list.
        browser
            .run("document.documentElement.dataset.old = true")
            .await;
        let first = browser.find(&row_box(1)).await;
        first.send_keys(Key::Enter + "").await.expect("a key");
        browser.find("html:not([data-old])").await;
        let path = browser.path().await;
        let list = "/admin/tokens?sort=name&order=asc&id=";
        assert!(path.starts_with(list), "{path}");
        follow("[aria-sort=ascending] button", "[aria-sort=descending]").await;
        assert!(browser.is_checked(&row_box(3)).await);
        browser.click(&row_box(1)).await;
        // No token never expires.
        follow(".pat-quick li:nth-child(3) button", ".pat-empty").await;
        let selected = browser.text(".pat-selected").await;
        assert!(selected.contains("(2 not on this page)"), "{selected}");
        follow(".pat-quick [aria-current]", "[aria-sort=descending]").await;
        let boxes = [1, 2, 3].map(row_box);
        for (number, is_checked) in [(0, true), (1, false), (2, true)] {
            assert_eq!(browser.is_checked(&boxes[number]).await, is_checked);
        }
        let path = browser.path().await;
        let list = "/admin/tokens?sort=name&order=desc&id=";
        assert!(path.starts_with(list), "{path}");
        // With a script, the filter also knows what was selected since.
        browser.click(&boxes[1]).await;
        if !is_scripted {
            browser.click(".pat-filter summary").await;
        }
        browser.fill("#pat-f-name", "n00").await;
        follow(".pat-filter .pat-primary", "#pat-f-name[value=n00]").await;
        assert_eq!(browser.is_checked(&boxes[1]).await, is_scripted);
        if !is_scripted {
            browser.click(".pat-filter summary").await;
        }
        follow("button[value='?']", "#pat-f-name[value='']").await;
        for number in [0, 2] {
            assert!(browser.is_checked(&boxes[number]).await, "{number}");
        }
        assert!(!browser.path().await.contains("name="));
    }
    browser.stop().await;
}

pub(super) async fn the_filter_is_folded_on_phones() {
    let server = server_with(1).await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    let is_open = "return document.querySelector('.pat-filter').open";
    browser.go("/admin/tokens").await;
    assert_eq!(browser.run(is_open).await, true);
    browser.screen(360, false).await;
    browser
        .go("/admin/tokens?name=n&status=ACTIVE&unused=always")
        .await;
    assert_eq!(browser.run(is_open).await, false);
    assert_eq!(browser.text(".pat-filter summary").await, "Filter (2)");
    let summary = browser.find(".pat-filter summary").await;
    summary.send_keys(Key::Enter + "").await.expect("a key");
    assert_eq!(browser.run(is_open).await, true);
    browser.fill("#pat-f-name", "n0").await;
    browser.follow(".pat-filter .pat-primary").await;
    assert_eq!(browser.text(".pat-count").await, "1 token");
    // What is wrong in it is in view.
    browser.go("/admin/tokens?created_from=x").await;
    assert_eq!(browser.run(is_open).await, true);
    browser.go("/admin/tokens").await;
    browser.wide(false).await;
    browser.find(".pat-filter[open]").await;
    browser.stop().await;
}

/// A server with tokens in every state, of users who are active, inactive and gone; and the ID of one to pause.
async fn server_with_all() -> (Server, TokenId) {
    let server = server_with(103).await;
    let paused = create(&server, "bob", "paused", 90).await;
    create(
        &server,
        "bob",
        "a-very-long-name-without-any-space-in-it",
        3,
    )
    .await;
    let paused = server.pats.authenticate(paused.as_bytes()).await;
    let paused = paused.expect("a good token").token_id();
    let owner = |key: &str| Owner::new(key).expect("a key");
    let alice = Caller::header_authenticated(owner("alice"));
    let revoked = server.pats.list(&alice).await.expect("a list")[0].id;
    server
        .pats
        .revoke(&alice, revoked)
        .await
        .expect("a revocation");
    let users = [("zoe", "Zoë Żółć"), ("gone", "Gone")];
    server.users.add(&users).await.expect("users");
    for (user, _) in users {
        create(&server, user, &format!("of {user}"), 90).await;
    }
    server
        .users
        .set_active(&owner("zoe"), false)
        .await
        .expect("a change");
    server.users.remove(&owner("gone")).await.expect("a change");
    server.clock.advance(DAY);
    (server, paused)
}

pub(super) async fn long_own_lists_are_accessible() {
    let (server, _) = server_with_all().await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    for (path, state) in [
        ("/tokens", "an own list with pages"),
        (
            "/tokens?page=2&sort=name&order=desc",
            "the last page of an own list",
        ),
        (
            "/tokens?show=revoked&sort=status&order=desc",
            "own revoked tokens",
        ),
        ("/tokens?contains=n1", "an own list that is searched"),
        (
            "/tokens?contains=nothing",
            "an own list in which nothing is found",
        ),
    ] {
        browser.go(path).await;
        check(&browser, state).await;
    }
    browser.stop().await;
}

pub(super) async fn long_lists_of_administrators_are_accessible() {
    let (server, paused) = server_with_all().await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("admin").await;
    for (path, state) in [
        (
            "/admin/tokens?owner_state=inactive",
            "tokens of inactive owners",
        ),
        (
            "/admin/tokens?unused=x",
            "a quick filter that does not exist",
        ),
        (
            "/admin/tokens?sort=status&order=desc&expiring=30",
            "a quick filter",
        ),
        (
            "/admin/tokens?selected=too-many",
            "too many selected tokens",
        ),
        (
            "/admin/tokens/revoke?what=found&name=n",
            "the question about many tokens",
        ),
    ] {
        browser.go(path).await;
        check(&browser, state).await;
    }
    browser.fill("#pat-typed", "7").await;
    browser.follow("main .pat-danger").await;
    browser.find("#pat-typed-error").await;
    check(&browser, "a number that was mistyped").await;
    browser.go("/admin/tokens").await;
    browser.click(&row_box(1)).await;
    browser.follow("button[name=after]").await;
    check(&browser, "a page in the middle with a selection").await;
    browser.go(&format!("/admin/tokens/{paused}/pause")).await;
    check(&browser, "an administrator pauses a token").await;
    browser.follow("main .pat-primary").await;
    check(&browser, "an administrator has paused a token").await;
    browser.go(&format!("/admin/tokens/{paused}/resume")).await;
    check(&browser, "an administrator resumes a token").await;
    browser.stop().await;
}
