//! The record that audit events are of tokens.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::LostToken;
use crate::event::{Event, EventKind};
use crate::store::{CLOCK_TOLERANCE, Overlap};
use crate::token::{Owner, Token, TokenId, is_expired};

/// What events say of tokens.
#[derive(Debug, Default)]
pub(super) struct History {
    created: BTreeMap<TokenId, Owner>,
    /// When the last of the tokens with this ID and owner was revoked, and whether a user did it.
    revoked: BTreeMap<(TokenId, Owner), (Timestamp, bool)>,
    /// When the last of the tokens with this ID and owner was deleted.
    pruned: BTreeMap<(TokenId, Owner), Timestamp>,
    /// When and by whom the token with this ID and owner was disabled; `None` if it was enabled after that.
    disabled: BTreeMap<(TokenId, Owner), Option<(Timestamp, Owner)>>,
    /// When tokens with this ID and owner were replaced, and when they end since.
    replaced: BTreeMap<(TokenId, Owner), Vec<Overlap>>,
    /// The numbers of the events ([`EventRow::seq`](crate::event::EventRow::seq)).
    pub(super) numbers: BTreeSet<u64>,
    pub(super) last_event_at: Option<Timestamp>,
}

/// Who has revoked a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RevokedBy {
    /// A user, or it is not known who.
    User,
    /// The host or a job, which revokes descendants only by naming them.
    Program,
}

impl History {
    pub(super) fn add(&mut self, event: Event) {
        self.numbers.extend(event.row.map(|row| row.seq));
        self.last_event_at = self.last_event_at.max(Some(event.at));
        match event.kind {
            EventKind::Created { token, owner, .. } => {
                self.created.insert(token, owner);
            }
            EventKind::Rotated {
                token,
                owner,
                ends,
                ends_at,
                ..
            } => {
                // An older version did not store the end. The time of the rotation is not later.
                let overlap = Overlap::new(event.at, ends_at.unwrap_or(event.at));
                for id in ends {
                    let overlaps = self.replaced.entry((id, owner.clone())).or_default();
                    overlaps.push(overlap);
                }
                self.created.insert(token, owner);
            }
            EventKind::Imported { tokens } => {
                let imported = tokens.into_iter().map(|token| (token.id, token.owner));
                self.created.extend(imported);
            }
            EventKind::Revoked { tokens, by, .. } => {
                for token in tokens {
                    let revoked = (event.at, by.is_some());
                    let last = self.revoked.entry((token.id, token.owner));
                    let last = last.or_insert(revoked);
                    *last = revoked.max(*last);
                }
            }
            EventKind::Pruned { tokens } => {
                for token in tokens {
                    let last = self.pruned.entry((token.id, token.owner));
                    let last = last.or_insert(event.at);
                    *last = event.at.max(*last);
                }
            }
            EventKind::Disabled { tokens, owner, by } => {
                for id in tokens {
                    let disabled = Some((event.at, by.clone()));
                    self.disabled.insert((id, owner.clone()), disabled);
                }
            }
            EventKind::Enabled { tokens, owner, .. } => {
                for id in tokens {
                    self.disabled.insert((id, owner.clone()), None);
                }
            }
            // The host's directory decides about owners.
            EventKind::OwnerChanged { .. }
            | EventKind::Changed { .. }
            | EventKind::FirstUsed { .. }
            | EventKind::Refused { .. }
            | EventKind::Notified { .. }
            | EventKind::NotificationDead { .. }
            | EventKind::Other { .. } => {}
        }
    }

    /// Returns the IDs of all tokens that were created, have ended, or were disabled or replaced.
    pub(super) fn ids(&self) -> BTreeSet<TokenId> {
        let ended = self.revoked.keys().chain(self.pruned.keys());
        let changed = self.disabled.keys().chain(self.replaced.keys());
        let changed = ended.chain(changed).map(|(id, _)| id);
        self.created.keys().chain(changed).copied().collect()
    }

    /// Returns whether this token was revoked, and not another one with its ID. An ID contains the time of creation,
    /// so a new token has the ID of a lost one only if the clock was set back.
    pub(super) fn revocation(&self, token: &Token) -> Option<RevokedBy> {
        let key = (token.id, token.owner.clone());
        let revoked = self.revoked.get(&key);
        if let Some((_, by_user)) = revoked.filter(|(at, _)| is_before(token, *at)) {
            return Some(if *by_user {
                RevokedBy::User
            } else {
                RevokedBy::Program
            });
        }
        let pruned = *self.pruned.get(&key).filter(|at| is_before(token, **at))?;
        // One that has expired is deleted too.
        let replaced = self.overlap(token).map(|overlap| overlap.until);
        let end = token.expires_at.into_iter().chain(replaced).min();
        (!is_expired(end, pruned)).then_some(RevokedBy::User)
    }

    /// Returns who has disabled this token, if no user has enabled it since.
    pub(super) fn disabled_by(&self, token: &Token) -> Option<Owner> {
        let disabled = self.disabled.get(&(token.id, token.owner.clone()));
        let (at, by) = disabled?.as_ref()?;
        is_before(token, *at).then(|| by.clone())
    }

    /// Returns when this token was replaced, and when it ends since; `None` if it was not replaced.
    pub(super) fn overlap(&self, token: &Token) -> Option<Overlap> {
        let overlaps = self.replaced.get(&(token.id, token.owner.clone()))?;
        let overlaps = overlaps.iter();
        let own = overlaps.filter(|overlap| is_before(token, overlap.from));
        own.copied()
            .reduce(|one, other| Overlap::new(one.from.min(other.from), one.until.min(other.until)))
    }

    /// Returns the tokens that were created and have not ended, and are not among the tokens `found`.
    pub(super) fn lost(self, found: &BTreeSet<(TokenId, Owner)>) -> Vec<LostToken> {
        let created = self.created.into_iter();
        let lost = created
            .filter(|token| !found.contains(token))
            .filter(|token| !self.revoked.contains_key(token) && !self.pruned.contains_key(token))
            .map(|(id, owner)| LostToken { id, owner });
        lost.collect()
    }
}

/// Returns whether a token was created before an event of this time.
fn is_before(token: &Token, at: Timestamp) -> bool {
    token.created_at <= at.saturating_add(CLOCK_TOLERANCE).unwrap_or(at)
}
