//! Audit events, which record the creation, use, refusal, revocation and deletion of tokens, and the port
//! that receives them ([`EventSink`]).

mod emit;
mod queue;
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
use crate::client::Client;
use crate::error::BoxError;
use crate::notification::{NotificationId, NotificationKind};
use crate::scope::Scopes;
use crate::store::{ImportedToken, Outcome, PrunedToken, QueuedNotification, RevokedToken};
use crate::token::{Owner, TokenId};

/// An audit event: what happened to a token or an owner, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Identity and position of the event in the store. `None` for an event that does not come from the
    /// store, such as those that a process sink ([`EventSink`]) gets.
    pub row: Option<EventRow>,
    /// When the event happened: for a change, the time of the store's transaction.
    pub at: Timestamp,
    /// The client whose request caused the event. Nothing is known of the client of an event that a job caused,
    /// or a version of this crate that did not store it.
    pub client: Client,
    /// Name of the token that the event is about, as it was when the event was emitted or read from the store;
    /// `None` if the event is about no or several tokens, or the token is deleted.
    pub token_name: Option<Arc<str>>,
    /// What happened, with the details.
    pub kind: EventKind,
}

impl Event {
    /// Creates an event that is not stored yet, without the name of a token. Its client is that of the current
    /// task ([`Client::current`]).
    #[must_use]
    pub fn new(at: Timestamp, kind: EventKind) -> Self {
        Self {
            row: None,
            at,
            client: Client::current(),
            token_name: None,
            kind,
        }
    }
}

/// The row of an event in the store: an ID, and the event's place in the order in which shared sinks
/// ([`EventSink`]) and administrators ([`Administration::events`](crate::Administration::events)) get the
/// events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRow {
    /// Unique random number of the event, 0 to 2⁵³ − 1, which the store draws when it writes the event. It is
    /// the same each time the event is delivered, so a receiver can skip duplicates.
    pub id: i64,
    /// Position of the event, from 1; in a [history](crate::Pats::history) 0 for an event that has none yet. The store
    /// assigns it after the event is committed, so a reader that
    /// continues after the greatest `seq` it has read misses no event.
    pub seq: u64,
}

impl EventRow {
    /// Creates the identity and position of a stored event.
    #[must_use]
    pub const fn new(id: i64, seq: u64) -> Self {
        Self { id, seq }
    }
}

/// The position of an event in the history of a token ([`Pats::history`](crate::Pats::history)). A history begins
/// with the greatest position.
///
/// This struct is exhaustive: its two fields decide the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPosition {
    /// When the event happened.
    pub at: Timestamp,
    /// The ID of the event ([`EventRow::id`]), which decides between events of the same time.
    pub id: i64,
}

impl HistoryPosition {
    /// Creates the position of the event with this time and ID.
    #[must_use]
    pub const fn new(at: Timestamp, id: i64) -> Self {
        Self { at, id }
    }

    /// Returns the position of a stored event; `None` for one that is not stored.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let (at, row) = (event.at, event.row?);
        Some(Self { at, id: row.id })
    }
}

