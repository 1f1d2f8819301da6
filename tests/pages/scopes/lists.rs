//! What lists, questions and filters show of scopes.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use pat_core::scope::{ScopeCatalog, Scopes};
use pat_core::store::{NewToken, TokenStore as _};
use pat_core::testing::TestDirectory;
use pat_core::{MemoryStore, Pats, Settings, TokenDigest, TokenId};

use super::{Host, RESERVED, catalog};

pub(super) async fn a_host_without_scopes_shows_none() {
    let host = Host::new(ScopeCatalog::default(), Settings::builder());
    let id = host.token("ci", None).await;
    let plain = host.get("alice", "/tokens/new").await.html;
    let linked = host.get("alice", "/tokens/new?scopes=read").await.html;
    assert_eq!(plain.len(), linked.len(), "but for what is random");
    let mut pages = vec![plain, linked];
    for path in [
        "/tokens".to_owned(),
        format!("/tokens/{id}/revoke"),
        "/admin/tokens".to_owned(),
        format!("/admin/tokens/revoke?id={id}"),
    ] {
        let page = host.get("alice", &path).await;
        assert_eq!(page.status, StatusCode::OK);
        pages.push(page.html);
    }
    for more in ["", "&access=unrestricted"] {
        let created = host.submit("alice", more).await;
        assert_eq!(created.status, StatusCode::CREATED);
        pages.push(created.html);
    }
    pages.push(
        host.post("alice", "/tokens/new", "name=ci&seen=")
            .await
            .html,
    );
    for page in pages {
        let page = page.to_lowercase();
        for word in ["scopes", "pat-scope", "restricted", "\"access\""] {
            assert!(!page.contains(word), "{word}: {page}");
        }
    }
    // The form of a node that has them does not create a token that may do more.
    for more in ["&access=scopes&scope=read", "&access=read", "&scope=read"] {
        let refused = host.submit("alice", more).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{more}");
        assert!(refused.html.contains("pat-note pat-warn"), "{more}");
    }
    assert_eq!(host.scopes_of("alice").await, ["*"; 3]);
}

pub(super) async fn tokens_are_listed_with_their_scopes() {
    let host = Host::plain();
    let few = "[own] [read] [tokens:read] [write]";
    let all = "[own] [read] [tokens:admin] [tokens:read] [tokens:write] [write]";
    let first = "[own] [read] [tokens:admin] +3 [tokens:read] [tokens:write] [write]";
    for (name, scopes, in_list, on_page, in_dialog) in [
        ("one", None, "Unrestricted", "Unrestricted", "Unrestricted"),
        ("two", Some("read"), "[read]", "[read]", "read"),
        (
            "few",
            Some("write read own tokens:read"),
            few,
            few,
            "own, read, tokens:read, write",
        ),
        (
            "all",
            Some("own read tokens:admin tokens:read tokens:write write"),
            first,
            all,
            "own, read, tokens:admin, +3",
        ),
    ] {
        let id = host.token(name, scopes).await;
        let row = format!("<bdi>{name}</bdi>");
        let listed = format!("Scopes: {in_list}");
        for path in ["/tokens", "/admin/tokens"] {
            let page = host.get("alice", path).await;
            assert_eq!(page.scopes_after(&row), listed, "{path}");
        }
        let list = host.get("alice", "/tokens").await.html;
        assert!(
            list.contains(&format!(" data-scopes=\"{in_dialog}\"")),
            "{list}"
        );
        assert!(list.contains("<dt>Scopes</dt><dd id=\"pat-ask-scopes\""));
        let question = host.get("alice", &format!("/tokens/{id}/revoke")).await;
        assert_eq!(question.scopes_after("<dt>Scopes</dt>"), on_page);
        let many = host
            .get("alice", &format!("/admin/tokens/revoke?id={id}"))
            .await;
        let shown = many.scopes_after("<div class=\"pat-row-scopes\">");
        assert_eq!(shown, format!("Scopes: {on_page}"));
    }
}

