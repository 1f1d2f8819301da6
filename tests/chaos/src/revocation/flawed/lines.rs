//! Stores that replace, disable and enable tokens as one would write it first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pat_core::store::StoreError;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Rotated, Rotation, TokenStore, Update, Updated,
};
use pat_core::{Token, TokenId};

use super::Wrong;

/// Lacks the changes of the tokens that are now as this says.
#[derive(Debug)]
pub(super) struct Untold(pub(super) fn(&Token) -> bool);

#[async_trait]
impl Wrong for Untold {
    async fn changes(
        &self,
        inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        let mut page = inner.changes_since(since).await?;
        for entry in &mut page.entries {
            let Change::TokenChanged(id) = entry.change else {
                continue;
            };
            if inner.find(id).await?.as_ref().is_some_and(self.0) {
                // Nobody has this one.
                entry.change = Change::TokenChanged(TokenId::new(1).expect("an id"));
            }
        }
        Ok(page)
    }
}

/// Announces an end of the replaced token, and puts another one to it, which is after this overlap.
#[derive(Debug)]
pub(super) struct EndsAfter(pub(super) Duration);

#[async_trait]
impl Wrong for EndsAfter {
    async fn rotate(
        &self,
        inner: &dyn TokenStore,
        rotation: &Rotation,
    ) -> Result<Rotated, StoreError> {
        let mut other = rotation.clone();
        other.overlap = self.0;
        let mut rotated = inner.rotate(&other).await?;
        if let Rotated::Stored(stored) = &mut rotated {
            for ending in &mut stored.ending {
                ending.at += rotation.overlap;
                ending.at -= other.overlap;
            }
        }
        Ok(rotated)
    }
}

/// Gives an enabling up in time, and makes it all the same a little later.
#[derive(Debug)]
pub(super) struct Belated(pub(super) Arc<dyn TokenStore>);

/// Long enough for another request.
const LATE: Duration = Duration::from_millis(300);

#[async_trait]
impl Wrong for Belated {
    async fn update(&self, inner: &dyn TokenStore, update: &Update) -> Result<Updated, StoreError> {
        let is_unlucky = update.at.as_microsecond() % 2 == 0;
        if update.is_enabled != Some(true) || !is_unlucky {
            return inner.update(update).await;
        }
        let (inner, update) = (Arc::clone(&self.0), update.clone());
        tokio::spawn(async move {
            tokio::time::sleep(LATE).await;
            inner.update(&update).await
        });
        Err(StoreError::backend("no answer in time"))
    }
}
