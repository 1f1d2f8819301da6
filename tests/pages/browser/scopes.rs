//! Scopes in a browser.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use pat_core::scope::ScopeCatalog;
use pat_core::settings::SettingsBuilder;
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, MemoryStore, Pats, Settings, TokenRequest};
use pat_harness::browser::Browser;
use pat_tower::pages::Pages;
use serde_json::json;
use tokio::net::TcpListener;

use super::check;
use crate::pages::scopes::catalog;

/// A host whose every visitor is alice, an administrator.
struct Host {
    base: String,
    pats: Pats,
    clock: Arc<TestClock>,
}

impl Host {
    async fn start(catalog: ScopeCatalog, settings: SettingsBuilder) -> Self {
        let users = TestDirectory::default();
        let alice = Caller::cookie_authenticated(users.add_administrator("alice"));
        let clock = Arc::<TestClock>::default();
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(users))
            .clock(clock.clone())
            .settings(settings.build().expect("settings"))
            .scopes(catalog)
            .build();
        let pages = Pages::new(pats.clone()).dangerous_plain_http();
        let app: Router = pages.router().layer(Extension(alice));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { base, pats, clock }
    }

    /// The scopes of the token with this name.
    async fn scopes_of(&self, name: &str) -> Option<String> {
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let tokens = self.pats.list(&alice).await.expect("a list");
        let token = tokens.into_iter().find(|token| token.name == name);
        let scopes = token.expect("a token").scopes?;
        Some(scopes.to_string())
    }

    async fn create(&self, name: &str, scopes: Option<&[String]>) {
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let request = TokenRequest::new(name, Some(30));
        let request = match scopes {
            Some(scopes) => request.with_scopes(scopes),
            None => request,
        };
        self.pats.create(&alice, request).await.expect("a token");
    }
}

/// Which boxes are checked, with an asterisk if they cannot be changed.
async fn checked(browser: &Browser) -> String {
    let script = "return [...document.querySelectorAll('[name=scope]:checked')]\
                  .map(box => box.value + (box.disabled ? '*' : '')).join(' ')";
    let checked = browser.run(script).await;
    checked.as_str().expect("text").to_owned()
}

const BOX: &str = "[name=scope][value=";

pub(super) async fn scopes_are_chosen() {
    let host = Host::start(catalog(), Settings::builder()).await;
    let browser = Browser::start(&host.base).await;
    browser.go("/tokens/new?name=ci").await;
    let list = browser.find(".pat-scope-list").await;
    assert!(!list.is_displayed().await.expect("a list"));
    browser.click("[name=access][value=scopes]").await;
    assert!(list.is_displayed().await.expect("a list"));
    assert_eq!(checked(&browser).await, "");

    // What a scope includes is shown as checked, and stays checked only as long as something checks it.
    browser.click(&format!("{BOX}read]")).await;
    browser.click(&format!("{BOX}own]")).await;
    assert_eq!(checked(&browser).await, "write* read* own");
    browser.click(&format!("{BOX}own]")).await;
    assert_eq!(checked(&browser).await, "read");
    browser.click(&format!("{BOX}read]")).await;
    browser.click(&format!("{BOX}write]")).await;
    browser.click(&format!("{BOX}'tokens:write']")).await;
    assert_eq!(
        checked(&browser).await,
        "write read* tokens:read* tokens:write"
    );
    // Boxes that do not count are not sent, and do not stand in the way.
    browser.click("[name=access][value=read]").await;
    browser.follow("main button.pat-primary").await;
    assert_eq!(browser.text(".pat-facts .pat-scope").await, "read");
    assert_eq!(host.scopes_of("ci").await.as_deref(), Some("read"));

    // An error keeps what is checked, and has the focus.
    browser.go("/tokens/new?scopes=write+own").await;
    browser.follow("main button.pat-primary").await;
    assert!(browser.text("#pat-name-error").await.contains("a name"));
    assert_eq!(checked(&browser).await, "write* read* own");
    browser.fill("#pat-name", "second").await;
    // The list has the latest token first.
    host.clock.advance(Duration::from_secs(1));
    browser.follow("main button.pat-primary").await;
    assert_eq!(host.scopes_of("second").await.as_deref(), Some("own"));
    browser.go("/tokens/new?name=third&scopes=gone").await;
    browser.follow("main button.pat-primary").await;
    assert!(
        browser
            .text("#pat-scopes-error")
            .await
            .contains("at least one")
    );
    let focused = "return document.activeElement.value";
    assert_eq!(browser.run(focused).await, "scopes");
    browser.click(&format!("{BOX}write]")).await;
    host.clock.advance(Duration::from_secs(1));
    browser.follow("main button.pat-primary").await;
    assert_eq!(host.scopes_of("third").await.as_deref(), Some("write"));

    // The dialog names the scopes.
    browser.go("/tokens").await;
    browser.click("tbody tr:first-child [data-ask]").await;
    assert_eq!(browser.text("#pat-ask-scopes").await, "write");
    browser.click("[data-close]").await;
    browser.click("tbody tr:nth-child(2) [data-ask]").await;
    assert_eq!(browser.text("#pat-ask-scopes").await, "own");

    // What a link checks in a long list is in view.
    let host = Host::start(large_catalog(), Settings::builder()).await;
    let address = format!("{}/tokens/new?scopes=tokens:admin", host.base);
    browser.driver.goto(address).await.expect("a page");
    let is_in_view = "const list = document.querySelector('.pat-scope-list').getBoundingClientRect();\
                      const box = document.querySelector('[name=scope]:checked').getBoundingClientRect();\
                      return list.top <= box.top && box.bottom <= list.bottom";
    assert_eq!(browser.run(is_in_view).await, true);
    browser.stop().await;
}

