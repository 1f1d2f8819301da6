//! What the form for a new token offers of scopes, and which ones a link chooses.

use http::StatusCode;
use pat_core::Settings;
use pat_core::scope::ScopeCatalog;

use super::{Host, RESERVED, catalog, scopes};

pub(super) async fn a_form_offers_what_the_user_may_choose() {
    let all = format!("write read own {RESERVED}");
    let default = || Settings::builder().scopes_default(&scopes("own tokens:read"));
    let read = Settings::builder().scopes_default(&scopes("read"));
    let required = Settings::builder().scopes_required(true);
    for (settings, user, options, boxes) in [
        (
            Settings::builder(),
            "alice",
            "unrestricted* read scopes",
            &*all,
        ),
        (default(), "alice", "default* read scopes", &all),
        // There is one option for what is the same.
        (read.clone(), "alice", "default* scopes", &all),
        (required, "alice", "read scopes*", &all),
        (Settings::builder(), "bob", "read scopes*", "read"),
        (default(), "bob", "read scopes*", "read"),
        (read, "bob", "default* scopes", "read"),
    ] {
        let page = Host::new(catalog(), settings)
            .get(user, "/tokens/new")
            .await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.options(), options, "{user}");
        assert_eq!(page.boxes(), boxes, "{user}");
    }
    let page = Host::plain().get("alice", "/tokens/new").await.html;
    for text in [
        "<legend>Scopes</legend>",
        "<code class=\"pat-scope\" translate=\"no\">write</code> Read &#38; &#60;b&#62;change&#60;/b&#62; reports",
        "data-includes=\"write read\"",
        ">Includes write, read.<",
        ">Includes tokens:read.<",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches(">Includes ").count(), 3);
    // Those of the default are named.
    let page = Host::new(catalog(), default())
        .get("alice", "/tokens/new")
        .await;
    assert_eq!(
        page.scopes_after("value=\"default\" checked> Default</label>")
            .split(" Read only")
            .next(),
        Some("[own] [tokens:read]")
    );
    // Who may give a token nothing is told so.
    let page = Host::plain().get("carol", "/tokens/new").await;
    assert_eq!((page.options(), page.boxes()), Default::default());
    assert!(
        page.html.contains("You may not give a token any scope"),
        "{}",
        page.html
    );
    assert!(
        !page.html.contains("<form class=\"pat-card"),
        "{}",
        page.html
    );
}

pub(super) async fn a_single_option_is_not_a_question() {
    let builder = ScopeCatalog::builder().scope("see", "See reports");
    let catalog = || builder.clone().build().expect("a catalog");
    let required = Host::new(catalog(), Settings::builder().scopes_required(true));
    let page = required.get("alice", "/tokens/new").await;
    assert_eq!(page.options(), "");
    assert!(
        page.html
            .contains("type=\"hidden\" name=\"access\" value=\"scopes\"")
    );
    assert_eq!(page.boxes(), format!("see {RESERVED}"));
    let refused = required.submit("alice", "&access=scopes").await;
    assert_eq!(refused.error("scopes"), "Choose at least one scope.");
    let focused = refused.html.split(" autofocus>").next().expect("a page");
    assert!(focused.ends_with("value=\"see\" data-includes=\"\""));
    let created = required.submit("alice", "&access=scopes&scope=see").await;
    assert_eq!(created.status, StatusCode::CREATED);
    // Bob may choose none of these, and the default is not allowed to bob.
    let settings = Settings::builder().scopes_default(&scopes("gone"));
    let host = Host::new(super::catalog(), settings);
    let page = host.get("carol", "/tokens/new").await;
    assert_eq!((&*page.options(), &*page.boxes()), ("", ""));
    assert_eq!(
        page.scopes_after("<p>Default</p>").split(' ').next(),
        Some("[gone]")
    );
    let created = host.submit("carol", "&access=default").await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(host.scopes_of("carol").await, ["gone"]);
}

pub(super) async fn a_link_chooses_scopes() {
    for (query, user, options, boxes) in [
        ("", "alice", "unrestricted* read scopes", ""),
        ("scopes=", "alice", "unrestricted* read scopes", ""),
        ("scopes=read", "alice", "unrestricted read* scopes", ""),
        (
            "scopes=read+read+gone",
            "alice",
            "unrestricted read* scopes",
            "",
        ),
        (
            "scopes=write",
            "alice",
            "unrestricted read scopes*",
            "write",
        ),
        (
            "scopes=tokens:read%20own",
            "alice",
            "unrestricted read scopes*",
            "own tokens:read",
        ),
        (
            "scopes=write&scopes=read",
            "alice",
            "unrestricted read scopes*",
            "write read",
        ),
        // A link that asks for a restricted token never leads to an unrestricted one unasked.
        ("scopes=gone", "alice", "unrestricted read scopes*", ""),
        (
            "scopes=%3Cscript%3E",
            "alice",
            "unrestricted read scopes*",
            "",
        ),
        ("scopes=write", "bob", "read scopes*", ""),
    ] {
        let page = Host::plain()
            .get(user, &format!("/tokens/new?{query}"))
            .await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.options(), options, "{query}");
        assert_eq!(page.checked(), boxes, "{query}");
        assert!(!page.html.contains("<script>"));
    }
}

pub(super) async fn the_form_needs_the_hosts_answer() {
    let host = Host::plain();
    host.users.set_down(true);
    let page = host.get("alice", "/tokens/new").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    let page = host.submit("alice", "&access=read").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(host.scopes_of("alice").await.is_empty());
    // Without scopes there is nothing to ask.
    let host = Host::new(ScopeCatalog::default(), Settings::builder());
    host.users.set_down(true);
    let page = host.get("alice", "/tokens/new").await;
    assert_eq!(page.status, StatusCode::OK);
}
