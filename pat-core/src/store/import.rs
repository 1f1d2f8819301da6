use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::scope::Scopes;
use crate::token::{Owner, Token, TokenDigest, TokenId, is_expired};

/// The import capability of a store ([`TokenStore::import_store`](super::TokenStore::import_store)): it stores
/// tokens that another table has had so far.
///
/// An implementation is conformant if it passes the suite in `pat_core::testing::store`.
///
/// # Errors
/// The errors of [`TokenStore`](super::TokenStore#errors).
///
/// ```
/// use jiff::Timestamp;
/// use pat_core::store::{ImportOutcome, NewImport, TokenStore};
/// use pat_core::{MemoryStore, Owner, TokenDigest, TokenId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// let imports = store.import_store().expect("the store has the capability");
/// let (id, digest) = (TokenId::new(7).unwrap(), TokenDigest::of(b"acme-secret"));
/// let (owner, now) = (Owner::new("alice")?, Timestamp::now());
/// let row = NewImport::new(id, digest, owner, "ci", now);
/// let outcomes = imports.import(&[row], now).await?;
/// assert!(matches!(&outcomes[..], [ImportOutcome::Stored(token)] if token.id == id));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait ImportStore: Debug + Send + Sync {
    /// Stores tokens that another table has had so far, in one transaction that excludes other creations for
    /// their owners. Returns the outcome of each, in the order of `tokens`.
    ///
    /// The store decides about one token after another ([`Imports`]), at the time of its clock, or at `now`, the
    /// caller's time, if it has no clock. It stores a token without regard to the limits of
    /// [`TokenStore::insert`](super::TokenStore::insert), and queues no notification. It does not append to the
    /// [change feed](super::Change): a node caches for ten seconds at most that a token is unknown.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors). Then no token was
    /// stored.
    async fn import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError>;
}

/// A token of another table, as [`ImportStore::import`] is to store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewImport {
    /// ID of the token. If the store has a token with this ID, the outcome is [`ImportOutcome::Duplicate`].
    pub id: TokenId,
    /// Digest of the token's secret.
    pub digest: TokenDigest,
    /// User whom the token authenticates.
    pub owner: Owner,
    /// Name of the token.
    pub name: String,
    /// When the token was created. A time in the future counts as the present time.
    pub created_at: Timestamp,
    /// When the token expires; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// When the token last authenticated a request; `None` if it never did, or this is not known. A time in the
    /// future counts as the present time.
    pub last_used_at: Option<Timestamp>,
    /// Scopes of the token; `None` for an unrestricted token.
    pub scopes: Option<Scopes>,
    /// Text in which the owner says what the token is for ([`Token::description`]).
    pub description: Option<String>,
}

impl NewImport {
    /// Creates a description of an unrestricted token that was never used and never expires.
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
            last_used_at: None,
            scopes: None,
            description: None,
        }
    }

    /// Returns the token as it is stored by an import at the time `now`.
    #[must_use]
    pub fn to_token(&self, now: Timestamp) -> Token {
        let created_at = self.created_at.min(now);
        Token {
            expires_at: self.expires_at,
            last_used_at: self.last_used_at.map(|at| at.min(now)),
            scopes: self.scopes.clone(),
            description: self.description.clone(),
            imported_at: Some(now),
            ..Token::new(self.id, self.owner.clone(), self.name.as_str(), created_at)
        }
    }
}

/// What [`ImportStore::import`] has done with one token.
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The token was stored, as this value describes it.
    Stored(Box<Token>),
    /// The token was not stored: its owner has a token with this digest and this ID, which may be revoked.
    Present(TokenId),
    /// The token was not stored: another owner has a token with this digest.
    OtherOwner,
    /// The token was not stored: it has expired.
    Expired,
    /// The token was not stored: the store has a token with the same ID, or another transaction has just stored
    /// a token with the same ID or digest. The caller retries with another ID.
    Duplicate,
}

/// Decides about the tokens of an import, one after another, by the rules that every store has in common.
///
/// A store passes what it has; then, if the outcome is [`ImportOutcome::Stored`], it stores the token.
#[derive(Debug)]
pub struct Imports {
    now: Timestamp,
    digests: HashMap<TokenDigest, (TokenId, Owner)>,
    ids: HashSet<TokenId>,
}

impl Imports {
    /// Creates the decision at the time `now` of the store's clock. `digests` are the tokens of the store that
    /// have the digest of a token to be imported, `ids` those IDs of tokens to be imported that are taken; a store
    /// may pass more of both.
    #[must_use]
    pub fn new(
        now: Timestamp,
        digests: HashMap<TokenDigest, (TokenId, Owner)>,
        ids: HashSet<TokenId>,
    ) -> Self {
        Self { now, digests, ids }
    }

