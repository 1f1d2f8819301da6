//! The languages of the pages and the mails.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{Next, from_fn};
use pat_core::messages::Messages;
use pat_core::{Caller, MemoryStore, Owner, Pats};
use pat_harness::browser::Browser;
use pat_harness::{Answer, Server, answer};
use pat_tower::pages::Pages;
use reqwest::{Method, StatusCode};

use super::browser::check;
use super::{ADMIN, Opened, Session, form, paths};

/// The attributes that people read or hear.
const ATTRIBUTES: [&str; 11] = [
    "aria-label",
    "title",
    "placeholder",
    "alt",
    "data-ask",
    "data-copied",
    "data-failed",
    "data-gone",
    "data-label",
    "data-selected",
    "data-sort",
];

/// The words of at least three letters that people read on a page or in a mail, in lower case.
pub(crate) fn words(html: &str) -> BTreeSet<String> {
    let mut texts = Vec::new();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        texts.push(text);
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        for attribute in ATTRIBUTES {
            let start = format!(" {attribute}=\"");
            let values = tag.split(&start).skip(1);
            texts.extend(values.filter_map(|value| value.split('"').next()));
        }
        let element = tag.split_whitespace().next().unwrap_or_default();
        // What is in these is no text for people, or not of the pages.
        rest = match element {
            "style" | "script" | "pre" | "code" | "bdi" => {
                let end = format!("</{element}>");
                after.split_once(&end).map_or(after, |(_, after)| after)
            }
            _ => after,
        };
    }
    texts.push(rest);
    let texts = texts.into_iter().map(without_entities);
    let texts: Vec<_> = texts.collect();
    let words = texts
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
    let words = words.filter(|word| word.chars().count() > 2);
    words.map(str::to_lowercase).collect()
}

/// A text without `&amp;` and the like.
fn without_entities(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push(' ');
        plain.push_str(part.split_once(';').map_or(part, |(_, after)| after));
    }
    plain
}

/// Words that both languages have, and those of the site, its data and tools.
const COMMON: [&str; 44] = [
    "admin",
    "administration",
    "administrator",
    "alice",
    "also",
    "apr",
    "april",
    "aug",
    "august",
    "bash",
    "browser",
    "client",
    "cookies",
    "csv",
    "curl",
    "example",
    "feb",
    "filter",
    "git",
    "installation",
    "jan",
    "job",
    "mail",
    "mails",
    "minute",
    "name",
    "nov",
    "november",
    "pat",
    "python",
    "read",
    "repository",
    "sep",
    "september",
    "shell",
    "status",
    "token",
    "tokens",
    "utc",
    "variable",
    "version",
    "was",
    "write",
    "zsh",
];

/// Fails if words of the English text are in the German one.
pub(crate) fn assert_translated(what: &str, english: &str, german: &str) {
    let (english, german) = (words(english), words(german));
    let common: BTreeSet<_> = COMMON.map(str::to_owned).into();
    let left: Vec<_> = english
        .intersection(&german)
        .filter(|word| !common.contains(*word))
        .collect();
    assert!(
        left.is_empty(),
        "{what} in German has the English words {left:?}"
    );
    assert!(german.len() * 3 > english.len(), "{what}: {german:?}");
}

/// The same request in English and in German.
async fn both(request: impl Fn() -> reqwest::RequestBuilder) -> (Answer, Answer) {
    let english = answer(request()).await;
    let german = answer(request().header("accept-language", "de-CH, en;q=0.5")).await;
    (english, german)
}

