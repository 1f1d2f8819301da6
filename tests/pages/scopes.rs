//! What the pages show of scopes, and which ones a form gives a new token.

use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use jiff::Timestamp;
use pat_core::scope::{ScopeCatalog, Scopes};
use pat_core::settings::SettingsBuilder;
use pat_core::store::{NewToken, TokenStore as _};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Pats, Settings, TokenDigest, TokenId, TokenRequest};
use pat_harness::scopes::NarrowDirectory;
use pat_tower::pages::Pages;
use tower::ServiceExt as _;

pub(super) fn catalog() -> ScopeCatalog {
    let builder = ScopeCatalog::builder()
        .scope("write", "Read & <b>change</b> reports")
        .scope("read", "Read reports")
        .scope("own", "Own reports")
        .implies("write", "read")
        .implies("own", "write");
    builder.build().expect("a catalog")
}

const RESERVED: &str = "tokens:read tokens:write tokens:admin";

fn scopes(names: &str) -> Scopes {
    names.parse().expect("scopes")
}

struct Host {
    pats: Pats,
    users: TestDirectory,
    router: Router,
}

/// A page, or another answer.
struct Page {
    status: StatusCode,
    html: String,
}

impl Host {
    fn new(catalog: ScopeCatalog, settings: SettingsBuilder) -> Self {
        let users = TestDirectory::default();
        for user in ["alice", "bob", "carol"] {
            users.add_administrator(user);
        }
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(NarrowDirectory(users.clone())))
            .settings(settings.build().expect("settings"))
            .scopes(catalog)
            .build();
        Self::of(pats, users)
    }

    fn of(pats: Pats, users: TestDirectory) -> Self {
        let router = Pages::new(pats.clone()).router();
        Self {
            pats,
            users,
            router,
        }
    }

    fn plain() -> Self {
        Self::new(catalog(), Settings::builder())
    }

    async fn send(&self, user: &str, request: Request<Body>) -> Page {
        let caller = Caller::header_authenticated(user.parse().expect("an owner"));
        let app = self.router.clone().layer(Extension(caller));
        let response = app.oneshot(request).await.expect("an answer");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000_000).await;
        let html = String::from_utf8(body.expect("a body").to_vec()).expect("text");
        Page { status, html }
    }

    async fn get(&self, user: &str, path: &str) -> Page {
        let request = Request::get(path).body(Body::empty());
        self.send(user, request.expect("a request")).await
    }

    async fn post(&self, user: &str, path: &str, form: &str) -> Page {
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(path).header("content-type", kind);
        let request = request.body(Body::from(form.to_owned()));
        self.send(user, request.expect("a request")).await
    }

    /// The form with this after the name and the expiry.
    async fn submit(&self, user: &str, more: &str) -> Page {
        let form = format!("name=ci&expires=30{more}");
        self.post(user, "/tokens/new", &form).await
    }

    /// The scopes of each of a user's tokens, the oldest first; `*` for an unrestricted one.
    async fn scopes_of(&self, user: &str) -> Vec<String> {
        let caller = Caller::header_authenticated(user.parse().expect("an owner"));
        let tokens = self.pats.list(&caller).await.expect("a list");
        let scopes = tokens.into_iter().map(|token| token.scopes);
        let scopes = scopes.map(|scopes| scopes.map_or("*".into(), |scopes| scopes.to_string()));
        scopes.collect()
    }

    /// The ID of a new token of alice's with these scopes; none for an unrestricted one.
    async fn token(&self, name: &str, scopes: Option<&str>) -> i64 {
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let request = TokenRequest::new(name, Some(90));
        let request = match scopes {
            Some(scopes) => request.with_scopes(scopes.split(' ')),
            None => request,
        };
        let created = self.pats.create(&alice, request).await.expect("a token");
        created.token.id.get()
    }
}

impl Page {
    /// The options for the scopes in the form, with an asterisk after the one that is chosen.
    fn options(&self) -> String {
        self.inputs("type=\"radio\" name=\"access\"")
    }

    /// The boxes for scopes in the form, with an asterisk after each one that is checked.
    fn boxes(&self) -> String {
        self.inputs("type=\"checkbox\" name=\"scope\"")
    }

    fn inputs(&self, kind: &str) -> String {
        let start = format!("<input {kind} value=\"");
        let inputs = self.html.split(&start).skip(1);
        let inputs = inputs.map(|rest| {
            let (value, rest) = rest.split_once('"').expect("a value");
            let attributes = rest.split('>').next().expect("attributes");
            let mark = if attributes.contains(" checked") {
                "*"
            } else {
                ""
            };
            format!("{value}{mark}")
        });
        inputs.collect::<Vec<_>>().join(" ")
    }

