//! The first use of features that older versions would misread.

use std::time::Duration;

use super::Feed;
use crate::store::StoreError;
use crate::versions::{Feature, Standing};

impl Feed {
    /// Makes a feature usable: excludes older versions from the store, unless an older node runs, and
    /// waits until none can answer from its cache. Returns `false` if an older node runs, or the wait
    /// exceeds the time limit of requests.
    ///
    /// A downgrade is possible until the first use of the feature.
    pub(crate) async fn enable(&self, feature: Feature) -> Result<bool, StoreError> {
        let limit = self.context.request_timeout();
        let enabled = tokio::time::timeout(limit, self.until_usable(feature)).await;
        enabled.unwrap_or(Ok(false))
    }

    async fn until_usable(&self, feature: Feature) -> Result<bool, StoreError> {
        const PAUSE: Duration = Duration::from_millis(20);
        // A cache is used for that long; a tenth more allows for clocks of different speeds. A store
        // that is not shared has no other readers.
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
