//! The history of a token.

use std::time::Duration;

use pat_harness::{Server, answer};
use reqwest::StatusCode;

use super::{ADMINISTRATOR, ALICE, Session, create, events, page};

/// Revokes a token as an administrator, for a reason.
async fn revoke(server: &Server, admin: &Session, id: i64) {
    let id = id.to_string();
    let fields = [("id", id.as_str()), ("reason", "leaked <there>")];
    let revoked = answer(admin.post(server, "/admin/tokens/revoke", &fields)).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{}", revoked.body);
}

pub(super) async fn an_owner_reads_no_name_of_an_administrator() {
    let server = super::super::lives::start(&[]).await;
    let (alice, admin) = (
        Session::start(&server, "alice").await,
        Session::start(&server, "admin").await,
    );
    let token = create(&server, "ci", None).await;
    let path = format!("/admin/tokens/{}", token.id);
    for action in ["pause", "resume"] {
        let done = answer(admin.post(&server, &format!("{path}/{action}"), &[])).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    let fields = [("name", "build"), ("description", "")];
    let edited = answer(alice.post(&server, &format!("/tokens/{}/edit", token.id), &fields)).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.body);
    revoke(&server, &admin, token.id).await;
    let own = page(&alice, &server, &format!("/tokens/{}", token.id))
        .await
        .body;
    let all = page(&admin, &server, &path).await.body;
    let expected = [
        "Revoked",
        "Name or description changed",
        "Resumed",
        "Paused",
        "Created",
    ];
    for page in [&own, &all] {
        let mut events = events(page);
        // The mail may be on its way.
        events.retain(|event| event != "Owner notified: revoked by an administrator");
        assert_eq!(events, expected);
    }
    let by = |page: &str| -> Vec<String> {
        let rows = page.split("data-label=\"By\"><bdi>").skip(1);
        rows.map(|row| row.split('<').next().expect("a name").to_owned())
            .collect()
    };
    let administrator = "An administrator";
    assert_eq!(
        by(&own),
        [administrator, "You", administrator, administrator, "You"]
    );
    assert_eq!(
        by(&all),
        [ADMINISTRATOR, ALICE, ADMINISTRATOR, ADMINISTRATOR, ALICE]
    );
    assert!(!own.contains(ADMINISTRATOR), "{own}");
}

pub(super) async fn a_reason_is_the_owners_if_the_owner_is_told() {
    for (is_told, times) in [("true", 1), ("false", 0)] {
        let server = Server::with(&[("pat.notice.revoked.by.admin", is_told)]).await;
        let alice = Session::start(&server, "alice").await;
        let admin = Session::start(&server, "admin").await;
        let token = create(&server, "ci", None).await;
        revoke(&server, &admin, token.id).await;
        let reason = "<q>leaked &#60;there&#62;</q>";
        let own = page(&alice, &server, &format!("/tokens/{}", token.id)).await;
        assert_eq!(own.body.matches(reason).count(), times, "{}", own.body);
        let all = page(&admin, &server, &format!("/admin/tokens/{}", token.id)).await;
        assert_eq!(all.body.matches(reason).count(), 2, "{}", all.body);
    }
}

pub(super) async fn a_history_has_every_event_once() {
    let server = super::super::lives::start(&[]).await;
    let (alice, admin) = (
        Session::start(&server, "alice").await,
        Session::start(&server, "admin").await,
    );
    let token = create(&server, "ci", None).await;
    for number in 0..60 {
        let name = format!("ci {number}");
        let fields = [("name", name.as_str()), ("description", "")];
        let path = format!("/tokens/{}/edit", token.id);
        let edited = answer(alice.post(&server, &path, &fields)).await;
        assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.body);
        // Several have the same time.
        if number % 3 == 0 {
            server.clock.advance(Duration::from_millis(1));
        }
    }
    for (session, path) in [
        (&alice, format!("/tokens/{}", token.id)),
        (&admin, format!("/admin/tokens/{}", token.id)),
    ] {
        let first = page(session, &server, &path).await.body;
        assert_eq!(events(&first).len(), 50);
        assert!(!first.contains("Latest events"));
        let next = super::between(&first, "rel=\"next\" href=\"", "\"");
        let (_, query) = next.split_once('?').expect("a query");
        let second = page(session, &server, &format!("{path}?{query}"))
            .await
            .body;
        let rest = events(&second);
        assert_eq!(
            (rest.len(), rest.last().map(String::as_str)),
            (11, Some("Created"))
        );
        assert!(second.contains("Latest events") && !second.contains("Earlier events"));
        // What is no position is the beginning.
        for query in ["before=x", "before=1", "before=9.x"] {
            let page = page(session, &server, &format!("{path}?{query}"))
                .await
                .body;
            assert_eq!(events(&page), events(&first), "{query}");
        }
    }
}

