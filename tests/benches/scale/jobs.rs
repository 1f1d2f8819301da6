//! Jobs: how their time grows with the tokens that are due.

use std::time::Duration;

use jiff::Timestamp;
use pat_core::notification::NotificationKind;
use pat_core::store::{
    DueNotifications, Job, JobStore, Lease, LeaseAnswer, LeaseRequest, MarkBounds, UnusedTokens,
};
use tokio::time::Instant;

use super::{Rows, Wanted};

/// As many as a job asks for at once.
const OWNERS: u32 = 100;

/// Measures each with one token in a hundred that is due, and then with one in ten.
pub(crate) async fn measure(store: &dyn JobStore, now: Timestamp, rows: &mut Rows) {
    let lease = lease(store, now).await;
    let remind = async |days: &[u32]| {
        let due = DueNotifications::new(NotificationKind::ExpiresSoon, now, days.to_vec());
        until_none(async || {
            let queued = store.queue_due_notifications(&lease, &due, OWNERS).await;
            queued.expect("notifications")
        })
        .await
    };
    let warn = async |days: u64| {
        let mut unused = UnusedTokens::new(1, now, now);
        unused.warn_after = Duration::from_hours(24 * days);
        until_none(async || {
            let warned = store.warn_unused(&lease, &unused, OWNERS).await;
            warned.expect("warnings")
        })
        .await
    };
    // Seven in ten tokens expire within a year, evenly spread: so many within six days, and ten times as many within
    // the next sixty.
    let first = [remind(&[6]).await, remind(&[66, 6]).await];
    // Those of the last days are not measured, so that sixty are left to be reminded again.
    remind(&[73, 6]).await;
    let second = [remind(&[73, 12, 6]).await, remind(&[73, 72, 12, 6]).await];
    // Three in seven were never used. They were created within two years.
    let unused = [warn(710).await, warn(510).await];
    for (what, [few, many]) in [
        ("first reminders", first),
        ("second reminders", second),
        ("warnings of unused tokens", unused),
    ] {
        println!("{what}: {few:.1} s, {many:.1} s");
        let what = format!("{what}, a tenth of the tokens due ÷ a hundredth");
        rows.add(&what, Wanted::AtMost(12.0), many / few);
    }
}

/// Seconds until a call finds nothing to do.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn until_none(call: impl AsyncFn() -> u64) -> f64 {
    let begun = Instant::now();
    let mut owners = 0;
    loop {
        let queued = call().await;
        if queued == 0 {
            println!("{owners} owners in {:.1?}", begun.elapsed());
            return begun.elapsed().as_secs_f64();
        }
        owners += queued;
    }
}

async fn lease(store: &dyn JobStore, now: Timestamp) -> Lease {
    let due = move |_| Some(now);
    let hours = Duration::from_hours(24);
    let bounds = MarkBounds::new(now, now, now);
    let request = LeaseRequest::new(Job::ExpiryCheck, now, hours, &due, bounds);
    let (answer, _) = store.acquire_lease(&request).await.expect("an answer");
    let LeaseAnswer::Acquired(lease) = answer else {
        panic!("{answer:?}")
    };
    lease
}
