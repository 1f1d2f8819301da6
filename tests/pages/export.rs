//! A list that is sent piece by piece, while its reader loses the right to it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt as _;
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, MemoryStore, Owner, Pats, Principal, Settings, TokenRequest};
use pat_tower::pages::Pages;
use reqwest::StatusCode;
use tower::ServiceExt as _;

/// More than two pieces.
const TOKENS: u32 = 1_100;

struct World {
    pats: Pats,
    users: TestDirectory,
    clock: Arc<TestClock>,
    admin: Owner,
    token: Principal,
}

impl World {
    async fn new() -> Self {
        let settings = Settings::builder().max_tokens_per_user(TOKENS);
        let (users, clock) = (TestDirectory::default(), Arc::new(TestClock::default()));
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .settings(settings.build().expect("settings"))
            .users(Arc::new(users.clone()))
            .clock(clock.clone())
            .build();
        let alice = Caller::header_authenticated(users.add("alice"));
        for _ in 0..TOKENS {
            pats.create(&alice, request()).await.expect("a token");
        }
        let admin = users.add_administrator("admin");
        let caller = Caller::header_authenticated(admin.clone());
        let created = pats.create(&caller, request()).await;
        let plain = created.expect("a token").plain;
        let token = pats.authenticate(plain.expose().as_bytes()).await;
        Self {
            token: token.expect("a good token"),
            pats,
            users,
            clock,
            admin,
        }
    }

    /// How many lines come if this happens after the first piece, and whether that is all.
    async fn export(&self, by_token: bool, event: impl AsyncFnOnce(&Self)) -> (usize, bool) {
        let caller = if by_token {
            Caller::with_token(self.token.clone())
        } else {
            Caller::cookie_authenticated(self.admin.clone())
        };
        let app: Router = Pages::new(self.pats.clone()).router();
        let app = app.layer(Extension(caller));
        let request = Request::get("/admin/tokens/export").body(Body::empty());
        let response = app.oneshot(request.expect("a request")).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        let mut lines = 0;
        let mut event = Some(event);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return (lines, false);
            };
            let data = frame.into_data().expect("data");
            lines += data.split(|byte| *byte == b'\n').count() - 1;
            if let Some(event) = event.take() {
                event(self).await;
            }
        }
        (lines, true)
    }
}

fn request() -> TokenRequest {
    TokenRequest::new("ci", None)
}

/// Whatever takes the right away ends the list at the next piece.
pub(super) async fn an_export_ends_when_access_is_lost() {
    for by_token in [true, false] {
        let world = World::new().await;
        let (all, is_complete) = world.export(by_token, async |_| {}).await;
        assert!(is_complete && all > TOKENS as usize, "{all}");
        let late = world.export(by_token, async |world| {
            world.clock.advance(Duration::from_mins(9));
        });
        assert_eq!(late.await, (all, true), "it may take some time");
        let too_late = world.export(by_token, async |world| {
            world.clock.advance(Duration::from_mins(10));
        });
        assert_ended(too_late.await, all, "its time is up");
        let disabled = world.export(by_token, async |world| {
            world.users.set_active(&world.admin, false);
        });
        assert_ended(disabled.await, all, "the administrator is disabled");
        world.users.set_active(&world.admin, true);
        let down = world.export(by_token, async |world| world.users.set_down(true));
        assert_ended(down.await, all, "nobody can say");
        world.users.set_down(false);
        let revoked = world.export(by_token, async |world| {
            let caller = Caller::header_authenticated(world.admin.clone());
            let id = world.token.token_id();
            world.pats.revoke(&caller, id).await.expect("it is revoked");
        });
        let revoked = revoked.await;
        if by_token {
            assert_ended(revoked, all, "the token is revoked");
        } else {
            assert!(revoked.1, "another token is no matter: {revoked:?}");
        }
        let deleted = World::new().await;
        let ended = deleted.export(by_token, async |world| world.users.remove(&world.admin));
        assert_ended(ended.await, all, "the administrator is deleted");
    }
}

fn assert_ended((lines, is_complete): (usize, bool), all: usize, why: &str) {
    assert!(!is_complete && lines < all, "{why}: {lines} of {all} lines");
}
