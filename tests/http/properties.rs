//! One test for each property: the server is started with it, and its effect is seen over HTTP or
//! in the notifications that users get.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::store::Job;
use pat_core::{Caller, JobRun, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_harness::fault_store::FaultStore;
use pat_harness::{Answer, MYSELF, Server, TOKENS, answer, blocking_trial, column, trial};
use reqwest::StatusCode;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(enabled),
        trial(eternal_tokens_enabled),
        trial(mail_notifications_enabled),
        blocking_trial(last_used_update_interval_mins),
        trial(pruning_schedule_cron),
        trial(pruning_delay_days),
        trial(max_tokens_expiry_days),
        trial(max_tokens_per_user),
        trial(auth_cache_expiry_mins),
        trial(auth_cache_max_items),
        trial(expiry_check_schedule_cron),
        trial(expiry_warning_days),
        trial(invalidate_session_enabled),
        trial(token_name_length),
        trial(notice_created),
        trial(notice_pruned),
        trial(notice_revoked_by_admin),
        trial(base_url),
        trial(realm),
        trial(time_zone),
        trial(max_rows_per_user),
    ]
}

const DAY: Duration = Duration::from_hours(24);
const ALICE: &str = "alice@example.com";

/// Asks for a token of alice's.
async fn ask(server: &Server, body: Value) -> Answer {
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    answer(request.json(&body)).await
}

/// A token of alice's that lives for so many days.
async fn create(server: &Server, days: u32) -> pat_harness::NewToken {
    let body = json!({"name": "ci", "expirationDuration": days});
    ask(server, body).await.created()
}

/// The state of alice's tokens, as her list shows them.
async fn statuses(server: &Server) -> Vec<Value> {
    let list = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    column(&list.json(), "status")
}

async fn enabled() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let folder = server.stop().await;
    let off = Server::within(folder, &[("atlassian.pats.enabled", "false")]).await;
    assert_eq!(off.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&off, json!({"name": "ci"})).await.status,
        StatusCode::BAD_REQUEST
    );
    let on = Server::within(off.stop().await, &[]).await;
    assert_eq!(on.try_token(&token.raw).await, StatusCode::OK, "data stays");
}

async fn eternal_tokens_enabled() {
    let body = json!({"name": "ci"});
    let on = Server::start().await;
    assert_eq!(ask(&on, body.clone()).await.status, StatusCode::CREATED);
    let off = Server::with(&[("atlassian.pats.eternal.tokens.enabled", "false")]).await;
    assert_eq!(ask(&off, body).await.problem(), "duration-required");
}

async fn mail_notifications_enabled() {
    let on = Server::with(&[("pat.notice.created", "true")]).await;
    create(&on, 6).await;
    // Else the server may have a notification in its hands for a day, and another worker takes it.
    on.run_jobs().await;
    on.advance(DAY + Duration::from_hours(1)).await;
    let (created, soon) = (NotificationKind::Created, NotificationKind::ExpiresSoon);
    assert_eq!(
        on.sent_notifications(),
        [(created, ALICE.into(), 1), (soon, ALICE.into(), 1)]
    );

    let off = [
        ("atlassian.pats.mail.notifications.enabled", "false"),
        ("pat.notice.created", "true"),
        ("pat.notice.pruned", "true"),
    ];
    let off = Server::with(&off).await;
    create(&off, 3).await;
    for days in [1, 3, 40] {
        off.advance(DAY * days).await;
    }
    assert_eq!(off.sent_notifications(), []);
    assert_eq!(statuses(&off).await, [""; 0], "pruned all the same");
}

