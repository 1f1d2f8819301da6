//! Stores that break a rule of the contract: a suite that they pass proves nothing.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::event::{Event, EventKind, HistoryPosition};
use crate::search::{DateRange, Filter, Position, Search, Start};
use crate::store::{
    AuditStore, Change, ChangePage, FeedPosition, ImportOutcome, ImportStore, Insertion, JobStore,
    LastUse, Lease, Lookup, NewImport, NewToken, Revocation, RevocationScope, Revoked, Rotated,
    Rotation, SearchStore, StoreError, TokenStore, Update, Updated,
};
use crate::testing::Case;
use crate::{MemoryStore, Owner, Token, TokenDigest, TokenId};

/// What a [`Flawed`] store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing) enum Flaw {
    /// It stores no scopes, so that each token is unrestricted.
    ForgetsScopes,
    /// It stores an empty list as none, as a column that is never NULL would.
    ForgetsEmptyScopes,
    /// It reads no scopes when a token is presented.
    OmitsScopesByDigest,
    /// It reads no scopes in lists.
    OmitsScopesInLists,
    /// It checks that the parent is valid, and not which scopes it has.
    IgnoresParentScopes,
    /// It takes a child's scopes for those of its parent.
    TakesScopesOfChild,
    /// It does not read the presented token again.
    TrustsPresented,
    /// It takes an owner for an administrator.
    TakesOwnersForAdministrators,
    /// It appends no change to the feed if a token is enabled.
    ForgetsEnablingInFeed,
    /// It returns the new name, and stores the old one.
    ForgetsNames,
    /// It returns the earlier end of a token that is replaced without a successor, and stores the old one.
    ForgetsEnds,
    /// It says of a revoked token that it was imported again.
    ImportsRevoked,
    /// It skips a digest that another owner has, as if it were the same token.
    ImportsForAnyOwner,
    /// It does not keep when a token was imported.
    ForgetsImport,
    /// It tells the feed of each import.
    TellsImports,
    /// It reads a column with the end that a replaced token had before.
    IgnoresOverlap,
    /// It appends no change to the feed if a token is replaced.
    ForgetsReplacingInFeed,
    /// It counts each token of a line.
    CountsEachToken,
    /// It keeps no keys of requests.
    ForgetsKeys,
    /// It revokes no successors with a family.
    SparesSuccessors,
    /// It does not look whose token is rotated.
    RotatesForStrangers,
    /// It counts with the first of several filters for all.
    CountsOneFilter,
    /// It counts revoked tokens whenever they were revoked.
    IgnoresRevocationTime,
    /// It takes a page before a position for the first page.
    IgnoresPosition,
    /// It returns the first tokens before a position, and not the last ones.
    BeginsAtFirst,
    /// Before a position, it skips the tokens with an equal value.
    SkipsEquals,
    /// It returns a page before a position in the order in which it reads it.
    ReversesPages,
    /// It finds the events with the token as their subject, and no rotation that replaced it.
    OmitsReplacement,
    /// It has the earliest events first.
    ReversesHistory,
    /// It returns the events of the position's time again.
    RepeatsInstant,
    /// It returns numbered events alone.
    OmitsUnnumbered,
}

impl Flaw {
    pub(in crate::testing) const COUNTS: [Self; 2] =
        [Self::CountsOneFilter, Self::IgnoresRevocationTime];

    pub(in crate::testing) const BACKWARD: [Self; 4] = [
        Self::IgnoresPosition,
        Self::BeginsAtFirst,
        Self::SkipsEquals,
        Self::ReversesPages,
    ];

    pub(in crate::testing) const HISTORIES: [Self; 4] = [
        Self::OmitsReplacement,
        Self::ReversesHistory,
        Self::RepeatsInstant,
        Self::OmitsUnnumbered,
    ];

    pub(in crate::testing) const ALL: [Self; 21] = [
        Self::ForgetsScopes,
        Self::ForgetsEmptyScopes,
        Self::OmitsScopesByDigest,
        Self::OmitsScopesInLists,
        Self::IgnoresParentScopes,
        Self::TakesScopesOfChild,
        Self::TrustsPresented,
        Self::TakesOwnersForAdministrators,
        Self::ForgetsEnablingInFeed,
        Self::ForgetsNames,
        Self::ForgetsEnds,
        Self::ImportsRevoked,
        Self::ImportsForAnyOwner,
        Self::ForgetsImport,
        Self::TellsImports,
        Self::IgnoresOverlap,
        Self::ForgetsReplacingInFeed,
        Self::CountsEachToken,
        Self::ForgetsKeys,
        Self::SparesSuccessors,
        Self::RotatesForStrangers,
    ];
}

