use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use pat_core::store::{
    Change, ChangeEntry, ChangePage, FeedPosition, Insertion, LastUse, MOST_READ, NewToken,
    RevocationScope, RevokedToken, StoreVersions,
};
use pat_core::{Owner, Token, TokenDigest, TokenId};

use super::entry::Entry;

/// What the log says. Everything is decided here, without I/O.
#[derive(Debug, Default)]
pub(super) struct Tables {
    tokens: BTreeMap<TokenId, Token>,
    by_digest: HashMap<TokenDigest, TokenId>,
    changes: Vec<ChangeEntry>,
    generation: u64,
    versions: StoreVersions,
}

/// An entry that does not fit what was before it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Contradiction {
    #[error("the token is there already")]
    Duplicate,
    #[error("there is no token {0}")]
    UnknownToken(TokenId),
    #[error("the change counter should be {expected}")]
    Generation { expected: u64 },
}

impl Tables {
    /// Takes an entry in, whether it was just written or is read back.
    pub(super) fn apply(&mut self, entry: Entry) -> Result<(), Contradiction> {
        match entry {
            Entry::Created(token) => self.create(token),
            Entry::Revoked {
                generation,
                tokens,
                revocation,
            } => {
                let mut revoked = Vec::with_capacity(tokens.len());
                for id in tokens {
                    let token = self.token(id)?;
                    token.revoked_at = Some(revocation.at);
                    let owner = token.owner.clone();
                    revoked.push(RevokedToken::new(id, owner));
                }
                self.append(generation, Change::of_revoked(&revoked))
            }
            Entry::Changed {
                generation, change, ..
            } => self.append(generation, [change]),
            Entry::Used(last_use) => {
                self.token(last_use.id)?.last_used_at = Some(last_use.at);
                Ok(())
            }
            Entry::ReadableFrom(version) => {
                self.versions.readable_from = version;
                Ok(())
            }
        }
    }

    fn create(&mut self, token: NewToken) -> Result<(), Contradiction> {
        if self.is_taken(&token) {
            return Err(Contradiction::Duplicate);
        }
        if let Some(parent) = token.parent {
            self.token(parent)?;
        }
        self.by_digest.insert(token.digest, token.id);
        self.tokens.insert(token.id, token.into_token());
        Ok(())
    }

    fn token(&mut self, id: TokenId) -> Result<&mut Token, Contradiction> {
        let token = self.tokens.get_mut(&id);
        token.ok_or(Contradiction::UnknownToken(id))
    }

    fn append(
        &mut self,
        generation: u64,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<(), Contradiction> {
        let expected = self.next_generation();
        if generation != expected {
            return Err(Contradiction::Generation { expected });
        }
        // A file has no failover, so the mark need not be random to be unique.
        let nonce = generation;
        let entry = |change| ChangeEntry::new(generation, nonce, change);
        self.changes.extend(changes.into_iter().map(entry));
        self.generation = generation;
        Ok(())
    }

    /// What is to come of this insertion.
    pub(super) fn insertion(&self, token: &NewToken, limit: u32) -> Insertion {
        if self.is_taken(token) {
            return Insertion::Duplicate;
        }
        if let Some(parent) = token.parent {
            let parent = self.find(parent);
            if parent.is_none_or(|parent| parent.validity(token.created_at).is_err()) {
                return Insertion::ParentInvalid;
            }
        }
        let tokens = self.tokens.values();
        let rows = tokens.filter(|other| other.owner == token.owner).count();
        if rows >= token.max_rows as usize {
            return Insertion::TooManyRows;
        }
        let unrevoked = self.unrevoked_of(&token.owner).count();
        let count = u32::try_from(unrevoked).unwrap_or(u32::MAX);
        if count >= limit {
            return Insertion::LimitReached { count };
        }
        Insertion::Stored(token.clone().into_token())
    }

    fn is_taken(&self, token: &NewToken) -> bool {
        self.tokens.contains_key(&token.id) || self.by_digest.contains_key(&token.digest)
    }

    pub(super) fn find(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id)
    }

    pub(super) fn find_by_digest(&self, digest: &TokenDigest) -> Option<&Token> {
        self.find(*self.by_digest.get(digest)?)
    }

    pub(super) fn unrevoked_of(&self, owner: &Owner) -> impl Iterator<Item = &Token> {
        self.unrevoked().filter(move |token| token.owner == *owner)
    }

    fn unrevoked(&self) -> impl Iterator<Item = &Token> {
        self.tokens
            .values()
            .filter(|token| token.revoked_at.is_none())
    }

    /// The tokens that a revocation of this scope revokes, in id order.
    pub(super) fn unrevoked_in(&self, scope: &RevocationScope) -> Vec<RevokedToken> {
        let is_in_scope = |token: &&Token| match scope {
            RevocationScope::Tokens(ids) => ids.contains(&token.id),
            RevocationScope::TokensAndDescendants(ids) => self.descends(token, ids),
            RevocationScope::Owner(owner) => token.owner == *owner,
        };
        let revoked = |token: &Token| RevokedToken::new(token.id, token.owner.clone());
        self.unrevoked().filter(is_in_scope).map(revoked).collect()
    }

    /// How many tokens outlive the revocation of those that they were created with.
    pub(super) fn live_children(&self, scope: &RevocationScope, now: Timestamp) -> u64 {
        let RevocationScope::Tokens(ids) = scope else {
            return 0;
        };
        let live = self.unrevoked().filter(|token| {
            !ids.contains(&token.id) && token.validity(now).is_ok() && self.descends(token, ids)
        });
        live.count() as u64
    }

    fn descends(&self, token: &Token, ancestors: &[TokenId]) -> bool {
        let mut current = Some(token);
        while let Some(token) = current {
            if ancestors.contains(&token.id) {
                return true;
            }
            current = token.parent.and_then(|parent| self.find(parent));
        }
        false
    }

    /// Whether this use is later than the one known of the token.
    pub(super) fn is_news(&self, last_use: &LastUse) -> bool {
        self.find(last_use.id)
            .is_some_and(|token| token.last_used_at < Some(last_use.at))
    }

    pub(super) fn next_generation(&self) -> u64 {
        self.generation + 1
    }

    pub(super) fn changes_since(&self, cursor: Option<FeedPosition>) -> ChangePage {
        let mark = |generation| {
            (1..=self.generation)
                .contains(&generation)
                .then_some(generation)
        };
        let since = cursor.map_or(self.generation, |cursor| cursor.generation);
        let first = self
            .changes
            .partition_point(|entry| entry.generation <= since);
        let missed = &self.changes[first..];
        let is_too_much = missed.len() as u64 > MOST_READ;
        let mut page = ChangePage::new(FeedPosition {
            generation: self.generation,
            nonce: mark(self.generation),
        });
        page.nonce_at_cursor = cursor.and_then(|cursor| mark(cursor.generation));
        page.entries = if is_too_much {
            Vec::new()
        } else {
            missed.to_vec()
        };
        page.versions = self.versions;
        page
    }

    /// Which versions may read the log.
    pub(super) fn versions(&self) -> StoreVersions {
        self.versions
    }
}
