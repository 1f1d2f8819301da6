use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{StoreTime, StoreVersions};
use crate::token::{Owner, Token, TokenDigest, TokenId};

/// A token to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewToken {
    /// Its ID, unique.
    pub id: TokenId,
    /// Its digest, unique.
    pub digest: TokenDigest,
    /// The user it authenticates.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// When it is created, by the caller's clock.
    pub created_at: Timestamp,
    /// When it expires, by the same clock; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// The latest allowed expiry, whenever it is created; `None` for no limit.
    pub expires_by: Option<Timestamp>,
    /// The token that authenticates this creation, if one does.
    pub parent: Option<TokenId>,
    /// How many tokens of the owner, including this one, the store may hold, revoked and expired ones
    /// included.
    pub max_rows: u32,
    /// Whether a [`NotificationKind::Created`](crate::notification::NotificationKind::Created) is
    /// queued in the same transaction. Never set for a store without [`TokenStore::jobs`](super::TokenStore::jobs).
    pub notify: bool,
}

impl NewToken {
    /// Creates a token that never expires and has no parent, without a limit of rows and without a
    /// notification.
    #[must_use]
    pub fn new(
        id: TokenId,
        digest: TokenDigest,
        owner: Owner,
        name: impl Into<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            digest,
            owner,
            name: name.into(),
            created_at,
            expires_at: None,
            expires_by: None,
            parent: None,
            max_rows: u32::MAX,
            notify: false,
        }
    }

    /// Returns this token created at `now` instead: with the same life span, and with `now` in its ID.
    #[must_use]
    pub fn created_now(&self, now: Timestamp) -> Self {
        let expires_at = self.expires_at.map(|at| {
            let moved = at.saturating_add(now.duration_since(self.created_at));
            let moved = moved.unwrap_or(Timestamp::MAX);
            self.expires_by.map_or(moved, |latest| moved.min(latest))
        });
        Self {
            id: self.id.moved(self.created_at, now),
            created_at: now,
            expires_at,
            ..self.clone()
        }
    }

    /// Returns this token as it is once stored.
    #[must_use]
    pub fn into_token(self) -> Token {
        Token {
            id: self.id,
            owner: self.owner,
            name: self.name,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: None,
            revoked_at: None,
            parent: self.parent,
        }
    }
}

/// The result of [`TokenStore::insert`](super::TokenStore::insert). Exhaustive: a caller must handle each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insertion {
    /// The token as it was stored.
    Stored(Token),
    /// The ID or the digest exists; nothing was stored. The caller retries with others.
    Duplicate,
    /// The owner has `limit` or more unrevoked tokens; nothing was stored.
    LimitReached {
        /// The owner's unrevoked tokens, expired ones included.
        count: u32,
    },
    /// The owner has [`NewToken::max_rows`] tokens, revoked and expired ones included; nothing was
    /// stored.
    TooManyRows,
    /// The parent is revoked, expired or deleted; nothing was stored.
    ParentInvalid,
}

/// The tokens that [`TokenStore::revoke`](super::TokenStore::revoke) revokes. Exhaustive: a store that ignored one would report a
/// revocation that it did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationScope {
    /// These tokens; unknown IDs are skipped.
    Tokens(Vec<TokenId>),
    /// These tokens, and every token that was created with one of them, directly or through others.
    TokensAndDescendants(Vec<TokenId>),
    /// All tokens of this owner.
    Owner(Owner),
}

/// A revocation: its time, author and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revocation {
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// The user who revokes: the owner or an administrator; `None` for the host itself.
    pub by: Option<Owner>,
    /// The reason that this user gave.
    pub reason: Option<String>,
    /// Whether a [`NotificationKind::RevokedByAdmin`](crate::notification::NotificationKind::RevokedByAdmin)
    /// is queued for each owner in the same transaction. Never set for a store without
    /// [`TokenStore::jobs`](super::TokenStore::jobs).
    pub notify: bool,
}

impl Revocation {
    /// Creates a revocation by the host, without a reason and without notifications.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self {
            at,
            by: None,
            reason: None,
            notify: false,
        }
    }
}

/// The result of [`TokenStore::revoke`](super::TokenStore::revoke).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The tokens that were revoked, in order of ID.
    pub tokens: Vec<RevokedToken>,
    /// How many tokens still authenticate that were created with a token of
    /// [`RevocationScope::Tokens`], directly or through others; 0 for other scopes.
    pub live_children: u64,
}

impl Revoked {
    /// Creates the result of a revocation without live children.
    #[must_use]
    pub const fn new(at: Timestamp, tokens: Vec<RevokedToken>) -> Self {
        Self {
            at,
            tokens,
            live_children: 0,
        }
    }
}

/// The result of [`TokenStore::find_by_digest`](super::TokenStore::find_by_digest).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup {
    /// The token, if there is one.
    pub token: Option<Token>,
    /// The store's time at the lookup.
    pub time: StoreTime,
    /// The versions that may use the store.
    pub versions: StoreVersions,
}

impl Lookup {
    /// Creates the result of a store without a clock, a mark and versions.
    #[must_use]
    pub fn new(token: Option<Token>) -> Self {
        Self {
            token,
            time: StoreTime::default(),
            versions: StoreVersions::default(),
        }
    }
}

/// A token that has just been revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedToken {
    /// Its ID.
    pub id: TokenId,
    /// Its owner.
    pub owner: Owner,
}

impl RevokedToken {
    /// Creates a revoked token.
    #[must_use]
    pub const fn new(id: TokenId, owner: Owner) -> Self {
        Self { id, owner }
    }
}

/// The last use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastUse {
    /// The token.
    pub id: TokenId,
    /// When it last authenticated a request.
    pub at: Timestamp,
}

impl LastUse {
    /// Creates a last use.
    #[must_use]
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::store::Change;

    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: Value) {
        assert_eq!(serde_json::to_value(value).expect("JSON"), json);
        assert_eq!(&serde_json::from_value::<T>(json).expect("a value"), value);
    }

    /// The names must stay, so that a store reads what an earlier version wrote.
    #[test]
    fn arguments_have_these_names_in_files() {
        let id = TokenId::new(7).expect("an ID");
        let owner = Owner::new("alice").expect("an owner");
        let time = "2026-02-26T22:42:21.247001Z";
        let at: Timestamp = time.parse().expect("a time");
        let digest = TokenDigest::from_bytes([9; 32]);
        check(
            &NewToken::new(id, digest, owner.clone(), "ci", at),
            json!({
                "id": 7, "digest": vec![9; 32], "owner": "alice", "name": "ci", "created_at": time,
                "expires_at": null, "expires_by": null, "parent": null, "max_rows": u32::MAX,
                "notify": false,
            }),
        );
        let revocation = json!({"at": time, "by": null, "reason": null, "notify": false});
        check(&Revocation::new(at), revocation);
        check(&LastUse::new(id, at), json!({"id": 7, "at": time}));
        let tokens = vec![id];
        check(
            &RevocationScope::Tokens(tokens.clone()),
            json!({"tokens": [7]}),
        );
        let scope = RevocationScope::TokensAndDescendants(tokens);
        check(&scope, json!({"tokens_and_descendants": [7]}));
        let scope = RevocationScope::Owner(owner.clone());
        check(&scope, json!({"owner": "alice"}));
        check(&Change::TokenRevoked(id), json!({"token_revoked": 7}));
        let change = Change::OwnerChanged(owner);
        check(&change, json!({"owner_changed": "alice"}));
        check(&Change::Everything, json!("everything"));
        assert!(serde_json::from_value::<Owner>(json!("")).is_err());
    }
}
