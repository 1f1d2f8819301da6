use super::Pats;
use crate::notification::NotificationId;
use crate::store::{DeadNotification, Outbox, StoreError};

impl Pats {
    /// Returns how many notifications are pending and how many are
    /// [dead letters](crate::store::Outcome::Dead). All counts are 0 for a store without jobs
    /// ([`TokenStore::jobs`](crate::store::TokenStore::jobs)).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or does not answer in time.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.0.outbox().await
    }

    /// Returns up to `limit` dead letters, the most recently queued first: notifications that could not be
    /// sent. The list is empty for a store without jobs.
    ///
    /// # Errors
    /// Same as [`Pats::outbox`].
    pub async fn dead_notifications(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadNotification>, StoreError> {
        let context = &self.0.context;
        let Some(jobs) = context.job_store()? else {
            return Ok(Vec::new());
        };
        let dead = jobs.dead_notifications(limit);
        context.ask(context.request_timeout(), dead).await
    }

    /// Queues the [dead letter](crate::store::Outcome::Dead) with this ID again, to be sent at once. Returns
    /// `true` if it was queued; `false` if there is no dead letter with this ID.
    ///
    /// # Errors
    /// Same as [`Pats::outbox`].
    pub async fn requeue_notification(&self, id: NotificationId) -> Result<bool, StoreError> {
        let Some(jobs) = self.0.context.job_store()? else {
            return Ok(false);
        };
        let requeue = jobs.requeue_notification(id, self.0.now());
        let is_requeued = self
            .0
            .context
            .ask(self.0.context.request_timeout(), requeue)
            .await?;
        self.0.wake_delivery();
        Ok(is_requeued)
    }

    /// Queues all [dead letters](crate::store::Outcome::Dead) again, to be sent at once. Returns how many they were; 0
    /// for a store without jobs.
    ///
    /// # Errors
    /// Same as [`Pats::outbox`].
    pub async fn requeue_all_notifications(&self) -> Result<u64, StoreError> {
        let Some(jobs) = self.0.context.job_store()? else {
            return Ok(0);
        };
        let requeue = jobs.requeue_all_notifications(self.0.now());
        let timeout = self.0.context.request_timeout();
        let requeued = self.0.context.ask(timeout, requeue).await?;
        self.0.wake_delivery();
        Ok(requeued)
    }
}
