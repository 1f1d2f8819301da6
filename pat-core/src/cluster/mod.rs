//! The change feed: how a node learns the changes of others, and for how long it may use its cache.

mod features;
mod nodes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use self::nodes::{LaggingNodes, SilentNodes};
use crate::auth::Authenticator;
use crate::clock::{Moment, micros};
use crate::context::Context;
use crate::settings::RevocationWait;
use crate::store::{
    ChangePage, FeedPosition, MOST_READ, NODE_FORGOTTEN_AFTER, NodeReport, ReportMode,
    SCHEMA_VERSION, StoreError, StoreTime,
};
use crate::token::random_u64;

/// This node's position in the feed, and its reports.
#[derive(Debug)]
pub(crate) struct Feed {
    context: Arc<Context>,
    auth: Arc<Authenticator>,
    /// The lock serialises polls.
    progress: Mutex<Progress>,
    lagging: Mutex<LaggingNodes>,
    /// This node's number, or [`NO_NODE`] if it is not registered.
    own: AtomicU64,
    /// The boot time until which the last report that was read back counts; see [`Feed::is_reported`].
    reported_until: AtomicI64,
    /// The boot time at which the last poll that succeeded was sent, in microseconds, or [`NEVER`].
    polled_at: AtomicI64,
}

const NEVER: i64 = i64::MIN;
/// No node has this number.
const NO_NODE: u64 = u64::MAX;

#[derive(Debug, Default)]
struct Progress {
    /// This node's number; `None` before the first poll.
    node: Option<u64>,
    /// `None` before the first poll.
    cursor: Option<FeedPosition>,
    /// The last report, and the boot time at which it was sent.
    reported: Option<(NodeReport, i64)>,
    /// When the last report was sent that was committed and read back.
    read_back: Option<i64>,
    /// Whether the report that was due last was skipped ([`Report::Skipped`]).
    is_skipped: bool,
    /// Whether the revocations of another node wait for this one.
    somebody_waits: bool,
    /// The time in the last report, whether or not it arrived.
    last_said: Timestamp,
    silent: SilentNodes,
}

/// The longest interval between two reports of a node.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// How long after its last report a node is ready: two reports are due in that time, so one may fail.
const READY_FOR: Duration = Duration::from_secs(25);
/// How long after its last report a node uses its cache: half the time after which the others forget
/// it, so that it has stopped long before they no longer wait for it.
const REPORT_LASTS: Duration = NODE_FORGOTTEN_AFTER
    .checked_div(2)
    .expect("two is not zero");

/// How long a node is ready after its last report while its reports are skipped: as long as the others count
/// it, and not forever, since the call that writes may wait for a disk that does not answer.
const READY_FOR_WHILE_SKIPPED: Duration = NODE_FORGOTTEN_AFTER;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    Stored,
    /// The store lets one call write at a time, and another call of this process is writing
    /// ([`StoreError::Busy`]).
    Skipped,
}

impl Feed {
    pub(crate) fn new(context: Arc<Context>, auth: Arc<Authenticator>) -> Self {
        Self {
            context,
            auth,
            progress: Mutex::default(),
            lagging: Mutex::default(),
            own: AtomicU64::new(NO_NODE),
            reported_until: AtomicI64::default(),
            polled_at: AtomicI64::new(NEVER),
        }
    }

