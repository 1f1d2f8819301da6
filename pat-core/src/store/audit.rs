use std::fmt::Debug;

use async_trait::async_trait;

use super::{Lease, StoreError};
use crate::event::Event;

/// What the audit needs of a store, beyond [`TokenStore`](super::TokenStore): to keep events, and
/// to have them read in an order that misses none.
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
/// do not commit in the order in which they begin: a reader who remembers the last time or id that
/// it saw passes over what commits late. Events are trimmed by
/// [`JobStore::purge`](super::JobStore::purge), whether or not a sink has had them.
///
/// `pat_core::testing::audit` has the suite. It needs [`TokenStore::jobs`](super::TokenStore::jobs)
/// too.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync {
    /// Writes events that go with no change, in one transaction: a row for each, or for each token
    /// of an event that has several.
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError>;

    /// Gives a number to up to `limit` committed events that have none, the oldest first; returns
    /// how many those were.
    ///
    /// Numbers grow by one, without a gap, in the order of the commits of these calls: whoever has
    /// read up to a number finds every later event after it. Several nodes may call this at a time;
    /// each event gets one number.
    async fn number_events(&self, limit: u32) -> Result<u64, StoreError>;

    /// Returns the number that was given last; 0 if none was.
    async fn last_event_number(&self) -> Result<u64, StoreError>;

    /// Returns up to `limit` events with numbers after `seq`, in the order of the numbers. Each is of
    /// one row: it names one token at most. Read from where writes go, never from a replica that
    /// may be behind.
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Returns the number of the last event that a shared sink has taken; `None` if it has no
    /// position yet.
    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError>;

    /// Keeps the position of a shared sink. Under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another runner has acquired the lease since.
    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError>;
}
