//! Whose token a secret is.

use std::time::Duration;

use pat_harness::{Answer, Server, answer};
use reqwest::StatusCode;

use super::{ALICE, Session, create, page};

const IDENTIFY: &str = "/admin/identify";

async fn ask(server: &Server, admin: &Session, secret: &str) -> Answer {
    answer(admin.post(server, IDENTIFY, &[("secret", secret)])).await
}

pub(super) async fn a_secret_is_identified() {
    let server = super::super::lives::start(&[]).await;
    let admin = Session::start(&server, "admin").await;
    let alice = Session::start(&server, "alice").await;
    let form = page(&admin, &server, IDENTIFY).await.body;
    assert!(form.contains("autocomplete=\"off\""), "{form}");
    let token = create(&server, "ci", None).await;
    let path = format!("/tokens/{}", token.id);
    let sentence = format!("This token belongs to \u{2068}{ALICE}\u{2069}.");
    let revoke = format!("admin/tokens/revoke?id={}&amp;leaked=true", token.id);
    let expect = async |secret: &str, words: &str, is_unrevoked: bool| {
        let found = ask(&server, &admin, secret).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.body);
        assert!(found.body.contains(&sentence), "{}", found.body);
        assert!(found.body.contains(words), "{words}: {}", found.body);
        assert!(
            found.body.contains(&format!("admin{path}")),
            "{}",
            found.body
        );
        assert_eq!(found.body.contains(&revoke), is_unrevoked, "{}", found.body);
    };
    for secret in [
        token.raw.clone(),
        format!(" {}\n", token.raw),
        format!("Bearer {}", token.raw),
    ] {
        expect(&secret, "It is valid.", true).await;
    }
    // Looking it up is no use of it.
    assert_eq!(
        super::events(&page(&alice, &server, &path).await.body),
        ["Created"]
    );
    // The question that the link leads to has the box checked.
    for (query, checked) in [("&leaked=true", true), ("", false)] {
        let question = format!("/admin/tokens/revoke?id={}{query}", token.id);
        let question = page(&admin, &server, &question).await.body;
        let box_of_family = super::between(&question, "name=\"family\"", ">");
        assert_eq!(box_of_family.contains("checked"), checked, "{question}");
    }
    let paused = answer(alice.post(&server, &format!("{path}/pause"), &[])).await;
    assert_eq!(paused.status, StatusCode::SEE_OTHER);
    expect(&token.raw, "It is paused", true).await;
    let resumed = answer(alice.post(&server, &format!("{path}/resume"), &[])).await;
    assert_eq!(resumed.status, StatusCode::SEE_OTHER);
    server.clock.advance(Duration::from_hours(24 * 91));
    server.pats.poll_changes().await.expect("a poll");
    expect(&token.raw, "It has expired", true).await;
    let alice = Session::start(&server, "alice").await;
    let revoked = answer(alice.post(&server, &format!("{path}/revoke"), &[])).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{}", revoked.body);
    let admin = Session::start(&server, "admin").await;
    let found = ask(&server, &admin, &token.raw).await.body;
    assert!(
        found.contains("It is revoked") && !found.contains("admin/tokens/revoke"),
        "{found}"
    );
    let other = Server::start().await.create("alice").await.raw;
    let cut = &token.raw[..token.raw.len() - 1];
    for (secret, words, status) in [
        (other.as_str(), "There is no such token.", StatusCode::OK),
        (cut, "This is no token of this service.", StatusCode::OK),
        (
            "<hunter2>",
            "This is no token of this service.",
            StatusCode::OK,
        ),
        ("  ", "Paste the token.", StatusCode::BAD_REQUEST),
    ] {
        let nothing = ask(&server, &admin, secret).await;
        assert_eq!(nothing.status, status, "{secret}: {}", nothing.body);
        assert!(nothing.body.contains(words), "{secret}: {}", nothing.body);
        assert!(
            !nothing.body.contains("belongs to \u{2068}"),
            "{}",
            nothing.body
        );
    }
}

pub(super) async fn a_secret_is_in_no_answer() {
    let server = Server::start().await;
    let admin = Session::start(&server, "admin").await;
    let alice = Session::start(&server, "alice").await;
    let token = create(&server, "ci", None).await;
    let other = Server::start().await.create("alice").await.raw;
    let malformed = format!("{}x", token.raw);
    for secret in [&token.raw, &other, &malformed] {
        let by_admin = ask(&server, &admin, secret).await;
        let by_other = ask(&server, &alice, secret).await;
        assert_eq!(by_other.status, StatusCode::FORBIDDEN, "{}", by_other.body);
        // A form without a session, or of another one, does not put it into an address.
        let fields = [("secret", secret.as_str())];
        let unsigned = super::super::form(&server, IDENTIFY, &fields).header("accept", "text/html");
        let unsigned = answer(unsigned).await;
        assert_eq!(unsigned.status, StatusCode::SEE_OTHER);
        let forged = super::super::form(&server, IDENTIFY, &fields);
        let forged = answer(forged.header("cookie", &admin.cookies)).await;
        let found = forged.body.contains("belongs to");
        assert!(!found && forged.status != StatusCode::OK, "{}", forged.body);
        for answer in [by_admin, by_other, unsigned, forged] {
            assert!(!answer.body.contains(secret.as_str()), "{}", answer.body);
            let location = answer.header("location").unwrap_or_default();
            assert!(!location.contains(secret.as_str()), "{location}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        // An address with it does nothing.
        let linked = page(&admin, &server, &format!("{IDENTIFY}?secret={secret}")).await;
        assert!(!linked.body.contains("belongs to"), "{}", linked.body);
        assert!(!linked.body.contains(secret.as_str()), "{}", linked.body);
    }
}
