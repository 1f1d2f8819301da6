use std::fmt::Debug;

use async_trait::async_trait;

use super::{Lease, StoreError};
use crate::event::{Event, HistoryPosition};
use crate::token::TokenId;

/// The audit capability of a store ([`TokenStore::audit`](super::TokenStore::audit)): it keeps events, and
/// returns them in an order in which a reader misses none.
///
/// A store with this capability writes the event of a change in the transaction of the change:
///
/// | method | event | rows |
/// |---|---|---|
/// | [`insert`](super::TokenStore::insert) | [`Created`](crate::event::EventKind::Created) | one |
/// | [`import`](super::ImportStore::import) | [`Imported`](crate::event::EventKind::Imported) | one for each token |
/// | [`revoke`](super::TokenStore::revoke) | [`Revoked`](crate::event::EventKind::Revoked) | one for each token |
/// | [`update`](super::TokenStore::update) | [`StoredUpdate::events`](super::StoredUpdate::events) | one for each token of each event |
/// | [`append_change`](super::TokenStore::append_change) of an owner | [`OwnerChanged`](crate::event::EventKind::OwnerChanged) | one |
/// | [`prune`](super::JobStore::prune) | [`Pruned`](crate::event::EventKind::Pruned) | one for each token |
/// | [`settle_notification`](super::JobStore::settle_notification) as sent | [`Notified`](crate::event::EventKind::Notified) | one for each token |
/// | [`settle_notification`](super::JobStore::settle_notification) as dead | [`NotificationDead`](crate::event::EventKind::NotificationDead) | one |
///
/// An event gets its number ([`EventRow::seq`](crate::event::EventRow::seq)) only after its commit, by
/// [`AuditStore::number_events`], since transactions do not commit in the order in which they begin: a
/// reader that continues after the last time or ID it has read would miss events that are committed late.
/// [`JobStore::purge`](super::JobStore::purge) deletes old events, whether or not a sink has received them.
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
    /// Writes events that belong to no change, such as refusals, in one transaction: one row for each
    /// event, or one row for each token of an event with several tokens
    /// ([`EventKind::per_token`](crate::event::EventKind::per_token)).
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError>;

    /// Assigns numbers ([`EventRow::seq`](crate::event::EventRow::seq)) to up to `limit` committed events
    /// that have none, oldest event first. Returns how many events it numbered.
    ///
    /// Numbers start with 1 and have no gaps, except where [`AuditStore::raise_event_number`] left one. They
    /// grow in the order in which the calls of this method commit, so an event that is numbered later has a
    /// greater number than every event that a reader has seen. Several nodes may call this method at the same
    /// time; each event gets one number.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn number_events(&self, limit: u32) -> Result<u64, StoreError>;

    /// Returns the greatest number that [`AuditStore::number_events`] has assigned; 0 if it has assigned
    /// none.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn last_event_number(&self) -> Result<u64, StoreError>;

    /// Makes `seq` the greatest assigned number ([`AuditStore::last_event_number`]), so that events which are
    /// numbered from now on have greater numbers. Changes nothing if a number as great was assigned already.
    ///
    /// A shared sink whose position is the greatest number so far has received every event, so its
    /// position becomes `seq` too. [`Pats::after_restore`](crate::Pats::after_restore) calls this method: after
    /// a restore from a backup, the store would assign numbers again that readers have seen.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn raise_event_number(&self, seq: u64) -> Result<(), StoreError>;

    /// Returns up to `limit` events with numbers ([`EventRow::seq`](crate::event::EventRow::seq)) greater
    /// than `seq`, in ascending order of number. Each event is one stored row, so it is about at most one
    /// token. The store must read from the primary, never from a replica that may lag.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Returns up to `limit` events about a token, latest first ([`HistoryPosition`]): those before the position
    /// `before`, or the latest ones if it is `None`.
    ///
    /// An event is about a token if it names the token as its subject ([`EventKind::is_about`]): also the
    /// [`Rotated`](crate::event::EventKind::Rotated) that replaced the token, but not the
    /// [`Created`](crate::event::EventKind::Created) of a child. Events that have no number yet are returned too,
    /// with 0 as their number ([`EventRow::seq`](crate::event::EventRow::seq)). The store may read from a replica.
    ///
    /// [`EventKind::is_about`]: crate::event::EventKind::is_about
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;

    /// Returns the stored position of the shared sink with the name `sink`
    /// ([`EventSink::name`](crate::event::EventSink::name)): the number of the last event that it has
    /// received. `None` before the first event.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError>;

    /// Stores `seq` as the position of the shared sink with the name `sink`, if `lease`, the caller's
    /// [lease](super::Lease) of the job that feeds the sinks ([`Job::EventFeed`](super::Job::EventFeed)), is
    /// still held.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError>;
}
