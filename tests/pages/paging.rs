//! Lists with many tokens: their pages, orders, searches and quick filters.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::{Caller, Owner, TokenId, TokenRequest};
use pat_harness::{Answer, Server, answer, trial};
use pat_servers::rows;
use pat_sqlx::sqlx::SqlitePool;
use reqwest::StatusCode;

use super::Session;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(an_own_list_has_pages_of_a_hundred),
        trial(an_own_list_is_sorted_and_searched),
        trial(own_revoked_tokens_are_shown_on_request),
        trial(a_list_of_administrators_goes_forward_and_back),
        trial(a_long_list_is_counted_when_its_end_is_reached),
        trial(quick_filters_find_what_they_say),
        trial(owners_who_are_not_active_are_marked_and_found),
        trial(administrators_pause_and_resume_tokens),
    ]
}

const DAY: Duration = Duration::from_hours(24);

pub(super) async fn start() -> Server {
    Server::with(&[("atlassian.pats.max.tokens.per.user", "2000")]).await
}

pub(super) fn caller(owner: &str) -> Caller {
    Caller::header_authenticated(Owner::new(owner).expect("an owner"))
}

/// Creates a token a second after the one before.
pub(super) async fn create(server: &Server, owner: &str, name: &str, days: Option<i64>) -> TokenId {
    server.clock.advance(Duration::from_secs(1));
    let request = TokenRequest::new(name, days);
    let created = server.pats.create(&caller(owner), request).await;
    created.expect("a token").token.id
}

pub(super) async fn create_many(server: &Server, owner: &str, count: usize) {
    for number in 0..count {
        create(server, owner, &format!("n{number:03}"), Some(30)).await;
    }
}

/// The names of the tokens in the rows of a list.
pub(super) fn names(page: &Answer) -> Vec<&str> {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let rows = page.body.split("class=\"pat-name\">").skip(1);
    let names = rows.filter_map(|row| row.split("<bdi>").nth(1)?.split('<').next());
    names.collect()
}

/// What the list says above and below the table.
fn counts(page: &Answer) -> Vec<&str> {
    let counts = page.body.split("<p class=\"pat-count\">").skip(1);
    counts.filter_map(|count| count.split('<').next()).collect()
}

/// The value of the button with this name.
fn button(page: &Answer, name: &str) -> Option<String> {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.body.split_once(&start)?;
    rest.split('"').next().map(str::to_owned)
}

async fn an_own_list_has_pages_of_a_hundred() {
    let server = start().await;
    let alice = Session::start(&server, "alice").await;
    create_many(&server, "alice", 100).await;
    let page = alice.get(&server, "/tokens").await;
    assert_eq!(names(&page).len(), 100);
    assert_eq!(counts(&page), [""; 0]);
    create_many(&server, "alice", 130).await;
    let mut seen = Vec::new();
    for (path, count, has_previous, has_next) in [
        ("/tokens", "1–100 of 230", false, true),
        ("/tokens?page=2", "101–200 of 230", true, true),
        ("/tokens?page=3", "201–230 of 230", true, false),
    ] {
        let page = alice.get(&server, path).await;
        assert_eq!(counts(&page), [count, count]);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        for (relation, is_there) in [("prev", has_previous), ("next", has_next)] {
            let link = format!("rel=\"{relation}\"");
            let links = page.body.matches(&link).count();
            assert_eq!(links, if is_there { 2 } else { 0 }, "{path} {relation}");
        }
        // However many tokens there are, a page stays small.
        assert!(page.body.len() < 250_000, "{}", page.body.len());
    }
    assert_eq!(seen.len(), 230);
    let expected = (0..130).rev().chain((0..100).rev());
    assert!(
        seen.iter().eq(expected
            .map(|n| format!("n{n:03}"))
            .collect::<Vec<_>>()
            .iter())
    );
    let second = alice.get(&server, "/tokens?page=2").await;
    assert!(second.body.contains("rel=\"prev\" href=\"tokens\""));
    assert!(second.body.contains("rel=\"next\" href=\"tokens?page=3\""));
    // What is behind the last page leads there.
    let late = alice.get(&server, "/tokens?page=9").await;
    assert_eq!(late.status, StatusCode::SEE_OTHER);
    assert_eq!(late.header("location"), Some("tokens?page=3"));
    for page in ["0", "-1", "x", "4294967295"] {
        let page = alice.get(&server, &format!("/tokens?page={page}")).await;
        assert!(page.status == StatusCode::OK || page.status == StatusCode::SEE_OTHER);
    }
}

