//! `tokens list`, `revoke` and `identify`.

use super::super::*;
use super::Fixture;
use crate::event::EventKind;
use crate::settings::Settings;
use crate::store::{AuditStore as _, TokenStore as _};

#[tokio::test]
async fn tokens_are_listed_by_filter_as_table_and_as_json() {
    let fixture = Fixture::new();
    let ci = fixture.create("alice", "ci").await;
    let backup = fixture.create("bob", "backup").await;
    let table = fixture
        .run(&["tokens", "list", "--owner", "alice"], "")
        .await;
    assert!(table.is(Exit::Done) && table.err.is_empty(), "{table:?}");
    let lines: Vec<_> = table.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID "), "{lines:?}");
    for part in [&*ci.token.id.to_string(), "alice", "ci", "active", "never"] {
        assert!(lines[1].contains(part), "{part} in {}", lines[1]);
    }
    let listed = async |more: &[&str]| {
        let arguments = [&["tokens", "list", "--format", "json"], more].concat();
        let run = fixture.run(&arguments, "").await;
        assert!(run.is(Exit::Done), "{run:?}");
        let ids = run.json();
        let ids = ids.as_array().expect("a list").iter();
        ids.map(|token| token["id"].as_i64().expect("an ID"))
            .collect::<Vec<_>>()
    };
    let (ci, backup) = (ci.token.id.get(), backup.token.id.get());
    for (filter, expected) in [
        (&["--sort", "name"][..], &[backup, ci][..]),
        (&["--sort", "name", "--descending"], &[ci, backup]),
        (&["--sort", "name", "--limit", "1"], &[backup]),
        (&["--name", "BACK"], &[backup]),
        (&["--status", "active", "--owner", "bob"], &[backup]),
        (&["--status", "revoked"], &[]),
        (&["--never-used", "--name", "ci"], &[ci]),
        (&["--never-expires"], &[]),
        (
            &["--expires-within", "90", "--name", "c", "--owner", "alice"],
            &[ci],
        ),
        (&["--expires-within", "89"], &[]),
        (&["--unused-for", "1"], &[]),
        (&["--created-before", "2020-01-01"], &[]),
        (&["--created-after", "2020-01-01", "--name", "ci"], &[ci]),
    ] {
        assert_eq!(listed(filter).await, expected, "{filter:?}");
    }
    let run = fixture.run(&["tokens", "list", "--scope", "A B"], "").await;
    assert!(
        run.is(Exit::Failed) && run.err.starts_with("error: --scope"),
        "{run:?}"
    );
}

#[tokio::test]
async fn more_tokens_than_a_page_are_listed_each_once() {
    let settings = Settings::builder().max_tokens_per_user(2_000).build();
    let fixture = Fixture::with(settings.expect("settings"));
    for _ in 0..1_001 {
        fixture.create("alice", "ci").await;
    }
    for (limit, expected) in [(None, 1_001), (Some("501"), 501), (Some("500"), 500)] {
        let limit: Vec<_> = limit.iter().flat_map(|limit| ["--limit", limit]).collect();
        let arguments = [&["tokens", "list", "--format", "json"], &limit[..]].concat();
        let listed = fixture.run(&arguments, "").await.json();
        let ids = listed.as_array().expect("a list").iter();
        let ids: std::collections::BTreeSet<_> = ids.map(|token| token["id"].as_i64()).collect();
        assert_eq!(ids.len(), expected);
        let arguments = [&["tokens", "list"], &limit[..]].concat();
        let table = fixture.run(&arguments, "").await.out;
        assert_eq!(table.lines().count(), 1 + expected);
    }
}

