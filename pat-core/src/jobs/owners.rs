use super::lease::{Interrupted, LeasedRun};
use crate::store::ListedOwner;
use crate::token::Owner;

/// A walk through all owners of unrevoked tokens, a page at a time, so that no statement reads all tokens.
pub(super) struct OwnerWalk {
    page: u32,
    last: Option<Owner>,
    is_over: bool,
}

impl OwnerWalk {
    /// Begins a walk in pages of up to `page` owners.
    pub(super) const fn new(page: u32) -> Self {
        Self {
            page,
            last: None,
            is_over: false,
        }
    }

    /// Returns the next owners; `None` at the end.
    pub(super) async fn next(
        &mut self,
        run: &mut LeasedRun<'_>,
    ) -> Result<Option<Vec<Owner>>, Interrupted> {
        let page = self.next_listed(run).await?;
        Ok(page.map(|page| page.into_iter().map(|listed| listed.owner).collect()))
    }

    /// Returns the next owners, with since when they have been missing; `None` at the end.
    pub(super) async fn next_listed(
        &mut self,
        run: &mut LeasedRun<'_>,
    ) -> Result<Option<Vec<ListedOwner>>, Interrupted> {
        if self.is_over {
            return Ok(None);
        }
        run.heartbeat().await?;
        let page = run.store.owners_after(self.last.as_ref(), self.page);
        let page = run.node.in_time(page).await?;
        self.is_over = page.len() < self.page as usize;
        self.last = page.last().map(|listed| listed.owner.clone());
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}