    /// The names of the boxes that are checked.
    fn checked(&self) -> String {
        let boxes = self.boxes();
        let checked = boxes.split(' ').filter_map(|name| name.strip_suffix('*'));
        checked.collect::<Vec<_>>().join(" ")
    }

    /// The error at the field with this name; empty without one.
    fn error(&self, field: &str) -> &str {
        let id = format!("id=\"pat-{field}-error\">");
        let found = self.html.split_once(&id);
        found.map_or("", |(_, rest)| rest.split('<').next().expect("a text"))
    }

    /// The scopes after the label of a fact, or below a name: each in brackets.
    fn scopes_after(&self, mark: &str) -> String {
        let (_, rest) = self.html.split_once(mark).expect(mark);
        let end = ["</dd>", "</th>", "</li>", "</fieldset>"]
            .iter()
            .filter_map(|end| rest.find(end));
        let part = &rest[..end.min().expect("an end")];
        let part = part.replace("<code class=\"pat-scope\" translate=\"no\">", "[");
        let part = part.replace("</code>", "]").replace("<summary>", " ");
        let mut text = String::new();
        let mut is_tag = false;
        for c in part.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

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
        assert!(refused.html.contains("role=\"alert\""), "{more}");
    }
    assert_eq!(host.scopes_of("alice").await, ["*"; 3]);
}

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
        page.html
            .contains("<button class=\"pat-button pat-primary\" disabled>")
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
    let host = Host::new(self::catalog(), settings);
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

pub(super) async fn a_form_gives_a_token_the_chosen_scopes() {
    let default = || Settings::builder().scopes_default(&scopes("write"));
    for (settings, more, expected) in [
        (Settings::builder(), "&access=unrestricted", "*"),
        (Settings::builder(), "&access=read", "read"),
        (Settings::builder(), "&access=scopes&scope=write", "write"),
        (
            Settings::builder(),
            "&access=scopes&scope=write&scope=tokens%3Aread&scope=own",
            "own tokens:read write",
        ),
        // Forms of scripts, without the choice that a form of the pages has.
        (Settings::builder(), "", "*"),
        (Settings::builder(), "&scope=read", "read"),
        (default(), "&access=default", "write"),
        (default(), "", "write"),
        (default(), "&access=scopes&scope=own", "own"),
    ] {
        let host = Host::new(catalog(), settings);
        let created = host.submit("alice", more).await;
        assert_eq!(
            created.status,
            StatusCode::CREATED,
            "{more}: {}",
            created.html
        );
        assert_eq!(host.scopes_of("alice").await, [expected], "{more}");
        let names = scopes(&expected.replace('*', ""));
        let names: Vec<_> = names.iter().map(|name| format!("[{name}]")).collect();
        let shown = created.scopes_after("<dt>Scopes</dt>");
        let expected = match names.join(" ") {
            empty if empty.is_empty() => "Unrestricted".to_owned(),
            names => names,
        };
        assert_eq!(shown, expected, "{more}");
    }
}

/// A form is refused with this error at the scopes, keeps the choice, and creates nothing.
struct Refused<'a> {
    form: &'a str,
    says: &'a str,
    options: &'a str,
    checked: &'a str,
}

impl Refused<'_> {
    async fn assert(&self, host: &Host, user: &str, status: StatusCode) {
        let page = host.submit(user, self.form).await;
        assert_eq!(page.status, status, "{}", self.form);
        let error = page.error("scopes");
        assert!(error.contains(self.says), "{}: {error}", self.form);
        // The error is there and nowhere else, and so is the focus, without a script.
        assert!(!page.html.contains("role=\"alert\""), "{}", self.form);
        let focused = page.html.matches(" checked autofocus>").count();
        assert_eq!(focused, 1, "{}", self.form);
        assert_eq!(page.options(), self.options, "{}", self.form);
        assert_eq!(page.checked(), self.checked, "{}", self.form);
        assert!(host.scopes_of(user).await.is_empty());
    }
}

