//! Audit events: what happened to tokens, for whoever must be able to tell afterwards.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::notice::{NoticeId, NoticeKind};
use crate::outage::{Cause, Outages};
use crate::store::RevokedToken;
use crate::{AuthError, BoxError, Owner, TokenId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
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
        /// A fixed name; see [`AuthError::reason`].
        reason: &'static str,
        /// The token, where it is known: one event each time the token is looked up, which is at
        /// most every ten seconds on each node. For strings that are no token of ours, and for
        /// unknown ones, one event a second stands for all.
        token: Option<TokenId>,
        /// How many refusals for the same reason went before without an event.
        unreported: u64,
    },
    /// Tokens were revoked, in one transaction.
    Revoked {
        /// Which, and whose they were; at least one.
        tokens: Vec<RevokedToken>,
        /// Who revoked it; `None` when the host did.
        by: Option<Owner>,
        /// Why, in the revoker's words.
        reason: Option<String>,
    },
    /// An old token was deleted: it had expired, or been revoked, more than
    /// `atlassian.pats.pruning.delay.days` ago.
    Pruned {
        /// The token.
        token: TokenId,
        /// Whose it was.
        owner: Owner,
    },
    /// An owner was notified.
    Notified {
        /// The notice.
        notice: NoticeId,
        /// What it told.
        kind: NoticeKind,
        /// Whom it told.
        owner: Owner,
        /// Of which tokens.
        tokens: Vec<TokenId>,
    },
    /// A notice could not be sent, and is not tried again unless somebody says so
    /// ([`Pats::requeue_notice`](crate::Pats::requeue_notice)).
    NoticeDead {
        /// The notice.
        notice: NoticeId,
        /// What it should tell.
        kind: NoticeKind,
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
}

impl EventKind {
    /// A fixed name, for tables, files and metrics: `created`, `first-used`, `refused`, `revoked`,
    /// `pruned`, `notified`, `notice-dead` or `owner-changed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::FirstUsed { .. } => "first-used",
            Self::Refused { .. } => "refused",
            Self::Revoked { .. } => "revoked",
            Self::Pruned { .. } => "pruned",
            Self::Notified { .. } => "notified",
            Self::NoticeDead { .. } => "notice-dead",
            Self::OwnerChanged { .. } => "owner-changed",
        }
    }
}

/// Takes audit events: a table, a queue, a webhook.
///
/// Every event goes to `tracing` (target `pat_core::event`) anyway. Each sink has a queue of its
/// own with room for [`QUEUE_LEN`] events: a slow or failing sink neither holds up a request nor
/// silences the others. When its queue is full, events for it are dropped, counted and reported.
#[async_trait]
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Takes one event. Called for one event at a time, in the order in which they happened.
    ///
    /// # Errors
    /// The sink could not take it. The error is logged and the event is not offered again.
    async fn record(&self, event: &Event) -> Result<(), BoxError>;
}

/// A shared sink is a sink.
#[async_trait]
impl<T: EventSink + ?Sized> EventSink for Arc<T> {
    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        (**self).record(event).await
    }
}

/// How many tokens of a revocation get a line of their own in the log; sinks get all.
const MOST_TRACED: usize = 100;
/// How many events may wait for one sink.
pub const QUEUE_LEN: usize = 1024;

/// Sends events to `tracing` and to every sink.
#[derive(Debug)]
pub(crate) struct Events {
    sinks: Vec<Queue>,
    anonymous_refusals: [Sampler; 2],
}

#[derive(Debug)]
struct Queue {
    sink: Arc<dyn EventSink>,
    /// Which one it is among those that are plugged in, from 1 on.
    number: usize,
    sender: mpsc::Sender<Event>,
    /// Taken by the delivery job while it runs.
    receiver: Mutex<mpsc::Receiver<Event>>,
    dropped: AtomicU64,
}

