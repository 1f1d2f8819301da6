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
    let remind = |days| seconds_to_remind(store, &lease, now, days);
    let warn = |days| seconds_to_warn(store, &lease, now, days);
    // Seven in ten tokens expire within a year, evenly spread: so many within six days, and ten times as many within
    // the next sixty.
    let first = [remind(&[6]).await, remind(&[66]).await];
    // Later ones are reminded once, which is not measured, so that they can be reminded again.
    remind(&[140]).await;
    let second = [remind(&[140, 72]).await, remind(&[140, 132]).await];
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

/// Seconds until all reminders are queued that are due with these days.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn seconds_to_remind(
    store: &dyn JobStore,
    lease: &Lease,
    now: Timestamp,
    days: &[u32],
) -> f64 {
    let due = DueNotifications::new(NotificationKind::ExpiresSoon, now, days.to_vec());
    let begun = Instant::now();
    let (mut after, mut all) = (None, 0);
    loop {
        let page = store.owners_due(&due, after, OWNERS).await;
        let page = page.expect("owners");
        let queued = store.queue_due_notifications(lease, &due, &page.owners);
        all += queued.await.expect("notifications");
        after = page.next;
        if after.is_none() {
            println!("{all} owners are reminded in {:.1?}", begun.elapsed());
            return begun.elapsed().as_secs_f64();
        }
    }
}

/// Seconds until all owners are warned of tokens that were not used for so many days.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn seconds_to_warn(store: &dyn JobStore, lease: &Lease, now: Timestamp, days: u64) -> f64 {
    let mut unused = UnusedTokens::new(1, now, now);
    unused.warn_after = Duration::from_hours(24 * days);
    let begun = Instant::now();
    let (mut last, mut all) = (None, 0);
    loop {
        let page = store.owners_after(last.as_ref(), OWNERS).await;
        let owners: Vec<_> = page
            .expect("owners")
            .into_iter()
            .map(|listed| listed.owner)
            .collect();
        if owners.is_empty() {
            println!("{all} owners are warned in {:.1?}", begun.elapsed());
            return begun.elapsed().as_secs_f64();
        }
        let warned = store.warn_unused(lease, &unused, &owners).await;
        all += warned.expect("warnings");
        last = owners.into_iter().last();
    }
}

async fn lease(store: &dyn JobStore, now: Timestamp) -> Lease {
    let due = |now| Some(now);
    let hours = Duration::from_hours(24);
    let bounds = MarkBounds::new(now, now, now);
    let request = LeaseRequest::new(Job::ExpiryCheck, now, hours, &due, bounds);
    let (answer, _) = store.acquire_lease(&request).await.expect("an answer");
    let LeaseAnswer::Acquired(lease) = answer else {
        panic!("{answer:?}")
    };
    lease
}
