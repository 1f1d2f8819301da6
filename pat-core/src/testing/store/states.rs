//! The states in which a token can be, and what each allows.

use std::sync::Arc;
use std::time::Duration;

use super::rotation;
use crate::store::{
    Insertion, Job, NewToken, RevocationScope, Rotated, Rotation, SeenEffect, SeenOwner, Update,
    Updated,
};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};
use crate::testing::jobs::{lease, prune_all};
use crate::testing::{TestClock, TestDirectory};
use crate::{Pats, Settings, TokenId};

const HOUR: i64 = 60 * 60;
/// When each state is examined.
const NOW: i64 = 48 * HOUR;
/// For how long an owner may be absent.
const ABSENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a token allows.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of the table"
)]
#[derive(Debug, PartialEq, Eq)]
struct Rights {
    authenticates: bool,
    is_listed: bool,
    counts: bool,
    is_rotated: bool,
    is_renamed: bool,
    is_enabled: bool,
    is_revoked: bool,
}

impl Rights {
    const ALL: Self = Self {
        authenticates: true,
        is_listed: true,
        counts: true,
        is_rotated: true,
        is_renamed: true,
        is_enabled: true,
        is_revoked: true,
    };
    const UNUSABLE: Self = Self {
        authenticates: false,
        is_rotated: false,
        ..Self::ALL
    };
    const NONE: Self = Self {
        authenticates: false,
        is_listed: false,
        counts: false,
        is_rotated: false,
        is_renamed: false,
        is_enabled: false,
        is_revoked: false,
    };
}

const STATES: [(&str, Rights); 11] = [
    ("active", Rights::ALL),
    ("replaced", Rights::ALL),
    (
        // Its successor counts.
        "replaced and ended",
        Rights {
            is_listed: false,
            ..Rights::UNUSABLE
        },
    ),
    ("disabled", Rights::UNUSABLE),
    (
        "disabled by an administrator",
        Rights {
            is_enabled: false,
            ..Rights::UNUSABLE
        },
    ),
    ("expired", Rights::UNUSABLE),
    (
        "short-lived and expired",
        Rights {
            is_listed: false,
            counts: false,
            ..Rights::UNUSABLE
        },
    ),
    ("owner seen", Rights::ALL),
    (
        // An owner who replaces a token was seen.
        "owner absent",
        Rights {
            authenticates: false,
            ..Rights::ALL
        },
    ),
    ("revoked", Rights::NONE),
    ("pruned", Rights::NONE),
];

pub(super) async fn states(store: Store) {
    let pats = pats(&store);
    for ((state, expected), first) in STATES.into_iter().zip((1..).step_by(100)) {
        let table = Table {
            store: &store,
            first,
            key: format!("user {first}"),
        };
        if table.reach(state).await {
            let rights = table.rights(&pats).await;
            assert_eq!(rights, expected, "{state}");
        }
    }
}

/// Returns a service whose time is `at(NOW)`.
fn pats(store: &Store) -> Pats {
    let clock = TestClock::default();
    let seconds = Duration::from_secs(NOW.unsigned_abs());
    clock.advance(seconds + Duration::from_micros(1));
    let directory = TestDirectory::default();
    for (_, first) in STATES.iter().zip((1..).step_by(100)) {
        directory.add(&format!("user {first}"));
    }
    let settings = Settings::builder().owner_max_absence_days(1).build();
    Pats::builder(Arc::clone(store))
        .users(Arc::new(directory))
        .settings(settings.expect("settings"))
        .clock(Arc::new(clock))
        .build()
}

/// A row of the table: a token in one of the states. Its owner has no other tokens.
struct Table<'s> {
    store: &'s Store,
    /// Number of the token. Those after it are free for others.
    first: i64,
    key: String,
}

impl Table<'_> {
    fn rotation(&self, to: i64, seconds: i64) -> Rotation {
        Rotation {
            owner: owner(&self.key),
            ..rotation::rotation(self.first, to, seconds)
        }
    }

    async fn rotate(&self, to: i64, seconds: i64) -> bool {
        let rotated = rotation::ask(self.store, &self.rotation(to, seconds)).await;
        matches!(rotated, Rotated::Stored(_))
    }

    async fn update(&self, change: impl FnOnce(&mut Update)) -> bool {
        let mut update = Update::new(id(self.first), at(NOW), owner(&self.key));
        change(&mut update);
        let updated = self.store.update(&update).await.expect("update");
        matches!(updated, Updated::Stored(_))
    }

    async fn revoke(&self, seconds: i64) -> Vec<TokenId> {
        let scope = RevocationScope::Tokens(vec![id(self.first)]);
        revoke(self.store, scope, seconds).await
    }

    async fn see(&self, seconds: i64) -> bool {
        let seen = SeenOwner::new(owner(&self.key), at(seconds), ABSENCE);
        self.store.note_seen(&seen).await.expect("note_seen") != SeenEffect::None
    }

    /// Brings the token into the state. Returns `false` if the store does not know this state.
    async fn reach(&self, state: &str) -> bool {
        let is_short = state == "short-lived and expired";
        let expires = is_short || state == "expired";
        let token = NewToken {
            expires_at: expires.then(|| at(NOW)),
            is_transient: is_short,
            ..new(self.first, &self.key)
        };
        store_token(self.store, &token).await;
        let absence = i64::try_from(ABSENCE.as_secs()).expect("seconds");
        match state {
            "replaced" => self.rotate(self.first + 1, NOW - HOUR + 1).await,
            "replaced and ended" => self.rotate(self.first + 1, NOW - HOUR).await,
            "disabled" => self.update(|it| it.is_enabled = Some(false)).await,
            "disabled by an administrator" => {
                let disable = |it: &mut Update| {
                    it.is_enabled = Some(false);
                    it.by_administrator = true;
                };
                self.update(disable).await
            }
            "owner seen" => self.see(NOW - absence + 1).await,
            "owner absent" => self.see(NOW - absence).await,
            "revoked" => !self.revoke(1).await.is_empty(),
            "pruned" if self.store.jobs().is_none() => false,
            "pruned" => {
                self.revoke(1).await;
                let lease = lease(self.store, Job::Prune).await;
                !prune_all(self.store, &lease).await.is_empty()
            }
            _ => true,
        }
    }

    async fn rights(&self, pats: &Pats) -> Rights {
        let token = new(self.first, &self.key);
        let listed = self.store.list(&token.owner).await.expect("list");
        let mut listed = listed.iter().filter(|token| token.counts(at(NOW)));
        let another = NewToken {
            created_at: at(NOW),
            ..new(self.first + 2, &self.key)
        };
        // Enabling, which changes what the others find, comes late.
        Rights {
            authenticates: pats.authenticate_digest(token.digest).await.is_ok(),
            is_listed: listed.any(|token| token.id == id(self.first)),
            counts: {
                let inserted = self.store.insert(&another, 1).await;
                inserted.expect("insert") == Insertion::LimitReached { count: 1 }
            },
            is_rotated: self.rotate(self.first + 3, NOW).await,
            is_renamed: self.update(|it| it.name = Some("other".into())).await,
            is_enabled: self.update(|it| it.is_enabled = Some(true)).await,
            is_revoked: self.revoke(NOW).await == [id(self.first)],
        }
    }
}