/// In time that is made to pass, without a server.
#[tokio::main(flavor = "current_thread")]
async fn last_used_update_interval_mins() {
    tokio::time::pause();
    let store = Arc::new(MemoryStore::default());
    let settings = Settings::builder().last_used_update_interval_mins(5);
    let pats = Pats::builder(store.clone()).settings(settings.build().expect("settings"));
    let pats = pats.build();
    let jobs = pats.start();
    let alice = Caller::header_authenticated(Owner::new("alice").expect("an owner"));
    let request = TokenRequest::new("ci", None);
    let created = pats.create(&alice, request).await.expect("a token");
    // Past the first flush, which is at the start.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let plain = created.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("a good token");
    let written = async || {
        let token = pat_core::store::TokenStore::find(&*store, created.token.id).await;
        token.expect("a store").expect("the token").last_used_at
    };
    tokio::time::sleep(Duration::from_secs(290)).await;
    assert_eq!(written().await, None);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(written().await.is_some(), "after five minutes");
    jobs.shutdown().await;
}

/// The test clock starts at 22:42 UTC.
async fn pruning_schedule_cron() {
    let server = Server::with(&[
        ("atlassian.pats.pruning.schedule.cron", "0 30 3 * * ?"),
        ("atlassian.pats.pruning.delay.days", "0"),
        ("pat.time.zone", "UTC"),
    ])
    .await;
    create(&server, 1).await;
    // The next occurrence is run before the token expires.
    server.advance(Duration::from_hours(5)).await;
    server.advance(Duration::from_hours(19)).await;
    assert_eq!(statuses(&server).await, ["EXPIRED"]);
    server.advance(Duration::from_mins(4 * 60 + 47)).await;
    assert_eq!(statuses(&server).await, ["EXPIRED"], "03:29");
    server.advance(Duration::from_mins(1)).await;
    assert_eq!(statuses(&server).await, [""; 0], "03:30");
}

async fn pruning_delay_days() {
    let server = Server::with(&[("atlassian.pats.pruning.delay.days", "3")]).await;
    let expires = create(&server, 1).await;
    let revoked = create(&server, 100).await;
    let revoke = server.delete(&revoked.path());
    answer(revoke.basic_auth("alice", Some("alice"))).await;
    let admin = async |path: String| {
        let request = server.get(&path).basic_auth("admin", Some("admin"));
        answer(request).await.status
    };
    server.advance(DAY * 3).await;
    assert_eq!(
        statuses(&server).await,
        ["EXPIRED"],
        "two days after its expiry"
    );
    server.advance(DAY + DAY).await;
    assert_eq!(statuses(&server).await, [""; 0]);
    for token in [expires, revoked] {
        assert_eq!(admin(token.path()).await, StatusCode::NOT_FOUND);
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    }
}

async fn max_tokens_expiry_days() {
    let server = Server::start().await;
    create(&server, 365).await;
    let limited = [("atlassian.pats.max.tokens.expiry.days", "30")];
    let server = Server::within(server.stop().await, &limited).await;
    create(&server, 30).await;
    let body = json!({"name": "ci", "expirationDuration": 31});
    assert_eq!(ask(&server, body).await.problem(), "invalid-duration");
    server.advance(DAY * 300).await;
    let first = &statuses(&server).await[0];
    assert_eq!(first, "ACTIVE", "what was created before keeps its expiry");
}

async fn max_tokens_per_user() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "2")]).await;
    create(&server, 1).await;
    create(&server, 1).await;
    let third = async || ask(&server, json!({"name": "ci"})).await;
    assert_eq!(third().await.problem(), "token-limit-reached");
    server.advance(DAY * 2).await;
    assert_eq!(
        third().await.problem(),
        "token-limit-reached",
        "expired ones count"
    );
    server.advance(DAY * 31).await;
    assert_eq!(
        third().await.status,
        StatusCode::CREATED,
        "pruned ones do not"
    );
}

/// One who creates and revokes by turns stays within the limit of tokens, and not of rows.
async fn max_rows_per_user() {
    let server = Server::with(&[
        ("atlassian.pats.max.tokens.per.user", "1"),
        ("pat.max.rows.per.user", "100"),
    ])
    .await;
    for _ in 0..100 {
        let token = create(&server, 30).await;
        let revoked = server
            .delete(&token.path())
            .basic_auth("alice", Some("alice"));
        assert_eq!(answer(revoked).await.status, StatusCode::NO_CONTENT);
    }
    let one_more = async || ask(&server, json!({"name": "ci"})).await;
    let refused = one_more().await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.problem(), "too-many-rows");
    assert_eq!(
        refused.json()["detail"],
        "You have created too many tokens: at most 100 are kept, revoked and expired ones included; \
         each is deleted 30 days after it ends, and then you can create another."
    );
    server.create("bob").await;
    server.advance(DAY * 31).await;
    assert_eq!(
        one_more().await.status,
        StatusCode::CREATED,
        "pruned ones do not count"
    );
}

