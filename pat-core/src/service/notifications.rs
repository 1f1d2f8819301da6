use super::Pats;
use crate::notification::NotificationId;
use crate::store::{DeadNotification, Outbox, StoreError};

impl Pats {
    /// How many notifications wait to be sent, and how many could not be. All zero for a store without
    /// jobs.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.0.outbox().await
    }

    /// The newest notifications that could not be sent, at most `limit`: for somebody to look at.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn dead_notifications(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadNotification>, StoreError> {
        match self.0.context.job_store()? {
            Some(jobs) => {
                self.0
                    .context
                    .ask(
                        self.0.context.request_timeout(),
                        jobs.dead_notifications(limit),
                    )
                    .await
            }
            None => Ok(Vec::new()),
        }
    }

    /// Has a notification tried again that could not be sent; false if it is none of those.
    ///
    /// # Errors
    /// The store cannot answer in time.
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