pub(super) async fn no_word_of_the_english_pages_is_on_a_german_page() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "5")]).await;
    let alice = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    alice.create(&server, "ci").await;
    let token = server.create("alice").await;
    let id = token
        .path()
        .rsplit('/')
        .next()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    let more = [
        "/tokens?revoked",
        "/tokens?paused",
        "/tokens?resumed",
        "/tokens?changed",
        "/nowhere",
    ];
    let more = more.map(|path| (Method::GET, path.to_owned()));
    let filters = [
        "status=REVOKED",
        "name=nothing",
        "status=x&scope=%21&created_from=x&owner=%00",
        "after=x",
    ];
    let filters = filters.map(|query| (Method::GET, format!("{ADMIN}?{query}")));
    let pages = paths(id).into_iter().chain(more).chain(filters);
    let mut count = 0;
    for (method, path) in pages {
        for session in [&alice, &admin] {
            let (english, german) = both(|| match method {
                Method::GET => server.get(&path).header("cookie", &session.cookies),
                // Each form with all that can be wrong in it.
                _ => session.post(
                    &server,
                    &path,
                    &[("name", " "), ("reason", &"x".repeat(300))],
                ),
            })
            .await;
            let is_page = english
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/html"));
            if is_page && english.status != StatusCode::SEE_OTHER {
                assert!(
                    german.body.contains("<html lang=\"de\" dir=\"ltr\">"),
                    "{path}"
                );
                assert_eq!(english.status, german.status, "{path}");
                assert_translated(&format!("{method} {path}"), &english.body, &german.body);
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count}");

    // A token is created, and its form sent again.
    let fields = Opened::new(&alice.get(&server, "/tokens/new").await.body, "ci");
    let other = Opened::new(&alice.get(&server, "/tokens/new").await.body, "cd");
    for status in [StatusCode::CREATED, StatusCode::CONFLICT] {
        let english = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
        let request = alice.post(&server, "/tokens/new", &other.pairs());
        let german = answer(request.header("accept-language", "de")).await;
        assert_eq!((english.status, german.status), (status, status));
        assert_translated("the answer to the form", &english.body, &german.body);
    }
    let (english, german) = both(|| alice.post(&server, "/tokens/new", &[])).await;
    assert_translated("the form at the limit", &english.body, &german.body);
    let (english, german) =
        both(|| form(&server, "/tokens/new", &[]).header("cookie", &alice.cookies)).await;
    assert_translated("a forged form", &english.body, &german.body);
    let (english, german) = both(|| server.get("/tokens").header("accept", "*/*")).await;
    assert_eq!(english.status, StatusCode::UNAUTHORIZED);
    assert_translated("an anonymous visitor's page", &english.body, &german.body);
}

pub(super) async fn a_page_has_the_language_that_the_browser_prefers() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    alice.create(&server, "ci").await;
    for (header, language, heading, date) in [
        (None, "en", "Personal access tokens", "26 Feb 2026, 22:42"),
        (
            Some("fr, de;q=0.3"),
            "de",
            "Persönliche Zugriffstoken",
            "26. Feb. 2026, 22:42",
        ),
        (
            Some("de;q=0.3, en-GB"),
            "en",
            "Personal access tokens",
            "26 Feb 2026, 22:42",
        ),
        (
            Some("fr"),
            "en",
            "Personal access tokens",
            "26 Feb 2026, 22:42",
        ),
    ] {
        let mut request = server.get("/tokens").header("cookie", &alice.cookies);
        if let Some(header) = header {
            request = request.header("accept-language", header);
        }
        let page = answer(request).await.body;
        for part in [
            format!("<html lang=\"{language}\""),
            format!("<h1>{heading}</h1>"),
            date.to_owned(),
        ] {
            assert!(page.contains(&part), "{header:?}: {part} in {page}");
        }
    }
}

/// A host with this language alone, whose every visitor is the same user.
async fn start(messages: Messages) -> String {
    let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    let caller = Caller::cookie_authenticated(Owner::new("alice").expect("an owner"));
    for name in ["ci", "backups of the wiki every night"] {
        let request = pat_core::TokenRequest::new(name, None);
        pats.create(&caller, request).await.expect("a token");
    }
    let sign_in = from_fn(move |mut request: axum::extract::Request, next: Next| {
        request.extensions_mut().insert(caller.clone());
        next.run(request)
    });
    let pages = Pages::new(pats)
        .with_languages(messages)
        .dangerous_plain_http();
    let app: Router = pages.router().layer(sign_in);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

/// The pages in a language that is written from right to left begin at the right, and fit every screen.
pub(super) async fn pages_from_right_to_left_are_accessible() {
    let arabic =
        "tokens = رموز الوصول الشخصية\ncreate-token = إنشاء رمز\nname = الاسم\nstatus = الحالة\n";
    let base = start(Messages::from_ftl("ar", arabic).expect("messages")).await;
    let browser = Browser::start(&base).await;
    for path in ["/tokens", "/tokens/new"] {
        browser.go(path).await;
        let direction = "return getComputedStyle(document.body).direction";
        assert_eq!(browser.run(direction).await, "rtl");
        let side = "const box = document.querySelector('h1').getBoundingClientRect(); \
                    return window.innerWidth - box.right < box.left + box.width / 2";
        assert_eq!(browser.run(side).await, true, "{path}");
        check(&browser, &format!("from right to left: {path}")).await;
    }
    browser.stop().await;
}
