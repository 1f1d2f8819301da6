//! What happened to tokens can be told afterwards, and telling it harms nobody.

mod kills;
mod large;
mod refusals;
mod shutdown;
mod sinks;

use libtest_mimic::Trial;
use pat_core::TokenId;
use pat_core::event::{Event, EventKind};
use pat_core::store::TokenStore;
use pat_harness::{Server, answer, trial};
use reqwest::StatusCode;
use serde_json::{Value, json};

pub(crate) use self::kills::{AS_CHANGER, change_as_process};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(administrators_read_events_by_number)];
    trials.extend(kills::trials());
    trials.extend(large::trials());
    trials.extend(refusals::trials());
    trials.extend(shutdown::trials());
    trials.extend(sinks::trials());
    trials
}

/// All events that a store has, in the order of their numbers.
async fn stored(store: &dyn TokenStore) -> Vec<Event> {
    let audit = store.audit().expect("a store with an audit");
    while audit.number_events(1_000).await.expect("numbers") > 0 {}
    let mut events: Vec<Event> = Vec::new();
    loop {
        let last = events.last().and_then(|event| event.row);
        let after = last.map_or(0, |row| row.seq);
        let page = audit.events_after(after, 1_000).await.expect("events");
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

/// The tokens of all events of one kind.
fn tokens(events: &[Event], kind: &str) -> Vec<TokenId> {
    let of_kind = events.iter().filter(|event| event.kind.as_str() == kind);
    of_kind.filter_map(|event| token(&event.kind)).collect()
}

/// The token that a stored event is about.
fn token(kind: &EventKind) -> Option<TokenId> {
    match kind {
        EventKind::Created { token, .. } | EventKind::FirstUsed { token, .. } => Some(*token),
        EventKind::Refused { token, .. } | EventKind::Other { token, .. } => *token,
        EventKind::Revoked { tokens, .. } => tokens.first().map(|token| token.id),
        EventKind::Imported { tokens } => tokens.first().map(|token| token.id),
        EventKind::Pruned { tokens } => tokens.first().map(|token| token.id),
        EventKind::Notified { tokens, .. } => tokens.first().copied(),
        _ => None,
    }
}

const EVENTS: &str = "/rest/pat/latest/admin/events";

async fn lines(server: &Server, query: &str) -> Vec<Value> {
    let request = server.get(&format!("{EVENTS}{query}"));
    let found = answer(request.basic_auth("admin", Some("admin"))).await;
    assert_eq!(found.status, StatusCode::OK, "{found:?}");
    assert_eq!(found.header("content-type"), Some("application/x-ndjson"));
    let lines = found.body.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

async fn administrators_read_events_by_number() {
    let server = Server::start().await;
    assert_eq!(lines(&server, "").await, Vec::<Value>::new());
    let first = server.create("alice").await;
    let second = server.create("bob").await;
    let revoke = server
        .delete(&format!("/rest/pat/latest/tokens/{}", first.id))
        .basic_auth("alice", Some("alice"));
    assert_eq!(answer(revoke).await.status, StatusCode::NO_CONTENT);
    let all = lines(&server, "").await;
    let brief: Vec<_> = all
        .iter()
        .map(|event| {
            json!([
                event["seq"],
                event["event"],
                event["tokenId"],
                event["userKey"]
            ])
        })
        .collect();
    let expected = [
        json!([1, "created", first.id, "alice"]),
        json!([2, "created", second.id, "bob"]),
        json!([3, "revoked", first.id, "alice"]),
    ];
    assert_eq!(brief, expected);
    assert_eq!(all[2]["revokedBy"], "alice");
    assert_eq!(lines(&server, "?after=2").await, all[2..]);
    assert_eq!(lines(&server, "?after=1&limit=1").await, all[1..2]);
    assert_eq!(lines(&server, "?after=3").await, Vec::<Value>::new());
    for wrong in ["?limit=0", "?limit=1001", "?after=-1", "?after=x"] {
        let request = server.get(&format!("{EVENTS}{wrong}"));
        let found = answer(request.basic_auth("admin", Some("admin"))).await;
        assert_eq!(found.problem(), "invalid-search", "{wrong}");
    }
    let request = server.get(EVENTS).basic_auth("alice", Some("alice"));
    assert_eq!(answer(request).await.problem(), "not-an-administrator");
}
