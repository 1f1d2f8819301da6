//! Nothing waits without an end: every call of the whole API is made while a method of the store, the
//! directory or a mailer never answers, and ends within a stated time.
//!
//! In virtual time. Whoever adds a method to the API or to the port is told by the last two tests.

mod calls;
mod completeness;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::settings::RevocationWait;
use pat_core::store::{Job, SCHEMA_VERSION, TokenStore as _};
use pat_core::{Administration, Caller, CreatedToken, Pats, Principal};
use pat_harness::blocking_trial;
use pat_harness::fault_ports::{FaultPorts, FaultSink};
use pat_harness::fault_store::{Fault, METHODS};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        blocking_trial(every_call_ends_within_its_bound),
        blocking_trial(completeness::every_method_of_the_port_is_in_the_table),
        blocking_trial(completeness::every_call_of_the_api_is_in_the_table),
    ]
}

/// A service, and what its calls need.
struct World {
    pats: Pats,
    ports: FaultPorts,
    caller: Caller,
    administration: Administration<'static>,
    token: CreatedToken,
    principal: Principal,
}

impl World {
    async fn new() -> Self {
        let ports = FaultPorts::new(FaultSink::shared());
        let (alice, admin) = (
            ports.directory.add("alice"),
            ports.directory.add_administrator("admin"),
        );
        let settings = FaultPorts::settings()
            .revocation_wait(RevocationWait::Cluster)
            .unused_revoke_days(90)
            .owner_max_absence_days(90);
        let pats = ports.service(settings);
        // Every feature is in use already.
        let raised = ports.store.raise_readable_from(SCHEMA_VERSION).await;
        raised.expect("raise_readable_from");
        pats.poll_changes().await.expect("a poll");
        let caller = Caller::header_authenticated(alice);
        // One to prune, and one in use, whose last use and creation are still to be told.
        let old = pats.create(&caller, calls::request(Some(1))).await;
        old.expect("a token");
        ports.clock.advance(Duration::from_hours(32 * 24));
        let token = pats
            .create(&caller, calls::request(None))
            .await
            .expect("a token");
        let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
        let principal = verdict.expect("a good token");
        // An owner whom the directory no longer knows.
        let gone = Caller::header_authenticated(ports.directory.add("gone"));
        pats.create(&gone, calls::request(None))
            .await
            .expect("a token");
        ports.directory.remove(gone.owner());
        // For all that it is asked of: until the test ends.
        let of: &'static _ = Box::leak(Box::new((
            pats.clone(),
            Caller::header_authenticated(admin),
        )));
        let administration = of.0.administration(&of.1).await;
        Self {
            administration: administration.expect("an administrator"),
            pats,
            ports,
            caller,
            token,
            principal,
        }
    }

    async fn run(&self, job: Job) -> Result<(), calls::Failure> {
        self.pats.run_if_due(job).await?;
        Ok(())
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), calls::Failure>> + 'a>>;

#[derive(Debug, Clone, Copy)]
enum Mute {
    Nothing,
    Method(&'static str),
    Store,
    Directory,
    Notifier,
    Sink,
}

fn every_call_ends_within_its_bound() {
    let methods = METHODS.iter().copied().map(Mute::Method);
    let others = [
        Mute::Nothing,
        Mute::Store,
        Mute::Directory,
        Mute::Notifier,
        Mute::Sink,
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let mut felt = BTreeSet::new();
    for mute in methods.chain(others) {
        for call in calls::CALLS {
            if runtime.block_on(make(call, mute)) {
                felt.insert(format!("{mute:?}"));
            }
        }
    }
    // Whatever is there to be asked is asked by some call, which then is no use without it.
    for method in METHODS {
        let is_best_effort = BEST_EFFORT.contains(method);
        let is_felt = felt.contains(&format!("{:?}", Mute::Method(method)));
        assert_eq!(is_felt, !is_best_effort, "{method}");
    }
}

/// Without these a call goes on, or they are not asked for here: what is asked about a node that is
/// silent for a minute, by a job that runs for long, at the first use of a feature that older versions do not
/// know, by tasks of their own that store or hand out events, and before unused tokens are revoked, once all
/// nodes have written their last uses. Notifications are settled several at a time.
const BEST_EFFORT: &[&str] = &[
    "deregister",
    "renew_lease",
    "raise_readable_from",
    "record_events",
    "sink_position",
    "put_sink_position",
    "recent_digests",
    "count_unused",
    "revoke_unused",
    "settle_notification",
];

/// Makes a call while something is mute; whether it failed for it.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's time, which the test stops"
)]
async fn make(call: &calls::Call, mute: Mute) -> bool {
    let world = World::new().await;
    let ports = &world.ports;
    match mute {
        Mute::Nothing => {}
        Mute::Method(method) => ports.store.set(&[method], Fault::Silent),
        Mute::Store => ports.store.set(METHODS, Fault::Silent),
        Mute::Directory => ports.directory.set_silent(true),
        Mute::Notifier => ports.notifier.set(Some(Fault::Silent)),
        Mute::Sink => ports.sink.set(Some(Fault::Silent)),
    }
    let begun = tokio::time::Instant::now();
    let longest = Duration::from_hours(24);
    let answer = tokio::time::timeout(longest, (call.make)(&world)).await;
    let (took, name) = (begun.elapsed(), call.name);
    // Timers go by whole milliseconds.
    let bound = call.bound + Duration::from_millis(50);
    assert!(
        took <= bound,
        "{name} takes {took:?} while {mute:?} is mute"
    );
    let has_failed = answer.expect("an end").is_err();
    let must_fail = match mute {
        Mute::Store => call.asks != calls::Asks::Directory,
        Mute::Directory => call.asks != calls::Asks::Store,
        Mute::Nothing | Mute::Notifier | Mute::Sink => {
            assert!(!has_failed, "{name} while {mute:?} is mute");
            false
        }
        Mute::Method(_) => false,
    };
    assert!(has_failed || !must_fail, "{name} while {mute:?} is mute");
    has_failed
}
