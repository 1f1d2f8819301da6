use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Event, EventSink};
use crate::error::BoxError;
use crate::metrics::Metrics;
use crate::outage::{Cause, Outages};

/// How many events the queue of a process sink ([`EventSink`]) holds. When it is full, further events are
/// dropped.
pub const QUEUE_LEN: usize = 1024;
/// How long a sink may take for one event, and the store for a batch.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same during shutdown.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// A bounded queue of events in memory.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<Event>,
    /// Locked by the task that delivers the events.
    receiver: Mutex<mpsc::Receiver<Event>>,
    /// How many events are queued or being delivered.
    pending: AtomicU64,
    dropped: AtomicU64,
}

impl Queue {
    pub(super) fn new(len: usize) -> Self {
        let (sender, receiver) = mpsc::channel(len);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            pending: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Queues an event. If the queue is full, drops it, and returns the number dropped so far if that
    /// is to be logged.
    pub(super) fn push(&self, event: Event) -> Option<u64> {
        // First, since the event may be delivered before this continues.
        self.pending.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(event).is_ok() {
            return None;
        }
        self.settle(1);
        self.drop_events(1)
    }

    /// Counts lost events; returns the number lost so far if it is to be logged.
    pub(super) fn drop_events(&self, count: u64) -> Option<u64> {
        Metrics::events_dropped(count);
        let before = self.dropped.fetch_add(count, Ordering::Relaxed);
        // Logged at 1, 2, 4, 8, …
        let is_worth_a_line = before.checked_ilog2() != (before + count).checked_ilog2();
        is_worth_a_line.then_some(before + count)
    }

    /// Returns how many events were lost so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Counts events as no longer pending.
    fn settle(&self, count: u64) {
        self.pending.fetch_sub(count, Ordering::Relaxed);
    }

    /// Returns the number of undelivered events once delivery has stopped. Those being delivered are
    /// lost; the others wait for the next start.
    pub(super) fn report_pending(&self) -> u64 {
        let waiting = self.sender.max_capacity() - self.sender.capacity();
        self.pending.swap(waiting as u64, Ordering::Relaxed)
    }

    /// Gives one task at a time access to the events.
    pub(super) async fn open(&self) -> Outlet<'_> {
        Outlet {
            queue: self,
            receiver: self.receiver.lock().await,
            batch: Vec::new(),
        }
    }
}

/// The receiving end of a queue.
pub(super) struct Outlet<'a> {
    queue: &'a Queue,
    receiver: MutexGuard<'a, mpsc::Receiver<Event>>,
    /// The events being delivered, until the next call.
    batch: Vec<Event>,
}

impl Outlet<'_> {
    /// Waits for events and returns at most `limit`. After `stop`, returns those left without
    /// waiting; an empty batch ends the delivery.
    pub(super) async fn next(&mut self, limit: usize, stop: &CancellationToken) -> &[Event] {
        self.queue.settle(self.batch.len() as u64);
        self.batch.clear();
        let received = self.receiver.recv_many(&mut self.batch, limit);
        if stop.run_until_cancelled(received).await.is_none() {
            let left = std::iter::from_fn(|| self.receiver.try_recv().ok());
            self.batch.extend(left.take(limit));
        }
        &self.batch
    }
}

/// The reason that a sink has not accepted an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the sink failed")]
    Failed(#[source] BoxError),
    #[error("the sink panicked")]
    Panicked,
    #[error("the sink took too long")]
    TimedOut,
}

/// A sink of this service.
#[derive(Debug, Clone)]
pub(crate) struct Plugged {
    pub(crate) sink: Arc<dyn EventSink>,
    /// Its number among the sinks of this service, from 1.
    pub(crate) number: usize,
}

/// Offers an event to a sink.
pub(crate) async fn record(
    plugged: &Plugged,
    event: &Event,
    stop: &CancellationToken,
    outages: &Outages,
) -> Result<(), RecordError> {
    let cause = Cause::Sink(plugged.number);
    let result = record_in_time(&*plugged.sink, event, stop).await;
    match &result {
        Ok(()) => outages.works(&cause),
        Err(error) => outages.failed(cause, error),
    }
    result
}

async fn record_in_time(
    sink: &dyn EventSink,
    event: &Event,
    stop: &CancellationToken,
) -> Result<(), RecordError> {
    let recording = AssertUnwindSafe(async { sink.record(event).await }).catch_unwind();
    match in_time(recording, stop).await {
        Some(Ok(result)) => result.map_err(RecordError::Failed),
        Some(Err(_panic)) => Err(RecordError::Panicked),
        None => Err(RecordError::TimedOut),
    }
}

/// Returns the result of `work`, if it comes in time.
pub(super) async fn in_time<T>(
    work: impl Future<Output = T>,
    stop: &CancellationToken,
) -> Option<T> {
    let too_long = async {
        stop.run_until_cancelled(sleep(TIMEOUT)).await;
        sleep(LAST_TIMEOUT).await;
    };
    tokio::select! {
        biased;
        result = work => Some(result),
        () = too_long => None,
    }
}