/// A store in memory with a flaw.
#[derive(Debug)]
pub(in crate::testing) struct Flawed {
    pub(in crate::testing) inner: MemoryStore,
    pub(in crate::testing) flaw: Flaw,
}

/// Returns the names of the cases that a store fails.
pub(in crate::testing) async fn failed_cases<S: TokenStore>(
    cases: &'static [Case],
    store: impl Fn() -> Arc<S>,
) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in cases {
        let run = case.run(store());
        let run = tokio::spawn(run).await;
        failed.extend(run.err().map(|_| case.name));
    }
    failed
}

impl Flawed {
    pub(in crate::testing) fn new(flaw: Flaw) -> Self {
        let inner = MemoryStore::default();
        Self { inner, flaw }
    }

    async fn spoil(&self, token: &mut NewToken) -> Result<(), StoreError> {
        match self.flaw {
            Flaw::ForgetsScopes => token.scopes = None,
            Flaw::ForgetsEmptyScopes => {
                token.scopes = token.scopes.take().filter(|scopes| !scopes.is_empty());
            }
            Flaw::IgnoresParentScopes => {
                if let Some(parent) = token.parent {
                    let parent = self.inner.find(parent).await?;
                    token.parent_scopes = parent.and_then(|parent| parent.scopes);
                }
            }
            Flaw::TakesScopesOfChild => token.parent_scopes.clone_from(&token.scopes),
            Flaw::ForgetsKeys => token.idempotency = None,
            _ => {}
        }
        Ok(())
    }
}

#[async_trait]
impl TokenStore for Flawed {
    fn is_shared(&self) -> bool {
        false
    }

    /// Says of a stored token what it was asked to store.
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        let mut spoilt = token.clone();
        self.spoil(&mut spoilt).await?;
        if self.flaw == Flaw::CountsEachToken {
            let counted = self.inner.list(&token.owner).await?;
            let counted = counted.iter().filter(|it| it.counts(token.created_at));
            let count = u32::try_from(counted.count()).unwrap_or(u32::MAX);
            if count >= limit {
                return Ok(Insertion::LimitReached { count });
            }
        }
        Ok(match self.inner.insert(&spoilt, limit).await? {
            Insertion::Stored(_) => Insertion::Stored(token.clone().into_token()),
            refused => refused,
        })
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        let mut found = self.inner.find_by_digest(digest).await?;
        if self.flaw == Flaw::ForgetsImport {
            found.token = found.token.map(|token| Token {
                imported_at: None,
                ..token
            });
        }
        if self.flaw == Flaw::OmitsScopesByDigest {
            found.token = found.token.map(|token| Token {
                scopes: None,
                ..token
            });
        }
        if self.flaw == Flaw::IgnoresOverlap {
            found.token = found.token.map(|token| Token {
                expires_at: token.own_expires_at(),
                ..token
            });
        }
        Ok(found)
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.inner.find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        let mut tokens = self.inner.list(owner).await?;
        if self.flaw == Flaw::OmitsScopesInLists {
            for token in &mut tokens {
                token.scopes = None;
            }
        }
        Ok(tokens)
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let spared = match scope {
            RevocationScope::Families(ids) if self.flaw == Flaw::SparesSuccessors => {
                Some(RevocationScope::TokensAndDescendants(ids.clone()))
            }
            _ => None,
        };
        let scope = spared.as_ref().unwrap_or(scope);
        self.inner.revoke(scope, revocation).await
    }

    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        let mut spoilt = update.clone();
        match self.flaw {
            Flaw::TrustsPresented => spoilt.presented = None,
            Flaw::TakesOwnersForAdministrators => {
                // It stores who disables a token, but ignores it when the token is enabled.
                spoilt.by_administrator |= update.is_enabled == Some(true);
            }
            Flaw::ForgetsNames => spoilt.name = None,
            Flaw::ForgetsEnds => spoilt.overlap = None,
            _ => {}
        }
        let mut updated = self.inner.update(&spoilt).await?;
        if let (Flaw::ForgetsNames, Updated::Stored(stored), Some(name)) =
            (self.flaw, &mut updated, &update.name)
        {
            stored.token.name.clone_from(name);
        }
        if let (Flaw::ForgetsEnds, Updated::Stored(stored)) = (self.flaw, &mut updated) {
            let asked = update.effect(std::slice::from_ref(&stored.token), stored.at);
            if let Ok(effect) = asked {
                stored.token = effect.token;
            }
        }
        Ok(updated)
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let mut spoilt = rotation.clone();
        match self.flaw {
            Flaw::ForgetsKeys => spoilt.idempotency = None,
            Flaw::RotatesForStrangers => {
                let predecessor = self.inner.find(rotation.predecessor).await?;
                spoilt.owner = predecessor.map_or(spoilt.owner, |token| token.owner);
            }
            _ => {}
        }
        self.inner.rotate(&spoilt).await
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.inner.append_change(change, now).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        let mut page = self.inner.changes_since(cursor).await?;
        let is_forgotten = |token: &Token| match self.flaw {
            Flaw::ForgetsEnablingInFeed => token.replaced.is_none(),
            Flaw::ForgetsReplacingInFeed => token.replaced.is_some(),
            _ => false,
        };
        let mut entries = Vec::new();
        for entry in page.entries {
            if let Change::TokenChanged(id) = entry.change {
                let token = self.inner.find(id).await?;
                let is_on = |it: &&Token| it.revoked_at.is_none() && it.disabled.is_none();
                if token.as_ref().filter(is_on).is_some_and(is_forgotten) {
                    continue;
                }
            }
            entries.push(entry);
        }
        page.entries = entries;
        Ok(page)
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        self.inner.raise_readable_from(version).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.inner.record_use(uses).await
    }

    fn import_store(&self) -> Option<&dyn ImportStore> {
        Some(self)
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        self.inner.jobs()
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        Some(self)
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        Some(self)
    }
}