impl Events {
    pub(crate) fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        let queue = |(number, sink)| {
            let (sender, receiver) = mpsc::channel(QUEUE_LEN);
            Queue {
                sink,
                number,
                sender,
                receiver: Mutex::new(receiver),
                dropped: AtomicU64::new(0),
            }
        };
        Self {
            sinks: (1..).zip(sinks).map(queue).collect(),
            anonymous_refusals: Default::default(),
        }
    }

    pub(crate) fn emit(&self, at: Timestamp, kind: EventKind) {
        trace(&kind);
        let event = Event { at, kind };
        for queue in &self.sinks {
            if queue.sender.try_send(event.clone()).is_err() {
                queue.report_drop();
            }
        }
    }

    /// Reports what a load refused, or a string that needs no load to be refused.
    ///
    /// Strings that are no token of ours and unknown tokens are sampled, so that a flood of junk
    /// costs no flood of events.
    pub(crate) fn emit_refusal(&self, at: Timestamp, error: &AuthError) {
        let sampler = match error {
            AuthError::Foreign => Some(&self.anonymous_refusals[0]),
            AuthError::Unknown => Some(&self.anonymous_refusals[1]),
            _ => None,
        };
        let unreported = match sampler.map(|sampler| sampler.sample(at)) {
            None => 0,
            Some(Some(unreported)) => unreported,
            Some(None) => return,
        };
        let kind = EventKind::Refused {
            reason: error.reason(),
            token: error.token_id(),
            unreported,
        };
        self.emit(at, kind);
    }

    /// Reports a refusal that was found in the cache: of a known token the load has told already.
    pub(crate) fn emit_repeated_refusal(&self, at: Timestamp, error: &AuthError) {
        if error.token_id().is_none() {
            self.emit_refusal(at, error);
        }
    }

    /// Hands queued events to the sinks until `stop`, then what is still queued.
    pub(crate) async fn deliver(&self, stop: &CancellationToken, outages: &Outages) {
        let queues = self.sinks.iter();
        let deliveries = queues.map(|queue| queue.deliver(stop, outages));
        futures_util::future::join_all(deliveries).await;
    }
}

impl Queue {
    async fn deliver(&self, stop: &CancellationToken, outages: &Outages) {
        let mut receiver = self.receiver.lock().await;
        while let Some(Some(event)) = stop.run_until_cancelled(receiver.recv()).await {
            self.record(&event, outages).await;
        }
        while let Ok(event) = receiver.try_recv() {
            self.record(&event, outages).await;
        }
    }

    /// Offers an event to the sink. One that it does not take is lost to it.
    async fn record(&self, event: &Event, outages: &Outages) {
        let cause = Cause::Sink(self.number);
        match self.sink.record(event).await {
            Ok(()) => outages.works(&cause),
            Err(error) => outages.failed(cause, &*error),
        }
    }

    fn report_drop(&self) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        // At 1, 2, 4, 8, …: often enough to notice, seldom enough not to flood.
        if dropped.is_power_of_two() {
            tracing::warn!(
                sink = self.number,
                dropped,
                "an event sink is too slow, or Pats::start was not called; events are dropped"
            );
        }
    }
}

/// Lets one through each second and counts the rest.
#[derive(Debug, Default)]
struct Sampler {
    second: AtomicI64,
    unreported: AtomicU64,
}

impl Sampler {
    /// How many were held back since the last one, if this one is to be reported.
    fn sample(&self, at: Timestamp) -> Option<u64> {
        if self.second.swap(at.as_second(), Ordering::Relaxed) == at.as_second() {
            self.unreported.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unreported.swap(0, Ordering::Relaxed))
    }
}

fn trace(kind: &EventKind) {
    match kind {
        EventKind::Created {
            token,
            owner,
            parent,
            ..
        } => tracing::info!(
            token.id = token.get(), %owner, parent = parent.map(TokenId::get), "token created"
        ),
        EventKind::FirstUsed { token, owner } => {
            tracing::info!(token.id = token.get(), %owner, "token used for the first time");
        }
        EventKind::Refused {
            reason,
            token,
            unreported,
        } => tracing::debug!(
            reason,
            token.id = token.map(TokenId::get),
            unreported,
            "token refused"
        ),
        EventKind::Revoked { tokens, by, .. } => trace_revoked(tokens, by.as_ref()),
        EventKind::Pruned { token, owner } => {
            tracing::debug!(token.id = token.get(), %owner, "token pruned");
        }
        EventKind::Notified {
            notice,
            kind,
            owner,
            tokens,
        } => tracing::info!(
            notice.id = %notice, %kind, %owner, tokens = tokens.len(), "owner notified"
        ),
        EventKind::NoticeDead {
            notice,
            kind,
            owner,
            error,
        } => tracing::error!(notice.id = %notice, %kind, %owner, error, "a notice cannot be sent"),
        EventKind::OwnerChanged { owner } => tracing::info!(%owner, "owner changed"),
    }
}

fn trace_revoked(tokens: &[RevokedToken], by: Option<&Owner>) {
    let by = by.map(Owner::as_str);
    for RevokedToken { id, owner } in tokens.iter().take(MOST_TRACED) {
        tracing::info!(token.id = id.get(), %owner, by, "token revoked");
    }
    if tokens.len() > MOST_TRACED {
        tracing::info!(
            tokens = tokens.len(),
            by,
            "more tokens were revoked with these"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_lets_one_a_second_through_and_counts_the_rest() {
        let sampler = Sampler::default();
        let second = |n| Timestamp::from_second(n).expect("date");
        assert_eq!(sampler.sample(second(1)), Some(0));
        assert_eq!(sampler.sample(second(1)), None);
        assert_eq!(sampler.sample(second(1)), None);
        assert_eq!(sampler.sample(second(2)), Some(2));
        assert_eq!(sampler.sample(second(3)), Some(0));
    }
}
