//! Tests with their needs and limits.

use libtest_mimic::{Failed, Trial};
use pat_servers::environment::is_required;
use tokio::time::timeout;

use crate::budget::{LIMIT, Watch};
use crate::names::name_of;

/// A test in a runtime of its own, which fails when it takes too long. Its name is its function's; see
/// [`crate::names`].
pub fn trial<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    named_trial(name_of(&test), test)
}

/// A test of one of several cases of a function, by the name that [`crate::names`] gives it.
pub fn named_trial<F>(name: String, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    named_blocking_trial(name, move || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build()?;
        let ended = runtime.block_on(async { timeout(*LIMIT, test()).await });
        if ended.is_err() {
            runtime.shutdown_background();
            return Err(format!("it takes longer than {:?}", *LIMIT).into());
        }
        Ok(())
    })
}

/// A test that makes a runtime of its own, if it needs any.
pub fn blocking_trial(test: impl FnOnce() + Send + 'static) -> Trial {
    named_blocking_trial(name_of(&test), move || {
        test();
        Ok(())
    })
}

fn named_blocking_trial(
    name: String,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let watched = name.clone();
    Trial::test(name, move || {
        let _watch = Watch::start(watched);
        test()
    })
}

/// A test that needs something of this machine. Where it is missing, the test is reported as ignored
/// with the reason, or fails if `PAT_TEST_REQUIRE` lists the need.
pub fn trial_with_need<F>(
    need: &str,
    missing: Option<&str>,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    named_trial_with_need(name_of(&test), need, missing, test)
}

/// The same for one of several cases of a function.
pub fn named_trial_with_need<F>(
    name: String,
    need: &str,
    missing: Option<&str>,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    match missing {
        None => named_trial(name, test),
        Some(reason) if is_required(need) => {
            let reason = reason.to_owned();
            named_blocking_trial(name, move || Err(reason.into()))
        }
        Some(reason) => named_trial(format!("{name} ({reason})"), test).with_ignored_flag(true),
    }
}
