//! The page about one token, and the administrators' pages beside their list.

mod history;
mod identify;
mod mails;
mod overview;

use libtest_mimic::Trial;
use pat_harness::{Answer, NewToken, Server, TOKENS, answer, trial};
use reqwest::StatusCode;
use serde_json::json;

use super::{ADMIN, Session, shown};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_page_names_what_belongs_to_a_token),
        trial(a_revocation_ends_what_the_page_says),
        trial(a_revoked_token_has_a_page),
        trial(history::an_owner_reads_no_name_of_an_administrator),
        trial(history::a_reason_is_the_owners_if_the_owner_is_told),
        trial(history::a_history_has_every_event_once),
        trial(history::refusals_in_a_row_are_one_line),
        trial(history::administrators_see_the_clients_of_events),
        trial(history::a_deleted_token_has_a_page_for_administrators),
        trial(identify::a_secret_is_identified),
        trial(identify::a_secret_is_in_no_answer),
        trial(overview::numbers_are_those_of_their_lists),
        trial(overview::offenders_are_those_of_the_settings),
        trial(overview::unused_tokens_have_a_list),
        trial(mails::a_dead_letter_is_sent_again),
        trial(mails::dead_letters_have_routes),
        trial(mails::all_dead_letters_are_sent_again),
    ]
}

/// The full names of the users `alice` and `admin`.
const ALICE: &str = "Alice Liddell";
const ADMINISTRATOR: &str = "Admin";

/// Creates a token of alice's with another one, or as alice.
async fn create(server: &Server, name: &str, with: Option<&NewToken>) -> NewToken {
    let request = server.post(TOKENS);
    let request = match with {
        None => request.basic_auth("alice", Some("alice")),
        Some(token) => request.bearer_auth(&token.raw),
    };
    let body = json!({"name": name, "description": "<what> for", "expirationDuration": 90});
    answer(request.json(&body)).await.created()
}

async fn page(session: &Session, server: &Server, path: &str) -> Answer {
    let page = session.get(server, path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
    page
}

/// The part of a page between two texts.
fn between<'p>(page: &'p str, start: &str, end: &str) -> &'p str {
    let (_, rest) = page
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start} in {page}"));
    let (part, _) = rest.split_once(end).expect("the end of the part");
    part
}

/// The names of the tokens in the section with this heading.
fn names<'p>(page: &'p str, section: &str) -> Vec<&'p str> {
    let part = between(
        page,
        &format!("aria-labelledby=\"{section}\""),
        "</section>",
    );
    let names = part.split("<bdi class=\"pat-name\">").skip(1);
    names
        .map(|name| name.split('<').next().expect("a name"))
        .collect()
}

/// What happened, latest first, as the history of a page says it.
fn events(page: &str) -> Vec<String> {
    let rows = page.split("data-label=\"Event\"><div>").skip(1);
    rows.map(|row| row.split('<').next().expect("a text").to_owned())
        .collect()
}

/// Replaces a token on its page, and returns the secret of the new one.
async fn replace(server: &Server, session: &Session, id: i64) -> String {
    let path = format!("/tokens/{id}/replace");
    let form = session.get(server, &path).await;
    let sheet = super::field(&form.body, "sheet");
    let fields = [
        ("sheet", sheet.as_str()),
        ("overlap", "3600"),
        ("expires", "own"),
    ];
    let replaced = answer(session.post(server, &path, &fields)).await;
    assert_eq!(replaced.status, StatusCode::CREATED, "{}", replaced.body);
    shown(&replaced.body)
}

async fn id_of(server: &Server, secret: &str) -> i64 {
    let current = server.get(&format!("{TOKENS}/current")).bearer_auth(secret);
    let found = answer(current).await.json();
    found["id"].as_i64().expect("an ID")
}