/// A host that disables a user and forgets to say so.
async fn auth_cache_expiry_mins() {
    for (minutes, still) in [("30", true), ("0", false)] {
        let server = Server::with(&[("atlassian.pats.auth.cache.expiry.mins", minutes)]).await;
        let token = server.create("alice").await;
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
        let alice = Owner::new("alice").expect("an owner");
        let disabled = server.users.set_active(&alice, false).await;
        assert!(disabled.expect("an answer"));
        // The whole router asks the directory; the layer alone does not.
        let accepted = async || server.pats.authenticate(token.raw.as_bytes()).await.is_ok();
        assert_eq!(accepted().await, still, "{minutes}");
        server.advance(Duration::from_mins(30)).await;
        assert!(!accepted().await, "{minutes}");
    }
}

async fn auth_cache_max_items() {
    const TOKENS: u32 = 300;
    let look_ups = async |capacity| {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        let settings = Settings::builder()
            .auth_cache_max_items(capacity)
            .max_tokens_per_user(TOKENS);
        let pats =
            Pats::builder(Arc::new(store.clone())).settings(settings.build().expect("settings"));
        let pats = pats.build();
        let alice = Caller::header_authenticated(Owner::new("alice").expect("an owner"));
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            let request = TokenRequest::new("ci", None);
            tokens.push(pats.create(&alice, request).await.expect("a token").plain);
        }
        for token in tokens.iter().chain(&tokens) {
            let plain = token.expose().as_bytes();
            pats.authenticate(plain).await.expect("a good token");
        }
        store.lookups()
    };
    assert_eq!(look_ups(5_000).await, 300);
    let few = look_ups(100).await;
    assert!(few > 450, "{few} look-ups of 600");
}

async fn expiry_check_schedule_cron() {
    let server = Server::with(&[
        ("atlassian.pats.expiry.check.schedule.cron", "0 0 6 * * ?"),
        ("atlassian.pats.expiry.warning.days", "2"),
        ("pat.time.zone", "UTC"),
    ])
    .await;
    create(&server, 3).await;
    // Across 06:00 of a day on which the token does not expire soon.
    server.advance(Duration::from_hours(23)).await;
    server.advance(Duration::from_hours(8)).await;
    assert_eq!(server.sent_notifications(), [], "05:42");
    server.advance(Duration::from_mins(18)).await;
    let expected = [(NotificationKind::ExpiresSoon, ALICE.to_owned(), 1)];
    assert_eq!(server.sent_notifications(), expected, "06:00");
}

async fn expiry_warning_days() {
    let server = Server::with(&[("atlassian.pats.expiry.warning.days", "10")]).await;
    create(&server, 30).await;
    server.advance(Duration::from_hours(20 * 24 - 1)).await;
    assert_eq!(
        (statuses(&server).await, server.sent_notifications()),
        (vec!["ACTIVE".into()], vec![])
    );
    server.advance(Duration::from_hours(2)).await;
    assert_eq!(statuses(&server).await, ["EXPIRES_SOON"]);
    assert_eq!(
        server.sent_notifications(),
        [(NotificationKind::ExpiresSoon, ALICE.to_owned(), 1)]
    );
}

