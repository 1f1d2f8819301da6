//! Writing last uses.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::search::{Filter, RevokedTokens, Search, Sort, SortKey, Start};
use pat_core::settings::{CreateByToken, RevocationWait};
use pat_core::store::LastUse;
use pat_core::store::TokenStore;
use pat_core::testing::TestDirectory;
use pat_core::{Administration, Caller, CreatedToken, Pats, Settings, TokenRequest};
use pat_harness::fault_store::{Fault, FaultStore};
use pat_harness::trial;

use super::{Node, folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_crash_loses_one_interval_of_last_uses),
        trial(ten_thousand_last_uses_are_one_batch),
        trial(a_revocation_notification_has_the_last_use),
        trial(a_use_on_another_node_is_written_for_a_revoked_token),
        trial(a_revocation_does_not_wait_for_last_uses),
    ]
}

/// A process that is killed loses what it noted since the last flush, and no more.
async fn a_crash_loses_one_interval_of_last_uses() {
    let folder = folder();
    let killed = Node::on(Arc::new(sqlite(&folder).await));
    let token = killed.create("alice", 300).await;
    let use_it = async |node: &Node| {
        let plain = token.plain.expose().as_bytes();
        node.pats.authenticate(plain).await.expect("a good token");
    };
    use_it(&killed).await;
    let flushed = killed.pats.flush_last_use().await.expect("a flush");
    assert_eq!(flushed, 1);
    let shown = async |node: &Node| {
        let alice = Caller::header_authenticated(token.token.owner.clone());
        let list = node.pats.list(&alice).await.expect("a list");
        list[0].last_used_at.expect("a last use")
    };
    let written = shown(&killed).await;
    killed.clock.advance(Duration::from_secs(59));
    use_it(&killed).await;
    let noted = shown(&killed).await;
    assert_eq!(
        noted.duration_since(written).as_secs(),
        59,
        "lists show it at once"
    );
    drop(killed);
    let restarted = Node::on(Arc::new(sqlite(&folder).await));
    assert_eq!(
        shown(&restarted).await,
        written,
        "less than an interval is lost"
    );
}

async fn ten_thousand_last_uses_are_one_batch() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(Arc::new(store.clone()));
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(node.create("alice", 300).await.token);
    }
    let gone = &ids[49];
    let alice = Caller::header_authenticated(gone.owner.clone());
    node.pats
        .revoke(&alice, gone.id)
        .await
        .expect("a revocation");
    let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).expect("a date");
    let batch = |seconds| {
        let known = ids.iter().map(|token| token.id);
        let unknown = (0..9_950).map(|id| pat_core::TokenId::new(id).expect("an id"));
        let mut uses: Vec<_> = known
            .chain(unknown)
            .map(|id| LastUse::new(id, at(seconds)))
            .collect();
        uses.sort_by_key(|last_use| last_use.id);
        uses
    };
    assert_eq!(batch(0).len(), 10_000);
    for seconds in [10, 5] {
        store.record_use(&batch(seconds)).await.expect("record_use");
    }
    for token in &ids {
        let found = store
            .find(token.id)
            .await
            .expect("find")
            .expect("the token");
        assert_eq!(found.last_used_at, Some(at(10)), "never backwards");
        assert_eq!(
            found.revoked_at.is_some(),
            token.id == gone.id,
            "the revoked one stays so"
        );
    }
}

/// What the administration shows of all tokens, revoked ones included: names and last uses.
async fn shown(administration: &Administration<'_>) -> Vec<(String, Option<Timestamp>)> {
    let mut filter = Filter::default();
    filter.revoked = RevokedTokens::Included;
    let search = Search::new(
        filter,
        Sort {
            key: SortKey::CreatedAt,
            is_descending: false,
        },
        Start::Offset(0),
        100,
    );
    let page = administration.search(&search).await.expect("a search");
    let tokens = page.tokens.into_iter();
    tokens
        .map(|token| (token.name, token.last_used_at))
        .collect()
}

async fn administration(node: &Node) -> Administration<'_> {
    // Until the test ends.
    let admin = Box::leak(Box::new(Caller::header_authenticated(
        node.users.add_administrator("admin"),
    )));
    let administration = node.pats.administration(admin).await;
    administration.expect("an administrator")
}

async fn use_it(pats: &Pats, token: &CreatedToken) {
    let plain = token.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("a good token");
}