#[async_trait]
impl SearchStore for Flawed {
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        let mut flawed = search.clone();
        if let Start::Before(position) = &search.start {
            match self.flaw {
                Flaw::IgnoresPosition => flawed.start = Start::Offset(0),
                Flaw::BeginsAtFirst => flawed.limit = u32::MAX,
                Flaw::SkipsEquals => {
                    flawed.start = Start::Before(Position {
                        created_at: Timestamp::MAX,
                        ..position.clone()
                    });
                }
                _ => {}
            }
        }
        let mut tokens = self.inner.search(&flawed).await?;
        tokens.truncate(search.limit as usize);
        if matches!(search.start, Start::Before(_)) && self.flaw == Flaw::ReversesPages {
            tokens.reverse();
        }
        Ok(tokens)
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.inner.count(filter).await
    }

    async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, StoreError> {
        let mut filters = filters.to_vec();
        match self.flaw {
            Flaw::CountsOneFilter => {
                if let Some(first) = filters.first().cloned() {
                    filters.fill(first);
                }
            }
            Flaw::IgnoresRevocationTime => {
                for filter in &mut filters {
                    filter.revoked_at = DateRange::default();
                }
            }
            _ => {}
        }
        self.inner.count_each(&filters).await
    }

    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        self.inner.ids(filter).await
    }

    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError> {
        self.inner.find_all(ids).await
    }
}

#[async_trait]
impl AuditStore for Flawed {
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.inner.record_events(events).await
    }

    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        self.inner.number_events(limit).await
    }

    async fn last_event_number(&self) -> Result<u64, StoreError> {
        self.inner.last_event_number().await
    }

    async fn raise_event_number(&self, seq: u64) -> Result<(), StoreError> {
        self.inner.raise_event_number(seq).await
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.inner.events_after(seq, limit).await
    }

    async fn events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let before = before.map(|before| match self.flaw {
            Flaw::RepeatsInstant => HistoryPosition::new(before.at, i64::MAX),
            _ => before,
        });
        let mut events = self.inner.events_about(token, before, limit).await?;
        match self.flaw {
            Flaw::OmitsReplacement => events.retain(|event| {
                !matches!(&event.kind, EventKind::Rotated { predecessor, .. } if *predecessor == token)
            }),
            Flaw::ReversesHistory => events.reverse(),
            Flaw::OmitsUnnumbered => events.retain(|event| event.row.is_some_and(|row| row.seq > 0)),
            _ => {}
        }
        Ok(events)
    }

    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.inner.sink_position(sink).await
    }

    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        self.inner.put_sink_position(lease, sink, seq).await
    }
}

#[async_trait]
impl ImportStore for Flawed {
    async fn import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let mut outcomes = self.inner.import(tokens, now).await?;
        for (token, outcome) in tokens.iter().zip(&mut outcomes) {
            match (self.flaw, &outcome) {
                (Flaw::ImportsRevoked, ImportOutcome::Present(id)) => {
                    let found = self.inner.find(*id).await?;
                    if found.is_some_and(|token| token.revoked_at.is_some()) {
                        *outcome = ImportOutcome::Stored(Box::new(token.to_token(now)));
                    }
                }
                (Flaw::ImportsForAnyOwner, ImportOutcome::OtherOwner) => {
                    let found = self.inner.find_by_digest(&token.digest).await?.token;
                    if let Some(found) = found {
                        *outcome = ImportOutcome::Present(found.id);
                    }
                }
                _ => {}
            }
        }
        if self.flaw == Flaw::TellsImports && !tokens.is_empty() {
            self.append_change(&Change::Everything, now).await?;
        }
        Ok(outcomes)
    }
}
