//! Real time, of tests that wait for something or measure it.

use std::time::Duration;

/// Now, as tokio's timers have it, for tests that take the time.
#[expect(
    clippy::disallowed_methods,
    reason = "how long something takes is no decision"
)]
pub fn timer_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Waits until something is so; fails after thirty seconds. Looks less often the longer it takes, since
/// other tests need the machine too.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    const LONGEST_PAUSE: Duration = Duration::from_millis(25);
    let reached = async {
        let mut pause = Duration::from_millis(2);
        while !is_so().await {
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(LONGEST_PAUSE);
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
    assert!(reached.is_ok(), "{what} did not happen in time");
}
