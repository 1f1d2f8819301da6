use std::fmt::Debug;

use async_trait::async_trait;

use super::{Lease, StoreError};
use crate::event::Event;

/// The audit capability of a store: it keeps events, and returns them in an order in which a reader
/// misses none.
///
/// A store with this capability writes the event of a change in the transaction of the change:
///
/// | method | event | rows |
/// |---|---|---|
/// | [`insert`](super::TokenStore::insert) | [`Created`](crate::event::EventKind::Created) | one |
/// | [`revoke`](super::TokenStore::revoke) | [`Revoked`](crate::event::EventKind::Revoked) | one for each token |
/// | [`append_change`](super::TokenStore::append_change) of an owner | [`OwnerChanged`](crate::event::EventKind::OwnerChanged) | one |
/// | [`prune`](super::JobStore::prune) | [`Pruned`](crate::event::EventKind::Pruned) | one for each token |
/// | [`settle_notification`](super::JobStore::settle_notification) as sent | [`Notified`](crate::event::EventKind::Notified) | one for each token |
/// | [`settle_notification`](super::JobStore::settle_notification) as dead | [`NotificationDead`](crate::event::EventKind::NotificationDead) | one |
///
/// An event is numbered only after its commit ([`AuditStore::number_events`]), since transactions
/// do not commit in the order in which they begin: a reader that continues after the last time or ID
/// it read would miss events that are committed late. [`JobStore::purge`](super::JobStore::purge)
/// deletes old events, whether or not a sink has received them.
///
/// An implementation is conformant if it passes the suite in `pat_core::testing::audit`. It needs
/// [`TokenStore::jobs`](super::TokenStore::jobs) too.
///
/// # Errors
/// The errors of [`TokenStore`](super::TokenStore#errors).
///
/// ```
/// use jiff::Timestamp;
/// use pat_core::event::{Event, EventKind};
/// use pat_core::store::TokenStore;
/// use pat_core::{MemoryStore, Owner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// let audit = store.audit().expect("the store has the capability");
/// let kind = EventKind::OwnerChanged { owner: Owner::new("alice")? };
/// audit.record_events(&[Event::new(Timestamp::now(), kind.clone())]).await?;
/// audit.number_events(100).await?;
/// let events = audit.events_after(0, 100).await?;
/// assert_eq!(events[0].kind, kind);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait AuditStore: Debug + Send + Sync {
    /// Writes events that belong to no change, in one transaction: one row for each event, or one for
    /// each token of an event with several.
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError>;

    /// Numbers up to `limit` committed events that have no number, the oldest first. Returns how many
    /// it numbered.
    ///
    /// Numbers grow by one, without a gap, in the order in which these calls commit, so a reader that
    /// has read up to a number finds every later event after it. Several nodes may call this at the
    /// same time; each event gets one number.
    async fn number_events(&self, limit: u32) -> Result<u64, StoreError>;

    /// Returns the last number that was assigned; 0 if none was.
    async fn last_event_number(&self) -> Result<u64, StoreError>;

    /// Returns up to `limit` events with numbers greater than `seq`, in order of number. Each is one
    /// row, with at most one token. Reads from the primary, never from a replica that may lag.
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Returns the number of the last event that a shared sink has received; `None` before the first.
    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError>;

    /// Stores the position of a shared sink, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError>;
}
