use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::lease::{Interrupted, LeasedRun};
use crate::clock::timer_now;
use crate::event::{Plugged, RecordError, record};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::store::{AuditStore, Lease, StoreError};

/// How many events are numbered in one transaction.
const NUMBER_BATCH: u32 = 500;
/// How many events are read at a time for a sink.
const READ_BATCH: u32 = 200;
/// How often events of other nodes are read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The least interval between two reads, so that many events are numbered together.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// How often the position of a busy sink is stored.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a sink failed; it doubles with each failure, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often the lease is checked while sinks are fed.
const LEASE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a sink's task has to end.
const END_LIMIT: Duration = Duration::from_secs(3);

/// How long the sinks are fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    /// Until each sink has all present events, or has failed.
    One,
    UntilStopped,
}

/// Feeds the shared event sinks from the store, each in its own task.
pub(super) async fn run(run: &mut LeasedRun<'_>, rounds: Rounds) -> Result<(), Interrupted> {
    let Some((audit, _)) = run.node.context.audit_store() else {
        return Ok(());
    };
    let (head, _) = watch::channel(number_all(run, audit).await?);
    let held_until = Arc::new(AtomicI64::new(run.held_until()));
    // The tasks are stopped however this function ends; those that do not end are aborted.
    let stop = run.stop.child_token();
    let _stopping = stop.clone().drop_guard();
    let mut tasks = JoinSet::new();
    for sink in run.node.context.events.shared_sinks() {
        let feeder = Feeder {
            node: run.node.clone(),
            sink: sink.clone(),
            lease: run.lease.clone(),
            held_until: Arc::clone(&held_until),
            stop: stop.clone(),
        };
        tasks.spawn(feeder.run(head.subscribe(), rounds));
    }
    let result = match rounds {
        Rounds::One => wait_for_all(run, &mut tasks, &held_until).await,
        Rounds::UntilStopped => number_until_stopped(run, audit, &head, &held_until).await,
    };
    stop.cancel();
    drop(
        timeout(END_LIMIT, async {
            while tasks.join_next().await.is_some() {}
        })
        .await,
    );
    result
}

async fn wait_for_all(
    run: &mut LeasedRun<'_>,
    tasks: &mut JoinSet<()>,
    held_until: &AtomicI64,
) -> Result<(), Interrupted> {
    let mut all = std::pin::pin!(async { while tasks.join_next().await.is_some() {} });
    while timeout(LEASE_INTERVAL, &mut all).await.is_err() {
        run.heartbeat().await?;
        held_until.store(run.held_until(), Ordering::Relaxed);
    }
    Ok(())
}

async fn number_until_stopped(
    run: &mut LeasedRun<'_>,
    audit: &dyn AuditStore,
    head: &watch::Sender<u64>,
    held_until: &AtomicI64,
) -> Result<(), Interrupted> {
    loop {
        let recorded = run.node.context.events.recorded.notified();
        let looking = async {
            sleep(LOOK_PAUSE).await;
            drop(timeout(LOOK_INTERVAL, recorded).await);
        };
        run.stop.run_until_cancelled(looking).await;
        let last = number_all(run, audit).await?;
        held_until.store(run.held_until(), Ordering::Relaxed);
        head.send_if_modified(|head| std::mem::replace(head, last) != last);
    }
}

/// Numbers all committed events; returns the last number.
async fn number_all(run: &mut LeasedRun<'_>, audit: &dyn AuditStore) -> Result<u64, Interrupted> {
    loop {
        run.heartbeat().await?;
        let numbered = run.node.in_time(audit.number_events(NUMBER_BATCH)).await?;
        if numbered < u64::from(NUMBER_BATCH) {
            return Ok(run.node.in_time(audit.last_event_number()).await?);
        }
    }
}

/// Feeds one sink.
struct Feeder {
    node: Arc<Node>,
    sink: Plugged,
    lease: Lease,
    /// Boot time until which the lease is certainly held, in microseconds.
    held_until: Arc<AtomicI64>,
    stop: CancellationToken,
}

