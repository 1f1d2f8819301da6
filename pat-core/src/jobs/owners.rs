use super::lease::{Interrupted, LeasedRun};
use crate::store::ListedOwner;
use crate::token::Owner;

/// A walk through all owners of unrevoked tokens, a page at a time, so that no statement reads all tokens.
pub(super) struct OwnerWalk {
    page: u32,
    last: Option<Owner>,
}

impl OwnerWalk {
    /// Begins a walk in pages of up to `page` owners.
    pub(super) const fn new(page: u32) -> Self {
        Self { page, last: None }
    }

    /// Returns the next owners; `None` after the last ones.
    pub(super) async fn next(
        &mut self,
        run: &mut LeasedRun<'_>,
    ) -> Result<Option<Vec<Owner>>, Interrupted> {
        let page = self.next_listed(run).await?;
        Ok(page.map(|page| page.into_iter().map(|listed| listed.owner).collect()))
    }

    /// Returns the next owners, with since when they have been missing; `None` after the last ones.
    pub(super) async fn next_listed(
        &mut self,
        run: &mut LeasedRun<'_>,
    ) -> Result<Option<Vec<ListedOwner>>, Interrupted> {
        run.heartbeat().await?;
        let page = run.store.owners_after(self.last.as_ref(), self.page);
        let page = run.node.in_time(page).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.last = Some(last.owner.clone());
        Ok(Some(page))
    }
}
