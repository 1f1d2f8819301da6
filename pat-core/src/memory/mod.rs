mod audit;
mod import;
mod jobs;
mod lines;
mod search;
mod unused;
mod update;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use self::lines::{Earlier, Takes};
use crate::event::EventKind;
use crate::notification::NotificationKind;
use crate::store::{
    AuditStore, Change, ChangeEntry, ChangePage, FeedPosition, ImportStore, Insertion, JobStore,
    LastUse, Lookup, MOST_READ, NewToken, Revocation, RevocationScope, Revoked, RevokedToken,
    Rotated, Rotation, SearchStore, SeenEffect, SeenOwner, StoreError, StoreTime, StoreVersions,
    TokenStore, Update, Updated,
};
use crate::token::{Owner, Token, TokenDigest, TokenId};

/// A store in this process's memory, for tests and examples: the reference implementation of
/// [`TokenStore`], with all capabilities.
///
/// The content of the store is lost when it is dropped. The store keeps the last 10,000 audit events.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    is_down: bool,
    tokens: BTreeMap<TokenId, Token>,
    by_digest: HashMap<TokenDigest, TokenId>,
    /// In order of generation.
    changes: Vec<ChangeEntry>,
    /// When the entry of the same index was appended.
    changed_at: Vec<Timestamp>,
    generation: u64,
    versions: StoreVersions,
    requests: BTreeMap<(Owner, String), lines::Request>,
    /// When the host last saw each owner.
    seen_at: BTreeMap<Owner, Timestamp>,
    jobs: jobs::Tables,
    audit: audit::Tables,
}

/// For each owner, how many tokens that were created with revoked ones still authenticate.
type LiveChildren = BTreeMap<Owner, u64>;

impl MemoryStore {
    /// Makes every call of the store fail (`true`), or work again (`false`), for tests of an outage. The
    /// stored tokens are kept.
    pub fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let tables = self.lock();
        if tables.is_down {
            return Err(StoreError::backend("the store is down"));
        }
        Ok(tables)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn append(&mut self, changes: impl IntoIterator<Item = Change>, at: Timestamp) {
        let generation = self.generation + 1;
        // Memory has no failover, so the nonce need not be random.
        let entry = |change| ChangeEntry {
            generation,
            nonce: generation,
            change,
        };
        self.changes.extend(changes.into_iter().map(entry));
        self.changed_at.resize(self.changes.len(), at);
        self.generation = generation;
    }

    fn head(&self) -> FeedPosition {
        let nonce = (self.generation > 0).then_some(self.generation);
        FeedPosition {
            generation: self.generation,
            nonce,
        }
    }

    fn in_scope(&self, scope: &RevocationScope) -> BTreeSet<TokenId> {
        match scope {
            RevocationScope::Tokens(named) => self.with_line(named.iter().copied(), Takes::Earlier),
            RevocationScope::TokensAndDescendants(named) => {
                self.family(named.iter().copied(), Takes::Earlier)
            }
            RevocationScope::Families(named) => self.family(named.iter().copied(), Takes::All),
            RevocationScope::Owner(owner) => self.ids(|token| token.owner == *owner),
        }
    }

    fn ids(&self, wanted: impl Fn(&Token) -> bool) -> BTreeSet<TokenId> {
        let wanted = self.tokens.values().filter(|token| wanted(token));
        wanted.map(|token| token.id).collect()
    }

    /// For each owner, how many descendants of the tokens in the scope go on.
    fn live_children(&self, scope: &RevocationScope, now: Timestamp) -> LiveChildren {
        let mut live = LiveChildren::new();
        if let RevocationScope::Tokens(named) = scope {
            let revoked = self.with_line(named.iter().copied(), Takes::Earlier);
            let is_live = |token: &&Token| {
                !revoked.contains(&token.id)
                    && token.validity(now).is_ok()
                    && self.descends(token, &revoked)
            };
            for token in self.tokens.values().filter(is_live) {
                *live.entry(token.owner.clone()).or_default() += 1;
            }
        }
        live
    }

