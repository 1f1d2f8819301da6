//! The overview, and the list of unused tokens.

use std::time::Duration;

use pat_harness::{Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::json;

use super::{Session, between, page};

const DAY: Duration = Duration::from_hours(24);

async fn create(server: &Server, user: &str, name: &str, days: Option<u32>) -> super::NewToken {
    let request = server.post(TOKENS).basic_auth(user, Some(user));
    let body = json!({"name": name, "expirationDuration": days});
    answer(request.json(&body)).await.created()
}

/// Each number of the overview with its label, and the address of its list.
fn numbers(page: &str) -> Vec<(String, u64, String)> {
    let links = page.split("<li><a href=\"").filter_map(|link| {
        let (address, rest) = link.split_once("\"><span class=\"pat-number\">")?;
        let (number, label) = rest.split_once("</span>")?;
        let label = label.split('<').next()?.trim();
        Some((
            label.to_owned(),
            number.parse().ok()?,
            address.replace("&#38;", "&"),
        ))
    });
    links.collect()
}

/// The weeks of the table.
fn weeks(page: &str) -> Vec<(u64, String)> {
    let rows = page.split("role=\"rowheader\"><a href=\"").skip(1);
    let rows = rows.map(|row| {
        let (address, rest) = row.split_once('"').expect("an address");
        let count = between(rest, "data-label=\"Tokens\"><span>", "<");
        (
            count.parse().expect("a number"),
            address.replace("&#38;", "&"),
        )
    });
    rows.collect()
}

/// How many tokens the list at this address finds.
async fn found(server: &Server, admin: &Session, address: &str) -> u64 {
    let list = page(admin, server, &format!("/{address}")).await.body;
    let count = between(&list, "class=\"pat-count\">", "<");
    let digits: String = count.chars().take_while(|c| !c.is_whitespace()).collect();
    digits
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{count}"))
}

/// Tokens of every kind, 100 days after the first of them.
async fn populate(server: &Server) {
    create(server, "alice", "eternal", None).await;
    create(server, "alice", "expired", Some(20)).await;
    let revoked_before = create(server, "bob", "revoked before", None).await;
    let used = create(server, "bob", "used", Some(365)).await;
    create(server, "bob", "soon", Some(103)).await;
    answer(
        server
            .delete(&revoked_before.path())
            .basic_auth("bob", Some("bob")),
    )
    .await;
    server.advance(DAY * 98).await;
    assert_eq!(server.try_token(&used.raw).await, StatusCode::OK);
    server.pats.flush_last_use().await.expect("a flush");
    let revoked = create(server, "bob", "revoked", None).await;
    answer(
        server
            .delete(&revoked.path())
            .basic_auth("bob", Some("bob")),
    )
    .await;
    server.advance(DAY * 2).await;
    create(server, "bob", "new", Some(30)).await;
    create(server, "bob", "later", Some(60)).await;
}

pub(super) async fn numbers_are_those_of_their_lists() {
    let server = Server::with(&[("atlassian.pats.pruning.delay.days", "365")]).await;
    populate(&server).await;
    let admin = Session::start(&server, "admin").await;
    let overview = page(&admin, &server, "/admin").await.body;
    let numbers = numbers(&overview);
    let expected = [
        ("Live tokens", 5),
        ("Expires within 30 days", 2),
        ("Never expires", 1),
        ("Never used", 4),
        ("Unused for 90 days", 2),
        ("Revoked in the last 7 days", 1),
    ];
    let counted = numbers
        .iter()
        .map(|(label, count, _)| (label.as_str(), *count));
    assert_eq!(counted.collect::<Vec<_>>(), expected, "{overview}");
    for (label, count, address) in &numbers {
        assert_eq!(found(&server, &admin, address).await, *count, "{label}");
    }
    let weeks = weeks(&overview);
    let counts: Vec<_> = weeks.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(overview.matches("<rect ").count(), 3);
    assert!(
        overview.contains("3 tokens expire within 12 weeks."),
        "{overview}"
    );
    for (count, address) in &weeks {
        assert_eq!(found(&server, &admin, address).await, *count, "{address}");
    }
    assert!(overview.contains("Today’s rules would allow every live token."));
    assert!(overview.contains("Every mail was delivered"), "{overview}");
}

pub(super) async fn offenders_are_those_of_the_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::within(folder, &[("atlassian.pats.max.tokens.expiry.days", "400")]).await;
    create(&server, "alice", "eternal", None).await;
    for days in [30, 90, 91, 400] {
        create(&server, "bob", "ci", Some(days)).await;
    }
    let folder = server.stop().await;
    let stricter = [
        ("atlassian.pats.max.tokens.expiry.days", "90"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
        ("pat.unused.revoke.days", "40"),
    ];
    let server = Server::within(folder, &stricter).await;
    let admin = Session::start(&server, "admin").await;
    let overview = page(&admin, &server, "/admin").await.body;
    let numbers = numbers(&overview);
    let offenders: Vec<_> = numbers.iter().skip(6).collect();
    let counted = offenders
        .iter()
        .map(|(label, count, _)| (label.as_str(), *count));
    let expected = [
        ("Never expire, although new tokens must", 1),
        ("Live longer than 90 days", 2),
    ];
    assert_eq!(counted.collect::<Vec<_>>(), expected, "{overview}");
    for (label, count, address) in offenders {
        assert_eq!(found(&server, &admin, address).await, *count, "{label}");
    }
    assert!(
        overview.contains("Tokens that are not used for 40 days are revoked"),
        "{overview}"
    );
    assert!(
        overview.contains("admin/unused?days=40\">0 of 5 tokens<"),
        "{overview}"
    );
}

pub(super) async fn unused_tokens_have_a_list() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "100")]).await;
    for number in 0..51 {
        create(&server, "admin", &format!("old {number}"), None).await;
    }
    server.advance(DAY * 90).await;
    create(&server, "admin", "new", None).await;
    let admin = Session::start(&server, "admin").await;
    let list = page(&admin, &server, "/admin/unused").await.body;
    assert!(list.contains("value=\"90\""), "{list}");
    assert!(list.contains(">51 of 52 tokens<"), "{list}");
    assert!(list.contains("more than half"), "{list}");
    assert_eq!(list.matches(">old ").count(), 50);
    let next = between(&list, "rel=\"next\" href=\"../admin/unused?", "\"");
    let next = next.replace("&#38;", "&");
    let second = page(&admin, &server, &format!("/admin/unused?{next}"))
        .await
        .body;
    assert_eq!(second.matches(">old ").count(), 1, "{second}");
    let none = page(&admin, &server, "/admin/unused?days=91").await.body;
    assert!(none.contains(">0 of 52 tokens<"), "{none}");
    assert!(!none.contains("more than half"), "{none}");
    for days in ["0", "x", "36501", "-1"] {
        let wrong = admin
            .get(&server, &format!("/admin/unused?days={days}"))
            .await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{days}");
        assert!(wrong.body.contains("from 1 to 36,500."), "{}", wrong.body);
    }
}
