use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{IdempotencyKey, StoreTime, StoreVersions};
use crate::event::EventKind;
use crate::scope::Scopes;
use crate::token::{Owner, Token, TokenDigest, TokenId};

/// A new token, as [`TokenStore::insert`](super::TokenStore::insert) is to store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewToken {
    /// ID of the new token. If the store has a token with this ID, the result is
    /// [`Insertion::Duplicate`].
    pub id: TokenId,
    /// Digest of the new token's secret. If the store has a token with this digest, the result is
    /// [`Insertion::Duplicate`].
    pub digest: TokenDigest,
    /// User whom the token authenticates.
    pub owner: Owner,
    /// Name that the user gave the token, which need not be unique.
    pub name: String,
    /// When the token is created, by the caller's clock.
    pub created_at: Timestamp,
    /// When the token expires, by the caller's clock; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// Latest time to which [`NewToken::created_now`] may move the expiry: the expiry of the
    /// [`parent`](NewToken::parent) if the setting `pat.create.by.token` is `capped`; `None` for no limit.
    pub expires_by: Option<Timestamp>,
    /// ID of the token that authenticates the request to create this one; `None` if the user signed in
    /// otherwise.
    pub parent: Option<TokenId>,
    /// Scopes of the new token; `None` for an unrestricted token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// Scopes with which the caller knows the [`parent`](NewToken::parent); `None` if the parent is
    /// unrestricted, or there is none. The caller has checked that the parent permits
    /// [`scopes`](NewToken::scopes). If the store has other scopes for the parent, the result is
    /// [`Insertion::ParentInvalid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_scopes: Option<Scopes>,
    /// Text in which the owner says what the token is for ([`Token::description`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The last four characters of the secret token string ([`Token::hint`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the token is short-lived ([`Token::is_transient`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_transient: bool,
    /// How many tokens of the owner the store may hold, including this one and revoked and expired ones.
    pub max_rows: u32,
    /// Whether the store queues a [`NotificationKind::Created`](crate::notification::NotificationKind::Created)
    /// in the transaction that stores the token. Always `false` for a store without
    /// [`TokenStore::jobs`](super::TokenStore::jobs).
    pub notify: bool,
    /// Key with which the client may repeat the request; `None` if it sent none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<IdempotencyKey>,
}

impl NewToken {
    /// Creates a description of an unrestricted token that never expires and has no parent. The number of the owner's
    /// tokens is not limited ([`NewToken::max_rows`] is `u32::MAX`), no notification is queued, and the request
    /// has no key.
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
            scopes: None,
            parent_scopes: None,
            description: None,
            hint: None,
            is_transient: false,
            max_rows: u32::MAX,
            notify: false,
            idempotency: None,
        }
    }

    /// Returns this description with `now` as the time of creation, for a store that has its own clock.
    ///
    /// The life span stays the same, but the token expires at [`NewToken::expires_by`] at the latest. The ID
    /// changes too, because it contains the time of creation in milliseconds ([`TokenId`]). The store must
    /// store the token under the new ID.
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

    /// Returns the token as the store returns it after the creation: unused and unrevoked.
    #[must_use]
    pub fn into_token(self) -> Token {
        Token {
            expires_at: self.expires_at,
            parent: self.parent,
            scopes: self.scopes,
            description: self.description,
            hint: self.hint,
            is_transient: self.is_transient,
            ..Token::new(self.id, self.owner, self.name, self.created_at)
        }
    }
}

/// The result of [`TokenStore::insert`](super::TokenStore::insert).
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insertion {
    /// The token was stored, as this value describes it.
    Stored(Token),
    /// Nothing was stored: the store has a token with the same ID or digest. The caller retries with
    /// another ID and another digest.
    Duplicate,
    /// Nothing was stored: the owner has `limit` or more tokens that [count](Token::counts).
    LimitReached {
        /// Number of the owner's tokens that count; tokens of one line count as one.
        count: u32,
    },
    /// Nothing was stored: the owner has [`NewToken::max_rows`] or more tokens, revoked and expired ones
    /// included.
    TooManyRows,
    /// Nothing was stored: the parent ([`NewToken::parent`]) is revoked, expired, disabled or deleted, or has
    /// other scopes than [`NewToken::parent_scopes`].
    ParentInvalid,
    /// Nothing was stored: the same request with the same [key](IdempotencyKey) has created this token, which
    /// may have been revoked since.
    Repeated(Token),
    /// Nothing was stored: another request had the same [key](IdempotencyKey), or the token that this request
    /// created is deleted.
    KeyConflict,
}

/// The tokens that [`TokenStore::revoke`](super::TokenStore::revoke) revokes.
///
/// A token that is replaced goes with the one that replaced it: each of the named tokens takes along the
/// tokens of its line with a smaller [`Line::seq`](crate::Line::seq).
///
/// This enum is exhaustive: a store that ignored a variant would report a revocation that it did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationScope {
    /// Revokes the tokens with these IDs, of whichever owners, and what they replaced, but not the tokens
    /// created with them. Unknown IDs are skipped; of a token that is revoked already, what it replaced is
    /// revoked.
    Tokens(Vec<TokenId>),
    /// Revokes the tokens with these IDs, what they replaced, and the descendants of all these: the tokens that
    /// were created with one of these tokens, or with a descendant. Unknown IDs are skipped.
    TokensAndDescendants(Vec<TokenId>),
    /// Revokes the tokens with these IDs, the other tokens of their lines ([`Line`](crate::Line)), and the
    /// descendants of all these. Unknown IDs are skipped.
    Families(Vec<TokenId>),
    /// Revokes all tokens of this owner.
    Owner(Owner),
}