    fn descends(&self, token: &Token, ancestors: &BTreeSet<TokenId>) -> bool {
        let mut current = Some(token);
        while let Some(token) = current {
            if ancestors.contains(&token.id) {
                return true;
            }
            current = token.parent.and_then(|parent| self.tokens.get(&parent));
        }
        false
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        let mut tables = self.tables()?;
        let (owner, key) = (&token.owner, token.idempotency.as_ref());
        match tables.earlier(owner, key, token.created_at) {
            Earlier::Created(token) => return Ok(Insertion::Repeated(*token)),
            Earlier::Conflict => return Ok(Insertion::KeyConflict),
            Earlier::Nothing => {}
        }
        if tables.tokens.contains_key(&token.id) || tables.by_digest.contains_key(&token.digest) {
            return Ok(Insertion::Duplicate);
        }
        if let Some(parent) = token.parent {
            let parent = tables.tokens.get(&parent);
            if parent.is_none_or(|parent| {
                parent.validity(token.created_at).is_err() || parent.scopes != token.parent_scopes
            }) {
                return Ok(Insertion::ParentInvalid);
            }
        }
        let tokens = tables
            .tokens
            .values()
            .filter(|other| other.owner == token.owner);
        if tokens.count() >= token.max_rows as usize {
            return Ok(Insertion::TooManyRows);
        }
        let count = tables.count(&token.owner, token.created_at);
        if count >= limit {
            return Ok(Insertion::LimitReached { count });
        }
        tables.by_digest.insert(token.digest, token.id);
        let stored = token.clone().into_token();
        tables.tokens.insert(token.id, stored.clone());
        tables.keep_request(owner, key, token.id, token.created_at);
        if token.notify {
            tables.queue(
                NotificationKind::Created,
                &[token.id],
                token.created_at,
                None,
            )?;
        }
        let created = EventKind::Created {
            token: stored.id,
            owner: stored.owner.clone(),
            expires_at: stored.expires_at,
            parent: stored.parent,
            scopes: stored.scopes.clone(),
        };
        tables.audit.record(stored.created_at, created)?;
        Ok(Insertion::Stored(stored))
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        let tables = self.tables()?;
        let digests = tables.by_digest.iter();
        let mut tokens: Vec<_> = digests
            .filter_map(|(digest, id)| Some((digest, tables.tokens.get(id)?)))
            .filter(|(_, token)| token.revoked_at.is_none())
            .collect();
        let mut recent = Vec::new();
        tokens.sort_by_key(|(_, token)| Reverse(token.last_used_at));
        let used = tokens
            .iter()
            .filter(|(_, token)| token.last_used_at.is_some());
        recent.extend(used.take(limit as usize).map(|(digest, _)| **digest));
        tokens.sort_by_key(|(_, token)| Reverse((token.created_at, token.id)));
        recent.extend(
            tokens
                .iter()
                .take(limit as usize)
                .map(|(digest, _)| **digest),
        );
        Ok(recent)
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        let tables = self.tables()?;
        let id = tables.by_digest.get(digest);
        let token = id.and_then(|id| tables.tokens.get(id));
        Ok(Lookup {
            token: token.cloned(),
            time: StoreTime::default(),
            versions: tables.versions,
        })
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        Ok(self.tables()?.tokens.get(&id).cloned())
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        let tables = self.tables()?;
        let listed = |token: &&Token| token.owner == *owner && token.revoked_at.is_none();
        Ok(tables.tokens.values().filter(listed).cloned().collect())
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let mut tables = self.tables()?;
        let mut revoked = Vec::new();
        for id in tables.in_scope(scope) {
            let token = tables.tokens.get_mut(&id);
            if let Some(token) = token.filter(|token| token.revoked_at.is_none()) {
                token.revoked_at = Some(revocation.at);
                token.revoked_by.clone_from(&revocation.by);
                token.revoke_reason.clone_from(&revocation.reason);
                revoked.push(RevokedToken {
                    name: Some(token.name.clone()),
                    ..RevokedToken::new(id, token.owner.clone())
                });
            }
        }
        let live_children = tables.live_children(scope, revocation.at);
        if !revoked.is_empty() {
            tables.append(Change::of_revoked(&revoked), revocation.at);
            if revocation.notify {
                let ids: Vec<_> = revoked.iter().map(|token| token.id).collect();
                let kind = NotificationKind::RevokedByAdmin;
                let told = Some((revocation, &live_children));
                tables.queue(kind, &ids, revocation.at, told)?;
            }
            let event = revocation.event(revoked.clone());
            tables.audit.record(revocation.at, event)?;
        }
        Ok(Revoked {
            at: revocation.at,
            tokens: revoked,
            live_children: live_children.values().sum(),
        })
    }

    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        self.tables()?.update(update)
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        self.tables()?.rotate(rotation)
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let mut tables = self.tables()?;
        tables.append([change.clone()], now);
        if let Change::OwnerChanged(owner) = change {
            let owner = owner.clone();
            tables
                .audit
                .record(now, EventKind::OwnerChanged { owner })?;
        }
        Ok(now)
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        let tables = self.tables()?;
        let since = cursor.map_or(tables.generation, |cursor| cursor.generation);
        let known = since > 0 && since <= tables.generation;
        let missed = tables.changes.iter();
        let missed = missed.filter(|entry| entry.generation > since);
        let is_too_much = missed.clone().count() as u64 > MOST_READ;
        Ok(ChangePage {
            head: tables.head(),
            nonce_at_cursor: (cursor.is_some() && known).then_some(since),
            entries: missed.filter(|_| !is_too_much).cloned().collect(),
            time: StoreTime::default(),
            versions: tables.versions,
        })
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        let raised = tables.versions.readable_from.max(version);
        tables.versions.readable_from = raised;
        Ok(())
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        for last_use in uses {
            if let Some(token) = tables.tokens.get_mut(&last_use.id) {
                token.last_used_at = token.last_used_at.max(Some(last_use.at));
            }
        }
        Ok(())
    }

    async fn owner_seen_at(&self, owner: &Owner) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.tables()?.seen_at.get(owner).copied())
    }

    async fn note_seen(&self, seen: &SeenOwner) -> Result<SeenEffect, StoreError> {
        let mut tables = self.tables()?;
        let seen_at = tables.seen_at.get(&seen.owner).copied();
        let effect = seen.effect(seen_at, seen.now);
        if effect != SeenEffect::None {
            tables.seen_at.insert(seen.owner.clone(), seen.now);
        }
        if effect == SeenEffect::Returned {
            tables.append([Change::OwnerChanged(seen.owner.clone())], seen.now);
        }
        Ok(effect)
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        Some(self)
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        Some(self)
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        Some(self)
    }

    fn import_store(&self) -> Option<&dyn ImportStore> {
        Some(self)
    }
}
