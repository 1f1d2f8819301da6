//! The pages as people see them: in a browser, with and without JavaScript, on wide and narrow
//! screens, in light and dark.

mod check;
mod desk;
mod examples;
mod feedback;
mod guide;
mod lists;
mod lives;
mod scopes;

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::browser::{Browser, missing};
use pat_harness::{Server, TOKENS, answer, trial_with_need};
use reqwest::StatusCode;
use serde_json::json;
use thirtyfour::Key;

pub(super) use self::check::check;
pub(crate) use self::check::take_picture;
use self::check::trial_of_states;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial_with_need(
            "browser",
            missing(),
            a_token_is_created_copied_and_revoked_in_the_browser,
        ),
        trial_with_need("browser", missing(), forms_work_without_scripts),
        trial_with_need("browser", missing(), an_administrator_filters_and_revokes),
        trial_with_need("browser", missing(), the_reference_works_under_its_policy),
        trial_with_need("browser", missing(), lives::a_token_is_replaced_and_paused),
        trial_with_need(
            "browser",
            missing(),
            lives::a_token_is_replaced_without_scripts,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_form_survives_a_lost_session_and_a_lost_cookie,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::changes_are_said_by_name_and_have_the_focus,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_form_says_when_the_token_expires,
        ),
        trial_with_need("browser", missing(), feedback::characters_are_counted),
        trial_with_need(
            "browser",
            missing(),
            feedback::the_filter_sends_the_zone_of_the_browser,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_token_is_gone_after_back_and_on_paper,
        ),
        trial_with_need(
            "browser",
            missing(),
            examples::examples_keep_the_token_out_of_the_list_of_processes,
        ),
        trial_with_need("browser", missing(), scopes::scopes_are_chosen),
        trial_with_need("browser", missing(), scopes::boxes_work_without_scripts),
        trial_with_need(
            "browser",
            missing(),
            lists::tokens_of_two_pages_are_selected,
        ),
        trial_with_need(
            "browser",
            missing(),
            lists::tokens_of_two_pages_are_selected_without_scripts,
        ),
        trial_with_need(
            "browser",
            missing(),
            lists::a_selection_is_kept_when_the_list_is_sorted_and_filtered,
        ),
        trial_with_need("browser", missing(), lists::the_filter_is_folded_on_phones),
        trial_of_states(lists::long_own_lists_are_accessible),
        trial_of_states(lists::long_lists_of_administrators_are_accessible),
        trial_of_states(scopes::pages_with_scopes_are_accessible),
        trial_of_states(pages_are_accessible),
        trial_of_states(guide::pages_of_the_documentation_are_accessible),
        trial_of_states(lives::pages_about_one_token_are_accessible),
        trial_of_states(super::languages::pages_from_right_to_left_are_accessible),
        trial_of_states(desk::pages_of_the_desk_are_accessible),
        trial_with_need(
            "browser",
            missing(),
            desk::a_leaked_token_is_found_and_revoked,
        ),
        trial_with_need("browser", missing(), desk::the_desk_works_without_scripts),
    ]
}

const DAY: Duration = Duration::from_hours(24);

async fn a_token_is_created_copied_and_revoked_in_the_browser() {
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

async fn forms_work_without_scripts() {
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

/// The description of the REST router is read, shown and tried, and nothing is blocked or fetched from
/// elsewhere.
async fn the_reference_works_under_its_policy() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    let note = "window.refused = []; document.addEventListener('securitypolicyviolation', \
                event => refused.push(event.violatedDirective + ' ' + event.blockedURI));";
    let note = json!({"source": note});
    browser
        .cdp("Page.addScriptToEvaluateOnNewDocument", note)
        .await;
    browser.sign_in("alice").await;
    browser.go("/reference/").await;
    let operation = "#operations-Tokens-createToken";
    browser.click(&format!("{operation} button")).await;
    assert_eq!(browser.count(".opblock").await, 20);
    // What is proposed can be read.
    let proposed = browser.find(&format!("{operation} textarea")).await;
    let proposed = proposed.value().await.expect("a value").expect("a body");
    assert!(proposed.contains("\"name\": \"ci\""), "{proposed}");
    let body = json!({"name": "by hand", "expirationDuration": 5});
    browser
        .fill(&format!("{operation} textarea"), &body.to_string())
        .await;
    // The session of this browser counts.
    browser.click(&format!("{operation} .execute")).await;
    let answer = format!("{operation} .live-responses-table .response");
    let answer = browser.text(&answer).await;
    assert!(
        answer.contains("201") && answer.contains("rawToken"),
        "{answer}"
    );
    // A token counts too, once it is given.
    let token = server.create("bob").await;
    browser.go("/reference/").await;
    browser.click(".btn.authorize").await;
    browser.fill("#auth-bearer-value", &token.raw).await;
    let form = ".auth-container:has(#auth-bearer-value)";
    browser.click(&format!("{form} .authorize")).await;
    browser.click(".auth-btn-wrapper .btn-done").await;
    let operation = "#operations-Tokens-findCurrentToken";
    browser.click(&format!("{operation} button")).await;
    browser.click(&format!("{operation} .execute")).await;
    let answer = format!("{operation} .live-responses-table .response");
    let answer = browser.text(&answer).await;
    assert!(
        answer.contains("200") && answer.contains(&token.id.to_string()),
        "{answer}"
    );
    assert_eq!(browser.run("return refused").await, json!([]));
    let elsewhere = "return performance.getEntriesByType('resource').map(entry => entry.name)\
                     .filter(name => /^https?:/.test(name) && !name.startsWith(location.origin))";
    assert_eq!(browser.run(elsewhere).await, json!([]));
    // The policy is in force, and what it refuses is noted.
    browser
        .run("document.body.appendChild(document.createElement('script')).text = '1'")
        .await;
    let refused = browser.run("return refused.join()").await;
    assert_eq!(refused, "script-src-elem inline");
    browser.stop().await;
}

/// The note on the list says this, and has the focus. (The list isolates names.)
async fn assert_note(browser: &Browser, expected: &str) {
    let note = browser.text(".pat-note:focus").await;
    assert_eq!(note.replace(['\u{2068}', '\u{2069}'], ""), expected);
}

/// Creates a token by the REST interface.
async fn create(server: &Server, user: &str, name: &str, days: u32) -> String {
    let body = json!({"name": name, "expirationDuration": days});
    let request = server.post(TOKENS).basic_auth(user, Some(user)).json(&body);
    answer(request).await.created().raw
}

async fn an_administrator_filters_and_revokes() {
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
    browser.follow("thead th:nth-child(2) a").await;
    assert_eq!(
        browser.text("tbody tr:first-child .pat-name bdi").await,
        "build 0"
    );
    browser.follow("thead th:nth-child(2) a").await;
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

async fn pages_are_accessible() {
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