/// What happened, with the details: the kind of an audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was created.
    Created {
        /// ID of the new token.
        token: TokenId,
        /// Owner of the new token.
        owner: Owner,
        /// When the new token expires; `None` if it never expires.
        expires_at: Option<Timestamp>,
        /// ID of the token that authenticated the creation of the new one; `None` if the user signed in
        /// otherwise.
        parent: Option<TokenId>,
        /// Scopes of the new token; `None` if it is unrestricted.
        scopes: Option<Scopes>,
    },
    /// Tokens of another table were stored in one transaction ([`Pats::import`](crate::Pats::import)). The store keeps
    /// one event for each token.
    Imported {
        /// The imported tokens; at least one.
        tokens: Vec<ImportedToken>,
    },
    /// A token was replaced by a new one.
    Rotated {
        /// ID of the new token.
        token: TokenId,
        /// ID of the replaced token.
        predecessor: TokenId,
        /// Owner of both tokens.
        owner: Owner,
        /// When the new token expires; `None` if it never expires.
        expires_at: Option<Timestamp>,
        /// The tokens whose end has become earlier: the replaced one, or those that earlier rotations of the
        /// same token had created.
        ends: Vec<TokenId>,
        /// When the replaced token ends. The tokens in `ends` end then at the latest. `None` for an event of an
        /// older version.
        ends_at: Option<Timestamp>,
        /// Whether the token had been replaced before.
        is_again: bool,
    },
    /// A token authenticated its first request. Several nodes may emit this event for one token: each node
    /// that loads the token before another node has written the first use to the store.
    FirstUsed {
        /// ID of the used token.
        token: TokenId,
        /// Owner of the used token.
        owner: Owner,
    },
    /// A presented token was refused. A node emits this event at most once in ten seconds for each token that
    /// the store has. For refusals without such a token, a node emits it at most once a second for each
    /// [reason](crate::AuthError::reason).
    Refused {
        /// Fixed name of the reason, such as `expired`; see
        /// [`AuthError::reason`](crate::AuthError::reason).
        reason: Cow<'static, str>,
        /// ID of the refused token; `None` if the token is unknown or was not looked up.
        token: Option<TokenId>,
        /// How many refusals the node left out since its last event for the same token; or, if `token` is
        /// `None`, since its last event without a token for the same reason.
        unreported: u64,
    },
    /// Tokens were revoked in one transaction. A process sink ([`EventSink`]) gets one event about all of them.
    /// The store keeps one event for each token, so a shared sink gets one event for each.
    Revoked {
        /// The revoked tokens; at least one.
        tokens: Vec<RevokedToken>,
        /// The owner or administrator who revoked the tokens. `None` if no user did: after
        /// [`Pats::user_deleted`](crate::Pats::user_deleted), or if the pruning job found that the owner is
        /// missing from the directory.
        by: Option<Owner>,
        /// Reason for the revocation; `None` if none was given.
        reason: Option<String>,
        /// Random number of the revocation, 0 to 2⁵³ − 1, which the events of all its tokens have in common; `None`
        /// for an event of an older version.
        revocation: Option<i64>,
    },
    /// Tokens were disabled in one transaction: one token, and those that it replaced. The store keeps one event for
    /// each token.
    Disabled {
        /// IDs of the disabled tokens; at least one.
        tokens: Vec<TokenId>,
        /// Owner of the disabled tokens.
        owner: Owner,
        /// The owner or administrator who disabled the tokens.
        by: Owner,
    },
    /// Tokens were enabled in one transaction: one token, and those that were disabled with it. The store keeps one
    /// event for each token.
    Enabled {
        /// IDs of the enabled tokens; at least one.
        tokens: Vec<TokenId>,
        /// Owner of the enabled tokens.
        owner: Owner,
        /// The owner or administrator who enabled the tokens.
        by: Owner,
    },
    /// The name or the description of a token was changed; or, after the database was restored from a backup, its
    /// end was made earlier again ([`Pats::after_restore`](crate::Pats::after_restore)).
    Changed {
        /// ID of the changed token.
        token: TokenId,
        /// Owner of the changed token.
        owner: Owner,
        /// The owner or administrator who changed the token. For an earlier end, the owner, who had replaced it.
        by: Owner,
    },
    /// Tokens were deleted in one transaction, because they had expired or been revoked for longer than the
    /// setting `atlassian.pats.pruning.delay.days` (by default 30 days). The store keeps one event for each
    /// token.
    Pruned {
        /// The deleted tokens; at least one.
        tokens: Vec<PrunedToken>,
    },
    /// A notification was sent to an owner. The store keeps one event for each token of the notification.
    Notified {
        /// ID of the notification.
        notification: NotificationId,
        /// What the owner was notified of.
        kind: NotificationKind,
        /// The owner who was notified.
        owner: Owner,
        /// IDs of the tokens that the notification was about; at least one.
        tokens: Vec<TokenId>,
    },
    /// A notification could not be sent, and is not tried again unless it is requeued
    /// ([`Pats::requeue_notification`](crate::Pats::requeue_notification)).
    NotificationDead {
        /// ID of the notification.
        notification: NotificationId,
        /// What the owner was to be notified of.
        kind: NotificationKind,
        /// The owner who was to be notified.
        owner: Owner,
        /// Why the last attempt to send the notification failed.
        error: String,
    },
    /// The host reported that a user has changed or was deleted ([`Pats::user_changed`](crate::Pats::user_changed),
    /// [`Pats::user_deleted`](crate::Pats::user_deleted)); all nodes look up the user's tokens again.
    OwnerChanged {
        /// The user who has changed.
        owner: Owner,
    },
    /// A stored event of a kind that only newer versions of this crate know.
    Other {
        /// Name of the kind, as the newer version stored it.
        kind: String,
        /// ID of the token that the event is about; `None` if it is about no single token.
        token: Option<TokenId>,
        /// The owner whom the event is about; `None` if it is about no owner.
        owner: Option<Owner>,
    },
}

