//! What the clients were told, and whether it is what is promised.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use super::load::Ask;

/// The default of `pat.auth.max.staleness.ms`, and some time for the way.
const LEASE: Duration = Duration::from_millis(2_100);
/// The default of `pat.auth.database.timeout.ms`, for a request with a token.
const DEADLINE: Duration = Duration::from_secs(1);
/// Five times that, for any other.
const CHANGE_DEADLINE: Duration = Duration::from_secs(5);
/// What a busy machine may add to either.
const ROOM: Duration = Duration::from_millis(1_500);

/// How many lines of an outage the log has at most: of the store, of the users and of the sink of events
/// when that begins, of the events that are dropped, and of a job that has lost its lease.
const MOST_LINES: usize = 20;

/// An answer; the times are those since the start of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) ask: Ask,
    pub(super) sent: Duration,
    pub(super) took: Duration,
    pub(super) status: StatusCode,
}

pub(super) struct Report {
    pub(super) told: Vec<Told>,
    /// What the server has logged.
    pub(super) log: String,
    pub(super) broken: Duration,
    pub(super) mended: Duration,
    pub(super) back: Duration,
}

impl Report {
    /// What was asked while the database was broken, and answered then or later.
    fn asked(&self, asks: &[Ask]) -> impl Iterator<Item = Told> {
        let told = self.told.iter().copied();
        let window = self.broken..self.mended;
        told.filter(move |told| asks.contains(&told.ask) && window.contains(&told.sent))
    }

    /// What was asked and answered while the database was broken.
    fn meanwhile(&self, asks: &[Ask]) -> Vec<Told> {
        let asked = self.asked(asks);
        asked
            .filter(|told| told.sent + told.took <= self.mended)
            .collect()
    }

    /// "Cannot tell" is the only answer, and comes in time.
    fn assert_in_time(&self, asks: &[Ask], deadline: Duration) {
        for told in self.meanwhile(asks) {
            assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE, "{told:?}");
        }
        let late = self.asked(asks).find(|told| told.took > deadline + ROOM);
        assert!(late.is_none(), "{late:?}");
        let count = self.meanwhile(asks).len();
        assert!(count > 0, "nobody was answered");
    }

    /// How soon after the database was back such a request succeeded; `None` if none did.
    pub(super) fn back_after(&self, ask: Ask) -> Option<Duration> {
        let good = self.told.iter().filter(|told| {
            told.ask == ask && told.status.is_success() && told.sent + told.took >= self.back
        });
        let ended = good.map(|told| told.sent + told.took).min();
        ended.map(|ended| ended.saturating_sub(self.back))
    }

    pub(super) fn is_back(&self) -> bool {
        [Ask::Cold, Ask::Create, Ask::Revoke]
            .iter()
            .all(|ask| self.back_after(*ask).is_some())
    }

    /// For how long the token in the cache was accepted.
    fn trusted(&self) -> Duration {
        let warm = self.meanwhile(&[Ask::Warm]).into_iter();
        let good = warm.filter(|told| told.status.is_success());
        good.map(|told| told.sent.saturating_sub(self.broken))
            .max()
            .unwrap_or_default()
    }

    /// Nobody gets in whom nobody can judge, everybody hears so in time, and it ends by itself.
    pub(super) fn assert_closed(&self, lease_ends: bool) {
        self.assert_in_time(&[Ask::Cold, Ask::Unknown], DEADLINE);
        let warm = self.meanwhile(&[Ask::Warm]);
        let refused = warm
            .iter()
            .filter(|told| told.status == StatusCode::SERVICE_UNAVAILABLE)
            .count();
        let good = warm.iter().filter(|told| told.status.is_success()).count();
        assert_eq!(good + refused, warm.len(), "{warm:?}");
        assert!(!lease_ends || refused > 0 && self.trusted() <= LEASE);
        self.assert_changes_fail_in_time();
    }

    pub(super) fn assert_changes_fail_in_time(&self) {
        self.assert_in_time(&[Ask::Create, Ask::Revoke], CHANGE_DEADLINE);
        assert!(self.is_back(), "it does not recover by itself");
        self.assert_told_of_once();
    }

    /// However many requests and jobs meet an outage, it is a few lines, and they tell no secret.
    fn assert_told_of_once(&self) {
        let lines = self.warnings();
        let begun = lines
            .iter()
            .filter(|line| line.contains("an outage begins"));
        assert!((1..=3).contains(&begun.count()), "{lines:#?}");
        assert!(lines.len() <= MOST_LINES, "{lines:#?}");
        for secret in ["password", "Pool", "Options"] {
            assert!(!self.log.contains(secret), "{secret} in {}", self.log);
        }
    }

    fn warnings(&self) -> Vec<&str> {
        let lines = self.log.lines();
        let is_warning = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        lines.filter(is_warning).collect()
    }

    /// How tokens were judged that the server did not know.
    pub(super) fn cold_statuses(&self) -> Vec<StatusCode> {
        let cold = self.meanwhile(&[Ask::Cold]).into_iter();
        let mut statuses: Vec<_> = cold.map(|told| told.status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (asks, what) in [
            (&[Ask::Cold, Ask::Unknown][..], "unknown tokens"),
            (&[Ask::Create, Ask::Revoke], "changes"),
        ] {
            let mut took: Vec<_> = self.meanwhile(asks).iter().map(|told| told.took).collect();
            took.sort_unstable();
            let quantile = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100);
            let (half, most) = (quantile(50), quantile(99));
            let (half, most) = (
                half.unwrap_or(&Duration::ZERO),
                most.unwrap_or(&Duration::ZERO),
            );
            let count = took.len();
            write!(
                formatter,
                "{count} {what}, p50 {half:.2?}, p99 {most:.2?}; "
            )?;
        }
        write!(formatter, "{} warnings; ", self.warnings().len())?;
        write!(
            formatter,
            "known token accepted for {:.2?}; back after",
            self.trusted()
        )?;
        for ask in [Ask::Cold, Ask::Create, Ask::Revoke] {
            match self.back_after(ask) {
                Some(time) => write!(formatter, " {time:.2?} ({ask:?})")?,
                None => write!(formatter, " never ({ask:?})")?,
            }
        }
        Ok(())
    }
}
