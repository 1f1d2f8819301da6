//! Each act that changes who has access, before and after a restore.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::caller::Caller;
use crate::error::AuthError;
use crate::event::EventKind;
use crate::memory::MemoryStore;
use crate::policy::{RotationRequest, TokenRequest};
use crate::service::CreatedToken;
use crate::settings::Settings;
use crate::store::{Job, NewToken, RevocationScope, TokenStore};
use crate::testing::{TestClock, TestDirectory};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What happens to a token, or to the token that was created with it, after the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Nothing,
    Rename,
    Revoke,
    RevokeByAdministrator,
    RevokeFamily,
    RevokeChild,
    RevokeAndPrune,
    RevokeUnused,
    Disable,
    DisableByAdministrator,
    DisableAndEnable,
    Replace,
    ReplaceWithoutOverlap,
    ReplaceAgain,
    ReplaceSuccessor,
    ReplaceAndRevokeSuccessor,
    ReplaceAndDisableSuccessor,
    ReplaceAndPrune,
    DeleteUser,
    ChangeUser,
}

use Act::{
    ChangeUser, DeleteUser, Disable, DisableAndEnable, DisableByAdministrator, Nothing, Rename,
    Replace, ReplaceAgain, ReplaceAndDisableSuccessor, ReplaceAndPrune, ReplaceAndRevokeSuccessor,
    ReplaceSuccessor, ReplaceWithoutOverlap, Revoke, RevokeAndPrune, RevokeByAdministrator,
    RevokeChild, RevokeFamily, RevokeUnused,
};

/// Each act, and what [`Restored`] counts of the two tokens: revoked, disabled, replaced.
const ACTS: [(Act, [u64; 3]); 20] = [
    (Nothing, [0, 0, 0]),
    (Rename, [0, 0, 0]),
    (Revoke, [2, 0, 0]),
    (RevokeByAdministrator, [2, 0, 0]),
    (RevokeFamily, [2, 0, 0]),
    (RevokeChild, [1, 0, 0]),
    (RevokeAndPrune, [2, 0, 0]),
    (RevokeUnused, [1, 0, 0]),
    (Disable, [0, 1, 0]),
    (DisableByAdministrator, [0, 1, 0]),
    (DisableAndEnable, [0, 0, 0]),
    (Replace, [0, 0, 1]),
    (ReplaceWithoutOverlap, [0, 0, 1]),
    (ReplaceAgain, [0, 0, 1]),
    (ReplaceSuccessor, [0, 0, 1]),
    (ReplaceAndRevokeSuccessor, [2, 0, 0]),
    (ReplaceAndDisableSuccessor, [0, 1, 1]),
    (ReplaceAndPrune, [0, 0, 1]),
    (DeleteUser, [2, 0, 0]),
    (ChangeUser, [0, 0, 0]),
];

/// Two stores with the same two tokens: the one in which something happens to them, and the one that has them as
/// they were before.
struct Host {
    directory: Arc<TestDirectory>,
    clock: Arc<TestClock>,
    pats: Pats,
    restored: Pats,
    alice: Caller,
    admin: Caller,
    parent: CreatedToken,
    child: CreatedToken,
}

impl Host {
    async fn new() -> Self {
        let directory = TestDirectory::default();
        let alice = Caller::cookie_authenticated(directory.add("alice"));
        let admin = Caller::cookie_authenticated(directory.add_administrator("admin"));
        let (directory, clock) = (Arc::new(directory), Arc::new(TestClock::default()));
        let start = |store: &Arc<MemoryStore>| {
            let settings = Settings::builder().set("pat.create.by.token", "capped");
            Pats::builder(store.clone())
                .users(directory.clone())
                .clock(clock.clone())
                .settings(settings.expect("a value").build().expect("settings"))
                .build()
        };
        let [store, backup] = [(); 2].map(|()| Arc::new(MemoryStore::default()));
        let (pats, restored) = (start(&store), start(&backup));
        let parent = create(&pats, &alice).await;
        let presented = parent.plain.expose().as_bytes();
        let principal = pats.authenticate(presented).await.expect("a principal");
        let child = create(&pats, &Caller::with_token(principal)).await;
        for CreatedToken { token, plain } in [&parent, &child] {
            let copy = NewToken {
                expires_at: token.expires_at,
                parent: token.parent,
                ..NewToken::new(
                    token.id,
                    plain.digest(),
                    token.owner.clone(),
                    token.name.clone(),
                    token.created_at,
                )
            };
            backup.insert(&copy, 100).await.expect("insert");
        }
        Self {
            directory,
            clock,
            pats,
            restored,
            alice,
            admin,
            parent,
            child,
        }
    }