    /// Returns the outcome for the next token.
    pub fn next(&mut self, token: &NewImport) -> ImportOutcome {
        match self.digests.get(&token.digest) {
            Some((id, owner)) if *owner == token.owner => return ImportOutcome::Present(*id),
            Some(_) => return ImportOutcome::OtherOwner,
            None => {}
        }
        if is_expired(token.expires_at, self.now) {
            return ImportOutcome::Expired;
        }
        if !self.ids.insert(token.id) {
            return ImportOutcome::Duplicate;
        }
        let known = (token.id, token.owner.clone());
        self.digests.insert(token.digest, known);
        ImportOutcome::Stored(Box::new(token.to_token(self.now)))
    }
}

/// A token that an import has stored, in [`EventKind::Imported`](crate::event::EventKind::Imported).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedToken {
    /// ID of the token.
    pub id: TokenId,
    /// Owner of the token.
    pub owner: Owner,
    /// When the token expires; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// Scopes of the token; `None` if it is unrestricted.
    pub scopes: Option<Scopes>,
}

impl ImportedToken {
    /// Creates the record of an unrestricted token that never expires from its ID and owner.
    #[must_use]
    pub const fn new(id: TokenId, owner: Owner) -> Self {
        Self {
            id,
            owner,
            expires_at: None,
            scopes: None,
        }
    }

    /// Returns the records of the tokens that were stored.
    #[must_use]
    pub fn of_stored(outcomes: &[ImportOutcome]) -> Vec<Self> {
        let stored = outcomes.iter().filter_map(|outcome| match outcome {
            ImportOutcome::Stored(token) => Some(Self {
                expires_at: token.expires_at,
                scopes: token.scopes.clone(),
                ..Self::new(token.id, token.owner.clone())
            }),
            ImportOutcome::Present(_)
            | ImportOutcome::OtherOwner
            | ImportOutcome::Expired
            | ImportOutcome::Duplicate => None,
        });
        stored.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::case::{at, id, owner};

    /// Returns a row with this ID and secret.
    fn row(number: i64, key: &str, secret: &str) -> NewImport {
        let digest = TokenDigest::of(secret.as_bytes());
        NewImport::new(id(number), digest, owner(key), "ci", at(0))
    }

    #[test]
    fn an_imported_token_is_what_the_row_says_but_not_of_the_future() {
        let row = NewImport {
            expires_at: Some(at(100)),
            last_used_at: Some(at(5)),
            scopes: Some(Scopes::none()),
            description: Some("builds".into()),
            ..row(1, "alice", "a")
        };
        let expected = Token {
            expires_at: Some(at(100)),
            last_used_at: Some(at(5)),
            scopes: Some(Scopes::none()),
            description: Some("builds".into()),
            imported_at: Some(at(10)),
            ..Token::new(id(1), owner("alice"), "ci", at(0))
        };
        assert_eq!(row.to_token(at(10)), expected);
        let earlier = row.to_token(at(-1));
        assert_eq!(earlier.created_at, at(-1));
        assert_eq!(earlier.last_used_at, Some(at(-1)));
    }

    #[test]
    fn each_row_is_decided_by_the_store_and_the_rows_before_it() {
        let secret = |text: &str| TokenDigest::of(text.as_bytes());
        let digests = HashMap::from([(secret("old"), (id(1), owner("alice")))]);
        let mut imports = Imports::new(at(10), digests, HashSet::from([id(1), id(2)]));
        let ended = |seconds| NewImport {
            expires_at: Some(at(seconds)),
            ..row(3, "alice", "new")
        };
        let stored = |row: &NewImport| ImportOutcome::Stored(Box::new(row.to_token(at(10))));
        for (row, expected) in [
            (row(3, "alice", "old"), ImportOutcome::Present(id(1))),
            (row(3, "bob", "old"), ImportOutcome::OtherOwner),
            (ended(10), ImportOutcome::Expired),
            (row(2, "alice", "new"), ImportOutcome::Duplicate),
            (ended(11), stored(&ended(11))),
            (row(3, "alice", "new"), ImportOutcome::Present(id(3))),
            (row(4, "bob", "new"), ImportOutcome::OtherOwner),
            (row(3, "bob", "other"), ImportOutcome::Duplicate),
            (row(4, "bob", "other"), stored(&row(4, "bob", "other"))),
        ] {
            assert_eq!(imports.next(&row), expected, "{row:?}");
        }
    }

    #[test]
    fn the_event_has_only_what_was_stored() {
        let row = NewImport {
            expires_at: Some(at(100)),
            scopes: Some(Scopes::none()),
            ..row(1, "alice", "a")
        };
        let stored = ImportOutcome::Stored(Box::new(row.to_token(at(10))));
        let outcomes = [ImportOutcome::OtherOwner, stored, ImportOutcome::Expired];
        let expected = ImportedToken {
            expires_at: Some(at(100)),
            scopes: Some(Scopes::none()),
            ..ImportedToken::new(id(1), owner("alice"))
        };
        assert_eq!(ImportedToken::of_stored(&outcomes), [expected]);
    }
}
