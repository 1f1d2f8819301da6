use super::Pats;
use crate::notification::NotificationId;
use crate::store::{DeadNotification, Outbox, StoreError};

impl Pats {
    /// Returns how many notifications are pending and how many are dead letters. All zero for a store
    /// without jobs.
    ///
    /// # Errors
    /// [`StoreError::Timeout`] or [`StoreError::Backend`]: the store cannot answer.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.0.outbox().await
    }

    /// Returns up to `limit` dead letters, the newest first: notifications that could not be sent.
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

    /// Queues a dead letter again. Returns `false` if there is none with this ID.
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
}
