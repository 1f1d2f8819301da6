//! What a shared cache in front of the host gives to whom: an nginx with `proxy_cache`.

use std::sync::Arc;

use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, serve};
use libtest_mimic::Trial;
use pat_core::{Caller, MemoryStore, Pats, TokenId, TokenRequest};
use pat_harness::proxy::{NGINX, Proxy};
use pat_harness::{Answer, MYSELF, Server, answer, client, trial_with_need};
use pat_tower::{Pat, PatLayer};
use reqwest::{StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) fn trials() -> Vec<Trial> {
    let nginx = NGINX.missing();
    vec![
        trial_with_need("nginx", nginx, a_shared_cache_serves_no_other_users_answer),
        trial_with_need("nginx", nginx, assets_are_the_same_for_every_user),
    ]
}

/// An nginx that keeps in its cache what the answers allow it to, in front of this address.
async fn cache(upstream: &str) -> Proxy {
    let server = format!(
        "proxy_cache shared;\n\
         add_header X-Cache $upstream_cache_status always;\n\
         location / {{ proxy_pass {upstream}; }}"
    );
    NGINX.start(&server).await
}

/// What handlers say of their answers who know nothing of tokens.
const PAGES: [(&str, [(&str, &str); 1]); 5] = [
    ("/public", [("cache-control", "public, max-age=600")]),
    ("/shared", [("cache-control", "max-age=0, s-maxage=600")]),
    ("/usual", [("cache-control", "max-age=600")]),
    ("/accelerated", [("x-accel-expires", "600")]),
    ("/dated", [("expires", "Thu, 31 Dec 2099 00:00:00 GMT")]),
];

/// Says who asks.
async fn upstream(layer: PatLayer) -> (String, JoinHandle<()>) {
    let app = PAGES
        .into_iter()
        .fold(Router::new(), |app, (path, headers)| {
            let say = async move |pat: Option<Pat>| {
                let name = pat.map_or("nobody".into(), |pat| pat.owner().to_string());
                (headers, name).into_response()
            };
            app.route(path, get(say))
        })
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let running = tokio::spawn(async move { serve(listener, app).await.expect("it serves") });
    (base, running)
}

async fn token_of(pats: &Pats, user: &str, lifetime_days: Option<i64>) -> (Caller, String, i64) {
    let caller = Caller::header_authenticated(user.parse().expect("an owner"));
    let request = TokenRequest::new("ci", lifetime_days);
    let created = pats.create(&caller, request).await.expect("a token");
    let id = created.token.id.get();
    (caller, created.plain.expose().to_owned(), id)
}

/// Whoever came before, and whatever the handler says: everybody gets his own answer.
async fn a_shared_cache_serves_no_other_users_answer() {
    type Mode = (&'static str, fn(Pats) -> PatLayer);
    let modes: [Mode; 3] = [
        ("optional", PatLayer::optional),
        ("lenient", PatLayer::dangerous_bad_token_is_anonymous),
        ("required", PatLayer::required),
    ];
    for (mode, layer) in modes {
        for is_anonymous_first in [true, false] {
            let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
            let (base, running) = upstream(layer(pats.clone())).await;
            let nginx = cache(&base).await;
            for (path, _) in PAGES {
                let url = format!("{}{path}", nginx.base);
                let what = format!("{mode}, {path}, anonymous first: {is_anonymous_first}");
                check(&pats, &url, mode, is_anonymous_first, &what).await;
            }
            running.abort();
        }
    }
}

async fn check(pats: &Pats, url: &str, mode: &str, is_anonymous_first: bool, what: &str) {
    let ask = async |token: Option<&str>| {
        let request = client().get(url);
        answer(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    };
    let said = |answer: &Answer| match answer.status {
        StatusCode::OK => answer.body.clone(),
        status => status.as_u16().to_string(),
    };
    let (anonymous, bad) = match mode {
        "required" => ("401", "401"),
        "lenient" => ("nobody", "nobody"),
        _ => ("nobody", "401"),
    };
    // One that expires, to which the layer adds a header, and one to which it adds none.
    let (alice, of_alice, id) = token_of(pats, "alice", Some(90)).await;
    let (_, of_bob, _) = token_of(pats, "bob", None).await;
    if is_anonymous_first {
        assert_eq!(said(&ask(None).await), anonymous, "{what}");
        let again = ask(None).await;
        let is_kept = again.header("x-cache") == Some("HIT");
        assert_eq!(is_kept, mode != "required", "the cache works: {what}");
    }
    for (token, expected) in [
        (Some(of_alice.as_str()), "alice"),
        (Some(&of_bob), "bob"),
        (Some("pat_x"), bad),
        (None, anonymous),
        (Some(&of_bob), "bob"),
        (Some(&of_alice), "alice"),
    ] {
        let answer = ask(token).await;
        assert_eq!(said(&answer), expected, "{what}: {answer:?}");
        if expected == "alice" || expected == "bob" {
            assert_ne!(answer.header("x-cache"), Some("HIT"), "{what}");
        }
        let varies = answer.headers.get_all(header::VARY).iter().count();
        let is_ours = answer.status == StatusCode::UNAUTHORIZED;
        assert_eq!(
            varies,
            usize::from(mode != "required" && !is_ours),
            "{what}"
        );
    }
    pats.revoke(&alice, TokenId::new(id).expect("an id"))
        .await
        .expect("it is revoked");
    assert_eq!(said(&ask(Some(&of_alice)).await), bad, "{what}: revoked");
}

/// With a token and a session, the style sheet is what it is for everybody.
async fn assets_are_the_same_for_every_user() {
    let server = Server::start().await;
    let nginx = cache(&server.base).await;
    let credentials = json!({"username": "alice", "password": "alice"});
    let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
    let cookie = signed_in.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let token = server.create("bob").await.raw;
    let plain = NGINX
        .start(&format!("location / {{ proxy_pass {}; }}", server.base))
        .await;
    let page = client().get(format!("{}/tokens", plain.base));
    let page = answer(page.header("cookie", &cookie)).await;
    let paths: Vec<_> = page
        .body
        .split('"')
        .filter(|part| part.contains("tokens/assets/"))
        .map(|part| part.trim_start_matches("../").trim_start_matches('/'))
        .collect();
    assert_eq!(
        paths.len(),
        3,
        "a style sheet, a script and an icon: {}",
        page.body
    );
    for path in paths {
        for (round, expected) in ["MISS", "HIT"].into_iter().enumerate() {
            let request = client().get(format!("{}/{path}", nginx.base));
            let request = match round {
                0 => request.bearer_auth(&token).header("cookie", &cookie),
                _ => request,
            };
            let answer = answer(request).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let caching = answer.header(CACHE_CONTROL.as_str());
            assert_eq!(caching, Some("public, max-age=31536000, immutable"));
            for header in ["set-cookie", "pat-expires-at", "vary"] {
                assert_eq!(answer.header(header), None, "{path}");
            }
            assert_eq!(answer.header("x-cache"), Some(expected), "{path}");
        }
    }
    // They did not end the session, which a page would.
    let still = answer(server.get(MYSELF).header("cookie", &cookie)).await;
    assert_eq!(still.status, StatusCode::OK);
}