pub(super) async fn refusals_in_a_row_are_one_line() {
    let server = super::super::lives::start(&[]).await;
    let alice = Session::start(&server, "alice").await;
    let token = create(&server, "ci", None).await;
    let path = format!("/tokens/{}", token.id);
    let paused = answer(alice.post(&server, &format!("{path}/pause"), &[])).await;
    assert_eq!(paused.status, StatusCode::SEE_OTHER, "{}", paused.body);
    for _ in 0..3 {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
        server.clock.advance(Duration::from_secs(11));
        server.pats.poll_changes().await.expect("a poll");
    }
    let expected = ["Refused 3 times: it was paused", "Paused", "Created"];
    pat_harness::until("the refusals are recorded", async || {
        events(&page(&alice, &server, &path).await.body) == expected
    })
    .await;
}

pub(super) async fn administrators_see_the_clients_of_events() {
    const AGENT: &str =
        "pat-cli/1.0 (<linux>; a name that is longer than any column of a table is wide)";
    let server = super::super::lives::start(&[]).await;
    let (alice, admin) = (
        Session::start(&server, "alice").await,
        Session::start(&server, "admin").await,
    );
    let token = create(&server, "ci", None).await;
    let used = server.get("/rest/api/2/myself").bearer_auth(&token.raw);
    answer(used.header("user-agent", AGENT)).await;
    let paths = [
        format!("/tokens/{}", token.id),
        format!("/admin/tokens/{}", token.id),
    ];
    pat_harness::until("the first use is recorded", async || {
        events(&page(&alice, &server, &paths[0]).await.body).len() == 2
    })
    .await;
    let own = page(&alice, &server, &paths[0]).await.body;
    assert!(
        !own.contains("127.0.0.1") && !own.contains("pat-cli"),
        "{own}"
    );
    let all = page(&admin, &server, &paths[1]).await.body;
    let agent = "<bdi>pat-cli/1.0 (&#60;linux&#62;; a name that is longer than any column of a table is wide)</bdi>";
    assert!(all.contains(agent), "{all}");
    let address = "data-label=\"Client\"><div><div><bdi>127.0.0.1</bdi>";
    assert_eq!(all.matches(address).count(), 2, "{all}");
    // It is in no file that leaves the pages.
    let csv = admin.get(&server, "/admin/tokens/export").await;
    assert!(
        csv.body.contains("ci") && !csv.body.contains("127.0.0.1"),
        "{}",
        csv.body
    );
}

pub(super) async fn a_deleted_token_has_a_page_for_administrators() {
    let server = super::super::lives::start(&[]).await;
    let (alice, admin) = (
        Session::start(&server, "alice").await,
        Session::start(&server, "admin").await,
    );
    let parent = create(&server, "parent", None).await;
    let child = create(&server, "child", Some(&parent)).await;
    revoke(&server, &admin, child.id).await;
    revoke(&server, &admin, parent.id).await;
    server.advance(Duration::from_hours(24 * 31)).await;
    // The session of the sign-in is over, too.
    let admin = Session::start(&server, "admin").await;
    let all = page(&admin, &server, &format!("/admin/tokens/{}", child.id)).await;
    let all = all.body;
    let mut events = events(&all);
    events.retain(|event| !event.starts_with("Owner notified"));
    assert_eq!(events, ["Deleted", "Revoked", "Created with another token"]);
    for expected in [
        &*format!("<h1>Deleted token {}</h1>", child.id),
        &*format!("<bdi>{ALICE}</bdi>"),
        "<dt>Created</dt><dd><time datetime=\"2026-02-26T",
        &*format!("href=\"../../admin/tokens/{}\">{}<", parent.id, parent.id),
        "<dt>Expires</dt><dd><time datetime=\"2026-05-27T",
        "<dt>Revoked</dt><dd><time datetime=\"2026-02-26T",
        &*format!("By: <bdi>{ADMINISTRATOR}</bdi>"),
        "<q>leaked &#60;there&#62;</q>",
        "<dt>Deleted</dt><dd><time datetime=\"2026-03-",
    ] {
        assert!(all.contains(expected), "{expected} in {all}");
    }
    // There is nothing to do with it, and its owner and other IDs have no such page.
    for action in ["/edit", "/pause", "/resume", "revoke?id"] {
        assert!(!all.contains(action), "{action}: {all}");
    }
    let own = alice.get(&server, &format!("/tokens/{}", child.id)).await;
    assert_ne!(own.status, StatusCode::OK);
    let unknown = admin.get(&server, "/admin/tokens/17").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