pub(super) async fn boxes_work_without_scripts() {
    let host = Host::start(catalog(), Settings::builder()).await;
    let browser = Browser::start(&host.base).await;
    let none = json!({"value": true});
    let command = "Emulation.setScriptExecutionDisabled";
    browser.cdp(command, none).await;
    browser.go("/tokens/new?name=ci").await;
    browser.click("[name=access][value=scopes]").await;
    browser.click(&format!("{BOX}own]")).await;
    browser.click(&format!("{BOX}read]")).await;
    // Who then chooses something else is asked what is meant.
    browser.click("[name=access][value=unrestricted]").await;
    browser.follow("main button.pat-primary").await;
    assert!(
        browser
            .text("#pat-scopes-error")
            .await
            .contains("scopes are checked")
    );
    assert!(browser.is_checked(&format!("{BOX}own]")).await);
    browser.follow("main button.pat-primary").await;
    assert_eq!(host.scopes_of("ci").await.as_deref(), Some("own read"));
    // The other scopes of a token with many are shown when they are asked for.
    let all: Vec<_> = catalog()
        .iter()
        .map(|scope| scope.name().to_owned())
        .collect();
    host.create("all", Some(&all)).await;
    browser.go("/tokens").await;
    let other = browser.find("tbody details .pat-scope").await;
    assert!(!other.is_displayed().await.expect("a scope"));
    browser.click("tbody .pat-scopes summary").await;
    assert!(other.is_displayed().await.expect("a scope"));
    browser.stop().await;
}

/// As many scopes as there can be, with the longest names, and long descriptions.
fn large_catalog() -> ScopeCatalog {
    let prefixes = [
        "project:".to_owned(),
        "x".repeat(62),
        "a-name-with.many-parts:which-is-as-long-as-a-name-can-be-so..:".to_owned(),
    ];
    let descriptions = [
        "Read it",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "Change the settings of the project, such as its name, its members and their roles, and delete it with \
         all that belongs to it, which cannot be undone",
    ];
    let mut builder = ScopeCatalog::builder().scope("read", "Read");
    for number in 1..61 {
        let name = format!("{}{number:02}", prefixes[number % 3]);
        let description = descriptions[number / 3 % 3];
        builder = builder.scope(&*name, description).implies(&*name, "read");
    }
    builder.build().expect("a catalog")
}

pub(super) async fn pages_with_scopes_are_accessible() {
    let default = "read own".parse().expect("scopes");
    for (size, catalog, settings) in [
        (
            "few",
            catalog(),
            Settings::builder().scopes_default(&default),
        ),
        ("many", large_catalog(), Settings::builder()),
    ] {
        let check = async |browser: &Browser, state: &str| {
            check(browser, &format!("{size} scopes: {state}")).await;
        };
        let host = Host::start(catalog, settings).await;
        let scopes = host.pats.scope_catalog().iter();
        let all: Vec<_> = scopes.map(|scope| scope.name().to_owned()).collect();
        host.create("all", Some(&all)).await;
        host.create("few", Some(&all[1..3])).await;
        host.create("none", None).await;
        let browser = Browser::start(&host.base).await;
        for path in [
            "/tokens/new",
            "/tokens/new?scopes=gone",
            "/tokens",
            "/admin/tokens",
        ] {
            browser.go(path).await;
            check(&browser, path).await;
        }
        browser.go("/tokens/new?scopes=gone").await;
        browser.follow("main button.pat-primary").await;
        browser.find("#pat-scopes-error").await;
        check(&browser, "the form with an error").await;
        browser.fill("#pat-name", "new").await;
        let check_all = "document.querySelectorAll('[name=scope]').forEach(box => box.click())";
        browser.run(check_all).await;
        browser.follow("main button.pat-primary").await;
        browser.find("#pat-plain").await;
        check(&browser, "the new token").await;
        browser.go("/tokens").await;
        browser.click("tbody .pat-scopes summary").await;
        check(&browser, "all scopes of a token").await;
        let last = "tbody tr:last-child [data-ask]";
        browser.click(last).await;
        check(&browser, "the dialog").await;
        let question = browser.find(last).await.attr("href").await;
        let question = question.expect("an attribute").expect("a link");
        browser.go(&format!("/{question}")).await;
        check(&browser, "the question").await;
        browser.go("/admin/tokens").await;
        browser.click("[data-each]").await;
        browser.follow("button[value=selected]").await;
        check(&browser, "the question about selected tokens").await;
        browser.stop().await;
    }
}