pub(super) async fn administrators_filter_by_scope() {
    let host = Host::plain();
    for (name, scopes) in [
        ("all", None),
        ("reader", Some("read")),
        ("both", Some("own read")),
    ] {
        host.token(name, scopes).await;
    }
    let options = format!("* write read own {RESERVED}");
    for (query, found, chosen, options) in [
        ("", "both reader all", "", options.clone()),
        ("scope=", "both reader all", "", options.clone()),
        // What another scope includes does not count.
        ("scope=read", "both reader", "read", options.clone()),
        ("scope=own", "both", "own", options.clone()),
        ("scope=tokens:read", "", "tokens:read", options.clone()),
        ("scope=*", "all", "*", options.clone()),
        ("scope=gone", "", "gone", format!("{options} gone")),
        ("scope=read&name=er", "reader", "read", options),
    ] {
        let path = format!("/admin/tokens?{query}");
        let page = host.get("alice", &path).await;
        assert_eq!(page.status, StatusCode::OK);
        let rows = page.html.split("class=\"pat-name\">").skip(1);
        let names = rows.filter_map(|row| row.split("<bdi>").nth(1)?.split('<').next());
        let names: Vec<_> = names.collect();
        assert_eq!(names.join(" "), found, "{query}");
        let (_, select) = page
            .html
            .split_once("<select id=\"pat-f-scope\" name=\"scope\">")
            .expect("a field");
        let select = select.split("</select>").next().expect("its end");
        let values: Vec<_> = select
            .split("value=\"")
            .skip(1)
            .map(|option| option.split('>').next().expect("an option"))
            .collect();
        let selected = values
            .iter()
            .find_map(|value| value.strip_suffix("\" selected"));
        assert_eq!(selected.unwrap_or_default(), chosen, "{query}");
        let names: Vec<_> = values
            .iter()
            .filter_map(|value| value.split('"').next())
            .collect();
        assert_eq!(names.join(" "), format!(" {options}"), "{query}");
        // What is done with those that are found keeps it.
        let kept = format!("<input type=\"hidden\" name=\"scope\" value=\"{chosen}\">");
        assert_eq!(page.html.contains(&kept), !chosen.is_empty(), "{query}");
    }
    let page = host.get("alice", "/admin/tokens?scope=Read&status=x").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    for name in ["scope", "status"] {
        let (_, text) = page
            .html
            .split_once(&format!("id=\"pat-f-error-{name}\">"))
            .expect(name);
        assert!(text.starts_with("Choose one of these."));
    }
    // The question about all that match says what they match.
    let path = "/admin/tokens/revoke?what=found&scope=";
    let page = host.get("alice", &format!("{path}*")).await;
    assert!(page.html.contains("Revoke 1 token?"));
    assert!(
        page.html
            .contains("<dt>Scopes</dt><dd><div><bdi>Unrestricted</bdi>")
    );
    let page = host.get("alice", &format!("{path}read")).await;
    assert!(page.html.contains("Revoke 2 tokens?"));
    assert!(
        page.html
            .contains("<dt>Scopes</dt><dd><div><bdi>read</bdi>")
    );
    let form = "what=found&scope=read&expected=2";
    let revoked = host.post("alice", "/admin/tokens/revoke", form).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    assert_eq!(host.scopes_of("alice").await, ["*"]);
    // A host without scopes has no such field, unless a link says one.
    let host = Host::new(ScopeCatalog::default(), Settings::builder());
    for (query, is_there) in [("", false), ("?scope=read", true)] {
        let page = host.get("alice", &format!("/admin/tokens{query}")).await;
        assert_eq!(page.html.contains("pat-f-scope"), is_there);
    }
}

/// A token from another time has scopes that are not declared, also where none are.
pub(super) async fn undeclared_scopes_are_shown() {
    let users = TestDirectory::default();
    users.add_administrator("alice");
    let store = Arc::new(MemoryStore::default());
    let builder = |catalog| {
        let builder = Pats::builder(store.clone()).users(Arc::new(users.clone()));
        builder.scopes(catalog).build()
    };
    let before = Host::of(builder(catalog()), users.clone());
    let restricted = before.token("restricted", Some("read own")).await;
    let unrestricted = before.token("unrestricted", None).await;
    let gone = ScopeCatalog::builder().scope("see", "See").build();
    for catalog in [gone.expect("a catalog"), ScopeCatalog::default()] {
        let host = Host::of(builder(catalog), users.clone());
        let list = host.get("alice", "/tokens").await;
        let shown = list.scopes_after("<bdi>restricted</bdi>");
        assert_eq!(shown, "Scopes: [own] [read]");
        let page = host
            .get("alice", &format!("/tokens/{restricted}/revoke"))
            .await;
        assert_eq!(page.scopes_after("<dt>Scopes</dt>"), "[own] [read]");
        let page = host
            .get("alice", &format!("/tokens/{unrestricted}/revoke"))
            .await;
        let is_declared = !host.pats.scope_catalog().is_empty();
        assert_eq!(page.html.contains("<dt>Scopes</dt>"), is_declared);
    }
    // No scope is not the same as no restriction.
    let (id, digest) = (TokenId::new(7).expect("an ID"), TokenDigest::of(b"empty"));
    let owner = "alice".parse().expect("an owner");
    let mut empty = NewToken::new(id, digest, owner, "empty", Timestamp::UNIX_EPOCH);
    empty.scopes = Some(Scopes::none());
    store.insert(&empty, 10).await.expect("a token");
    let list = before.get("alice", "/tokens").await;
    assert_eq!(list.scopes_after("<bdi>empty</bdi>"), "Scopes: None");
}