    /// Reads the feed once: bumps the epochs of changed tokens and owners, then extends the use of the
    /// cache to `pat.self.auth.max.staleness.ms` after the request was sent.
    ///
    /// A node reports before its first poll, and after each poll that found a change if another node
    /// waits for that, so that a revocation can wait until all nodes know it. It also reports before a
    /// poll if its cache is no longer fresh, so that a revocation need not wait for a node whose last
    /// report is older than the bound.
    ///
    /// Where the store lets one call write at a time, a poll does not wait for the other calls of this process:
    /// the report is then skipped, and due again with the next poll. What the cache may do meanwhile is said at
    /// [`Feed::may_extend`].
    pub(crate) async fn poll(&self) -> Result<(), StoreError> {
        if !self.context.store.is_shared() {
            // All changes are made in this process.
            self.auth
                .observe(self.context.time.now(), StoreTime::default());
            return Ok(());
        }
        let mut progress = self.progress.lock().await;
        let sent = self.context.time.now().boot;
        let polled = self.poll_locked(&mut progress).await;
        if polled.is_ok() {
            self.polled_at.store(sent, Ordering::Relaxed);
        }
        if let Some(at) = progress.read_back {
            let lasts = match progress.is_skipped {
                false => READY_FOR,
                true => READY_FOR_WHILE_SKIPPED,
            };
            let until = at.saturating_add(micros(lasts));
            self.reported_until.store(until, Ordering::Relaxed);
        }
        polled
    }

