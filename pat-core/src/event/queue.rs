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

/// How many events may wait for one process sink.
pub const QUEUE_LEN: usize = 1024;
/// How long a sink may take for one event and the store for a batch, beside what they have at the
/// end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same, once the process shuts down.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Events in memory that wait for somebody to take them.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<Event>,
    /// Taken by whoever hands them on.
    receiver: Mutex<mpsc::Receiver<Event>>,
    /// How many were put in and not taken or given up yet, that in hand included.
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

    /// Puts an event in; returns how many were dropped so far, if this one is and that is worth a
    /// line.
    pub(super) fn push(&self, event: Event) -> Option<u64> {
        // First, since it may be taken before this goes on.
        self.pending.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(event).is_ok() {
            return None;
        }
        self.settle(1);
        self.drop_events(1)
    }

    /// Counts events that are lost; returns how many were so far, if that is worth a line.
    pub(super) fn drop_events(&self, count: u64) -> Option<u64> {
        Metrics::events_dropped(count);
        let before = self.dropped.fetch_add(count, Ordering::Relaxed);
        // At 1, 2, 4, 8, …: often enough to notification, seldom enough not to flood.
        let is_worth_a_line = before.checked_ilog2() != (before + count).checked_ilog2();
        is_worth_a_line.then_some(before + count)
    }

    /// Says that so many events need no longer be waited for.
    fn settle(&self, count: u64) {
        self.pending.fetch_sub(count, Ordering::Relaxed);
    }

    /// How many events are not taken, when nobody will take them any more: that in hand is lost,
    /// the others wait for the next start.
    pub(super) fn report_pending(&self) -> u64 {
        let waiting = self.sender.max_capacity() - self.sender.capacity();
        self.pending.swap(waiting as u64, Ordering::Relaxed)
    }

    /// Lets one task at a time take the events.
    pub(super) async fn open(&self) -> Outlet<'_> {
        Outlet {
            queue: self,
            receiver: self.receiver.lock().await,
            batch: Vec::new(),
        }
    }
}

/// Where events are taken out of a queue.
pub(super) struct Outlet<'a> {
    queue: &'a Queue,
    receiver: MutexGuard<'a, mpsc::Receiver<Event>>,
    /// In hand; taken when the next ones are asked for.
    batch: Vec<Event>,
}

impl Outlet<'_> {
    /// The next events, at most `limit`: until `stop` as they come, then what is left. None if no
    /// more will come.
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

/// Why a sink has not taken an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the sink failed")]
    Failed(#[source] BoxError),
    #[error("the sink panicked")]
    Panicked,
    #[error("the sink took too long")]
    TimedOut,
}

/// A sink that is plugged in.
#[derive(Debug, Clone)]
pub(crate) struct Plugged {
    pub(crate) sink: Arc<dyn EventSink>,
    /// Which one it is among those that are plugged in, from 1 on.
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

/// What comes of handing events on, if it comes in time.
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
