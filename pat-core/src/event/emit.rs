use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::{Plugged, Queue, in_time};
use super::sampler::{Sampler, TokenSampler};
use super::trace::trace;
use super::{Event, EventKind, EventSink, QUEUE_LEN, record};
use crate::client::Client;
use crate::clock::Moment;
use crate::error::AuthError;
use crate::metrics::Metrics;
use crate::outage::Outages;
use crate::store::{AuditStore, StoreError};

/// The capacity of the queue of refusals and first uses to be stored.
const SAMPLES_LEN: usize = QUEUE_LEN;
/// The most of them that one transaction stores.
const SAMPLES_BATCH: usize = 500;

/// Sends events to `tracing` and process sinks, and those without a change to the store.
#[derive(Debug)]
pub(crate) struct Events {
    process_sinks: Vec<ProcessSink>,
    /// Fed from the store; see `jobs/feed.rs`.
    shared_sinks: Vec<Plugged>,
    /// Refusals and first uses, if the store keeps events.
    samples: Option<Queue>,
    /// Wakes the task that feeds the shared sinks.
    pub(crate) recorded: Notify,
    anonymous_refusals: [Sampler; 4],
    token_refusals: TokenSampler,
    /// Whether events have the address of the client.
    keeps_addresses: bool,
}

#[derive(Debug)]
struct ProcessSink {
    sink: Plugged,
    queue: Queue,
}

impl Events {
    /// `is_stored`: the store keeps events.
    pub(crate) fn new(
        sinks: Vec<Arc<dyn EventSink>>,
        is_stored: bool,
        keeps_addresses: bool,
    ) -> Self {
        let mut names = HashSet::new();
        let plugged = (1..).zip(sinks);
        let (shared_sinks, process_sinks): (Vec<_>, Vec<_>) = plugged
            .map(|(number, sink)| Plugged { sink, number })
            .partition(|plugged| is_stored && is_shared(&*plugged.sink, &mut names));
        for Plugged { sink, .. } in &shared_sinks {
            // From the beginning, so that no increase is hidden.
            Metrics::events_missed(sink.name().unwrap_or_default(), 0);
        }
        let process_sink = |sink| ProcessSink {
            sink,
            queue: Queue::new(QUEUE_LEN),
        };
        Self {
            process_sinks: process_sinks.into_iter().map(process_sink).collect(),
            shared_sinks,
            samples: is_stored.then(|| Queue::new(SAMPLES_LEN)),
            recorded: Notify::new(),
            anonymous_refusals: Default::default(),
            token_refusals: TokenSampler::default(),
            keeps_addresses,
        }
    }

    pub(crate) fn shared_sinks(&self) -> &[Plugged] {
        &self.shared_sinks
    }

    /// Emits the event of a committed change. A store that keeps events has committed its row too.
    /// `name`: that of the token, if it is about one.
    pub(crate) fn emit_change(&self, at: Timestamp, kind: EventKind, name: Option<&str>) {
        let client = Client::current();
        self.emit(at, kind, name, client);
        self.recorded.notify_one();
    }

    /// Emits an event without a change, and queues it for the store.
    pub(crate) fn emit_sample(
        &self,
        at: Timestamp,
        kind: EventKind,
        name: Option<&str>,
        client: Client,
    ) {
        let event = self.emit(at, kind, name, client);
        let dropped = self.samples.as_ref().and_then(|it| it.push(event));
        if let Some(dropped) = dropped {
            tracing::warn!(
                dropped,
                "refusals and first uses come faster than they can be stored, or Pats::start was \
                 not called; some are missing in the audit"
            );
        }
    }

    fn emit(&self, at: Timestamp, kind: EventKind, name: Option<&str>, client: Client) -> Event {
        let client = if self.keeps_addresses {
            client
        } else {
            client.without_address()
        };
        let event = Event {
            row: None,
            at,
            client,
            token_name: name.or(only_name(&kind)).map(Arc::from),
            kind,
        };
        trace(&event);
        Metrics::changed(&event.kind);
        for ProcessSink { sink, queue } in &self.process_sinks {
            if let Some(dropped) = queue.push(event.clone()) {
                tracing::warn!(
                    sink = sink.number,
                    dropped,
                    "an event sink is too slow, or Pats::start was not called; the sink loses events"
                );
            }
        }
        event
    }

