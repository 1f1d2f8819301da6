//! Sessions beside tokens: cookie-jar clients, and what is left of a session after a token.

mod axum_login;
mod own;
mod versions;

use libtest_mimic::Trial;
use pat_harness::{Answer, MYSELF, Server, TOKENS, answer, trial};
use reqwest::StatusCode;
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(sign_in_renews_the_session_id),
        trial(a_token_decides_whatever_the_session),
        trial(a_request_with_a_token_ends_the_session),
        trial(invalidation_can_be_switched_off),
    ];
    trials.extend(axum_login::trials());
    trials.extend(own::trials());
    trials.extend(versions::trials());
    trials
}

/// Signs in and returns the cookie as a client sends it.
async fn sign_in(server: &Server, user: &str) -> String {
    let credentials = json!({"username": user, "password": user});
    let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    let cookie = set_cookie(&signed_in).expect("a cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "not on loopback");
    let pair = cookie.split(';').next().expect("name and value").to_owned();
    let session = &signed_in.json()["session"];
    assert_eq!(
        pair,
        format!("JSESSIONID={}", session["value"].as_str().expect("an id"))
    );
    pair
}

fn set_cookie(answer: &Answer) -> Option<String> {
    answer.header("set-cookie").map(str::to_owned)
}

async fn user_of(server: &Server, cookie: &str) -> StatusCode {
    answer(server.get(MYSELF).header("cookie", cookie))
        .await
        .status
}

async fn sign_in_renews_the_session_id() {
    let server = Server::start().await;
    let planted = sign_in(&server, "bob").await;
    let credentials = json!({"username": "alice", "password": "alice"});
    let request = server
        .post("/rest/auth/1/session")
        .header("cookie", &planted)
        .json(&credentials);
    let own = set_cookie(&answer(request).await).expect("a new cookie");
    assert!(!own.starts_with(&planted), "the id is a new one");
    assert_eq!(
        user_of(&server, &planted).await,
        StatusCode::UNAUTHORIZED,
        "the old one is dead"
    );
    let own = own.split(';').next().expect("name and value");
    assert_eq!(user_of(&server, own).await, StatusCode::OK);
}

/// No, a dead or a live session × no, a bad or a good token.
async fn a_token_decides_whatever_the_session() {
    let server = Server::start().await;
    let token = server.create("bob").await.raw;
    let dead = "JSESSIONID=AAAAAAAAAAAAAAAAAAAAAA";
    for session in [None, Some(dead), Some("live")] {
        for bearer in [None, Some("pat_x"), Some(token.as_str())] {
            let live = sign_in(&server, "alice").await;
            let cookie = session.map(|session| {
                if session == "live" {
                    live.as_str()
                } else {
                    session
                }
            });
            let mut request = server.get(MYSELF);
            if let Some(cookie) = cookie {
                request = request.header("cookie", cookie);
            }
            if let Some(bearer) = bearer {
                request = request.bearer_auth(bearer);
            }
            let answer = answer(request).await;
            let cell = format!("{session:?} {bearer:?}: {answer:?}");
            let expected = match (session, bearer) {
                (_, Some("pat_x")) => None,
                (_, Some(_)) => Some("bob"),
                (Some("live"), None) => Some("alice"),
                (_, None) => None,
            };
            match expected {
                Some(user) => assert_eq!(answer.json()["name"], user, "{cell}"),
                None => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cell}"),
            }
            let is_good = bearer == Some(token.as_str());
            match set_cookie(&answer) {
                Some(cookie) => assert!(cookie.contains("Max-Age=0"), "only a removal: {cell}"),
                None => assert!(!is_good || cookie.is_none(), "a removal goes out: {cell}"),
            }
            let alive = if is_good && session == Some("live") {
                StatusCode::UNAUTHORIZED
            } else {
                StatusCode::OK
            };
            assert_eq!(user_of(&server, &live).await, alive, "{cell}");
        }
    }
}

async fn a_request_with_a_token_ends_the_session() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let cookie = sign_in(&server, "alice").await;
    for path in [MYSELF, TOKENS, "/rest/pat/latest/tokens/1"] {
        let request = server
            .get(path)
            .header("cookie", &cookie)
            .bearer_auth(&token.raw);
        assert!(answer(request).await.status != StatusCode::UNAUTHORIZED);
        assert_eq!(user_of(&server, &cookie).await, StatusCode::UNAUTHORIZED);
    }
}

async fn invalidation_can_be_switched_off() {
    let server = Server::with(&[("atlassian.pats.invalidate.session.enabled", "false")]).await;
    let token = server.create("bob").await;
    let cookie = sign_in(&server, "alice").await;
    let request = server
        .get(MYSELF)
        .header("cookie", &cookie)
        .bearer_auth(&token.raw);
    let answer = answer(request).await;
    assert_eq!(
        answer.json()["name"],
        "bob",
        "the token's owner is the caller"
    );
    assert_eq!(set_cookie(&answer), None);
    assert_eq!(
        user_of(&server, &cookie).await,
        StatusCode::OK,
        "the session is left alone"
    );
}