async fn a_page_names_what_belongs_to_a_token() {
    let server = super::lives::start(&[]).await;
    let (alice, admin) = (
        Session::start(&server, "alice").await,
        Session::start(&server, "admin").await,
    );
    let parent = create(&server, "parent", None).await;
    let child = create(&server, "child", Some(&parent)).await;
    let new = replace(&server, &alice, parent.id).await;
    let new = id_of(&server, &new).await;
    for (session, base) in [(&alice, "/tokens"), (&admin, ADMIN)] {
        let old = page(session, &server, &format!("{base}/{}", parent.id)).await;
        assert_eq!(names(&old.body, "pat-line"), ["parent", "parent"]);
        assert_eq!(names(&old.body, "pat-children"), ["child"]);
        let link = format!("{}/{new}\"><bdi class=\"pat-name\">parent", &base[1..]);
        assert!(old.body.contains(&link), "{}", old.body);
        assert!(old.body.contains("&#60;what&#62; for"), "{}", old.body);
        assert!(
            old.body
                .contains(&format!("</span>{}<", &parent.raw[parent.raw.len() - 4..]))
        );
        assert_eq!(
            events(&old.body),
            ["Replaced by a new token", "First used", "Created"]
        );
        let of_child = page(session, &server, &format!("{base}/{}", child.id)).await;
        let of_child = &of_child.body;
        assert!(between(of_child, "Created with</dt>", "</dd>").contains(">parent<"));
        assert_eq!(events(of_child), ["Created with another token"]);
        assert!(!of_child.contains("pat-line"));
        let of_new = page(session, &server, &format!("{base}/{new}")).await;
        assert_eq!(
            events(&of_new.body).pop().as_deref(),
            Some("Created to replace another token")
        );
        // Nothing that the reader may not do has a link.
        let is_admin = base == ADMIN;
        assert_eq!(of_new.body.contains("/replace\""), !is_admin);
        assert_eq!(of_new.body.contains("/edit\""), !is_admin);
        assert_eq!(of_new.body.contains("Alice"), is_admin, "{}", of_new.body);
    }
    let list = page(&alice, &server, "/tokens").await.body;
    assert!(list.contains(&format!("href=\"tokens/{new}\"")), "{list}");
    let list = page(&admin, &server, ADMIN).await.body;
    assert!(
        list.contains(&format!("href=\"../admin/tokens/{new}\"")),
        "{list}"
    );
    // Each page is the owner's, or an administrator's.
    let bob = Session::start(&server, "bob").await;
    for path in [
        format!("/tokens/{new}"),
        "/tokens/17".into(),
        "/tokens/x".into(),
    ] {
        let nothing = bob.get(&server, &path).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{path}");
        let nothing = admin.get(&server, &path).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/admin/tokens/17", "/admin/tokens/x"] {
        let nothing = admin.get(&server, path).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// How many tokens the page says end with the token, the token included, and how many more with its family.
fn announced(page: &str) -> (usize, usize) {
    let part = between(page, "aria-labelledby=\"pat-ends\"", "</section>");
    let number = |sentence: &str| {
        let (before, _) = part.split_once(sentence)?;
        let number = before.rsplit('>').next()?.trim();
        number.parse::<usize>().ok()
    };
    let ending = number(" other token is").or_else(|| number(" other tokens are"));
    let family = number(" related token goes").or_else(|| number(" related tokens go"));
    assert_eq!(part.contains("No other token"), ending.is_none());
    (1 + ending.unwrap_or_default(), family.unwrap_or_default())
}

async fn a_revocation_ends_what_the_page_says() {
    for (by_token, expected) in [("allowed", (2, 3)), ("capped", (4, 1))] {
        for family in [false, true] {
            let server = super::lives::start(&[("pat.create.by.token", by_token)]).await;
            let alice = Session::start(&server, "alice").await;
            let admin = Session::start(&server, "admin").await;
            let first = create(&server, "first", None).await;
            let body = json!({"name": "child", "expirationDuration": 30});
            let child = server.post(TOKENS).bearer_auth(&first.raw).json(&body);
            let child = answer(child).await.created();
            let body = json!({"name": "grandchild", "expirationDuration": 7});
            let grandchild = server.post(TOKENS).bearer_auth(&child.raw).json(&body);
            answer(grandchild).await.created();
            let second = replace(&server, &alice, first.id).await;
            let second = id_of(&server, &second).await;
            replace(&server, &alice, second).await;
            let own = page(&alice, &server, &format!("/tokens/{second}")).await;
            let path = format!("{ADMIN}/{second}");
            let by_admin = page(&admin, &server, &path).await;
            let said = announced(&own.body);
            assert_eq!(
                (said, announced(&by_admin.body)),
                (expected, expected),
                "{by_token}"
            );
            assert_eq!(names(&own.body, "pat-ends").len(), said.0 - 1 + said.1);
            let id = second.to_string();
            let mut fields = vec![("id", id.as_str())];
            fields.extend(family.then_some(("family", "true")));
            let revoked = answer(admin.post(&server, &format!("{ADMIN}/revoke"), &fields)).await;
            let count = said.0 + if family { said.1 } else { 0 };
            let location = revoked.header("location").expect("a place");
            assert!(
                location.contains(&format!("revoked={count}")),
                "{location}, {by_token}"
            );
        }
    }
}

async fn a_revoked_token_has_a_page() {
    let server = super::lives::start(&[]).await;
    let alice = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    let token = create(&server, "ci", None).await;
    let path = format!("/tokens/{}", token.id);
    let revoked = answer(alice.post(&server, &format!("{path}/revoke"), &[])).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{}", revoked.body);
    for (session, path) in [(&alice, path.clone()), (&admin, format!("/admin{path}"))] {
        let page = page(session, &server, &path).await.body;
        assert_eq!(events(&page), ["Revoked", "Created"]);
        for action in ["replace", "edit", "pause", "resume", "revoke"] {
            assert!(!page.contains(&format!("/{action}")), "{action}: {page}");
        }
        assert!(!page.contains("pat-ends"), "{page}");
    }
}