    /// Emits the refusal of a load, or of a string that is refused without one.
    ///
    /// All refusals are sampled, so that a flood of requests does not cause a flood of events.
    ///
    /// `client` is called only for a refusal that becomes an event.
    pub(crate) fn emit_refusal(
        &self,
        now: Moment,
        error: &AuthError,
        name: Option<&str>,
        client: impl FnOnce() -> Client,
    ) {
        let at = now.timestamp();
        let [foreign, unknown, disabled, unavailable] = &self.anonymous_refusals;
        let unreported = match error {
            AuthError::Unrecognized => foreign.sample(at),
            AuthError::Unknown => unknown.sample(at),
            AuthError::Disabled => disabled.sample(at),
            AuthError::Unavailable(_) => unavailable.sample(at),
            AuthError::Revoked(token)
            | AuthError::Expired(token)
            | AuthError::TokenDisabled(token)
            | AuthError::OwnerAbsent(token)
            | AuthError::OwnerGone(token)
            | AuthError::OwnerInactive(token) => self.token_refusals.sample(*token, now),
        };
        let Some(unreported) = unreported else { return };
        let kind = EventKind::Refused {
            reason: Cow::Borrowed(error.reason()),
            token: error.token_id(),
            unreported,
        };
        self.emit_sample(at, kind, name, client());
    }

    /// Emits a refusal found in the cache; not that of a known token, which the load has emitted.
    pub(crate) fn emit_repeated_refusal(
        &self,
        now: Moment,
        error: &AuthError,
        client: impl FnOnce() -> Client,
    ) {
        if error.token_id().is_none() {
            self.emit_refusal(now, error, None, client);
        }
    }

    /// Returns the number of process sinks.
    pub(crate) fn process_sinks(&self) -> usize {
        self.process_sinks.len()
    }

    /// Delivers events to a process sink as they come; after `stop`, delivers the rest and returns.
    pub(crate) async fn deliver(&self, sink: usize, stop: &CancellationToken, outages: &Outages) {
        let ProcessSink { sink, queue } = &self.process_sinks[sink];
        let mut outlet = queue.open().await;
        while let [event] = outlet.next(1, stop).await {
            // A process sink is not offered an event again.
            drop(record(sink, event, stop, outages).await);
        }
    }

    /// Stores refusals and first uses as they come; after `stop`, stores the rest and returns. Logs
    /// the number lost in an outage when it is over.
    pub(crate) async fn store_samples(
        &self,
        store: &dyn AuditStore,
        stop: &CancellationToken,
        outages: &Outages,
    ) {
        let Some(samples) = &self.samples else { return };
        let mut outlet = samples.open().await;
        let mut lost = 0;
        loop {
            let events = outlet.next(SAMPLES_BATCH, stop).await;
            if events.is_empty() {
                break;
            }
            let stored = in_time(store.record_events(events), stop).await;
            let stored = stored.unwrap_or(Err(StoreError::Timeout));
            outages.store_said(&stored);
            if stored.is_ok() {
                self.recorded.notify_one();
                report_lost(std::mem::take(&mut lost));
            } else {
                let count = events.len() as u64;
                lost += count;
                samples.drop_events(count);
            }
        }
        report_lost(lost);
    }

    /// Logs the events that are undelivered when the process ends, and returns how many they are.
    pub(crate) fn report_undelivered(&self) -> u64 {
        let mut undelivered = 0;
        for ProcessSink { sink, queue } in &self.process_sinks {
            let events = queue.report_pending();
            undelivered += events;
            if events > 0 {
                tracing::error!(
                    sink = sink.number,
                    events,
                    "the shutdown leaves audit events undelivered"
                );
            }
        }
        let events = self.samples.as_ref().map_or(0, Queue::report_pending);
        if events > 0 {
            tracing::error!(
                events,
                "the shutdown leaves refusals and first uses unstored"
            );
        }
        undelivered + events
    }
}

/// Returns the name of the token that a revocation of one token is about.
fn only_name(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::Revoked { tokens, .. } => match &tokens[..] {
            [only] => only.name.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

fn report_lost(events: u64) {
    if events > 0 {
        tracing::warn!(
            events,
            "refusals and first uses could not be stored and are missing in the audit"
        );
    }
}

/// Returns whether a sink is fed from the store.
fn is_shared(sink: &dyn EventSink, names: &mut HashSet<String>) -> bool {
    let Some(name) = sink.name() else {
        return false;
    };
    if !is_sink_name(name) || !names.insert(name.to_owned()) {
        tracing::error!(
            ?sink,
            name,
            "the name of a shared event sink must be unique and have 1 to 32 lower-case letters, \
             digits and hyphens; this sink gets only the events of this process"
        );
        return false;
    }
    true
}

fn is_sink_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
}
