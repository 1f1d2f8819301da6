use tokio::sync::futures::Notified;

use crate::notice::NoticeId;
use crate::store::{DeadNotice, Outbox};
use crate::{Pats, StoreError};

impl Pats {
    /// How many notices wait to be sent, and how many could not be. All zero for a store without
    /// jobs.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        match self.job_store()? {
            Some(jobs) => self.ask(self.patience(), jobs.outbox()).await,
            None => Ok(Outbox::default()),
        }
    }

    /// The newest notices that could not be sent, at most `limit`: for somebody to look at.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn dead_notices(&self, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        match self.job_store()? {
            Some(jobs) => self.ask(self.patience(), jobs.dead_notices(limit)).await,
            None => Ok(Vec::new()),
        }
    }

    /// Has a notice tried again that could not be sent; false if it is none of those.
    ///
    /// # Errors
    /// The store cannot answer in time.
    pub async fn requeue_notice(&self, id: NoticeId) -> Result<bool, StoreError> {
        let Some(jobs) = self.job_store()? else {
            return Ok(false);
        };
        let requeue = jobs.requeue_notice(id, self.now());
        let is_requeued = self.ask(self.patience(), requeue).await?;
        self.wake_delivery();
        Ok(is_requeued)
    }

    /// Has the delivery look at the outbox now.
    pub(crate) fn wake_delivery(&self) {
        self.0.notice_queued.notify_one();
    }

    pub(crate) fn notice_queued(&self) -> Notified<'_> {
        self.0.notice_queued.notified()
    }
}