/// A token is used three times and then revoked by an administrator, all before the next flush: the
/// notification, the page and who asks whose token it is are told the same.
async fn a_revocation_notification_has_the_last_use() {
    // By its id, by a filter, and with the token by which it was created.
    for way in 0..3 {
        let folder = folder();
        let node = Node::on(Arc::new(sqlite(&folder).await));
        let token = node.create("alice", 300).await;
        for _ in 0..3 {
            node.clock.advance(Duration::from_secs(5));
            use_it(&node.pats, &token).await;
        }
        let alice = Caller::header_authenticated(token.token.owner.clone());
        let listed = node.pats.list(&alice).await.expect("a list");
        let used = listed[0].last_used_at.expect("a last use");
        let administration = administration(&node).await;
        let revoked = match way {
            0 => administration.revoke(vec![token.token.id], None).await,
            1 => {
                let mut filter = Filter::default();
                filter.owners = vec![token.token.owner.clone()];
                administration.revoke_matching(&filter, 1, None).await
            }
            _ => {
                let admin = Caller::header_authenticated("admin".parse().expect("an owner"));
                let by_id = node.pats.revoke(&admin, token.token.id);
                by_id.await.map(|()| 1).map_err(|error| panic!("{error:?}"))
            }
        };
        assert_eq!(revoked.expect("a revocation"), 1);
        node.pats.deliver_notifications().await.expect("a delivery");
        let sent = node.mailer.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].kind, NotificationKind::RevokedByAdmin);
        assert_eq!(sent[0].tokens[0].last_used_at, Some(used), "the notice");
        assert_eq!(shown(&administration).await[0].1, Some(used), "the page");
        let presented = token.plain.expose().as_bytes();
        let identified = administration.identify(presented).await;
        let identified = identified.expect("an answer").expect("a token");
        assert_eq!(identified.last_used_at, Some(used), "whose it is");
        // On a node that has noted nothing.
        let other = Node::on(Arc::new(sqlite(&folder).await));
        assert_eq!(
            shown(&self::administration(&other).await).await[0].1,
            Some(used)
        );
    }
}

/// Another node has noted a use when the token is revoked: its next flush writes it.
async fn a_use_on_another_node_is_written_for_a_revoked_token() {
    let folder = folder();
    let (node, other) = (
        Node::on(Arc::new(sqlite(&folder).await)),
        Node::on(Arc::new(sqlite(&folder).await)),
    );
    let token = node.create("alice", 300).await;
    other.users.add("alice");
    other.clock.advance(Duration::from_secs(30));
    use_it(&other.pats, &token).await;
    let scope = vec![token.token.id];
    let revoked = administration(&node).await.revoke(scope, None).await;
    assert_eq!(revoked.expect("a revocation"), 1);
    assert_eq!(shown(&administration(&node).await).await[0].1, None);
    assert_eq!(other.pats.flush_last_use().await.expect("a flush"), 1);
    let at = shown(&administration(&node).await).await[0].1;
    assert!(at.is_some_and(|at| at > token.token.created_at), "{at:?}");
    let plain = token.plain.expose().as_bytes();
    node.pats.authenticate(plain).await.expect_err("revoked");
    let fresh = Node::on(Arc::new(sqlite(&folder).await));
    fresh.users.add("alice");
    fresh
        .pats
        .authenticate(plain)
        .await
        .expect_err("not revived");
}

/// Last uses that cannot be written fail no revocation, and hold none up for long.
async fn a_revocation_does_not_wait_for_last_uses() {
    for fault in [Fault::Failing, Fault::Silent] {
        for scope in ["the token", "its owner", "its family"] {
            let (store, directory) = (FaultStore::shared_in_memory(), TestDirectory::default());
            let alice = Caller::header_authenticated(directory.add("alice"));
            let settings = Settings::builder()
                .auth_database_timeout_ms(300)
                .create_by_token(if scope == "its family" {
                    CreateByToken::Capped
                } else {
                    CreateByToken::Allowed
                })
                .revocation_wait(RevocationWait::None);
            let pats = Pats::builder(Arc::new(store.clone()))
                .users(Arc::new(directory))
                .settings(settings.build().expect("settings"))
                .build();
            let request = TokenRequest::new("ci", None);
            let token = pats.create(&alice, request).await.expect("a token");
            use_it(&pats, &token).await;
            store.set(&["record_use"], fault);
            if scope == "its owner" {
                let revoked = pats.user_deleted(alice.owner()).await;
                assert_eq!(revoked.expect("a revocation"), 1);
            } else {
                let revoked = pats.revoke(&alice, token.token.id).await;
                revoked.expect("a revocation");
            }
            let plain = token.plain.expose().as_bytes();
            pats.authenticate(plain).await.expect_err("revoked");
            store.set(&[], fault);
            assert_eq!(pats.flush_last_use().await.expect("a flush"), 1, "late");
            let found = store.find(token.token.id).await.expect("find");
            assert!(found.expect("the token").last_used_at.is_some());
        }
    }
}
