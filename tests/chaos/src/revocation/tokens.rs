//! The tokens that clients know.

use std::collections::VecDeque;
use std::sync::Arc;

use super::history::Way;
use super::random::Random;

/// Groups that stay alive, so that they are in every cache when their turn comes.
const LIVE: usize = 48;
/// Tokens that were revoked last and are tried again and again. At the rate of the clients, they
/// were revoked within more than the staleness bound.
const REVOKED: usize = 512;

#[derive(Clone)]
pub(super) struct Token {
    pub(super) id: i64,
    pub(super) raw: Arc<str>,
}

/// Tokens that will lose their power together.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) owner: String,
    /// A parent comes before its child.
    pub(super) tokens: Vec<Token>,
    pub(super) way: Way,
}

#[derive(Default)]
pub(super) struct Tokens {
    live: VecDeque<Group>,
    /// Newest first; the newest may still be on their way.
    revoked: VecDeque<Token>,
}

impl Tokens {
    pub(super) fn put(&mut self, group: Group) {
        self.live.push_back(group);
    }

    /// The oldest group, once there are enough, whose tokens count as revoked from now on.
    pub(super) fn take(&mut self) -> Option<Group> {
        if self.live.len() <= LIVE {
            return None;
        }
        let group = self.live.pop_front()?;
        self.put_revoked(&group.tokens);
        Some(group)
    }

    pub(super) fn put_revoked(&mut self, tokens: &[Token]) {
        for token in tokens {
            self.revoked.push_front(token.clone());
        }
        self.revoked.truncate(REVOKED);
    }

    /// Those that are live now.
    pub(super) fn live(&self) -> Vec<Token> {
        let groups = self.live.iter();
        groups.flat_map(|group| group.tokens.clone()).collect()
    }

    /// A live token, one that was just revoked, or one that was revoked before.
    pub(super) fn any(&self, random: &mut Random) -> Option<Token> {
        let (live, revoked) = (self.live.len(), self.revoked.len());
        if revoked == 0 || random.once_in(3) {
            let group = (live > 0).then(|| &self.live[random.below(live)])?;
            return Some(group.tokens[random.below(group.tokens.len())].clone());
        }
        let newest = if random.once_in(2) { 12 } else { REVOKED };
        Some(self.revoked[random.below(revoked.min(newest))].clone())
    }
}
