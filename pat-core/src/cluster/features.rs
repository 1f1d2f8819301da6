//! Features that older versions would misread: when they may be used.

use std::time::Duration;

use super::Feed;
use crate::store::StoreError;
use crate::versions::{Feature, Standing};

impl Feed {
    /// Waits until a feature can be used: has older versions not read the store any more, if none
    /// of them runs, and then lets the time pass in which one could still answer from its cache.
    /// False if an older one runs, or that time is longer than anybody waits for an answer.
    ///
    /// That is once in the life of a store. So a version that only runs beside newer tables keeps
    /// nobody from going back to the one before; its first use of a feature does.
    pub(crate) async fn enable(&self, feature: Feature) -> Result<bool, StoreError> {
        let limit = self.context.request_timeout();
        let enabled = tokio::time::timeout(limit, self.until_usable(feature)).await;
        enabled.unwrap_or(Ok(false))
    }

    async fn until_usable(&self, feature: Feature) -> Result<bool, StoreError> {
        const PAUSE: Duration = Duration::from_millis(20);
        // A cache may be trusted for as long; a tenth more allows for clocks that run at different
        // speeds. A store of this process alone has no other readers.
        let bound = if self.context.store.is_shared() {
            self.context.settings.auth_max_staleness().mul_f64(1.1)
        } else {
            Duration::ZERO
        };
        loop {
            match self
                .context
                .versions
                .standing(feature, bound, self.context.time.now().boot)
            {
                Standing::Usable => return Ok(true),
                Standing::MayBeUnnoticed => tokio::time::sleep(PAUSE).await,
                Standing::MayBeMisread if self.has_older_nodes(feature).await? => return Ok(false),
                Standing::MayBeMisread => self.keep_older_out(feature).await?,
            }
        }
    }

    async fn has_older_nodes(&self, feature: Feature) -> Result<bool, StoreError> {
        if !self.context.store.is_shared() {
            return Ok(false);
        }
        let limit = self.context.auth_timeout();
        let nodes = self
            .context
            .outages
            .store(limit, self.context.store.nodes())
            .await?;
        Ok(nodes.iter().any(|node| node.version < feature.since))
    }

    async fn keep_older_out(&self, feature: Feature) -> Result<(), StoreError> {
        let limit = self.context.auth_timeout();
        self.context
            .outages
            .store(limit, self.context.store.raise_readable_from(feature.since))
            .await?;
        let page = self
            .context
            .outages
            .store(limit, self.context.store.changes_since(None))
            .await?;
        self.auth.observe_versions(page.versions)
    }
}
