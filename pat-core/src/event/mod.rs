//! Audit events: what happened to tokens, for whoever must be able to tell afterwards.

mod emit;
mod queue;
mod request;
mod sampler;
mod trace;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

pub(crate) use self::emit::Events;
pub use self::queue::QUEUE_LEN;
pub(crate) use self::queue::{Plugged, RecordError, record};
pub use self::request::{carry_request_id, with_request_id};
use crate::error::BoxError;
use crate::notification::{NotificationId, NotificationKind};
use crate::store::{Outcome, PrunedToken, QueuedNotification, RevokedToken};
use crate::token::{Owner, TokenId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's row in the store; `None` for an event that comes straight from the operation.
    pub row: Option<EventRow>,
    /// When.
    pub at: Timestamp,
    /// The id of the HTTP request that caused it, where the host tells it
    /// ([`with_request_id`]). Not stored, so `None` for an event that comes from the store.
    pub request_id: Option<Arc<str>>,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// Creates an event that is not stored yet.
    #[must_use]
    pub const fn new(at: Timestamp, kind: EventKind) -> Self {
        Self {
            row: None,
            at,
            request_id: None,
            kind,
        }
    }
}

/// The row of a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow {
    /// A random number that is the row's own, 0 to 2⁵³ − 1. It is the same each time the event is
    /// offered, so a consumer can pass over an event that it has already.
    pub id: i64,
    /// The row's place in the order in which sinks get the events, from 1. Given after the row was
    /// committed, so a reader by `seq` misses none.
    pub seq: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was created.
    Created {
        /// The new token.
        token: TokenId,
        /// Whose it is.
        owner: Owner,
        /// From when on it is refused; `None` for never.
        expires_at: Option<Timestamp>,
        /// The token it was created with, if it was.
        parent: Option<TokenId>,
    },
    /// A token authenticated its first request. (Seen by each node that loads the token before the
    /// first use is written, so it may be told more than once.)
    FirstUsed {
        /// The token.
        token: TokenId,
        /// Whose it is.
        owner: Owner,
    },
    /// A presented token was refused.
    Refused {
        /// A fixed name; see [`AuthError::reason`](crate::AuthError::reason).
        reason: Cow<'static, str>,
        /// The token, where it is known: at most one event every ten seconds on each node. Where
        /// it is not, one event a second stands for all of the same reason.
        token: Option<TokenId>,
        /// How many look-ups of the same token, or of others for the same reason, were refused
        /// before without an event.
        unreported: u64,
    },
    /// Tokens were revoked, in one transaction. The store has a row for each of them, so a shared
    /// sink gets an event for each.
    Revoked {
        /// Which, and whose they were; at least one.
        tokens: Vec<RevokedToken>,
        /// Who revoked it; `None` when the host did.
        by: Option<Owner>,
        /// Why, in the revoker's words.
        reason: Option<String>,
    },
    /// Old tokens were deleted, in one transaction: they had expired, or been revoked, more than
    /// `atlassian.pats.pruning.delay.days` ago. The store has a row for each of them.
    Pruned {
        /// Which, and whose they were; at least one.
        tokens: Vec<PrunedToken>,
    },
    /// An owner was notified. The store has a row for each token of the notification.
    Notified {
        /// The notification.
        notification: NotificationId,
        /// What it told.
        kind: NotificationKind,
        /// Whom it told.
        owner: Owner,
        /// Of which tokens.
        tokens: Vec<TokenId>,
    },
    /// A notification could not be sent, and is not tried again unless somebody says so
    /// ([`Pats::requeue_notification`](crate::Pats::requeue_notification)).
    NotificationDead {
        /// The notification.
        notification: NotificationId,
        /// What it should tell.
        kind: NotificationKind,
        /// Whom it should tell.
        owner: Owner,
        /// Why it could not be sent.
        error: String,
    },
    /// The host said that an owner has changed; his tokens are judged anew everywhere.
    OwnerChanged {
        /// The owner.
        owner: Owner,
    },
    /// A stored event of a kind that only a newer version knows.
    Other {
        /// The name of the kind.
        kind: String,
        /// The token, if it is about one.
        token: Option<TokenId>,
        /// The owner, if it is about one.
        owner: Option<Owner>,
    },
}