    /// Polls, if this node has polled before.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        let mut progress = self.progress.lock().await;
        match progress.cursor {
            Some(_) => self.poll_locked(&mut progress).await,
            None => Ok(()),
        }
    }

    /// Returns how long ago the last poll that succeeded was sent, in microseconds; `None` before the first.
    pub(crate) fn lag(&self, now: Moment) -> Option<i64> {
        let at = self.polled_at.load(Ordering::Relaxed);
        (at != NEVER).then(|| now.boot.saturating_sub(at))
    }

    /// Returns whether a recent report of this node was committed and read back: the database accepts
    /// writes and returns them.
    pub(crate) fn is_reported(&self) -> bool {
        self.context.time.now().boot < self.reported_until.load(Ordering::Relaxed)
    }

    /// Returns whether no node uses a cache from before the generation `head`, which has been committed:
    /// each node has reported it, or has not reported for `bound`, so that its cache is not fresh.
    pub(crate) async fn is_known_everywhere(
        &self,
        head: u64,
        bound: Duration,
    ) -> Result<bool, StoreError> {
        let asked = self.context.time.now().boot;
        let limit = self.context.auth_timeout();
        let nodes = self
            .context
            .outages
            .store(limit, self.context.store.nodes())
            .await?;
        let mut lagging = self.lagging.lock().await;
        // A node relies on what it has read of the others only while they may read of it: see `is_alone`.
        let own = self.own.load(Ordering::Relaxed);
        if !nodes.iter().any(|node| node.node == own) {
            *lagging = LaggingNodes::default();
        }
        Ok(lagging.all_know(head, &nodes, asked, bound))
    }

    /// Stops using the cache, and deregisters this node.
    pub(crate) async fn leave(&self) -> Result<(), StoreError> {
        let mut progress = self.progress.lock().await;
        self.auth.epochs.expire();
        self.reported_until.store(i64::MIN, Ordering::Relaxed);
        let limit = self.context.auth_timeout();
        let Progress { reported, .. } = std::mem::take(&mut *progress);
        self.own.store(NO_NODE, Ordering::Relaxed);
        match reported {
            Some((report, _)) => {
                self.context
                    .outages
                    .store(limit, self.context.store.deregister(&report))
                    .await
            }
            None => Ok(()),
        }
    }

    async fn poll_locked(&self, progress: &mut Progress) -> Result<(), StoreError> {
        if progress.node.is_none() {
            self.learn_time().await?;
        }
        let applied = progress.cursor.map_or(0, |cursor| cursor.generation);
        let now = self.context.time.now();
        let is_due = |(_, at)| now.boot - at >= micros(REPORT_INTERVAL);
        let reports_first = progress.reported.is_none_or(is_due) || !self.auth.epochs.is_fresh(now);
        let mut first = Ok(Report::Stored);
        if reports_first {
            first = self.report(progress, applied).await;
        }
        let reported_at = progress.reported.map_or(i64::MIN, |(_, at)| at);
        // Changes and time must be read even if the database accepts no writes.
        let sent = self.context.time.now();
        let limit = self.context.auth_timeout();
        let page = self
            .context
            .outages
            .store(limit, self.context.store.changes_since(progress.cursor))
            .await?;
        self.auth.observe(sent, page.time);
        self.apply(progress, &page);
        let is_outdated = self.auth.observe_versions(page.versions).is_err();
        let mut report = first?;
        if report == Report::Stored && self.is_news(progress, page.head.generation) {
            report = self.report(progress, page.head.generation).await?;
        }
        progress.is_skipped = report == Report::Skipped;
        if is_outdated {
            return Ok(());
        }
        if report == Report::Skipped && self.is_alone(progress).await? {
            let until = self.fresh_by_poll(sent);
            self.auth.epochs.extend_until(until);
        } else if self.may_extend(progress, reports_first, reported_at, report) {
            let until = self.fresh_until(progress, sent);
            self.auth.epochs.extend_until(until);
        }
        Ok(())
    }

    /// Returns whether a poll may make the use of the cache last longer, on a node that is not alone.
    ///
    /// Other nodes do not wait for this one if its report is older than the bound, so a poll must not make the
    /// cache fresh again then. The next poll, which reports first, will. Nor do they wait if they have read
    /// the same report for that long, and it lacks a change that they wait for: so a poll that has found such a
    /// change must not extend the use either, before that is reported.
    ///
    /// If the report is skipped that is due every [`REPORT_INTERVAL`], the use goes on by the rules for the
    /// polls between two reports, until the last one is too old ([`REPORT_LASTS`]).
    fn may_extend(
        &self,
        progress: &Progress,
        reports_first: bool,
        reported_at: i64,
        report: Report,
    ) -> bool {
        let now = self.context.time.now();
        match report {
            Report::Stored => {
                let bound = micros(self.context.settings.auth_max_staleness());
                let is_waited_for = now.boot < reported_at.saturating_add(bound);
                (reports_first && is_waited_for) || self.auth.epochs.is_fresh(now)
            }
            Report::Skipped => {
                let applied = progress.cursor.map_or(0, |cursor| cursor.generation);
                !self.is_news(progress, applied) && self.auth.epochs.is_fresh(now)
            }
        }
    }

    /// Returns whether this node is registered and no other one is. Asked after a poll, it means that the poll
    /// may extend the use of the cache without a report:
    ///
    /// A report is for the other nodes, whose revocations may wait for it. Such a node does not wait for this
    /// one if it has read the same report for longer than the bound. But it has read it only since it
    /// registered, because a node that is not registered remembers no report
    /// ([`Feed::is_known_everywhere`]). It was not registered when the poll was over, so when it has read the
    /// report for the bound, the use that this poll allows has ended.
    async fn is_alone(&self, progress: &Progress) -> Result<bool, StoreError> {
        let limit = self.context.auth_timeout();
        let nodes = self.context.store.nodes();
        let nodes = self.context.outages.store(limit, nodes).await?;
        let own = progress.reported.map(|(report, _)| report.node);
        Ok(own.is_some_and(|own| matches!(&*nodes, [node] if node.node == own)))
    }

    /// Returns whether the node must report at once that it has applied this generation.
    fn is_news(&self, progress: &Progress, applied: u64) -> bool {
        match progress.reported {
            None => true,
            Some((reported, _)) => {
                let mode = self.mode(progress);
                mode != reported.mode || mode > ReportMode::Seldom && applied != reported.applied
            }
        }
    }

    /// Each change is reported if this node or another one waits for reports.
    fn mode(&self, progress: &Progress) -> ReportMode {
        match self.context.settings.revocation_wait() {
            RevocationWait::Cluster => ReportMode::EachChangeAndWaits,
            RevocationWait::None if progress.somebody_waits => ReportMode::EachChange,
            RevocationWait::None => ReportMode::Seldom,
        }
    }

    fn apply(&self, progress: &mut Progress, page: &ChangePage) {
        match progress
            .cursor
            .map(|cursor| (cursor, continuity(cursor, page)))
        {
            // Tokens loaded before the first poll may have changed since.
            None => self.auth.epochs.bump_all(),
            Some((_, Ok(()))) => page
                .entries
                .iter()
                .for_each(|entry| self.auth.epochs.bump(&entry.change)),
            Some((cursor, Err(Gap::Behind))) => {
                tracing::warn!(
                    at = cursor.generation,
                    head = page.head.generation,
                    "this node has missed too many changes and invalidates its token cache"
                );
                self.auth.invalidate_all();
            }
            Some((cursor, Err(gap))) => {
                tracing::error!(
                    gap = ?gap, at = cursor.generation, head = page.head.generation,
                    "the change feed is broken (a failover that lost commits?); \
                     this node invalidates its token cache"
                );
                self.context.metrics.feed_broken();
                self.auth.invalidate_all();
            }
        }
        progress.cursor = Some(page.head);
    }

    async fn report(&self, progress: &mut Progress, applied: u64) -> Result<Report, StoreError> {
        let sent = self.context.time.now();
        let limit = self.context.auth_timeout();
        let report = NodeReport {
            node: self.node(progress)?,
            applied,
            now: progress.later(sent.timestamp()),
            mode: self.mode(progress),
            version: SCHEMA_VERSION,
            contradicts_leap: self.context.time.contradicts_leap(),
            flushed_at: self.auth.last_used.flushed_at(sent),
        };
        let bounds = self.context.time.mark_bounds();
        let reporting = self.context.store.heartbeat(&report, &bounds);
        let time = match self.context.outages.store(limit, reporting).await {
            Err(StoreError::Busy) => return Ok(Report::Skipped),
            time => time?,
        };
        self.auth.observe_moved(sent, time);
        progress.reported = Some((report, sent.boot));
        self.own.store(report.node, Ordering::Relaxed);
        let reports = self
            .context
            .outages
            .store(limit, self.context.store.nodes())
            .await?;
        if reports.iter().any(|other| other.node == report.node) {
            progress.read_back = Some(sent.boot);
        }
        progress.somebody_waits = reports
            .iter()
            .any(|other| other.mode == ReportMode::EachChangeAndWaits && other.node != report.node);
        let silent = progress
            .silent
            .record(reports, self.context.time.now().boot);
        let contradicted_at = progress.silent.contradicted_at(report.node);
        // The longest silence of a running node.
        let until = contradicted_at.map_or(i64::MIN, |at| at.saturating_add(micros(READY_FOR)));
        self.context.time.contradicted(until);
        // One time limit for all. The next report repeats it, so a failure does not fail the poll.
        let forget = async {
            for node in &silent {
                self.context.store.deregister(node).await?;
            }
            Ok(())
        };
        let _repeated_later = self.context.outages.store(limit, forget).await;
        Ok(Report::Stored)
    }

    fn node(&self, progress: &mut Progress) -> Result<u64, StoreError> {
        if let Some(node) = progress.node {
            return Ok(node);
        }
        // Stores have signed numbers.
        let random = self.context.outages.random(random_u64());
        let random = random.map_err(StoreError::backend)?;
        Ok(*progress.node.insert(random >> 1))
    }

    fn fresh_until(&self, progress: &Progress, sent: Moment) -> i64 {
        let reported = progress.reported.map_or(i64::MIN, |(_, at)| at);
        let by_report = reported.saturating_add(micros(REPORT_LASTS));
        self.fresh_by_poll(sent).min(by_report)
    }

    fn fresh_by_poll(&self, sent: Moment) -> i64 {
        let lasts = micros(self.context.settings.auth_max_staleness());
        sent.boot.saturating_add(lasts)
    }

    /// Reads the store's time before the first report, which contains the time.
    async fn learn_time(&self) -> Result<(), StoreError> {
        let sent = self.context.time.now();
        let limit = self.context.auth_timeout();
        let page = self
            .context
            .outages
            .store(limit, self.context.store.changes_since(None))
            .await?;
        self.auth.observe(sent, page.time);
        Ok(())
    }
}