#[tokio::test]
async fn a_revocation_asks_and_names_the_operator() {
    let fixture = Fixture::new();
    let (one, two) = (
        fixture.create("alice", "one").await,
        fixture.create("alice", "two").await,
    );
    let other = fixture.create("bob", "other").await;
    let revoke = [
        "tokens", "revoke", "--owner", "alice", "--reason", "leak", "--actor", "root",
    ];
    for declined in ["1\n", "\n", "yes\n", ""] {
        let run = fixture.run(&revoke, declined).await;
        assert!(run.is(Exit::LookAfter), "{run:?}");
        assert!(
            run.err.contains("Revoke 2 tokens? Type 2 to confirm:"),
            "{run:?}"
        );
        assert!(run.err.ends_with("Nothing was revoked.\n"), "{run:?}");
    }
    assert!(fixture.is_valid(&one).await && fixture.is_valid(&two).await);
    let run = fixture.run(&revoke, "2\n").await;
    assert!(run.is(Exit::Done), "{run:?}");
    assert_eq!(run.out, "Revoked 2 tokens.\n");
    assert!(run.err.contains("at most 2000 ms more"), "{run:?}");
    assert!(!fixture.is_valid(&one).await && !fixture.is_valid(&two).await);
    assert!(fixture.is_valid(&other).await);
    let token = fixture
        .store
        .find(one.token.id)
        .await
        .expect("an answer")
        .expect("a token");
    assert_eq!(token.revoked_by.expect("a user").as_str(), "command:root");
    assert_eq!(token.revoke_reason.as_deref(), Some("leak"));
    fixture.store.number_events(10).await.expect("numbers");
    let events = fixture.store.events_after(0, 10).await.expect("events");
    let by: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Revoked { by, .. } => by.as_ref().map(ToString::to_string),
            _ => None,
        })
        .collect();
    assert!(
        !by.is_empty() && by.iter().all(|by| by == "command:root"),
        "{by:?}"
    );
    let again = fixture.run(&revoke, "").await;
    assert!(
        again.is(Exit::Done) && again.err.starts_with("No token matches"),
        "{again:?}"
    );
}

#[tokio::test]
async fn tokens_are_revoked_by_id_without_a_question() {
    let fixture = Fixture::new();
    let (one, two) = (
        fixture.create("alice", "one").await,
        fixture.create("alice", "two").await,
    );
    let id = one.token.id.to_string();
    let unknown = fixture
        .run(
            &["tokens", "revoke", &id, "7", "--yes", "--actor", "root"],
            "",
        )
        .await;
    assert!(unknown.is(Exit::Failed), "{unknown:?}");
    assert_eq!(
        unknown.err,
        "error: no token has the ID 7; nothing was revoked\n"
    );
    assert!(fixture.is_valid(&one).await);
    let run = fixture
        .run(&["tokens", "revoke", &id, "--yes", "--actor", "root"], "")
        .await;
    assert!(
        run.is(Exit::Done) && run.out == "Revoked 1 token.\n",
        "{run:?}"
    );
    assert!(!fixture.is_valid(&one).await && fixture.is_valid(&two).await);
}

#[tokio::test]
async fn nothing_is_revoked_without_a_criterion_or_with_a_contradictory_one() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    for (arguments, expected) in [
        (
            &["--actor", "root"][..],
            "give the IDs of the tokens, or a filter",
        ),
        (
            &["7", "--owner", "alice", "--actor", "root"],
            "give IDs or a filter, not both",
        ),
        (
            &["--status", "revoked", "--owner", "alice", "--actor", "root"],
            "these tokens are revoked already",
        ),
        (
            &["--owner", "alice", "--actor", " "],
            "who revokes is not known",
        ),
    ] {
        let arguments = [&["tokens", "revoke", "--yes"], arguments].concat();
        let run = fixture.run(&arguments, "").await;
        assert!(
            run.is(Exit::Failed) && run.err.contains(expected),
            "{run:?}"
        );
    }
    assert!(fixture.is_valid(&created).await);
}

#[tokio::test]
async fn a_secret_is_identified_and_not_shown() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let secret = created.plain.expose();
    let identify = ["tokens", "identify"];
    let run = fixture.run(&identify, &format!("  {secret}\r\nmore")).await;
    assert!(run.is(Exit::Done), "{run:?}");
    for part in [
        &*created.token.id.to_string(),
        "alice",
        "ci",
        "unrestricted",
        "active",
    ] {
        assert!(run.out.contains(part), "{part} in {run:?}");
    }
    assert!(!format!("{run:?}").contains(secret));
    let json = fixture
        .run(&["tokens", "identify", "--format", "json"], secret)
        .await;
    assert_eq!(json.json()["owner"], "alice");
    let unknown = fixture.run(&identify, &format!("{secret}x")).await;
    assert!(
        unknown.is(Exit::LookAfter) && unknown.out.is_empty(),
        "{unknown:?}"
    );
    assert!(!format!("{unknown:?}").contains(secret));
    let empty = fixture.run(&identify, "\n").await;
    assert!(empty.is(Exit::Failed), "{empty:?}");
    assert!(
        empty
            .err
            .starts_with("error: the standard input has no token")
    );
}