pub(super) async fn a_form_without_a_sound_choice_creates_nothing() {
    let chosen = "unrestricted read scopes*";
    let many = format!("&access=scopes{}", "&scope=read".repeat(100));
    for (form, says, checked) in [
        ("&access=scopes", "Choose at least one", ""),
        // Boxes that are checked count, or nothing does.
        (
            "&access=unrestricted&scope=read",
            "some scopes are checked",
            "read",
        ),
        ("&access=read&scope=own", "some scopes are checked", "own"),
        (
            "&access=scopes&scope=gone&scope=own",
            "no longer offered",
            "own",
        ),
        (&many, "occurs twice", "read"),
        // What is not offered by now.
        ("&access=default", "Choose at least one", ""),
        ("&access=x", "Choose at least one", ""),
    ] {
        let refused = Refused {
            form,
            says,
            options: chosen,
            checked,
        };
        let host = Host::plain();
        refused
            .assert(&host, "alice", StatusCode::BAD_REQUEST)
            .await;
    }
    let refused = Refused {
        form: "&access=unrestricted",
        says: "Choose at least one",
        options: "default scopes*",
        checked: "",
    };
    let settings = Settings::builder().scopes_default(&scopes("read"));
    let host = Host::new(catalog(), settings);
    refused
        .assert(&host, "alice", StatusCode::BAD_REQUEST)
        .await;
}

pub(super) async fn a_form_with_scopes_that_are_not_allowed_creates_nothing() {
    let not_allowed = "You may not create a token with these scopes";
    let (bad, forbidden) = (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
    for (form, status, says, checked) in [
        (
            "&access=scopes&scope=read&scope=write",
            forbidden,
            not_allowed,
            "read",
        ),
        ("&access=unrestricted", bad, "Choose at least one", ""),
        // A script's, without a choice.
        ("", forbidden, not_allowed, ""),
    ] {
        let refused = Refused {
            form,
            says,
            options: "read scopes*",
            checked,
        };
        refused.assert(&Host::plain(), "bob", status).await;
    }
    let refused = Refused {
        form: "",
        says: "Scopes are required",
        options: "read scopes*",
        checked: "",
    };
    let required = Settings::builder().scopes_required(true);
    refused
        .assert(&Host::new(catalog(), required), "alice", bad)
        .await;
}

pub(super) async fn errors_at_the_scopes_are_shown_with_the_others() {
    let host = Host::plain();
    let page = host
        .post("alice", "/tokens/new", "name=&access=scopes")
        .await;
    for (field, says) in [
        ("name", "The name is blank"),
        ("expiry", "Choose when"),
        ("scopes", "Choose at least one"),
    ] {
        assert!(page.error(field).contains(says), "{field}");
    }
    // The first of them has the focus.
    assert_eq!(page.html.matches("autofocus").count(), 1);
    assert!(page.html.contains("aria-invalid=\"true\" autofocus"));
    // What is chosen is kept if something else is wrong.
    let form = "name=&expires=7&access=read";
    let page = host.post("alice", "/tokens/new", form).await;
    assert_eq!(page.options(), "unrestricted read* scopes");
    assert_eq!(page.error("scopes"), "");
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

pub(super) async fn a_form_that_comes_twice_keeps_its_scopes() {
    for (more, again, options, boxes) in [
        ("&access=unrestricted", "", "unrestricted* read scopes", ""),
        (
            "&access=read",
            "&#38;scopes=read",
            "unrestricted read* scopes",
            "",
        ),
        (
            "&access=scopes&scope=write&scope=tokens:read",
            "&#38;scopes=write+tokens%3Aread",
            "unrestricted read scopes*",
            "write tokens:read",
        ),
    ] {
        let host = Host::plain();
        let more = format!("{more}&seen=");
        let created = host.submit("alice", &more).await;
        assert_eq!(created.status, StatusCode::CREATED);
        let repeated = host.submit("alice", &more).await;
        assert_eq!(repeated.status, StatusCode::CONFLICT);
        let shown = created.scopes_after("<dt>Scopes</dt>");
        assert_eq!(repeated.scopes_after("<dt>Scopes</dt>"), shown);
        let link = format!("tokens/new?name=ci&#38;expires=30{again}\"");
        assert!(repeated.html.contains(&link), "{}", repeated.html);
        let path = format!("/{}", link.trim_end_matches('"').replace("&#38;", "&"));
        let page = host.get("alice", &path).await;
        assert_eq!(page.options(), options);
        assert_eq!(page.checked(), boxes);
    }
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
        let rows = page.html.split("class=\"pat-name\"><bdi>").skip(1);
        let names: Vec<_> = rows.filter_map(|row| row.split('<').next()).collect();
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