impl Progress {
    /// Returns `now`, or a time just after the last returned one if that is later.
    fn later(&mut self, now: Timestamp) -> Timestamp {
        const RESOLUTION: SignedDuration = SignedDuration::from_micros(1);
        let least = self.last_said.saturating_add(RESOLUTION);
        self.last_said = now.max(least.unwrap_or(Timestamp::MAX));
        self.last_said
    }
}

/// The reason that the entries of a page are not all changes since its cursor.
#[derive(Debug, PartialEq, Eq)]
enum Gap {
    /// The counter went backwards.
    WentBackwards,
    /// The generation at the cursor has another nonce than the one that was read.
    Rewritten,
    /// Entries between the cursor and the head are missing.
    Purged,
    /// The entries are omitted because they are too many.
    Behind,
}

/// Checks that a page continues at the cursor without a gap.
fn continuity(cursor: FeedPosition, page: &ChangePage) -> Result<(), Gap> {
    if page.head.generation < cursor.generation {
        return Err(Gap::WentBackwards);
    }
    if page.nonce_at_cursor != cursor.nonce {
        return Err(Gap::Rewritten);
    }
    let missed = page.head.generation - cursor.generation;
    if page.entries.is_empty() && missed > MOST_READ {
        return Err(Gap::Behind);
    }
    let mut expected = cursor.generation;
    for entry in &page.entries {
        if entry.generation > expected + 1 {
            return Err(Gap::Purged);
        }
        expected = entry.generation;
    }
    if expected == page.head.generation {
        Ok(())
    } else {
        Err(Gap::Purged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Change, ChangeEntry, StoreVersions};
    use crate::token::TokenId;

    fn page(head: u64, nonce_at_cursor: Option<u64>, generations: &[u64]) -> ChangePage {
        let entry = |generation: &u64| ChangeEntry {
            generation: *generation,
            nonce: *generation,
            change: Change::TokenChanged(TokenId::new(1).expect("id")),
        };
        ChangePage {
            head: FeedPosition {
                generation: head,
                nonce: Some(head),
            },
            nonce_at_cursor,
            entries: generations.iter().map(entry).collect(),
            time: StoreTime::default(),
            versions: StoreVersions::default(),
        }
    }

    const AT_5: FeedPosition = FeedPosition {
        generation: 5,
        nonce: Some(5),
    };

    #[test]
    fn entries_up_to_the_head_continue() {
        assert_eq!(continuity(AT_5, &page(5, Some(5), &[])), Ok(()));
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[6, 6, 7])), Ok(()));
        let start = FeedPosition {
            generation: 0,
            nonce: None,
        };
        assert_eq!(continuity(start, &page(1, None, &[1])), Ok(()));
    }

    #[test]
    fn a_counter_that_goes_backwards_is_a_gap() {
        assert_eq!(
            continuity(AT_5, &page(4, None, &[])),
            Err(Gap::WentBackwards)
        );
    }

    #[test]
    fn a_counter_that_lost_commits_and_caught_up_again_is_a_gap() {
        assert_eq!(
            continuity(AT_5, &page(5, Some(99), &[])),
            Err(Gap::Rewritten)
        );
        assert_eq!(continuity(AT_5, &page(6, None, &[6])), Err(Gap::Rewritten));
    }

    #[test]
    fn a_node_that_is_far_behind_is_told_nothing_in_particular() {
        let far = page(6 + MOST_READ, Some(5), &[]);
        assert_eq!(continuity(AT_5, &far), Err(Gap::Behind));
    }

    #[test]
    fn missing_entries_are_a_gap() {
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[7])), Err(Gap::Purged));
        assert_eq!(continuity(AT_5, &page(7, Some(5), &[6])), Err(Gap::Purged));
        assert_eq!(continuity(AT_5, &page(6, Some(5), &[])), Err(Gap::Purged));
    }
}