impl EventKind {
    /// Splits an event of several tokens into one for each, as a store keeps them.
    #[must_use]
    pub fn per_token(self) -> Vec<Self> {
        match self {
            Self::Revoked { tokens, by, reason } => {
                let revoked = tokens.into_iter().map(|token| Self::Revoked {
                    tokens: vec![token],
                    by: by.clone(),
                    reason: reason.clone(),
                });
                revoked.collect()
            }
            Self::Pruned { tokens } => {
                let pruned = tokens.into_iter().map(|token| Self::Pruned {
                    tokens: vec![token],
                });
                pruned.collect()
            }
            Self::Notified {
                notification,
                kind,
                owner,
                tokens,
            } => {
                let notified = tokens.into_iter().map(|token| Self::Notified {
                    notification,
                    kind,
                    owner: owner.clone(),
                    tokens: vec![token],
                });
                notified.collect()
            }
            one => vec![one],
        }
    }

    /// The event of a notification that has come to an end, if it is one.
    #[must_use]
    pub fn of_settled(queued: &QueuedNotification, outcome: &Outcome) -> Option<Self> {
        let (notification, kind, owner) = (queued.claim.id, queued.kind, queued.owner.clone());
        match outcome {
            Outcome::Sent => Some(Self::Notified {
                notification,
                kind,
                owner,
                tokens: queued.tokens.iter().map(|token| token.id).collect(),
            }),
            Outcome::Dead { error, .. } => Some(Self::NotificationDead {
                notification,
                kind,
                owner,
                error: error.clone(),
            }),
            Outcome::Retry { .. } | Outcome::Skipped { .. } => None,
        }
    }

    /// A fixed name, for tables, files and metrics: `created`, `first-used`, `refused`, `revoked`,
    /// `pruned`, `notified`, `notice-dead` or `owner-changed`.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self {
            Self::Created { .. } => "created",
            Self::FirstUsed { .. } => "first-used",
            Self::Refused { .. } => "refused",
            Self::Revoked { .. } => "revoked",
            Self::Pruned { .. } => "pruned",
            Self::Notified { .. } => "notified",
            Self::NotificationDead { .. } => "notice-dead",
            Self::OwnerChanged { .. } => "owner-changed",
            Self::Other { kind, .. } => kind.as_str(),
        }
    }
}

/// Takes audit events: a queue, a webhook, a log.
///
/// Every event goes to `tracing` (target `pat_core::event::trace`) anyway, and a store that has
/// [`TokenStore::audit`](crate::TokenStore::audit) keeps a row of it. Sinks are of two sorts:
///
/// - A **process sink**, without a [`name`](EventSink::name), gets the events of its own process as
///   they happen, from a queue of its own with room for [`QUEUE_LEN`] events. Delivery is best
///   effort: when the queue is full, or the process dies, events are lost to it; drops are counted
///   and logged.
/// - A **shared sink**, which has a name, gets the events of all nodes from the store, at least
///   once and in the order of [`EventRow::seq`]. One node at a time feeds it; its position is kept
///   in the store and moves only after success. An event that it does not take is offered again
///   until it takes it. One that is new begins with the oldest event that is kept. All nodes that run must be given the same shared sinks.
///
/// Each sink has a task of its own: one that is slow, fails or panics neither holds up a request
/// nor the other sinks.
///
/// ```
/// use async_trait::async_trait;
/// use pat_core::event::{Event, EventSink};
/// use pat_core::{BoxError, MemoryStore, Pats};
///
/// #[derive(Debug)]
/// struct Console;
///
/// #[async_trait]
/// impl EventSink for Console {
///     async fn record(&self, event: &Event) -> Result<(), BoxError> {
///         println!("{}: {}", event.at, event.kind.as_str());
///         Ok(())
///     }
/// }
///
/// let pats = Pats::builder(MemoryStore::default()).events(Console).build();
/// ```
#[async_trait]
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Returns the name under which the store keeps the position of a shared sink; `None` for a
    /// process sink.
    ///
    /// It is the sink's own among those that are plugged in and stays the same: 1 to 32 lower-case
    /// letters, digits and hyphens, such as `webhook`. A sink with another name, or with that of an
    /// earlier one, is fed as a process sink, and an error is logged.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Takes one event. Called for one event at a time, and given up after half a minute (two seconds while
    /// the process shuts down).
    ///
    /// # Errors
    /// The sink could not take it. The error is logged. A process sink is not offered the event
    /// again, a shared one is.
    async fn record(&self, event: &Event) -> Result<(), BoxError>;
}

/// A shared sink is a sink.
#[async_trait]
impl<T: EventSink + ?Sized> EventSink for Arc<T> {
    fn name(&self) -> Option<&str> {
        (**self).name()
    }

    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        (**self).record(event).await
    }
}