async fn invalidate_session_enabled() {
    for (value, survives) in [("true", false), ("false", true)] {
        let property = [("atlassian.pats.invalidate.session.enabled", value)];
        let server = Server::with(&property).await;
        let token = server.create("alice").await;
        let credentials = json!({"username": "alice", "password": "alice"});
        let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
        let cookie = signed_in.header("set-cookie").expect("a cookie").to_owned();
        let cookie = cookie.split(';').next().expect("its value");
        let with_token = server
            .get(MYSELF)
            .header("cookie", cookie)
            .bearer_auth(&token.raw);
        assert_eq!(answer(with_token).await.status, StatusCode::OK);
        let by_cookie = answer(server.get(MYSELF).header("cookie", cookie)).await;
        assert_eq!(by_cookie.status == StatusCode::OK, survives, "{value}");
    }
}

async fn token_name_length() {
    let server = Server::with(&[("atlassian.pats.token.name.length", "5")]).await;
    let created = ask(&server, json!({"name": "🎉🎉🎉🎉🎉"})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(
        ask(&server, json!({"name": "123456"})).await.problem(),
        "invalid-name"
    );
}

async fn notice_created() {
    for (value, count) in [("true", 1), ("false", 0)] {
        let server = Server::with(&[("pat.notice.created", value)]).await;
        create(&server, 30).await;
        server.run_jobs().await;
        assert_eq!(server.sent_notifications().len(), count, "{value}");
    }
}

async fn notice_pruned() {
    for (value, expected) in [("true", Some(NotificationKind::Pruned)), ("false", None)] {
        let server = Server::with(&[("pat.notice.pruned", value)]).await;
        create(&server, 1).await;
        server.advance(DAY * 2).await;
        server.advance(DAY * 31).await;
        let told: Vec<_> = server
            .sent_notifications()
            .into_iter()
            .map(|(kind, ..)| kind)
            .collect();
        let expired = Some(NotificationKind::Expired);
        assert_eq!(
            told,
            expired.into_iter().chain(expected).collect::<Vec<_>>(),
            "{value}"
        );
    }
}

async fn notice_revoked_by_admin() {
    for (value, count) in [("true", 1), ("false", 0)] {
        let server = Server::with(&[("pat.notice.revoked.by.admin", value)]).await;
        let (by_admin, by_self) = (create(&server, 30).await, create(&server, 30).await);
        for (token, user) in [(by_admin, "admin"), (by_self, "alice")] {
            let revoke = server.delete(&token.path()).basic_auth(user, Some(user));
            assert_eq!(answer(revoke).await.status, StatusCode::NO_CONTENT);
        }
        server.run_jobs().await;
        assert_eq!(server.sent_notifications().len(), count, "{value}");
        for notification in server.mailer.sent() {
            assert_eq!(notification.kind, NotificationKind::RevokedByAdmin);
            assert_eq!(notification.by.as_deref(), Some("Admin"));
        }
    }
}

async fn base_url() {
    for (value, expected) in [
        (
            "https://tokens.example/app/",
            Some("https://tokens.example/app"),
        ),
        ("", None),
    ] {
        let server = Server::with(&[("pat.base.url", value)]).await;
        create(&server, 1).await;
        server.advance(Duration::from_hours(25)).await;
        let sent = server.mailer.sent();
        assert_eq!(sent[0].base_url.as_deref(), expected);
    }
}

async fn realm() {
    let server = Server::with(&[("pat.realm", "Tokens of Example")]).await;
    let refused = answer(server.get(MYSELF).bearer_auth("x")).await;
    let expected = "Bearer realm=\"Tokens of Example\", error=\"invalid_token\"";
    assert_eq!(refused.challenges(), [expected]);
}

/// Midnight in Kiritimati is 10:00 UTC; the test clock starts at 22:42 UTC.
async fn time_zone() {
    let zone = |zone| [("pat.time.zone", zone)];
    for (name, hours) in [("Pacific/Kiritimati", 11 * 60 + 17), ("UTC", 77)] {
        let server = Server::with(&zone(name)).await;
        server.run_jobs().await;
        let due = async |minutes| {
            server.clock.advance(Duration::from_mins(minutes));
            server.pats.run_if_due(Job::Prune).await.expect("a job")
        };
        assert_eq!(due(hours).await, JobRun::NotDue, "{name}");
        assert_eq!(due(1).await, JobRun::Done, "{name}");
    }
}