    async fn act(&self, act: Act) {
        let (pats, alice, id) = (&self.pats, &self.alice, self.parent.token.id);
        match act {
            Nothing => {}
            Rename => drop(pats.rename(alice, id, "nightly").await.expect("renamed")),
            Revoke => pats.revoke(alice, id).await.expect("revoked"),
            RevokeByAdministrator => pats.revoke(&self.admin, id).await.expect("revoked"),
            RevokeFamily => {
                let revoked = pats.revoke_with(alice, id, Family::Included).await;
                assert_eq!(revoked.expect("revoked").revoked, 2);
            }
            RevokeChild => {
                let child = self.child.token.id;
                pats.revoke(alice, child).await.expect("revoked");
            }
            RevokeAndPrune => {
                pats.revoke(alice, id).await.expect("revoked");
                self.prune(60 * DAY).await;
            }
            // As the job does it, which leaves what the token has created.
            RevokeUnused => {
                let scope = RevocationScope::Tokens(vec![id]);
                let revoked = pats.0.revoke_all(scope, None, None, false).await;
                assert_eq!(revoked.expect("revoked").tokens.len(), 1);
            }
            Disable => drop(pats.disable(alice, id).await.expect("disabled")),
            DisableByAdministrator => {
                drop(pats.disable(&self.admin, id).await.expect("disabled"));
            }
            DisableAndEnable => {
                pats.disable(alice, id).await.expect("disabled");
                pats.enable(alice, id).await.expect("enabled");
            }
            Replace => drop(self.replace(id).await),
            ReplaceWithoutOverlap => {
                let request = RotationRequest::default().with_overlap(Duration::ZERO);
                pats.rotate(alice, id, request).await.expect("replaced");
            }
            ReplaceAgain => {
                for _ in 0..3 {
                    self.replace(id).await;
                    self.clock.advance(10 * MINUTE);
                }
            }
            ReplaceSuccessor => {
                let successor = self.replace(id).await;
                self.clock.advance(10 * MINUTE);
                self.replace(successor).await;
            }
            ReplaceAndRevokeSuccessor => {
                let successor = self.replace(id).await;
                pats.revoke(alice, successor).await.expect("revoked");
            }
            ReplaceAndDisableSuccessor => {
                let successor = self.replace(id).await;
                pats.disable(alice, successor).await.expect("disabled");
            }
            ReplaceAndPrune => {
                self.replace(id).await;
                self.prune(3 * DAY).await;
            }
            DeleteUser => {
                let deleted = pats.user_deleted(alice.owner()).await;
                assert_eq!(deleted.expect("revoked"), 2);
            }
            ChangeUser => {
                self.directory.set_active(alice.owner(), false);
                pats.user_changed(alice.owner()).await.expect("changed");
            }
        }
    }

    /// Deletes the first token, after this time.
    async fn prune(&self, pause: Duration) {
        self.clock.advance(pause);
        self.pats.poll_changes().await.expect("a poll");
        self.pats.run_if_due(Job::Prune).await.expect("a job");
        let found = self.pats.find(&self.admin, self.parent.token.id).await;
        assert!(found.is_err(), "{found:?}");
    }

    async fn replace(&self, id: TokenId) -> TokenId {
        let request = RotationRequest::default();
        let successor = self.pats.rotate(&self.alice, id, request).await;
        successor.expect("replaced").token.id
    }

    async fn events(&self) -> Vec<Event> {
        let administration = self.pats.administration(&self.admin).await;
        let administration = administration.expect("an administrator");
        administration.events(0, 1_000).await.expect("events")
    }

    /// Whether the two tokens have access to the store of the acts, and then to the restored one.
    async fn access(&self) -> [[bool; 2]; 2] {
        let mut access = [[false; 2]; 2];
        for (pats, access) in [&self.pats, &self.restored].into_iter().zip(&mut access) {
            for (token, access) in [&self.parent, &self.child].into_iter().zip(access) {
                let presented = token.plain.expose().as_bytes();
                *access = match pats.authenticate(presented).await {
                    Ok(_) => true,
                    Err(AuthError::Unavailable(error)) => panic!("{error:?}"),
                    Err(_) => false,
                };
            }
        }
        access
    }
}

async fn create(pats: &Pats, caller: &Caller) -> CreatedToken {
    let created = pats.create(caller, TokenRequest::new("ci", Some(30)));
    created.await.expect("a token")
}

/// Times after the restore: within an overlap and after it, and beyond the tokens' own end.
const PAUSES: [Duration; 4] = [Duration::ZERO, MINUTE, DAY, DAY.saturating_mul(30)];

#[tokio::test]
async fn tokens_have_the_same_access_after_a_restore_whatever_had_happened() {
    for (act, counts) in ACTS {
        let host = Host::new().await;
        assert_eq!(host.access().await, [[true; 2]; 2], "{act:?}");
        host.act(act).await;
        let events = host.events().await;
        for (call, counts) in [counts, [0; 3]].into_iter().enumerate() {
            let restored = host.restored.after_restore(events.clone()).await;
            let restored = restored.expect("a repair");
            let found = [restored.revoked, restored.disabled, restored.replaced];
            assert_eq!(found, counts, "{act:?}, call {call}");
        }
        for pause in PAUSES {
            host.clock.advance(pause);
            let [before, after] = host.access().await;
            assert_eq!(before, after, "{act:?}, {pause:?} later");
        }
    }
}

#[tokio::test]
async fn without_the_end_in_the_event_a_replaced_token_ends_at_once() {
    for act in [
        Replace,
        ReplaceWithoutOverlap,
        ReplaceAgain,
        ReplaceSuccessor,
    ] {
        let host = Host::new().await;
        host.act(act).await;
        let mut events = host.events().await;
        for event in &mut events {
            if let EventKind::Rotated { ends_at, .. } = &mut event.kind {
                *ends_at = None;
            }
        }
        let restored = host.restored.after_restore(events).await;
        assert_eq!(restored.expect("a repair").replaced, 1, "{act:?}");
        assert_eq!(host.access().await[1], [false, true], "{act:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_replaced_again_after_a_restore_can_be_rotated_until_it_ends() {
    let host = Host::new().await;
    host.act(Replace).await;
    let restored = host.restored.after_restore(host.events().await).await;
    restored.expect("a repair");
    let (id, request) = (host.parent.token.id, RotationRequest::default());
    let again = host.restored.rotate(&host.alice, id, request.clone()).await;
    let again = again.expect("a successor");
    assert!(again.is_again);
    let ends = host.pats.find(&host.alice, id).await.expect("the token");
    assert_eq!(Some(again.ending[0].at), ends.expires_at);
    host.clock.advance(DAY);
    let late = host.restored.rotate(&host.alice, id, request).await;
    assert!(
        matches!(late, Err(crate::error::RotateError::Expired(_))),
        "{late:?}"
    );
}
