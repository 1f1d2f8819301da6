//! What goes wrong between a form and its answer: the user loses nothing that was typed, and nothing is done without the user.

use std::time::Duration;

use pat_harness::{Answer, Server, TOKENS, answer};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use super::lives::start;
use super::{ADMIN, Session, form};

/// A request of a browser, for a person to see the answer.
fn for_person(request: RequestBuilder) -> RequestBuilder {
    request.header("accept", "text/html,*/*;q=0.8")
}

/// Where an answer leads, from this path.
fn target(path: &str, answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let base = url::Url::parse(&format!("http://host{path}")).expect("an address");
    let target = base.join(answer.header("location").expect("a link"));
    let target = target.expect("a link");
    target[url::Position::BeforePath..].to_owned()
}

/// The path that the sign-in leads to.
fn return_path(answer: &Answer) -> String {
    let sign_in = url::Url::parse(&format!("http://host{}", target("/", answer)));
    let sign_in = sign_in.expect("an address");
    assert_eq!(sign_in.path(), "/login");
    let (name, path) = sign_in.query_pairs().next().expect("a parameter");
    assert_eq!(name, "return_to");
    path.into_owned()
}

/// The path of a form, what may be typed into it, and what is seen of that when the form is shown again.
type FilledForm = (String, Vec<(&'static str, String)>, Vec<String>);

fn filled_forms(id: i64) -> Vec<FilledForm> {
    let text = |text: &str| text.to_owned();
    vec![
        (
            text("/tokens/new"),
            vec![
                ("name", text("a <b> & c")),
                ("description", text("nightly Ünïcode")),
                ("expires", text("days")),
                ("days", text("20")),
                ("access", text("scopes")),
                ("scope", text("read")),
            ],
            vec![
                text("value=\"a &#60;b&#62; &#38; c\""),
                text("value=\"nightly Ünïcode\""),
                text("value=\"days\" checked"),
                text("name=\"days\" value=\"20\""),
                text("name=\"scope\" value=\"read\" data-includes=\"\" checked"),
            ],
        ),
        (
            format!("/tokens/{id}/edit"),
            vec![("name", text("renamed")), ("description", text("again"))],
            vec![text("value=\"renamed\""), text("value=\"again\"")],
        ),
        (
            format!("/tokens/{id}/replace"),
            vec![("overlap", text("86400")), ("expires", text("7"))],
            vec![
                text("value=\"86400\" checked"),
                text("value=\"7\" data-seconds=\"604800\" checked"),
            ],
        ),
        (
            format!("/tokens/{id}/revoke"),
            vec![("family", text("true"))],
            vec![text("name=\"family\" value=\"true\" checked")],
        ),
        (
            text("/admin/tokens/revoke"),
            vec![("id", id.to_string()), ("reason", text("it & leaked"))],
            vec![
                format!("name=\"id\" value=\"{id}\""),
                text(">it &#38; leaked</textarea>"),
            ],
        ),
    ]
}

/// Asserts that a form is shown with the sentence and with what was typed.
fn assert_filled(page: &Answer, sentence: &str, seen: &[String]) {
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains(sentence), "{}", page.body);
    for expected in seen {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
}

pub(super) async fn a_form_is_filled_in_after_the_sign_in() {
    let server = Server::start().await;
    let token = server.create("admin").await;
    let admin = Session::start(&server, "admin").await;
    for (path, fields, seen) in filled_forms(token.id) {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let fields: Vec<_> = fields
            .chain([("form_token", "x"), ("sheet", "y")])
            .collect();
        let send = || for_person(form(&server, &path, &fields));
        let back = return_path(&answer(send()).await);
        assert!(back.starts_with(&format!("{path}?")), "{back}");
        assert!(
            !back.contains("form_token") && !back.contains("sheet"),
            "{back}"
        );
        let page = admin.get(&server, &back).await;
        assert_filled(&page, "You had been signed out", &seen);
        // What another site sends is not filled in.
        let forged = send().header("sec-fetch-site", "cross-site");
        let list = if path.starts_with(ADMIN) {
            ADMIN
        } else {
            "/tokens"
        };
        assert_eq!(return_path(&answer(forged).await), list);
    }
    // What is too long for an address is left out.
    let reason = "x".repeat(3_000);
    let fields = [("reason", reason.as_str())];
    let long = for_person(form(&server, "/admin/tokens/revoke", &fields));
    assert_eq!(return_path(&answer(long).await), ADMIN);
    // Nothing was done.
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let listed = answer(server.get(TOKENS).basic_auth("admin", Some("admin"))).await;
    assert_eq!(listed.json().as_array().map(Vec::len), Some(1));
    assert_eq!(listed.json()[0]["name"], "ci");
}

pub(super) async fn a_form_without_its_token_is_shown_again() {
    let server = Server::start().await;
    let token = server.create("admin").await;
    let admin = Session::start(&server, "admin").await;
    let other = Session::start(&server, "admin").await;
    let session = admin.cookies.split("; ").next().expect("a session");
    for (path, fields, seen) in filled_forms(token.id) {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let own = ("form_token", admin.form_token.as_str());
        let others = ("form_token", other.form_token.as_str());
        // The browser has lost the cookie of the forms; the token is another session's; there is none.
        for (cookies, form_token) in [
            (session, Some(own)),
            (&*admin.cookies, Some(others)),
            (&*admin.cookies, None),
        ] {
            let fields: Vec<_> = fields.clone().chain(form_token).collect();
            let send = || for_person(form(&server, &path, &fields)).header("cookie", cookies);
            let again = target(&path, &answer(send()).await);
            let page = for_person(server.get(&again)).header("cookie", cookies);
            assert_filled(&answer(page).await, "This form had expired", &seen);
            // From another site, or by a program, it is refused as it always was.
            for request in [
                send().header("sec-fetch-site", "cross-site"),
                send().header("origin", "https://evil.example"),
                form(&server, &path, &fields).header("cookie", cookies),
            ] {
                let refused = answer(request).await;
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
                assert!(refused.body.contains("Nothing was done"), "{path}");
            }
        }
    }
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    // The form that is shown again works.
    let fields = [("name", "typed once"), ("expires", "30")];
    let lost = for_person(form(&server, "/tokens/new", &fields)).header("cookie", session);
    let again = target("/tokens/new", &answer(lost).await);
    let page = answer(for_person(server.get(&again)).header("cookie", session)).await;
    let mut admin = admin;
    admin.take_cookie(&page);
    admin.form_token = super::field(&page.body, "form_token");
    let created = answer(admin.post(&server, "/tokens/new", &fields)).await;
    assert_eq!(created.status, StatusCode::CREATED);
}

pub(super) async fn what_is_revoked_already_is_said_on_the_list() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let kept = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let bob = Session::start(&server, "bob").await;
    let path = format!("/tokens/{}/revoke", token.id);
    answer(alice.post(&server, &path, &[])).await;
    for again in [
        alice.get(&server, &path).await,
        answer(alice.post(&server, &path, &[])).await,
    ] {
        let list = target(&path, &again);
        assert_eq!(list, format!("/tokens?gone={}", token.id));
        let page = alice.get(&server, &list).await;
        let note = "“\u{2068}ci\u{2069}” was already revoked.";
        assert!(page.body.contains(note), "{}", page.body);
    }
    // The note is about what is so, and about tokens of one's own.
    for (session, query) in [
        (&alice, format!("revoked={}", kept.id)),
        (&alice, format!("gone={}", kept.id)),
        (&bob, format!("revoked={}", token.id)),
        (&bob, format!("changed={}", kept.id)),
        (&alice, "revoked=5".to_owned()),
        (&alice, "revoked=<b>".to_owned()),
        (&alice, "revoked".to_owned()),
    ] {
        let page = session.get(&server, &format!("/tokens?{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("pat-note"), "{query}: {}", page.body);
    }
    assert_eq!(bob.get(&server, &path).await.status, StatusCode::NOT_FOUND);
}

pub(super) async fn a_link_with_a_mistake_shows_it_at_the_field() {
    let server = Server::with(&[("atlassian.pats.eternal.tokens.enabled", "false")]).await;
    let alice = Session::start(&server, "alice").await;
    for (query, id, error, kept) in [
        (
            "expires=1000",
            "expiry",
            "365 days",
            "name=\"days\" value=\"1000\"",
        ),
        (
            "expires=-5",
            "expiry",
            "at least one day",
            "name=\"days\" value=\"-5\"",
        ),
        (
            "expires=never",
            "expiry",
            "never expire are not allowed",
            "",
        ),
        (
            "expires=2020-01-01",
            "expiry",
            "after today",
            "value=\"2020-01-01\"",
        ),
        ("expires=soon", "expiry", "Choose when", ""),
        (
            "name=12345678901234567890123456789012345678901",
            "name",
            "longer than 40",
            "value=\"12345678901234567890123456789012345678901\"",
        ),
    ] {
        let page = alice.get(&server, &format!("/tokens/new?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let (_, text) = page
            .body
            .split_once(&format!("id=\"pat-{id}-error\">"))
            .unwrap_or_else(|| panic!("{query}: {}", page.body));
        let text = text.split('<').next().expect("a text");
        assert!(text.contains(error), "{query}: {text}");
        assert!(page.body.contains(kept), "{query}: {}", page.body);
        // Nothing is chosen in place of what was asked for.
        if id == "expiry" {
            assert!(
                !page
                    .body
                    .contains("value=\"90\" data-seconds=\"7776000\" checked")
            );
        }
    }
    let fine = alice.get(&server, "/tokens/new?name=ci&expires=30").await;
    assert!(!fine.body.contains("pat-error"), "{}", fine.body);
}

pub(super) async fn there_is_no_form_where_none_can_be_sent() {
    let off = Server::with(&[("atlassian.pats.enabled", "false")]).await;
    let full = Server::with(&[("atlassian.pats.max.tokens.per.user", "1")]).await;
    full.create("alice").await;
    for (server, note) in [(&off, "switched off"), (&full, "at most 1 is allowed")] {
        let alice = answer(server.get("/tokens/new").basic_auth("alice", Some("alice"))).await;
        assert_eq!(alice.status, StatusCode::OK);
        assert!(alice.body.contains(note), "{}", alice.body);
        assert!(!alice.body.contains("name=\"expires\""), "{}", alice.body);
        assert!(!alice.body.contains("<input"), "{}", alice.body);
        assert!(alice.body.contains("href=\"../tokens\""), "{}", alice.body);
    }
    // What the user typed, before another request created the last token, is a link away.
    let fields = [("name", "typed"), ("expires", "7")];
    let sent = form(&full, "/tokens/new", &fields).basic_auth("alice", Some("alice"));
    let script = answer(
        full.post(TOKENS)
            .basic_auth("bob", Some("bob"))
            .json(&json!({"name": "x"})),
    );
    let bobs = script.await.created();
    let refused = answer(form(&full, "/tokens/new", &fields).bearer_auth(&bobs.raw)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body.contains("tokens/new?name=typed&#38;expires=7"),
        "{}",
        refused.body
    );
    assert_eq!(answer(sent).await.status, StatusCode::FORBIDDEN);
}

pub(super) async fn addresses_have_no_empty_fields() {
    let server = Server::start().await;
    let admin = Session::start(&server, "admin").await;
    let get = async |path: &str| {
        let request = for_person(server.get(path)).header("cookie", &admin.cookies);
        answer(request).await
    };
    for (query, expected) in [
        ("name=&owner=&status=EXPIRED&zone=UTC", "?status=EXPIRED"),
        ("name=&owner=", ""),
    ] {
        let cleaned = get(&format!("{ADMIN}?{query}")).await;
        assert_eq!(target(ADMIN, &cleaned), format!("{ADMIN}{expected}"));
    }
    for path in ["?status=EXPIRED", "?created_from=2026-01-01&zone=UTC", ""] {
        let page = get(&format!("{ADMIN}{path}")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
    }
}

pub(super) async fn dates_are_read_in_the_zone_that_was_shown() {
    let server = Server::start().await;
    let created = server.create("alice").await;
    let admin = Session::start(&server, "admin").await;
    // It is 22:42 in UTC, and the next day in Tokyo.
    for (query, zone, is_found) in [
        ("created_from=2026-02-27", "UTC", false),
        (
            "created_from=2026-02-27&zone=Asia%2FTokyo",
            "Asia/Tokyo",
            true,
        ),
        (
            "created_to=2026-02-26&zone=Asia%2FTokyo",
            "Asia/Tokyo",
            false,
        ),
        ("created_to=2026-02-26&zone=Moon%2FBase", "UTC", true),
    ] {
        let page = admin.get(&server, &format!("{ADMIN}?{query}")).await.body;
        let found = page.contains(&format!("value=\"{}\"", created.id));
        assert_eq!(found, is_found, "{query}: {page}");
        let stated = format!("Days in {zone}, both included.");
        assert!(page.contains(&stated), "{query}: {page}");
        // The times of the page are in the same zone, and stay there.
        let stated = format!("data-zone=\"{zone}\"");
        let times = format!("Times are in {zone}.");
        if found {
            assert!(
                page.contains(&stated) && page.contains(&times),
                "{query}: {page}"
            );
        }
    }
    // So is the date on which a token expires.
    let alice = Session::start(&server, "alice").await;
    for (zone, days) in [("UTC", 2), ("Asia/Tokyo", 1)] {
        let fields = [
            ("name", zone),
            ("expires", "date"),
            ("date", "2026-02-28"),
            ("zone", zone),
        ];
        let created = answer(alice.post(&server, "/tokens/new", &fields)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        let expected = if days == 1 { "in 1 day" } else { "in 2 days" };
        assert!(created.body.contains(expected), "{zone}: {}", created.body);
    }
    let zone = Server::with(&[("pat.time.zone", "Europe/Berlin")]).await;
    zone.create("alice").await;
    let page = answer(zone.get("/tokens").basic_auth("alice", Some("alice"))).await;
    assert!(
        page.body.contains("Times are in Europe/Berlin."),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains("title=\"Thu 26 Feb 2026, 23:42\u{a0}CET\""),
        "{}",
        page.body
    );
}

pub(super) async fn what_a_page_says_fits_the_status() {
    let server = start(&[]).await;
    let token = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let [revoke, pause, resume] =
        ["revoke", "pause", "resume"].map(|page| format!("/tokens/{}/{page}", token.id));
    let now = "is refused from now on";
    let paused = "is paused, so it is refused already";
    let expired = "has expired, so it is refused already";
    let says = async |path: &str, expected: &str| {
        let page = alice.get(&server, path).await.body;
        assert!(page.contains(expected), "{path}: {page}");
        for other in [now, paused, expired]
            .into_iter()
            .filter(|other| *other != expected)
        {
            assert!(!page.contains(other), "{path}: {page}");
        }
    };
    says(&revoke, now).await;
    says("/tokens", now).await;
    let done = answer(alice.post(&server, &pause, &[])).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    says(&revoke, paused).await;
    says("/tokens", paused).await;
    server.advance(Duration::from_hours(24 * 100)).await;
    let alice = Session::start(&server, "alice").await;
    let page = alice.get(&server, &resume).await.body;
    assert!(page.contains("so it stays refused"), "{page}");
    answer(alice.post(&server, &resume, &[])).await;
    for path in [&*revoke, "/tokens"] {
        let page = alice.get(&server, path).await.body;
        assert!(
            page.contains(expired) && !page.contains(now),
            "{path}: {page}"
        );
    }
}

pub(super) async fn a_name_that_is_taken_is_noticed() {
    let server = Server::start().await;
    server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let note = "You already have a token with this name.";
    for (query, is_noticed) in [("?name=ci", true), ("?name=other", false), ("", false)] {
        let page = alice
            .get(&server, &format!("/tokens/new{query}"))
            .await
            .body;
        assert_eq!(page.contains(&format!(">{note}</p>")), is_noticed, "{page}");
    }
    for (name, is_noticed) in [("other", false), ("ci", true)] {
        let created = alice.create(&server, name).await;
        assert_eq!(created.status, StatusCode::CREATED);
        let note = "You have another token with this name.";
        assert_eq!(created.body.contains(note), is_noticed, "{name}");
    }
}

/// The focus has one place to begin with, or none.
pub(super) async fn a_page_has_one_autofocus_at_most() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let id = token.id;
    let wrong = [
        ("name", ""),
        ("expires", "days"),
        ("days", "0"),
        ("description", "\u{1}"),
    ];
    let no_name = [("name", "ci"), ("expires", "days"), ("days", "0")];
    let replace = format!("/tokens/{id}/replace");
    let edit = format!("/tokens/{id}/edit");
    let pages = [
        (alice.get(&server, "/tokens").await, 0),
        (
            alice.get(&server, &format!("/tokens?changed={id}")).await,
            1,
        ),
        (
            alice.get(&server, &format!("/tokens?created={id}")).await,
            0,
        ),
        (alice.get(&server, "/tokens/new").await, 1),
        (alice.get(&server, "/tokens/new?expires=1000").await, 1),
        (
            alice
                .get(&server, "/tokens/new?again=expired&expires=days")
                .await,
            1,
        ),
        (answer(alice.post(&server, "/tokens/new", &wrong)).await, 1),
        (
            answer(alice.post(&server, "/tokens/new", &no_name)).await,
            1,
        ),
        (
            answer(alice.post(&server, "/tokens/new", &[("name", "a")])).await,
            1,
        ),
        (answer(alice.post(&server, &edit, &wrong)).await, 1),
        (
            answer(alice.post(&server, &edit, &[("name", "a"), wrong[3]])).await,
            1,
        ),
        (answer(alice.post(&server, &replace, &wrong)).await, 1),
        (
            answer(alice.post(&server, &replace, &[("overlap", "0"), ("expires", "x")])).await,
            1,
        ),
    ];
    for (number, (page, expected)) in pages.iter().enumerate() {
        let count = page.body.matches(" autofocus").count();
        assert_eq!(count, *expected, "page {number}: {}", page.body);
    }
}