impl EventKind {
    /// Splits an event about several tokens into one event for each token, as stores keep them. Returns
    /// other events unchanged.
    #[must_use]
    pub fn per_token(self) -> Vec<Self> {
        match self {
            Self::Revoked {
                tokens,
                by,
                reason,
                revocation,
            } => {
                let revoked = tokens.into_iter().map(|token| Self::Revoked {
                    tokens: vec![token],
                    by: by.clone(),
                    reason: reason.clone(),
                    revocation,
                });
                revoked.collect()
            }
            Self::Disabled { tokens, owner, by } => {
                let disabled = tokens.into_iter().map(|token| Self::Disabled {
                    tokens: vec![token],
                    owner: owner.clone(),
                    by: by.clone(),
                });
                disabled.collect()
            }
            Self::Enabled { tokens, owner, by } => {
                let enabled = tokens.into_iter().map(|token| Self::Enabled {
                    tokens: vec![token],
                    owner: owner.clone(),
                    by: by.clone(),
                });
                enabled.collect()
            }
            Self::Imported { tokens } => {
                let imported = tokens.into_iter().map(|token| Self::Imported {
                    tokens: vec![token],
                });
                imported.collect()
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

    /// Returns the event that a store records when the attempt to send the notification `queued` has ended
    /// with `outcome`: [`EventKind::Notified`] for [`Outcome::Sent`], [`EventKind::NotificationDead`] for
    /// [`Outcome::Dead`], and `None` for other outcomes.
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

    /// Returns whether the event is about this token: whether a field says that it happened to the token, which also
    /// a replacement by a new one did. An event about the token's parent or owner alone is not about the token.
    #[must_use]
    pub fn is_about(&self, id: TokenId) -> bool {
        match self {
            Self::Created { token, .. }
            | Self::FirstUsed { token, .. }
            | Self::Changed { token, .. } => *token == id,
            Self::Rotated {
                token, predecessor, ..
            } => [*token, *predecessor].contains(&id),
            Self::Refused { token, .. } | Self::Other { token, .. } => *token == Some(id),
            Self::Imported { tokens } => tokens.iter().any(|token| token.id == id),
            Self::Revoked { tokens, .. } => tokens.iter().any(|token| token.id == id),
            Self::Pruned { tokens } => tokens.iter().any(|token| token.id == id),
            Self::Disabled { tokens, .. }
            | Self::Enabled { tokens, .. }
            | Self::Notified { tokens, .. } => tokens.contains(&id),
            Self::NotificationDead { .. } | Self::OwnerChanged { .. } => false,
        }
    }

    /// Returns the ID of the token that the event is about; `None` if it is about no or several tokens.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        let only = |tokens: &[TokenId]| match tokens {
            [only] => Some(*only),
            _ => None,
        };
        match self {
            Self::Created { token, .. }
            | Self::Rotated { token, .. }
            | Self::FirstUsed { token, .. }
            | Self::Changed { token, .. } => Some(*token),
            Self::Refused { token, .. } | Self::Other { token, .. } => *token,
            Self::Disabled { tokens, .. }
            | Self::Enabled { tokens, .. }
            | Self::Notified { tokens, .. } => only(tokens),
            Self::Revoked { tokens, .. } => match &tokens[..] {
                [only] => Some(only.id),
                _ => None,
            },
            Self::Imported { tokens } => match &tokens[..] {
                [only] => Some(only.id),
                _ => None,
            },
            Self::Pruned { tokens } => match &tokens[..] {
                [only] => Some(only.id),
                _ => None,
            },
            Self::NotificationDead { .. } | Self::OwnerChanged { .. } => None,
        }
    }

    /// Returns the fixed name of the kind for tables, files and metrics: `created`, `imported`, `rotated`,
    /// `first-used`, `refused`, `revoked`, `disabled`, `enabled`, `changed`, `pruned`, `notified`, `notice-dead` or
    /// `owner-changed`. For [`EventKind::Other`], returns its field `kind`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created { .. } => "created",
            Self::Imported { .. } => "imported",
            Self::Rotated { .. } => "rotated",
            Self::FirstUsed { .. } => "first-used",
            Self::Refused { .. } => "refused",
            Self::Revoked { .. } => "revoked",
            Self::Disabled { .. } => "disabled",
            Self::Enabled { .. } => "enabled",
            Self::Changed { .. } => "changed",
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
/// use pat_core::async_trait;
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
    /// Returns the name under which the store keeps the position of a shared sink. `None`, which is the
    /// default, makes the sink a process sink.
    ///
    /// The name must be unique and never change: 1 to 32 lower-case letters, digits and hyphens, such
    /// as `webhook`. A sink with any other name, or with the name of a sink that was added before, becomes a
    /// process sink, and an error is logged.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Receives one event. The service calls this method for one event at a time.
    ///
    /// # Errors
    /// The implementation may return any error, if it could not receive the event. The error is logged. A
    /// shared sink gets the event again, a process sink does not. The service cancels a call after 30 seconds
    /// (2 seconds during shutdown), and then treats it as failed.
    async fn record(&self, event: &Event) -> Result<(), BoxError>;
}
