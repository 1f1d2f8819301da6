//! What the lists show.

use pat_core::Caller;
use pat_harness::{Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::json;

use super::Session;

pub(super) async fn names_are_escaped() {
    let server = Server::start().await;
    for name in [
        "<img src=x onerror=alert(1)>",
        "\"><script>1</script>",
        "נסחה b",
        "=1+1",
    ] {
        let body = json!({"name": name, "expirationDuration": 9});
        let request = server
            .post(TOKENS)
            .basic_auth("alice", Some("alice"))
            .json(&body);
        let id = answer(request).await.created().id;
        let alice = Session::start(&server, "alice").await;
        let admin = Session::start(&server, "admin").await;
        let escaped = name
            .replace('"', "&#34;")
            .replace('<', "&#60;")
            .replace('>', "&#62;");
        let filled = format!("/tokens/new?name={}", name.replace('+', "%2B"));
        for (session, path, is_isolated) in [
            (&alice, "/tokens".to_owned(), true),
            (&alice, format!("/tokens/{id}/revoke"), false),
            (&alice, filled, false),
            (&admin, "/admin/tokens".to_owned(), true),
            (
                &admin,
                format!("/admin/tokens/revoke?id={id}&name={name}"),
                false,
            ),
        ] {
            let page = session.get(&server, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(page.body.contains(&escaped), "{path}: {name}");
            assert!(
                !page.body.contains("<img") && !page.body.contains("<script>"),
                "{path}"
            );
            let isolated = format!("<bdi>{escaped}</bdi>");
            assert!(
                !is_isolated || page.body.contains(&isolated),
                "{path}: {name}"
            );
        }
        let question = alice.get(&server, &format!("/tokens/{id}/revoke")).await;
        assert!(
            question
                .body
                .contains(&format!("\u{2068}{escaped}\u{2069}"))
        );
    }
    let csv = server
        .get("/admin/tokens/export")
        .basic_auth("admin", Some("admin"));
    let csv = answer(csv).await;
    assert!(csv.body.contains("\"'=1+1\""), "{}", csv.body);
    assert!(csv.body.contains("\"\"\"><script>1</script>\""));
}

pub(super) async fn a_csv_has_every_token_once() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "2000")]).await;
    let caller = Caller::header_authenticated("alice".parse().expect("an owner"));
    let mut ids = Vec::new();
    for number in 0..1_203 {
        let request =
            pat_core::TokenRequest::new(format!("n{}", number % 7), (number % 2 == 0).then_some(9));
        let created = server.pats.create(&caller, request).await.expect("a token");
        ids.push(created.token.id.get().to_string());
    }
    for (query, keep) in [
        ("", 1_203),
        ("?sort=name", 1_203),
        ("?name=n3&sort=expires", 172),
    ] {
        let request = server.get(&format!("/admin/tokens/export{query}"));
        let csv = answer(request.basic_auth("admin", Some("admin"))).await;
        let kind = csv.header("content-type").expect("a type");
        assert!(kind.starts_with("text/csv; charset=utf-8"), "{kind}");
        let name = csv.header("content-disposition").expect("a name");
        assert!(
            name.starts_with("attachment") && name.contains(".csv\""),
            "{name}"
        );
        let body = csv.body.trim_start_matches('\u{feff}');
        let mut lines = body.split_terminator("\r\n");
        assert_eq!(lines.next(), Some("sep=,"));
        assert!(
            lines
                .next()
                .is_some_and(|head| head.starts_with("\"id\",\"name\",\"owner\""))
        );
        let mut found: Vec<_> = lines
            .map(|line| line.split('"').nth(1).expect("an id"))
            .collect();
        assert_eq!(found.len(), keep, "{query}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), keep, "{query}");
        assert!(found.iter().all(|id| ids.iter().any(|known| known == id)));
    }
    // The pages of the list have each token once, too.
    let admin = Session::start(&server, "admin").await;
    let mut path = "/admin/tokens?sort=name".to_owned();
    let mut seen = std::collections::BTreeSet::new();
    let mut pages = 0;
    loop {
        let page = admin.get(&server, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for part in page.body.split("name=\"id\" value=\"").skip(1) {
            let id = part.split('"').next().expect("an id").to_owned();
            assert!(seen.insert(id), "a token came twice");
        }
        pages += 1;
        let Some((_, rest)) = page.body.split_once("name=\"after\" value=\"") else {
            break;
        };
        let after = rest.split('"').next().expect("a position");
        path = format!("/admin/tokens?sort=name&order=asc&after={after}");
    }
    assert_eq!((seen.len(), pages), (1_203, 25));
}

/// A revoked token is shown to an administrator who asks for such, and is not offered for revocation.
pub(super) async fn revoked_tokens_are_listed() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    answer(
        server
            .delete(&token.path())
            .basic_auth("alice", Some("alice")),
    )
    .await;
    let path = "/admin/tokens?status=REVOKED";
    let page = answer(server.get(path).basic_auth("admin", Some("admin"))).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("1 token"), "{}", page.body);
    assert!(!page.body.contains("Revoke all"), "{}", page.body);
    assert!(!page.body.contains("Revoke selected"), "{}", page.body);
    assert!(!page.body.contains("type=\"checkbox\""), "{}", page.body);
}

