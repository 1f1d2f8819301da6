//! The case type and helpers that the suites for stores share.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::scope::Scopes;
use crate::store::{Insertion, NewToken, Revocation, RevocationScope, Revoked, TokenStore};
use crate::{Owner, Token, TokenDigest, TokenId};

/// One case of a suite, such as [`store::CASES`](super::store::CASES): checks one rule of a port's contract
/// on an empty store.
#[derive(Clone, Copy)]
pub struct Case {
    /// The checked rule in words, joined by underscores so that it can name a test: for example
    /// `a_stored_token_is_found_unchanged`.
    pub name: &'static str,
    run: fn(Store) -> Run,
}

pub(super) type Store = Arc<dyn TokenStore>;
pub(super) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Case {
    /// Runs the case on `store`, which must be empty and is not empty afterwards.
    ///
    /// # Panics
    /// If the store breaks the rule. The message names the failed check.
    pub async fn run(&self, store: Arc<dyn TokenStore>) {
        (self.run)(store).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) const fn case(name: &'static str, run: fn(Store) -> Run) -> Case {
    Case { name, run }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    // An odd microsecond, so that a store that rounds fails.
    Timestamp::from_microsecond(1_772_145_741_247_001 + seconds * 1_000_000).expect("a date")
}

pub(crate) fn owner(key: &str) -> Owner {
    Owner::new(key).expect("an owner's key")
}

pub(crate) fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

/// Parses names that are separated by spaces.
pub(super) fn scopes(names: &str) -> Scopes {
    names.parse().expect("scopes")
}

pub(super) fn new(number: i64, owner_key: &str) -> NewToken {
    NewToken {
        id: id(number),
        digest: TokenDigest::of(&number.to_le_bytes()),
        owner: owner(owner_key),
        name: "ci".into(),
        created_at: at(0),
        expires_at: None,
        expires_by: None,
        parent: None,
        scopes: None,
        parent_scopes: None,
        description: None,
        hint: None,
        is_transient: false,
        max_rows: 1_000_000,
        notify: false,
        idempotency: None,
    }
}

pub(super) fn revocation(seconds: i64) -> Revocation {
    Revocation {
        at: at(seconds),
        by: Some(owner("admin")),
        reason: Some("lost ✂ laptop".into()),
        id: Some((1 << 53) - 1),
        notify: false,
    }
}

pub(super) async fn store_token(store: &Store, token: &NewToken) -> Token {
    let stored = token.clone().into_token();
    let insertion = store.insert(token, 1_000_000).await.expect("insert");
    assert_eq!(insertion, Insertion::Stored(stored.clone()));
    stored
}

pub(super) async fn revoke(store: &Store, scope: RevocationScope, seconds: i64) -> Vec<TokenId> {
    let revoked = store.revoke(&scope, &revocation(seconds)).await;
    let Revoked {
        at: when, tokens, ..
    } = revoked.expect("revoke");
    assert_eq!(when, at(seconds));
    tokens.into_iter().map(|token| token.id).collect()
}
