//! What the pages show of scopes, and which ones a form gives a new token.

mod creation;
mod form;
mod lists;

use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use libtest_mimic::Trial;
use pat_core::scope::{ScopeCatalog, Scopes};
use pat_core::settings::SettingsBuilder;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Pats, Settings, TokenRequest};
use pat_harness::scopes::NarrowDirectory;
use pat_harness::trial;
use pat_tower::pages::Pages;
use tower::ServiceExt as _;

use crate::http::text_of;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(form::a_form_offers_what_the_user_may_choose),
        trial(form::a_single_option_is_not_a_question),
        trial(form::a_link_chooses_scopes),
        trial(form::the_form_needs_the_hosts_answer),
        trial(creation::a_form_gives_a_token_the_chosen_scopes),
        trial(creation::a_form_without_a_sound_choice_creates_nothing),
        trial(creation::a_form_with_scopes_that_are_not_allowed_creates_nothing),
        trial(creation::errors_at_the_scopes_are_shown_with_the_others),
        trial(creation::a_form_that_comes_twice_keeps_its_scopes),
        trial(lists::a_host_without_scopes_shows_none),
        trial(lists::tokens_are_listed_with_their_scopes),
        trial(lists::administrators_filter_by_scope),
        trial(lists::undeclared_scopes_are_shown),
    ]
}

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
        Page {
            status: response.status(),
            html: text_of(response).await,
        }
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
        // A name is followed by the end of the secret.
        let part = part
            .find("<div class=\"pat-row-scopes\">")
            .map_or(part, |start| &part[start..]);
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