/// Who revokes a token that has created others is asked about these, and told of those that stay.
pub(super) async fn a_checkbox_revokes_children_too() {
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let mut raw = Vec::new();
    for name in ["one", "two"] {
        let request = server.post(TOKENS).bearer_auth(&parent.raw);
        let child = answer(request.json(&json!({"name": name}))).await;
        raw.push(child.created());
    }
    let alice = Session::start(&server, "alice").await;
    let list = alice.get(&server, "/tokens").await;
    // Those that have children are asked about on a page, not in the dialog.
    assert_eq!(list.body.matches("data-ask=").count(), 2, "{}", list.body);
    let path = format!("/tokens/{}/revoke", parent.id);
    let page = alice.get(&server, &path).await;
    assert!(page.body.contains("name=\"family\""), "{}", page.body);
    let childless = alice
        .get(&server, &format!("/tokens/{}/revoke", raw[0].id))
        .await;
    assert!(
        !childless.body.contains("name=\"family\""),
        "{}",
        childless.body
    );
    let without = answer(alice.post(&server, &path, &[])).await;
    let target = without.header("location").expect("a link").to_owned();
    let list = format!("/tokens?revoked={}&children=2", parent.id);
    assert!(target.ends_with(&list), "{target}");
    let told = alice.get(&server, &list).await;
    assert!(
        told.body.contains("\u{2069}” was revoked."),
        "{}",
        told.body
    );
    assert!(told.body.contains("Still valid: 2 tokens"), "{}", told.body);
    assert_eq!(server.try_token(&raw[0].raw).await, StatusCode::OK);
    // An administrator's box.
    let admin = Session::start(&server, "admin").await;
    let selected = raw[0].id.to_string();
    let ask = admin
        .get(&server, &format!("/admin/tokens/revoke?id={selected}"))
        .await;
    assert!(ask.body.contains("name=\"family\""), "{}", ask.body);
    let other = server.create("alice").await;
    let request = server.post(TOKENS).bearer_auth(&other.raw);
    let child = answer(request.json(&json!({"name": "child"})))
        .await
        .created();
    let id = other.id.to_string();
    let fields = [("id", id.as_str()), ("family", "true")];
    let revoked = answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{}", revoked.body);
    assert_eq!(server.try_token(&child.raw).await, StatusCode::UNAUTHORIZED);
}

/// Each field of the filter is told what is wrong with it, in one answer.
pub(super) async fn all_filter_errors_are_shown() {
    let server = Server::start().await;
    let admin = Session::start(&server, "admin").await;
    let path = "/admin/tokens?created_from=x&created_to=2026-02-30&used_from=2026-02-02\
                &used_to=2026-02-01&expires_to=9999-12-31&status=LATE&owner=%00";
    let page = admin.get(&server, path).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    for (name, says) in [
        ("created_from", "Enter a date"),
        ("created_to", "Enter a date"),
        ("used_to", "before the start"),
        ("expires_to", "Enter a date"),
        ("status", "Choose one"),
        ("owner", "No user"),
    ] {
        let id = format!("id=\"pat-f-error-{name}\">");
        let (_, text) = page.body.split_once(&id).expect(name);
        assert!(
            text.split('<')
                .next()
                .is_some_and(|text| text.contains(says)),
            "{name}"
        );
        let described = format!("aria-invalid=\"true\" aria-describedby=\"pat-f-error-{name}\"");
        assert!(page.body.contains(&described), "{name}");
    }
    assert_eq!(page.body.matches("aria-invalid").count(), 6);
    assert!(!page.body.contains("<table"));
    let export = admin
        .get(&server, &path.replace("tokens?", "tokens/export?"))
        .await;
    assert_eq!(export.status, StatusCode::BAD_REQUEST);
    // A day by itself is a range, too.
    let day = "/admin/tokens?created_from=2026-02-26&created_to=2026-02-26";
    assert_eq!(admin.get(&server, day).await.status, StatusCode::OK);
}

/// Before all that a filter finds is revoked, the page names the users whom the typed owner fits.
pub(super) async fn the_owners_of_found_tokens_are_named_before_revocation() {
    let server = Server::start().await;
    let admin = Session::start(&server, "admin").await;
    let ask = async |owner: &str| {
        let path = format!("/admin/tokens/revoke?what=found&status=ACTIVE&owner={owner}");
        let page = admin.get(&server, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{owner}");
        page.body
    };
    let (alice, bob) = (
        "\u{2068}Alice Liddell\u{2069} · ",
        "\u{2068}Bob Baumeister\u{2069} · ",
    );
    for (owner, fits_alice, fits_bob) in [
        ("b", false, true),
        ("example.com", true, true),
        ("alice", true, false),
        ("nobody", false, false),
    ] {
        let page = ask(owner).await;
        assert!(
            page.contains(&format!("<bdi>{owner}</bdi>")) && page.contains("<bdi>Active</bdi>")
        );
        assert_eq!(page.contains(alice), fits_alice, "{owner}");
        assert_eq!(page.contains(bob), fits_bob, "{owner}");
        assert!(!page.contains("<bdi>…</bdi>"), "{owner}");
    }
    for number in 0..6 {
        let user = (&*format!("user{number}"), "One of many");
        server.users.add(&[user]).await.expect("a user");
    }
    let page = ask("many").await;
    assert_eq!(page.matches("One of many").count(), 5);
    assert!(page.contains("<bdi>…</bdi>"));
    // A whole user name means this user alone, in any letter case.
    let users = [("zoë", "Zoë Ångström"), ("zoë2", "Second")];
    server.users.add(&users).await.expect("users");
    let path = "/admin/tokens/revoke?what=found&status=ACTIVE&owner=ZO%C3%8B";
    let page = admin.get(&server, path).await.body;
    assert!(page.contains("Zoë Ångström") && !page.contains("Second"));
}
