use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::{Plugged, Queue, in_time};
use super::request::current_request_id;
use super::sampler::{Sampler, TokenSampler};
use super::trace::trace;
use super::{Event, EventKind, EventSink, QUEUE_LEN, record};
use crate::clock::Moment;
use crate::error::AuthError;
use crate::outage::Outages;
use crate::store::{AuditStore, StoreError};

/// How many refusals and first uses may wait to be stored.
const SAMPLES_LEN: usize = QUEUE_LEN;
/// How many of them one transaction stores.
const SAMPLES_BATCH: usize = 500;

/// Sends events to `tracing`, to process sinks, and to the store what goes with no change.
#[derive(Debug)]
pub(crate) struct Events {
    process_sinks: Vec<ProcessSink>,
    /// Fed from the store; see `jobs/feed.rs`.
    shared_sinks: Vec<Plugged>,
    /// Refusals and first uses, if the store keeps events.
    samples: Option<Queue>,
    /// Wakes whoever feeds the shared sinks.
    pub(crate) recorded: Notify,
    anonymous_refusals: [Sampler; 4],
    token_refusals: TokenSampler,
}

#[derive(Debug)]
struct ProcessSink {
    sink: Plugged,
    queue: Queue,
}

impl Events {
    /// `is_stored` says whether the store keeps events.
    pub(crate) fn new(sinks: Vec<Arc<dyn EventSink>>, is_stored: bool) -> Self {
        let mut names = HashSet::new();
        let plugged = (1..).zip(sinks);
        let (shared_sinks, process_sinks): (Vec<_>, Vec<_>) = plugged
            .map(|(number, sink)| Plugged { sink, number })
            .partition(|plugged| is_stored && is_shared(&*plugged.sink, &mut names));
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
        }
    }

    pub(crate) fn shared_sinks(&self) -> &[Plugged] {
        &self.shared_sinks
    }

    /// Tells of a change that is committed. Its row, where the store keeps events, was committed
    /// with it.
    pub(crate) fn emit_change(&self, at: Timestamp, kind: EventKind) {
        self.emit(at, kind);
        self.recorded.notify_one();
    }

    /// Tells of something that goes with no change, and has it stored when there is time.
    pub(crate) fn emit_sample(&self, at: Timestamp, kind: EventKind) {
        let event = self.emit(at, kind);
        if let Some(samples) = &self.samples
            && let Some(dropped) = samples.push(event)
        {
            tracing::warn!(
                dropped,
                "refusals and first uses come faster than they can be stored, or Pats::start was \
                 not called; some are missing in the audit"
            );
        }
    }

    fn emit(&self, at: Timestamp, kind: EventKind) -> Event {
        trace(&kind);
        let event = Event {
            request_id: current_request_id(),
            ..Event::new(at, kind)
        };
        for ProcessSink { sink, queue } in &self.process_sinks {
            if let Some(dropped) = queue.push(event.clone()) {
                tracing::warn!(
                    sink = sink.number,
                    dropped,
                    "an event sink is too slow, or Pats::start was not called; events are lost to it"
                );
            }
        }
        event
    }

    /// Reports what a load refused, or a string that needs no load to be refused.
    ///
    /// All refusals are sampled, so that a flood of requests costs no flood of events.
    pub(crate) fn emit_refusal(&self, now: Moment, error: &AuthError) {
        let at = now.timestamp();
        let [foreign, unknown, disabled, unavailable] = &self.anonymous_refusals;
        let unreported = match error {
            AuthError::Unrecognized => foreign.sample(at),
            AuthError::Unknown => unknown.sample(at),
            AuthError::Disabled => disabled.sample(at),
            AuthError::Unavailable(_) => unavailable.sample(at),
            AuthError::Revoked(token)
            | AuthError::Expired(token)
            | AuthError::OwnerGone(token)
            | AuthError::OwnerInactive(token) => self.token_refusals.sample(*token, now),
        };
        let Some(unreported) = unreported else { return };
        let kind = EventKind::Refused {
            reason: Cow::Borrowed(error.reason()),
            token: error.token_id(),
            unreported,
        };
        self.emit_sample(at, kind);
    }

    /// Reports a refusal that was found in the cache: of a known token the load has told already.
    pub(crate) fn emit_repeated_refusal(&self, now: Moment, error: &AuthError) {
        if error.token_id().is_none() {
            self.emit_refusal(now, error);
        }
    }

    /// How many process sinks there are.
    pub(crate) fn process_sinks(&self) -> usize {
        self.process_sinks.len()
    }

    /// Hands its events to a process sink: until `stop` as they come, then what is left.
    pub(crate) async fn deliver(&self, sink: usize, stop: &CancellationToken, outages: &Outages) {
        let ProcessSink { sink, queue } = &self.process_sinks[sink];
        let mut outlet = queue.open().await;
        while let [event] = outlet.next(1, stop).await {
            // What a sink of the process does not take is lost to it.
            drop(record(sink, event, stop, outages).await);
        }
    }

    /// Stores refusals and first uses: until `stop` as they come, then what is left. What is lost in
    /// an outage is told once that is over.
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

    /// Says which events are still undelivered when the process ends.
    pub(crate) fn report_undelivered(&self) {
        for ProcessSink { sink, queue } in &self.process_sinks {
            let events = queue.report_pending();
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

/// Whether a sink is fed from the store.
fn is_shared(sink: &dyn EventSink, names: &mut HashSet<String>) -> bool {
    let Some(name) = sink.name() else {
        return false;
    };
    if !is_sink_name(name) || !names.insert(name.to_owned()) {
        tracing::error!(
            ?sink,
            name,
            "the name of a shared event sink must be its own, of 1 to 32 lower-case letters, \
             digits and hyphens; this sink gets the events of this process only"
        );
        return false;
    }
    true
}

fn is_sink_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
}
