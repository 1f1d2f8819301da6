//! Which scopes a submitted form gives a new token.

use http::StatusCode;
use pat_core::Settings;

use super::{Host, catalog, scopes};

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
        says: "Tokens without a restriction are not allowed",
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