/// The reason that a sink could not be fed.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sink(#[from] RecordError),
}

impl Feeder {
    async fn run(self, mut head: watch::Receiver<u64>, rounds: Rounds) {
        let mut pause = FIRST_PAUSE;
        while self.may_go_on() {
            let last = *head.borrow_and_update();
            match self.feed(last).await {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) if rounds == Rounds::One => return,
                Ok(false) => {
                    // The sender is dropped when the run ends.
                    if !matches!(
                        self.stop.run_until_cancelled(head.changed()).await,
                        Some(Ok(()))
                    ) {
                        return;
                    }
                }
                Err(FeedError::Store(StoreError::LeaseLost)) => return,
                Err(error) => {
                    tracing::debug!(sink = self.name(), %error, "an event sink could not be fed; it is tried again");
                    if rounds == Rounds::One {
                        return;
                    }
                    self.stop.run_until_cancelled(sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn may_go_on(&self) -> bool {
        !self.stop.is_cancelled()
            && self.node.context.time.now().boot <= self.held_until.load(Ordering::Relaxed)
    }

    /// Delivers some of the events up to the number `last`; returns whether there are more.
    async fn feed(&self, last: u64) -> Result<bool, FeedError> {
        let position = self.position(last).await?;
        if position >= last {
            // The database was restored to an earlier state.
            if position > last {
                self.keep_position(last).await?;
            }
            return Ok(false);
        }
        let events = self
            .node
            .in_time(self.audit()?.events_after(position, READ_BATCH))
            .await?;
        let (mut taken, mut kept) = (position, timer_now());
        let mut result = Ok(());
        for event in &events {
            let Some(row) = event.row else { continue };
            // Events numbered after the last look wait for the next.
            let before = (row.seq - 1).min(last);
            self.report_missed(before - taken);
            taken = before;
            if row.seq > last || !self.may_go_on() {
                break;
            }
            result = record(&self.sink, event, &self.stop, &self.node.context.outages).await;
            if result.is_err() {
                break;
            }
            taken = row.seq;
            if kept.elapsed() > KEEP_INTERVAL {
                self.keep_position(taken).await?;
                kept = timer_now();
            }
        }
        if events.is_empty() {
            self.report_missed(last - taken);
            taken = last;
        }
        if taken > position {
            self.keep_position(taken).await?;
        }
        result?;
        Ok(taken < last)
    }

    fn audit(&self) -> Result<&dyn AuditStore, StoreError> {
        let audit = self.node.context.usable_store()?.audit();
        audit.ok_or_else(|| StoreError::backend("the store keeps no audit events any more"))
    }

    fn name(&self) -> &str {
        self.sink.sink.name().unwrap_or_default()
    }

    /// Returns the number of the last event that the sink has accepted. A new sink starts with the
    /// oldest stored event.
    async fn position(&self, last: u64) -> Result<u64, StoreError> {
        let audit = self.audit()?;
        if let Some(position) = self.node.in_time(audit.sink_position(self.name())).await? {
            return Ok(position);
        }
        let oldest = self.node.in_time(audit.events_after(0, 1)).await?;
        let oldest = oldest.first().and_then(|event| event.row);
        let position = oldest.map_or(last, |row| row.seq - 1);
        self.keep_position(position).await?;
        Ok(position)
    }

    async fn keep_position(&self, seq: u64) -> Result<(), StoreError> {
        let audit = self.audit()?;
        self.node
            .in_time(audit.put_sink_position(&self.lease, self.name(), seq))
            .await
    }

    /// Logs events that were deleted before the sink accepted them.
    fn report_missed(&self, events: u64) {
        if events > 0 {
            Metrics::events_missed(self.name(), events);
            let sink = self.name();
            tracing::error!(
                sink,
                events,
                "an event sink lagged so far behind that events were deleted before it accepted them"
            );
        }
    }
}
