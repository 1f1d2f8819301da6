//! The list of unused tokens.

use std::time::Duration;

use super::{Server, StatusCode, TOKENS, UNUSED, Value, answer, by_admin, create, json};

const DAY: Duration = Duration::from_hours(24);

async fn unused(server: &Server, query: &str) -> Value {
    let found = answer(by_admin(server.get(&format!("{UNUSED}{query}")))).await;
    assert_eq!(found.status, StatusCode::OK, "{query}: {}", found.body);
    found.json()
}

fn names(page: &Value) -> Vec<&str> {
    let values = page["values"].as_array().expect("values");
    let names = values.iter().map(|token| token["name"].as_str());
    names.map(|name| name.expect("a name")).collect()
}

pub(super) async fn unused_tokens_are_listed_before_the_setting_revokes_them() {
    let server = Server::start().await;
    create(&server, "alice", "old", None).await;
    let used = create(&server, "alice", "used", None).await;
    create(&server, "bob", "expired", Some(30)).await;
    let revoked = create(&server, "bob", "revoked", None).await;
    let path = format!("{TOKENS}/{}", revoked["id"]);
    answer(by_admin(server.delete(&path))).await;
    server.advance(DAY * 10).await;
    create(&server, "bob", "younger", None).await;
    server.advance(DAY * 30).await;
    let raw = used["rawToken"].as_str().expect("a secret");
    assert_eq!(server.try_token(raw).await, StatusCode::OK);
    server.pats.flush_last_use().await.expect("a flush");
    let page = unused(&server, "?days=40").await;
    assert_eq!(names(&page), ["old"]);
    assert_eq!(page["values"][0]["userProfileResource"]["userKey"], "alice");
    let mut rest = page.clone();
    rest.as_object_mut().expect("an object").remove("values");
    let expected = json!({
        "days": 40, "count": 1, "validCount": 3, "isMoreThanHalf": false, "limit": 100, "size": 1,
        "isLastPage": true,
    });
    assert_eq!(rest, expected);
    assert_eq!(names(&unused(&server, "?days=41").await), [""; 0]);
    let page = unused(&server, "?days=30&limit=1").await;
    assert_eq!(
        (&page["count"], &page["isMoreThanHalf"]),
        (&json!(2), &json!(true))
    );
    let next = page["nextCursor"].as_str().expect("a cursor");
    let second = unused(&server, &format!("?days=30&limit=1&cursor={next}")).await;
    assert_eq!(second["isLastPage"], true);
    let mut both = [names(&page), names(&second)].concat();
    both.sort_unstable();
    assert_eq!(both, ["old", "younger"]);
}

pub(super) async fn the_days_of_the_list_are_those_of_the_setting() {
    let server = Server::with(&[("pat.unused.revoke.days", "40")]).await;
    create(&server, "alice", "old", None).await;
    server.advance(DAY * 40).await;
    let page = unused(&server, "").await;
    assert_eq!((&page["days"], &page["count"]), (&json!(40), &json!(1)));
    let off = Server::start().await;
    for query in [
        "",
        "?days=0",
        "?days=36501",
        "?days=x",
        "?days=1&limit=0",
        "?days=1&limit=1001",
        "?days=1&cursor=nonsense",
    ] {
        let refused = answer(by_admin(off.get(&format!("{UNUSED}{query}")))).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(refused.problem(), "invalid-search", "{query}");
    }
    let refused = answer(off.get(UNUSED).basic_auth("alice", Some("alice"))).await;
    assert_eq!(refused.problem(), "not-an-administrator");
}
