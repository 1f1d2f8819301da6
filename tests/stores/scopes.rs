//! The scopes of tokens, as the database has them.

use libtest_mimic::Trial;
use pat_core::event::EventKind;
use pat_core::scope::Scopes;
use pat_core::store::NewToken;
use pat_harness::Log;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_servers::rows::new_token;

use super::{id, insert};

pub(super) fn trials() -> Vec<Trial> {
    [
        trials_on_all(scopes_are_one_text_and_null_for_an_unrestricted_token),
        trials_on_all(a_list_that_cannot_be_parsed_permits_nothing),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn token(number: i64, scopes: Option<&str>) -> NewToken {
    let mut token = new_token(number, "alice");
    token.scopes = scopes.map(|names| names.parse().expect("scopes"));
    token
}

async fn scopes_are_one_text_and_null_for_an_unrestricted_token(place: AnyDatabase) {
    let store = place.store().await;
    // With the database's clock, the IDs would be made anew.
    let tokens = store.dangerous_with_callers_clock();
    for (number, scopes) in [(1, None), (2, Some("")), (3, Some("write read"))] {
        insert(&*tokens, &token(number, scopes)).await;
    }
    for table in ["pat_token t WHERE t.id", "pat_event t WHERE t.token_id"] {
        for (number, condition) in [
            (1, "t.scopes IS NULL"),
            (2, "t.scopes = '' AND t.scopes IS NOT NULL"),
            (3, "t.scopes = 'read write'"),
        ] {
            let count = format!("SELECT COUNT(*) FROM {table} = {number} AND {condition}");
            assert_eq!(place.number(&count).await, 1, "{count}");
        }
    }
    store.close().await;
}

async fn a_list_that_cannot_be_parsed_permits_nothing(place: AnyDatabase) {
    let store = place.store().await;
    let tokens = store.dangerous_with_callers_clock();
    insert(&*tokens, &token(7, Some("read"))).await;
    for text in ["READ", "read  write", " ", "read,write", "read read"] {
        let log = Log::default();
        let guard = log.start();
        for table in ["pat_token", "pat_event"] {
            let update = format!("UPDATE {table} SET scopes = '{text}'");
            place.execute(&update).await;
        }
        let found = tokens.find(id(7)).await.expect("find");
        assert_eq!(found.expect("a token").scopes, Some(Scopes::none()));
        let mut child = token(8, Some("read"));
        child.parent = Some(id(7));
        child.parent_scopes = token(7, Some("read")).scopes;
        let refused = tokens.insert(&child, 10).await.expect("insert");
        assert_eq!(
            refused,
            pat_core::store::Insertion::ParentInvalid,
            "{text:?}"
        );

        let audit = tokens.audit().expect("an audit");
        audit.number_events(10).await.expect("number_events");
        let events = audit.events_after(0, 10).await.expect("events_after");
        let [event] = &events[..] else {
            panic!("one creation: {events:?}")
        };
        let EventKind::Created { scopes, .. } = &event.kind else {
            panic!("no creation: {event:?}")
        };
        assert_eq!(*scopes, Some(Scopes::none()));
        drop(guard);
        let log = log.text();
        let warnings = log.lines().filter(|line| line.contains("WARN"));
        let warnings: Vec<_> = warnings.collect();
        assert_eq!(warnings.len(), 3, "{log}");
        for warning in warnings {
            assert!(warning.contains("token.id=7"), "{warning}");
            assert!(!warning.to_lowercase().contains("read"), "{warning}");
        }
    }
    store.close().await;
}