async fn an_own_list_is_sorted_and_searched() {
    let server = start().await;
    let alice = Session::start(&server, "alice").await;
    for (name, days) in [
        ("b", Some(40)),
        ("A", Some(3)),
        ("c", None),
        ("d", Some(50)),
        ("Backup of B", Some(90)),
    ] {
        create(&server, "alice", name, days).await;
    }
    let id = create(&server, "alice", "e", Some(20)).await;
    let owner = caller("alice");
    let described = server.pats.update(&owner, id, {
        let mut update = pat_core::TokenUpdate::default();
        update.description = Some("the BACKUP of c".into());
        update
    });
    described.await.expect("a change");
    create(&server, "bob", "backup of bob", Some(20)).await;
    // Those who have few tokens have no field to search them.
    assert!(
        !alice
            .get(&server, "/tokens")
            .await
            .body
            .contains("role=\"search\"")
    );
    for (query, expected) in [
        ("", &["e", "Backup of B", "d", "c", "A", "b"][..]),
        (
            "?sort=name&order=asc",
            &["A", "b", "Backup of B", "c", "d", "e"],
        ),
        (
            "?sort=name&order=desc",
            &["e", "d", "c", "Backup of B", "b", "A"],
        ),
        (
            "?sort=expires&order=asc",
            &["A", "e", "b", "d", "Backup of B", "c"],
        ),
        (
            "?sort=created&order=asc",
            &["b", "A", "c", "d", "Backup of B", "e"],
        ),
        (
            "?sort=status&order=desc",
            &["e", "Backup of B", "d", "c", "A", "b"],
        ),
        ("?contains=backup", &["e", "Backup of B"]),
        (
            "?contains=BACKUP+of+b&sort=name&order=asc",
            &["Backup of B"],
        ),
        ("?contains=nothing", &[]),
    ] {
        let page = alice.get(&server, &format!("/tokens{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
        assert_eq!(
            page.body.contains("None of your tokens matches"),
            expected.is_empty()
        );
    }
    // A head says the order, and leads to the other one, with what is searched.
    let page = alice
        .get(&server, "/tokens?contains=b&sort=name&order=asc")
        .await;
    let head = "aria-sort=\"ascending\"><a href=\"tokens?contains=b&#38;sort=name&#38;order=desc\">Name</a>";
    assert!(page.body.contains(head), "{}", page.body);
    assert_eq!(page.body.matches("aria-sort").count(), 1);
    assert!(
        page.body
            .contains("<input type=\"hidden\" name=\"sort\" value=\"name\">")
    );
}

async fn own_revoked_tokens_are_shown_on_request() {
    let server = start().await;
    let alice = Session::start(&server, "alice").await;
    create(&server, "alice", "kept", Some(30)).await;
    let own = create(&server, "alice", "own", Some(30)).await;
    let by_admin = create(&server, "alice", "leaked", Some(30)).await;
    let of_bob = create(&server, "bob", "of bob", Some(30)).await;
    server
        .pats
        .revoke(&caller("alice"), own)
        .await
        .expect("a revocation");
    server
        .pats
        .revoke(&caller("bob"), of_bob)
        .await
        .expect("a revocation");
    let admin = Session::start(&server, "admin").await;
    let fields = [("id", &*by_admin.to_string()), ("reason", "in a <log>")];
    answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
    let page = alice.get(&server, "/tokens").await;
    assert_eq!(names(&page), ["kept"]);
    assert!(
        page.body
            .contains("href=\"tokens?show=revoked\">Show revoked tokens<")
    );
    let page = alice.get(&server, "/tokens?show=revoked").await;
    assert_eq!(names(&page), ["leaked", "own", "kept"]);
    assert!(page.body.contains("href=\"tokens\">Hide revoked tokens<"));
    let row = |name: &str| {
        let rows = page.body.split("<tr role=\"row\">");
        let mut rows = rows.filter(|row| row.contains(&format!("<bdi>{name}</bdi>")));
        rows.next().expect("a row")
    };
    assert!(row("leaked").contains("by an administrator<div><q>in a &#60;log&#62;</q></div>"));
    assert!(!row("own").contains("by an administrator"));
    for (name, actions) in [("leaked", 0), ("own", 0), ("kept", 1)] {
        assert_eq!(row(name).matches("data-ask").count(), actions, "{name}");
        assert_eq!(row(name).contains("pat-revoked"), actions == 0, "{name}");
    }
    // Only the unrevoked one counts for the limit.
    assert!(
        page.body.contains("<caption>1 of 2,000 tokens<"),
        "{}",
        page.body
    );
}

/// Every token once in each order, on pages that are the same forward and back.
async fn a_list_of_administrators_goes_forward_and_back() {
    let server = start().await;
    create_many(&server, "alice", 120).await;
    create_many(&server, "bob", 13).await;
    for number in 0..20 {
        create(&server, "bob", &format!("short {number}"), Some(1)).await;
    }
    server.clock.advance(2 * DAY);
    create(&server, "alice", "last", None).await;
    let admin = Session::start(&server, "admin").await;
    for order in [
        "",
        "sort=name&order=desc&",
        "sort=status&order=asc&",
        "sort=status&order=desc&",
        "sort=expires&order=desc&",
    ] {
        let mut pages = vec![admin.get(&server, &format!("/admin/tokens?{order}")).await];
        while let Some(after) = button(&pages[pages.len() - 1], "after") {
            assert!(pages.len() < 10, "{order}: no end");
            let path = format!("/admin/tokens?{order}after={after}");
            pages.push(admin.get(&server, &path).await);
        }
        let all: Vec<_> = pages.iter().map(counts).collect();
        let expected = [
            "1–50 of 154",
            "51–100 of 154",
            "101–150 of 154",
            "151–154 of 154",
        ];
        assert_eq!(all, expected.map(|count| [count; 2]), "{order}");
        let mut seen: Vec<_> = pages.iter().flat_map(|page| ids(page)).collect();
        if order.contains("status") {
            let statuses: Vec<_> = pages.iter().flat_map(statuses).collect();
            let expired = vec!["Expired"; 20];
            let active = vec!["Active"; 134];
            let expected = if order.contains("asc") {
                [active, expired].concat()
            } else {
                [expired, active].concat()
            };
            assert_eq!(statuses, expected);
        }
        assert!(button(&pages[0], "before").is_none());
        // A page is the same from the other side.
        for number in (1..pages.len()).rev() {
            let before = button(&pages[number], "before").expect("a page before");
            let path = format!("/admin/tokens?{order}before={before}");
            let page = admin.get(&server, &path).await;
            assert_eq!(ids(&page), ids(&pages[number - 1]), "{order} {number}");
            assert_eq!(
                counts(&page),
                counts(&pages[number - 1]),
                "{order} {number}"
            );
            assert_eq!(button(&page, "before").is_some(), number > 1);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 154, "{order}");
    }
    for position in ["x", "1.x", "51.EXPIRED.e30"] {
        for name in ["after", "before"] {
            let page = admin
                .get(&server, &format!("/admin/tokens?{name}={position}"))
                .await;
            assert_eq!(counts(&page), ["1–50 of 154"; 2]);
            assert!(page.body.contains("This page of the list is not there"));
        }
    }
}

fn ids(page: &Answer) -> Vec<&str> {
    let boxes = page
        .body
        .split("type=\"checkbox\" name=\"id\" value=\"")
        .skip(1);
    boxes.filter_map(|id| id.split('"').next()).collect()
}

fn statuses(page: &Answer) -> Vec<&str> {
    let cells = page.body.split("data-label=\"Status\">").skip(1);
    cells
        .filter_map(|cell| cell.split("\">").nth(1)?.split('<').next())
        .collect()
}

async fn a_long_list_is_counted_when_its_end_is_reached() {
    let server = start().await;
    let path = server.folder.path().join("pat.db");
    let pool = SqlitePool::connect(&path.to_string_lossy()).await;
    let pool = pool.expect("the database");
    rows::insert(&pool, 0..10_050, "alice", None).await;
    pool.close().await;
    let admin = Session::start(&server, "admin").await;
    let get = async |query: &str| {
        let page = admin
            .get(&server, &format!("/admin/tokens?name=token{query}"))
            .await;
        assert_eq!(page.status, StatusCode::OK);
        page.body
    };
    let (mut page, mut pages) = (get("").await, 1);
    for text in [
        "1–50 of more than 10,000",
        "Revoke all that match…",
        "Select all that match",
        "All that match are selected.",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    while let Some((_, after)) = page.split_once("name=\"after\" value=\"") {
        let after = after.split('"').next().expect("a position");
        page = get(&format!("&after={after}")).await;
        pages += 1;
        if pages == 200 {
            assert!(page.contains("9,951–10,000 of more than 10,000"), "{page}");
        }
    }
    assert_eq!(pages, 201);
    for text in ["10,001–10,050 of 10,050", "Select all 10,050 that match"] {
        assert!(page.contains(text), "{text} in {page}");
    }
}

#[expect(clippy::too_many_lines, reason = "a list of all filters")]
async fn quick_filters_find_what_they_say() {
    let server = start().await;
    create(&server, "alice", "old", Some(300)).await;
    let used = create(&server, "alice", "old and used", None).await;
    create(&server, "alice", "eternal", None).await;
    create(&server, "alice", "expired", Some(10)).await;
    server.clock.advance(100 * DAY);
    create(&server, "bob", "short", Some(20)).await;
    server.clock.advance(std::time::Duration::from_secs(1));
    let request = TokenRequest::new("plain", Some(300));
    let created = server
        .pats
        .create(&caller("bob"), request)
        .await
        .expect("a token");
    server.pats.poll_changes().await.expect("a poll");
    let authenticated = server
        .pats
        .authenticate(created.plain.expose().as_bytes())
        .await;
    authenticated.expect("a good token");
    server.pats.flush_last_use().await.expect("a flush");
    let revoked = server.pats.revoke(&caller("alice"), used).await;
    revoked.expect("a revocation");
    let admin = Session::start(&server, "admin").await;
    for (query, expected) in [
        ("unused=always", &["short", "expired", "eternal", "old"][..]),
        ("unused=90", &["eternal", "old"]),
        ("unused=101", &[]),
        ("expiring=never", &["eternal"]),
        ("expiring=30", &["short"]),
        ("expiring=300", &["plain", "short", "old"]),
        ("expiring=never&unused=always", &["eternal"]),
        ("expiring=never&status=REVOKED", &["old and used"]),
        ("unused=always&name=o&owner=alice", &["old"]),
        ("unused=always&status=EXPIRED", &["expired"]),
    ] {
        let page = admin.get(&server, &format!("/admin/tokens?{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
        // The export and the question are about the same tokens.
        let csv = admin
            .get(&server, &format!("/admin/tokens/export?{query}"))
            .await;
        assert_eq!(
            csv.body.matches("\r\n").count() - 2,
            expected.len(),
            "{query}"
        );
        if !query.contains("REVOKED") {
            let path = format!("/admin/tokens/revoke?what=found&{query}");
            let question = admin.get(&server, &path).await.body;
            let noun = if expected.len() == 1 {
                "token"
            } else {
                "tokens"
            };
            let says = format!("<h1>Revoke {} {noun}?</h1>", expected.len());
            assert!(question.contains(&says), "{query}");
        }
    }
    let page = admin
        .get(&server, "/admin/tokens?unused=90&name=o")
        .await
        .body;
    for (label, query, is_set) in [
        ("Never used", "?name=o&#38;unused=always", false),
        ("Unused for 90 days", "?name=o", true),
        (
            "Never expires",
            "?name=o&#38;unused=90&#38;expiring=never",
            false,
        ),
        (
            "Expires within 30 days",
            "?name=o&#38;unused=90&#38;expiring=30",
            false,
        ),
        (
            "Owner not active",
            "?name=o&#38;unused=90&#38;owner_state=inactive",
            false,
        ),
    ] {
        let current = if is_set { " aria-current=\"true\"" } else { "" };
        let button = format!("name=\"to\" value=\"{query}\"{current}>{label}</button>");
        assert!(page.contains(&button), "{button}: {page}");
    }
    // What the filter is about is kept when the form is sent.
    assert!(page.contains("<input type=\"hidden\" name=\"unused\" value=\"90\">"));
    let question = admin
        .get(&server, "/admin/tokens/revoke?what=found&unused=90")
        .await;
    assert!(question.body.contains("<bdi>Unused for 90 days</bdi>"));
    for query in ["unused=x", "unused=0", "expiring=x", "owner_state=x"] {
        let page = admin.get(&server, &format!("/admin/tokens?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(page.body.contains("There is no such quick filter."));
        let path = format!("/admin/tokens/revoke?what=found&{query}");
        assert_eq!(
            admin.get(&server, &path).await.status,
            StatusCode::BAD_REQUEST
        );
    }
}

async fn owners_who_are_not_active_are_marked_and_found() {
    let server = start().await;
    let users = [("zoe", "Zoe"), ("gone", "Gone")];
    server.users.add(&users).await.expect("users");
    for owner in ["alice", "zoe", "gone", "bob"] {
        create(&server, owner, &format!("of {owner}"), Some(90)).await;
    }
    let admin = Session::start(&server, "admin").await;
    let none = admin
        .get(&server, "/admin/tokens?owner_state=inactive")
        .await;
    assert_eq!(names(&none), [""; 0]);
    let owner = |key: &str| Owner::new(key).expect("a key");
    server
        .users
        .set_active(&owner("zoe"), false)
        .await
        .expect("a change");
    server.users.remove(&owner("gone")).await.expect("a change");
    let page = admin.get(&server, "/admin/tokens").await;
    assert_eq!(names(&page), ["of bob", "of gone", "of zoe", "of alice"]);
    let rows: Vec<_> = page.body.split("<tr role=\"row\">").skip(1).collect();
    for (row, badge) in rows
        .iter()
        .zip([None, Some("No longer a user"), Some("Not active"), None])
    {
        for text in ["No longer a user", "Not active"] {
            let mark = format!(">{text}</span>");
            assert_eq!(row.contains(&mark), badge == Some(text), "{row}");
        }
    }
    for (query, expected) in [
        ("", &["of gone", "of zoe"][..]),
        ("&owner=zoe", &["of zoe"]),
        ("&owner=alice", &[]),
        ("&name=gone", &["of gone"]),
    ] {
        let path = format!("/admin/tokens?owner_state=inactive{query}");
        let page = admin.get(&server, &path).await;
        assert_eq!(names(&page), expected, "{query}");
    }
    // They are revoked by the filter, and no others.
    let fields = [
        ("what", "found"),
        ("expected", "2"),
        ("owner_state", "inactive"),
    ];
    let revoked = answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
    let target = "../../admin/tokens?owner_state=inactive&revoked=2";
    assert_eq!(revoked.header("location"), Some(target));
    let page = admin.get(&server, "/admin/tokens").await;
    assert_eq!(names(&page), ["of bob", "of alice"]);
    // When no such owner is left, the filter finds and revokes nothing.
    let fields = [
        ("what", "found"),
        ("expected", "0"),
        ("owner_state", "inactive"),
    ];
    let revoked = answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
    let target = "../../admin/tokens?owner_state=inactive&revoked=0";
    assert_eq!(revoked.header("location"), Some(target));
    assert_eq!(names(&admin.get(&server, "/admin/tokens").await).len(), 2);
}

async fn administrators_pause_and_resume_tokens() {
    // The nodes of a cluster are waited for, by a clock that stands still here.
    let server = Server::with(&[("pat.auth.max.staleness.ms", "0")]).await;
    let token = server.create("alice").await;
    let revoked = server.create("alice").await;
    answer(
        server
            .delete(&revoked.path())
            .basic_auth("alice", Some("alice")),
    )
    .await;
    let admin = Session::start(&server, "admin").await;
    let alice = Session::start(&server, "alice").await;
    let path = |action: &str| format!("/admin/tokens/{}/{action}", token.id);
    let list = admin.get(&server, "/admin/tokens?name=c").await.body;
    let link = format!("href=\"../admin/tokens/{}/pause?name=c\"", token.id);
    assert!(list.contains(&link), "{list}");
    for (action, done, says, status) in [
        ("pause", "paused", "Pause “", StatusCode::UNAUTHORIZED),
        ("resume", "resumed", "Resume “", StatusCode::OK),
    ] {
        let question = admin
            .get(&server, &format!("{}?name=c", path(action)))
            .await;
        assert_eq!(question.status, StatusCode::OK);
        assert!(question.body.contains(says), "{}", question.body);
        assert!(question.body.contains("<bdi>Alice Liddell</bdi>"));
        assert!(
            question
                .body
                .contains("<input type=\"hidden\" name=\"name\" value=\"c\">")
        );
        let answered = answer(admin.post(&server, &path(action), &[("name", "c")])).await;
        let target = format!("../../../admin/tokens?name=c&{done}={}", token.id);
        assert_eq!(answered.header("location"), Some(&*target));
        assert_eq!(server.try_token(&token.raw).await, status);
        if action == "pause" {
            let resume = format!("href=\"../admin/tokens/{}/resume\"", token.id);
            assert!(
                admin
                    .get(&server, "/admin/tokens")
                    .await
                    .body
                    .contains(&resume)
            );
            // Who owns it cannot resume it.
            let own = format!("/tokens/{}/resume", token.id);
            let refused = answer(alice.post(&server, &own, &[])).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
        }
    }
    for action in ["pause", "resume"] {
        let gone = format!("/admin/tokens/{}/{action}", revoked.id);
        for path in [
            gone.as_str(),
            "/admin/tokens/x/pause",
            "/admin/tokens/7/resume",
        ] {
            assert_eq!(admin.get(&server, path).await.status, StatusCode::NOT_FOUND);
            let posted = answer(admin.post(&server, path, &[])).await;
            assert_eq!(posted.status, StatusCode::NOT_FOUND);
        }
        let forbidden = answer(alice.post(&server, &path(action), &[])).await;
        assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
        assert_eq!(
            alice.get(&server, &path(action)).await.status,
            StatusCode::FORBIDDEN
        );
    }
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
}
