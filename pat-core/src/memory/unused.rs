//! Unused tokens, and replaced ones that are in use.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{LiveChildren, Tables};
use crate::notification::NotificationKind;
use crate::store::{
    Change, Revocation, Revoked, RevokedToken, StoreError, StoreTime, UNUSED_NOTICE,
    UNUSED_NOTICE_LASTS, UnusedCount, UnusedTokens,
};
use crate::token::{Owner, Token};

impl Tables {
    /// Returns the tokens of these owners.
    pub(super) fn of_owners(&self, owners: &[Owner]) -> impl Iterator<Item = &Token> {
        let owners: BTreeSet<_> = owners.iter().collect();
        let tokens = self.tokens.values();
        tokens.filter(move |token| owners.contains(&token.owner))
    }

    /// Returns when the warning about a token was queued, if it counts.
    fn unused_warning(&self, token: &Token, unused: &UnusedTokens) -> Option<Timestamp> {
        let oldest = StoreTime::default().cutoff(unused.vouched, UNUSED_NOTICE_LASTS);
        let warned_at = self.jobs.unused_warned_at.get(&token.id).copied();
        warned_at.filter(|at| *at >= oldest && Some(*at) >= token.last_used_at)
    }

    fn is_revocable(&self, token: &Token, unused: &UnusedTokens) -> bool {
        let time = StoreTime::default();
        let latest = time.cutoff(unused.vouched, unused.revoke_after);
        let warned_by = time.cutoff(unused.vouched, UNUSED_NOTICE);
        is_live(token, unused.now)
            && token.is_unused_since(latest)
            && self
                .unused_warning(token, unused)
                .is_some_and(|at| at <= warned_by)
    }

    pub(super) fn warn_unused(
        &mut self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let latest = StoreTime::default().cutoff(unused.vouched, unused.warn_after);
        let due = self.of_owners(owners).filter(|token| {
            is_live(token, unused.now + UNUSED_NOTICE)
                && token.is_unused_since(latest)
                && self.unused_warning(token, unused).is_none()
        });
        let ids: Vec<_> = due.map(|token| token.id).collect();
        let warned_at = StoreTime::default().cutoff(unused.vouched, Duration::ZERO);
        for id in &ids {
            self.jobs.unused_warned_at.insert(*id, warned_at);
        }
        let kind = NotificationKind::UnusedWarning;
        self.jobs.withdraw(kind, &ids);
        self.queue(kind, &ids, unused.now, None)
    }

    pub(super) fn count_unused(&self, unused: &UnusedTokens, owners: &[Owner]) -> UnusedCount {
        let count = |wanted: &dyn Fn(&Token) -> bool| {
            let wanted = self.of_owners(owners).filter(|token| wanted(token));
            wanted.count() as u64
        };
        UnusedCount {
            revocable: count(&|token| self.is_revocable(token, unused)),
            live: count(&|token| is_live(token, unused.now)),
            lagging_node_forgotten_at: None,
        }
    }

    pub(super) fn revoke_unused(
        &mut self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Revoked, StoreError> {
        let tokens = self.of_owners(owners);
        let revocable = tokens.filter(|token| self.is_revocable(token, unused));
        let revoked: Vec<_> = revocable
            .map(|token| RevokedToken {
                name: Some(token.name.clone()),
                ..RevokedToken::new(token.id, token.owner.clone())
            })
            .collect();
        if revoked.is_empty() {
            return Ok(Revoked::new(unused.now, revoked));
        }
        let revocation = Revocation {
            reason: Some(unused.reason.clone()),
            ..Revocation::new(unused.now)
        };
        for RevokedToken { id, .. } in &revoked {
            if let Some(token) = self.tokens.get_mut(id) {
                token.revoked_at = Some(revocation.at);
                token.revoke_reason.clone_from(&revocation.reason);
            }
        }
        self.append(Change::of_revoked(&revoked), revocation.at);
        let ids: Vec<_> = revoked.iter().map(|token| token.id).collect();
        let no_children = LiveChildren::new();
        let told = Some((&revocation, &no_children));
        self.queue(NotificationKind::UnusedRevoked, &ids, revocation.at, told)?;
        let event = revocation.event(revoked.clone());
        self.audit.record(revocation.at, event)?;
        Ok(Revoked::new(revocation.at, revoked))
    }
}

fn is_live(token: &Token, now: Timestamp) -> bool {
    token.revoked_at.is_none()
        && !token.is_transient
        && token.expires_at.is_none_or(|end| end > now)
}

/// Whether a replaced token was used in the last tenth of its overlap.
pub(super) fn is_used_at_the_end(token: &Token) -> bool {
    let (Some(replaced), Some(end), Some(used)) =
        (token.replaced, token.expires_at, token.last_used_at)
    else {
        return false;
    };
    let overlap = end.duration_since(replaced.at);
    let left = end.duration_since(used);
    overlap > SignedDuration::ZERO && left.as_micros() * 10 <= overlap.as_micros()
}
