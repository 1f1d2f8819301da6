//! Audit events: a record of the creation, use, refusal, revocation and deletion of tokens.

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

/// An audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The event's row in the store; `None` for an event that a process sink gets.
    pub row: Option<EventRow>,
    /// When it happened.
    pub at: Timestamp,
    /// The ID of the HTTP request that caused it ([`with_request_id`]). Not stored, so `None` for an
    /// event from the store.
    pub request_id: Option<Arc<str>>,
    /// What happened.
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

/// The identity and position of a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRow {
    /// The row's unique random number, 0 to 2⁵³ − 1. It is the same each time the event is delivered,
    /// so a consumer can skip duplicates.
    pub id: i64,
    /// The row's position in the order in which sinks get the events, from 1. Assigned after the
    /// row is committed, so a reader that continues after a `seq` misses none.
    pub seq: u64,
}

impl EventRow {
    /// Creates the identity of a row.
    #[must_use]
    pub const fn new(id: i64, seq: u64) -> Self {
        Self { id, seq }
    }
}

/// The kind of an audit event, with its details.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was created.
    Created {
        /// The new token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// When it expires; `None` for never.
        expires_at: Option<Timestamp>,
        /// The token that authenticated its creation, if one did.
        parent: Option<TokenId>,
    },
    /// A token authenticated its first request. Each node that loads the token before its first use
    /// is written emits this event, so there may be several.
    FirstUsed {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
    },
    /// A presented token was refused.
    Refused {
        /// The fixed name of the reason; see [`AuthError::reason`](crate::AuthError::reason).
        reason: Cow<'static, str>,
        /// The token, if known. Each node emits at most one event every ten seconds for a known
        /// token, and one a second for each reason without a known token.
        token: Option<TokenId>,
        /// How many refusals of the same token, or without a known token for the same reason, had
        /// no event since the last one.
        unreported: u64,
    },
    /// Tokens were revoked in one transaction. The store has a row for each token, so a shared sink
    /// gets an event for each.
    Revoked {
        /// The tokens; at least one.
        tokens: Vec<RevokedToken>,
        /// The user who revoked them; `None` for the host.
        by: Option<Owner>,
        /// The reason that this user gave.
        reason: Option<String>,
    },
    /// Tokens were deleted in one transaction, `atlassian.pats.pruning.delay.days` after they expired or
    /// were revoked. The store has a row for each token.
    Pruned {
        /// The tokens; at least one.
        tokens: Vec<PrunedToken>,
    },
    /// An owner was notified. The store has a row for each token of the notification.
    Notified {
        /// The notification.
        notification: NotificationId,
        /// The event that it is about.
        kind: NotificationKind,
        /// The owner.
        owner: Owner,
        /// The tokens that it is about.
        tokens: Vec<TokenId>,
    },
    /// A notification could not be sent, and is not tried again unless it is requeued
    /// ([`Pats::requeue_notification`](crate::Pats::requeue_notification)).
    NotificationDead {
        /// The notification.
        notification: NotificationId,
        /// The event that it is about.
        kind: NotificationKind,
        /// The owner who was to be notified.
        owner: Owner,
        /// The last error.
        error: String,
    },
    /// The host reported a change of an owner; all nodes reload that owner's tokens.
    OwnerChanged {
        /// The owner.
        owner: Owner,
    },
    /// A stored event of a kind that only newer versions know.
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
    /// Splits an event of several tokens into one for each, as stores keep them.
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

    /// Returns the event of a settled notification: [`EventKind::Notified`] if it was sent,
    /// [`EventKind::NotificationDead`] if it cannot be; `None` for other outcomes.
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

    /// Returns the fixed name for tables, files and metrics: `created`, `first-used`, `refused`,
    /// `revoked`, `pruned`, `notified`, `notice-dead` or `owner-changed`; that of
    /// [`EventKind::Other`] is its `kind`.
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

/// A receiver of audit events: a queue, a webhook, a log.
///
/// Each event is also logged through `tracing` (target `pat_core::event::trace`), and a store with
/// [`TokenStore::audit`](crate::store::TokenStore::audit) keeps it. There are two kinds of sinks:
///
/// - A **process sink**, without a [`name`](EventSink::name), gets the events of its process as they
///   happen, through a queue for [`QUEUE_LEN`] events. Delivery is best effort: events are lost when
///   the queue is full or the process dies. Dropped events are counted and logged.
/// - A **shared sink**, with a name, gets the events of all nodes from the store, at least once and in
///   the order of [`EventRow::seq`], starting with the oldest stored event. One node at a time feeds
///   it, and offers an event again until the sink accepts it. The sink's position is stored. All nodes
///   must have the same shared sinks.
///
/// Each sink has its own task: a slow, failing or panicking sink delays neither requests nor other
/// sinks.
///
/// ```
/// use std::sync::Arc;
///
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
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).events(Arc::new(Console)).build();
/// ```
#[async_trait]
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Returns the name under which the store keeps the position of a shared sink; `None` for a
    /// process sink.
    ///
    /// The name must be unique and never change: 1 to 32 lower-case letters, digits and hyphens, such
    /// as `webhook`. A sink with another name, or with that of an earlier sink, becomes a process sink,
    /// and an error is logged.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Receives one event. Called for one event at a time, and cancelled after 30 seconds (2 seconds
    /// during shutdown).
    ///
    /// # Errors
    /// Any error of the sink. It is logged; a shared sink gets the event again, a process sink does
    /// not.
    async fn record(&self, event: &Event) -> Result<(), BoxError>;
}
