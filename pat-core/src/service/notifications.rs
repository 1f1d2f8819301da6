use tokio::sync::futures::Notified;

use crate::notification::NotificationId;
use crate::store::{DeadNotification, Outbox};
use crate::{Pats, StoreError};

impl Pats {
    /// How many notifications wait to be sent, and how many could not be. All zero for a store without
    /// jobs.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        match self.job_store()? {
            Some(jobs) => self.ask(self.request_timeout(), jobs.outbox()).await,
            None => Ok(Outbox::default()),
        }
    }

    /// The newest notifications that could not be sent, at most `limit`: for somebody to look at.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn dead_notifications(
        &self,
        limit: u32,
    ) -> Result<Vec<DeadNotification>, StoreError> {
        match self.job_store()? {
            Some(jobs) => {
                self.ask(self.request_timeout(), jobs.dead_notifications(limit))
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
        let Some(jobs) = self.job_store()? else {
            return Ok(false);
        };
        let requeue = jobs.requeue_notification(id, self.now());
        let is_requeued = self.ask(self.request_timeout(), requeue).await?;
        self.wake_delivery();
        Ok(is_requeued)
    }

    /// Has the delivery look at the outbox now.
    pub(crate) fn wake_delivery(&self) {
        self.0.notification_queued.notify_one();
    }

    pub(crate) fn notification_queued(&self) -> Notified<'_> {
        self.0.notification_queued.notified()
    }
}
