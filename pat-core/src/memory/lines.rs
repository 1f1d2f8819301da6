//! Lines of tokens, and the keys of repeated requests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Tables;
use crate::notification::NotificationKind;
use crate::store::{Change, IDEMPOTENCY_KEPT, IdempotencyKey, Rotated, Rotation, StoreError};
use crate::token::{Owner, Token, TokenId};

/// A request that has created a token.
#[derive(Debug)]
pub(super) struct Request {
    digest: [u8; 32],
    token: TokenId,
    at: Timestamp,
}

/// What an earlier request with the same key has done.
pub(super) enum Earlier {
    Nothing,
    Created(Box<Token>),
    Conflict,
}

/// Which tokens of a line are revoked with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Those that it replaced, directly or through others.
    Earlier,
    All,
}

impl Tables {
    pub(super) fn earlier(
        &self,
        owner: &Owner,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Earlier {
        let request = key.and_then(|key| {
            let request = self.requests.get(&(owner.clone(), key.key.clone()))?;
            Some((request, key))
        });
        match request {
            Some((request, key)) if request.at + IDEMPOTENCY_KEPT > now => {
                let token = self.tokens.get(&request.token);
                let token = token.filter(|_| request.digest == key.request);
                token.map_or(Earlier::Conflict, |token| {
                    Earlier::Created(Box::new(token.clone()))
                })
            }
            _ => Earlier::Nothing,
        }
    }

    pub(super) fn keep_request(
        &mut self,
        owner: &Owner,
        key: Option<&IdempotencyKey>,
        token: TokenId,
        at: Timestamp,
    ) {
        if let Some(IdempotencyKey { key, request }) = key {
            let request = Request {
                digest: *request,
                token,
                at,
            };
            self.requests.insert((owner.clone(), key.clone()), request);
        }
    }

    /// Deletes up to `limit` requests from before this time; returns how many.
    pub(super) fn purge_requests(&mut self, before: Timestamp, limit: usize) -> usize {
        let old = self.requests.iter();
        let old: Vec<_> = old
            .filter(|(_, request)| request.at < before)
            .map(|(key, _)| key.clone())
            .take(limit)
            .collect();
        for key in &old {
            self.requests.remove(key);
        }
        old.len()
    }

    /// The tokens of an owner that count for the limit, each line once.
    pub(super) fn count(&self, owner: &Owner, now: Timestamp) -> u32 {
        let counted = self.tokens.values();
        let counted = counted.filter(|token| token.owner == *owner && token.counts(now));
        let lines: BTreeSet<_> = counted
            .map(|token| token.line.map_or(token.id, |line| line.id))
            .collect();
        u32::try_from(lines.len()).unwrap_or(u32::MAX)
    }

    /// This token, if there is one, and the others of its line, revoked ones too.
    pub(super) fn line_of(&self, id: TokenId) -> Vec<Token> {
        let line = self.tokens.get(&id).and_then(|token| token.line);
        let is_in_line = |other: &&Token| {
            let in_line = line.zip(other.line);
            other.id == id || in_line.is_some_and(|(line, others)| line.id == others.id)
        };
        self.tokens.values().filter(is_in_line).cloned().collect()
    }

    /// Adds to these IDs those of the tokens that are revoked with one of them.
    pub(super) fn with_line(
        &self,
        ids: impl IntoIterator<Item = TokenId>,
        takes: Takes,
    ) -> BTreeSet<TokenId> {
        let mut all: BTreeSet<_> = ids.into_iter().collect();
        // For each line, the number before which tokens are revoked.
        let mut lines: BTreeMap<TokenId, u32> = BTreeMap::new();
        for line in all.iter().filter_map(|id| self.tokens.get(id)?.line) {
            let before = match takes {
                Takes::Earlier => line.seq,
                Takes::All => u32::MAX,
            };
            let greatest = lines.entry(line.id).or_default();
            *greatest = before.max(*greatest);
        }
        let is_taken = |token: &Token| {
            let line = token.line;
            line.is_some_and(|line| lines.get(&line.id).is_some_and(|end| line.seq < *end))
        };
        all.extend(self.ids(is_taken));
        all
    }

    /// These tokens and those that are revoked with one of them, the descendants of all these, and so on.
    pub(super) fn family(
        &self,
        ids: impl IntoIterator<Item = TokenId>,
        takes: Takes,
    ) -> BTreeSet<TokenId> {
        let mut family = self.with_line(ids, takes);
        loop {
            let descendants = self.ids(|token| self.descends(token, &family));
            let grown = self.with_line(descendants, takes);
            if grown.is_subset(&family) {
                return grown;
            }
            family.extend(grown);
        }
    }

    /// Gives the children of these tokens, which are deleted, a new parent: the next remaining token of the
    /// parent's line, whose revocation would have revoked the parent; otherwise the parent's nearest remaining
    /// ancestor, or such a token of its line. Without one, the children keep their parent's ID.
    pub(super) fn adopt_children_of(&mut self, deleted: &[Token]) {
        let gone: BTreeMap<_, _> = deleted.iter().map(|token| (token.id, token)).collect();
        let parents = self.tokens.values().filter_map(|token| token.parent);
        let parents: BTreeSet<_> = parents.filter(|id| gone.contains_key(id)).collect();
        let mut adopters = BTreeMap::new();
        for parent in parents {
            let mut ancestor = Some(parent);
            while let Some(token) = ancestor.and_then(|id| gone.get(&id)) {
                ancestor = self.next_in_line(token).or(token.parent);
            }
            adopters.extend(ancestor.map(|adopter| (parent, adopter)));
        }
        for token in self.tokens.values_mut() {
            let adopter = token.parent.and_then(|parent| adopters.get(&parent));
            token.parent = adopter.copied().or(token.parent);
        }
    }

    /// The first of the tokens that replaced this one, directly or through others.
    fn next_in_line(&self, token: &Token) -> Option<TokenId> {
        let line = token.line?;
        let later = self.tokens.values().filter_map(|other| {
            let place = other.line.filter(|place| place.id == line.id)?;
            (place.seq > line.seq).then_some((place.seq, other.id))
        });
        later.min().map(|(_, id)| id)
    }

    pub(super) fn rotate(&mut self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let now = rotation.now;
        let (owner, key) = (&rotation.owner, rotation.idempotency.as_ref());
        match self.earlier(owner, key, now) {
            Earlier::Created(token) => return Ok(Rotated::Repeated(*token)),
            Earlier::Conflict => return Ok(Rotated::KeyConflict),
            Earlier::Nothing => {}
        }
        let replacement = match rotation.decide(&self.line_of(rotation.predecessor), now) {
            Ok(replacement) => replacement,
            Err(refused) => return Ok(Rotated::Refused(refused)),
        };
        if self.tokens.contains_key(&rotation.id) || self.by_digest.contains_key(&rotation.digest) {
            return Ok(Rotated::Duplicate);
        }
        let rows = self.tokens.values().filter(|token| token.owner == *owner);
        if rows.count() >= rotation.max_rows as usize {
            return Ok(Rotated::TooManyRows);
        }
        let successor = replacement.successor.clone();
        let replaced = replacement.replaced.iter().cloned();
        self.tokens.extend(
            replaced
                .chain([successor.clone()])
                .map(|token| (token.id, token)),
        );
        self.by_digest.insert(rotation.digest, successor.id);
        self.keep_request(owner, key, successor.id, now);
        if rotation.notify && replacement.is_again {
            self.queue(NotificationKind::RotatedAgain, &[successor.id], now, None)?;
        }
        if !replacement.ends.is_empty() {
            self.append(Change::of_changed(replacement.ends.iter().copied()), now);
        }
        self.audit.record(now, replacement.event())?;
        Ok(Rotated::Stored(replacement.into_rotated()))
    }
}