/// The circumstances of a revocation: its time, author and reason, and whether owners are notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revocation {
    /// When the tokens are revoked, by the caller's clock.
    pub at: Timestamp,
    /// The owner or administrator who revokes the tokens. `None` if no user does: after
    /// [`Pats::user_deleted`](crate::Pats::user_deleted), or if the pruning job finds that the owner is missing
    /// from the directory.
    pub by: Option<Owner>,
    /// Reason for the revocation, for notifications and audit events; `None` if none was given.
    pub reason: Option<String>,
    /// Random number of the revocation, 0 to 2⁵³ − 1, which its tokens and events have in common; `None` if it has
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Whether the store queues a
    /// [`NotificationKind::RevokedByAdmin`](crate::notification::NotificationKind::RevokedByAdmin) for each
    /// owner of revoked tokens, in the transaction of the revocation; or the transaction records that it is to be
    /// queued, and [`JobStore::claim_notifications`](super::JobStore::claim_notifications) queues it. Always `false` for a store without
    /// [`TokenStore::jobs`](super::TokenStore::jobs).
    pub notify: bool,
}

impl Revocation {
    /// Creates a revocation at the time `at` by no user, without a reason, a number and notifications.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self {
            at,
            by: None,
            reason: None,
            id: None,
            notify: false,
        }
    }

    /// Returns the event of this revocation of `tokens`.
    #[must_use]
    pub fn event(&self, tokens: Vec<RevokedToken>) -> EventKind {
        EventKind::Revoked {
            tokens,
            by: self.by.clone(),
            reason: self.reason.clone(),
            revocation: self.id,
        }
    }
}

/// The result of [`TokenStore::revoke`](super::TokenStore::revoke): what was revoked, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// When the tokens were revoked: the time of the store's clock in the transaction, or [`Revocation::at`] if
    /// the store has no clock. The same time if the call revoked no token.
    pub at: Timestamp,
    /// The tokens that this call revoked, in order of ID. Tokens that were revoked before are not listed.
    pub tokens: Vec<RevokedToken>,
    /// For [`RevocationScope::Tokens`], how many descendants of the tokens in the scope are valid
    /// ([`Token::validity`]) at the time of the revocation: tokens that were created with one of these tokens, or with a
    /// descendant. 0 for other scopes.
    pub live_children: u64,
}

impl Revoked {
    /// Creates the result of a revocation of `tokens` at the time `at`. Its
    /// [`live_children`](Revoked::live_children) is 0.
    #[must_use]
    pub const fn new(at: Timestamp, tokens: Vec<RevokedToken>) -> Self {
        Self {
            at,
            tokens,
            live_children: 0,
        }
    }
}

/// The result of [`TokenStore::find_by_digest`](super::TokenStore::find_by_digest): a token, and the time
/// and the versions of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup {
    /// The token with the digest, even if it is revoked or expired; `None` if the store has none.
    pub token: Option<Token>,
    /// The store's time when it read the token: the time of its clock, and its [mark](StoreTime::mark).
    pub time: StoreTime,
    /// The store's version, and the oldest version that may use the store.
    pub versions: StoreVersions,
}

impl Lookup {
    /// Creates the result of a lookup that found `token`. Its [`time`](Lookup::time) has neither a clock nor
    /// a mark ([`StoreTime`]); its versions are [`StoreVersions::default`].
    #[must_use]
    pub fn new(token: Option<Token>) -> Self {
        Self {
            token,
            time: StoreTime::default(),
            versions: StoreVersions::default(),
        }
    }
}

/// A token that a revocation has revoked, in [`Revoked`] and
/// [`EventKind::Revoked`](crate::event::EventKind::Revoked).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedToken {
    /// ID of the revoked token.
    pub id: TokenId,
    /// Owner of the revoked token.
    pub owner: Owner,
    /// Name of the revoked token, for the log; `None` if the store does not say, and in a stored event.
    pub name: Option<String>,
}

impl RevokedToken {
    /// Creates the record of a revocation from the token's ID and owner, without its name.
    #[must_use]
    pub const fn new(id: TokenId, owner: Owner) -> Self {
        let name = None;
        Self { id, owner, name }
    }
}

/// The last use of a token, for [`TokenStore::record_use`](super::TokenStore::record_use).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastUse {
    /// ID of the token that was used.
    pub id: TokenId,
    /// When the token last authenticated a request.
    pub at: Timestamp,
}

impl LastUse {
    /// Creates the last use of the token `id` at the time `at`.
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
    use crate::store::{Change, Rotation};

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
        check(
            &RevocationScope::Families(vec![id]),
            json!({"families": [7]}),
        );
        let rotation = Rotation {
            idempotency: Some(IdempotencyKey::new("k", [1; 32])),
            lifetime: Some(jiff::SignedDuration::from_secs(60)),
            ..Rotation::new(id, owner.clone(), id, digest, at)
        };
        check(
            &rotation,
            json!({
                "predecessor": 7, "owner": "alice", "id": 7, "digest": vec![9; 32], "now": time,
                "overlap": {"secs": 0, "nanos": 0}, "lifetime": "PT1M", "expires_by": null,
                "max_rows": u32::MAX, "notify": false,
                "idempotency": {"key": "k", "request": vec![1; 32]},
            }),
        );
        let scope = RevocationScope::Owner(owner.clone());
        check(&scope, json!({"owner": "alice"}));
        check(&Change::TokenChanged(id), json!({"token_revoked": 7}));
        let change = Change::OwnerChanged(owner);
        check(&change, json!({"owner_changed": "alice"}));
        check(&Change::Everything, json!("everything"));
        assert!(serde_json::from_value::<Owner>(json!("")).is_err());
    }
}
