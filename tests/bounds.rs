//! Nothing waits without an end: every call of the whole API is made while a method of the store, the
//! directory or a mailer never answers, and ends within a stated time.
//!
//! In virtual time. Whoever adds a method to the API or to the port is told by the last two tests.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::Event;
use pat_core::search::{Filter, Search, Sort, SortKey, Start};
use pat_core::settings::{RevocationWait, SettingsBuilder};
use pat_core::store::Job;
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{
    AccessError, AdminError, Administration, AuthError, BoxError, Caller, CreateError,
    CreatedToken, EventSink, Notification, Notifier, NotifyError, Pats, Principal, Settings,
    StoreError, TokenRequest, Unavailable,
};

use crate::common::blocking_trial;
use crate::common::fault_store::{Fault, FaultStore, METHODS};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        blocking_trial(nothing_waits_without_an_end),
        blocking_trial(every_method_of_the_port_is_in_the_table),
        blocking_trial(every_call_of_the_api_is_in_the_table),
    ]
}

/// A service, and what its calls need.
struct World {
    pats: Pats,
    store: FaultStore,
    directory: TestDirectory,
    mailer: StuckNotifier,
    sink: StuckSink,
    caller: Caller,
    administration: Administration<'static>,
    token: CreatedToken,
    principal: Principal,
}

/// Sends nothing, and says so or not.
#[derive(Debug, Clone, Default)]
struct StuckNotifier(Arc<AtomicBool>);

#[async_trait]
impl Notifier for StuckNotifier {
    fn name(&self) -> &'static str {
        "stuck"
    }

    async fn send(&self, _: &Notification) -> Result<(), NotifyError> {
        if self.0.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// A shared sink that takes what it gets, or never says so.
#[derive(Debug, Clone, Default)]
struct StuckSink(Arc<AtomicBool>);

#[async_trait]
impl EventSink for StuckSink {
    fn name(&self) -> Option<&str> {
        Some("stuck")
    }

    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        if self.0.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

impl World {
    async fn new() -> Self {
        let (store, directory) = (FaultStore::shared_in_memory(), TestDirectory::default());
        let (alice, admin) = (directory.add("alice"), directory.add_administrator("admin"));
        let clock = Arc::new(TestClock::default());
        let (mailer, sink) = (StuckNotifier::default(), StuckSink::default());
        // Nothing is answered from the cache.
        let settings = Settings::builder()
            .auth_cache_expiry_mins(0)
            .revocation_wait(RevocationWait::Cluster)
            .notice_created(true)
            .set("pat.time.zone", "UTC");
        let settings = settings.and_then(SettingsBuilder::build).expect("settings");
        let pats = Pats::builder(store.clone())
            .users(directory.clone())
            .notifier(mailer.clone())
            .events(sink.clone())
            .clock(clock.clone())
            .settings(settings)
            .build();
        pats.poll_changes().await.expect("a poll");
        let caller = Caller::header_authenticated(alice);
        // One to prune, and one in use, whose last use and creation are still to be told.
        let old = pats.create(&caller, request(Some(1))).await;
        old.expect("a token");
        clock.advance(Duration::from_hours(32 * 24));
        let token = pats.create(&caller, request(None)).await.expect("a token");
        let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
        let principal = verdict.expect("a good token");
        // An owner whom the directory no longer knows.
        let gone = Caller::header_authenticated(directory.add("gone"));
        pats.create(&gone, request(None)).await.expect("a token");
        directory.remove(gone.owner());
        // For all that it is asked of: until the test ends.
        let of: &'static _ = Box::leak(Box::new((
            pats.clone(),
            Caller::header_authenticated(admin),
        )));
        let administration = of.0.administration(&of.1).await;
        Self {
            administration: administration.expect("an administrator"),
            pats,
            store,
            directory,
            mailer,
            sink,
            caller,
            token,
            principal,
        }
    }

    async fn run(&self, job: Job) -> Result<(), Failure> {
        self.pats.run_if_due(job).await?;
        Ok(())
    }
}

fn request(lifetime_days: Option<i64>) -> TokenRequest {
    TokenRequest {
        name: "ci".into(),
        lifetime_days,
    }
}

/// That nobody could say in time. Any other failure is none that waiting makes.
#[derive(Debug)]
struct Failure;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        assert!(matches!(error, StoreError::Timeout), "{error:?}");
        Self
    }
}

impl From<Unavailable> for Failure {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Store(error) => error.into(),
            Unavailable::Directory(_) => Self,
            error => panic!("{error:?}"),
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// A call of the API.
struct Call {
    name: &'static str,
    /// How long it takes at most, whatever does not answer.
    bound: Duration,
    asks: Asks,
    make: for<'a> fn(&'a World) -> Answer<'a>,
}

/// Whom a call needs: if he never answers, it must end with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Store,
    Directory,
    Both,
}

/// Makes the entry of a call, in seconds.
const fn call(
    name: &'static str,
    seconds: u64,
    asks: Asks,
    make: for<'a> fn(&'a World) -> Answer<'a>,
) -> Call {
    Call {
        name,
        bound: Duration::from_secs(seconds),
        asks,
        make,
    }
}

/// With the default of one second for a look-up, which makes five for what is not authentication, and
/// with two seconds and a fifth for a revocation to be known everywhere.
const CALLS: &[Call] = &[
    call("Pats::authenticate", 1, Asks::Both, |w| {
        Box::pin(async {
            w.pats
                .authenticate(w.token.plain.expose().as_bytes())
                .await?;
            Ok(())
        })
    }),
    call("Pats::authenticate_digest", 1, Asks::Both, |w| {
        Box::pin(async {
            w.pats.authenticate_digest(*w.principal.digest()).await?;
            Ok(())
        })
    }),
    call("Pats::recheck", 1, Asks::Both, |w| {
        Box::pin(async {
            w.pats.recheck(*w.principal.digest()).await?;
            Ok(())
        })
    }),
    call("Pats::until_invalid", 3, Asks::Both, |w| {
        Box::pin(async {
            let ended = w.pats.until_invalid(&w.principal);
            match tokio::time::timeout(Duration::from_secs(2), ended).await {
                Ok(error) => Err(error.into()),
                // The token is good, and no more was asked.
                Err(_elapsed) => Ok(()),
            }
        })
    }),
    call("Pats::create", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.create(&w.caller, request(None)).await?;
            Ok(())
        })
    }),
    call("Pats::list", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.list(&w.caller).await?;
            Ok(())
        })
    }),
    call("Pats::find", 10, Asks::Store, |w| {
        Box::pin(async {
            w.pats.find(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::is_administrator", 5, Asks::Directory, |w| {
        Box::pin(async {
            w.pats.is_administrator(&w.caller).await?;
            Ok(())
        })
    }),
    call("Pats::owner_of", 5, Asks::Directory, |w| {
        Box::pin(async {
            w.pats.owner_of(&w.token.token).await?;
            Ok(())
        })
    }),
    call("Pats::administration", 5, Asks::Directory, |w| {
        Box::pin(async {
            match w.pats.administration(&w.caller).await {
                Ok(_) | Err(AdminError::NotAdministrator) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }),
    call("Pats::revoke", 13, Asks::Store, |w| {
        Box::pin(async {
            w.pats.revoke(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::revoke_with", 13, Asks::Store, |w| {
        Box::pin(async {
            let (id, family) = (w.token.token.id, pat_core::Family::Included);
            w.pats.revoke_with(&w.caller, id, family).await?;
            Ok(())
        })
    }),
    call("Pats::user_changed", 8, Asks::Store, |w| {
        Box::pin(async {
            w.pats.user_changed(w.caller.owner()).await?;
            Ok(())
        })
    }),
    call("Pats::user_deleted", 8, Asks::Store, |w| {
        Box::pin(async {
            w.pats.user_deleted(w.caller.owner()).await?;
            Ok(())
        })
    }),
    call("Pats::ready", 1, Asks::Store, |w| {
        Box::pin(async {
            w.pats.ready().await?;
            Ok(())
        })
    }),
    call("Pats::outbox", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.outbox().await?;
            Ok(())
        })
    }),
    call("Pats::dead_notifications", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.dead_notifications(10).await?;
            Ok(())
        })
    }),
    call("Pats::requeue_notification", 5, Asks::Store, |w| {
        Box::pin(async {
            let id = pat_core::notification::NotificationId::new(1).expect("small numbers are ids");
            w.pats.requeue_notification(id).await?;
            Ok(())
        })
    }),
    call("Pats::flush_last_use", 30, Asks::Store, |w| {
        Box::pin(async {
            w.pats.flush_last_use().await?;
            Ok(())
        })
    }),
    call("Pats::poll_changes", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.poll_changes().await?;
            Ok(())
        })
    }),
    call("Pats::accept_clock", 30, Asks::Store, |w| {
        Box::pin(async {
            w.pats.accept_clock().await?;
            Ok(())
        })
    }),
    // Each step of a job has thirty seconds, half the time of its lease.
    call("Pats::run_if_due", 300, Asks::Store, |w| {
        Box::pin(async {
            let checked = w.run(Job::ExpiryCheck).await;
            let fed = w.run(Job::EventFeed).await;
            w.run(Job::Prune).await.and(checked).and(fed)
        })
    }),
    // A notification stays in hand for the directory, a mailer and five tries to settle it.
    call("Pats::deliver_notifications", 400, Asks::Store, |w| {
        Box::pin(async {
            w.pats.deliver_notifications().await?;
            Ok(())
        })
    }),
    call("Administration::search", 30, Asks::Store, |w| {
        Box::pin(async {
            let search = Search {
                filter: named(),
                sort: Sort {
                    key: SortKey::CreatedAt,
                    is_descending: true,
                },
                start: Start::Offset(0),
                limit: 10,
            };
            w.administration.search(&search).await?;
            Ok(())
        })
    }),
    call("Administration::find", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.find(&[w.token.token.id]).await?;
            Ok(())
        })
    }),
    call("Administration::count", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.count(&Filter::default()).await?;
            Ok(())
        })
    }),
    call("Administration::count_revocable", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.count_revocable(&named()).await?;
            Ok(())
        })
    }),
    call("Administration::revoke", 8, Asks::Store, |w| {
        Box::pin(async {
            let ids = vec![w.token.token.id];
            w.administration.revoke(ids, None).await?;
            Ok(())
        })
    }),
    call("Administration::revoke_with", 8, Asks::Store, |w| {
        Box::pin(async {
            let ids = vec![w.token.token.id];
            let family = pat_core::Family::Configured;
            w.administration.revoke_with(ids, None, family).await?;
            Ok(())
        })
    }),
    call(
        "Administration::revoke_matching_with",
        38,
        Asks::Store,
        |w| {
            Box::pin(async {
                let (found, family) = (named(), pat_core::Family::Configured);
                let revoked = w
                    .administration
                    .revoke_matching_with(&found, 3, None, family);
                revoked.await?;
                Ok(())
            })
        },
    ),
    call("Administration::revoke_matching", 38, Asks::Store, |w| {
        Box::pin(async {
            w.administration.revoke_matching(&named(), 3, None).await?;
            Ok(())
        })
    }),
    // It reads, numbers what has none yet, and reads again.
    call("Administration::events", 90, Asks::Store, |w| {
        Box::pin(async {
            w.administration.events(0, 100).await?;
            Ok(())
        })
    }),
    call("Administration::identify", 5, Asks::Store, |w| {
        Box::pin(async {
            let presented = w.token.plain.expose().as_bytes();
            w.administration.identify(presented).await?;
            Ok(())
        })
    }),
    call("Administration::owners_of", 30, Asks::Directory, |w| {
        Box::pin(async {
            let tokens = [w.token.token.clone()];
            w.administration.owners_of(&tokens).await?;
            Ok(())
        })
    }),
    call("Administration::search_users", 30, Asks::Directory, |w| {
        Box::pin(async {
            w.administration.search_users("a", 10).await?;
            Ok(())
        })
    }),
];

/// What is not in the table, and why.
const ELSEWHERE: &[&str] = &[
    // It ends the jobs, whose rounds are in the table, and has tests of its own.
    "Jobs::shutdown",
];

fn named() -> Filter {
    Filter {
        name: "ci".into(),
        ..Filter::default()
    }
}

#[derive(Debug, Clone, Copy)]
enum Mute {
    Nothing,
    Method(&'static str),
    Store,
    Directory,
    Notifier,
    Sink,
}

fn nothing_waits_without_an_end() {
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
        for call in CALLS {
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
/// silent for a minute, by a job that runs for long, for a feature that older versions do not know (of
/// which there is none yet), and by tasks of their own that store or hand out events.
const BEST_EFFORT: &[&str] = &[
    "deregister",
    "renew_lease",
    "raise_readable_from",
    "record_events",
    "sink_position",
    "put_sink_position",
    "recent_digests",
];

/// Makes a call while something is mute; whether it failed for it.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's time, which the test stops"
)]
async fn make(call: &Call, mute: Mute) -> bool {
    let world = World::new().await;
    match mute {
        Mute::Nothing => {}
        Mute::Method(method) => world.store.set(&[method], Fault::Silent),
        Mute::Store => world.store.set(METHODS, Fault::Silent),
        Mute::Directory => world.directory.set_silent(true),
        Mute::Notifier => world.mailer.0.store(true, Ordering::SeqCst),
        Mute::Sink => world.sink.0.store(true, Ordering::SeqCst),
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
        Mute::Store => call.asks != Asks::Directory,
        Mute::Directory => call.asks != Asks::Store,
        Mute::Nothing | Mute::Notifier | Mute::Sink => {
            assert!(!has_failed, "{name} while {mute:?} is mute");
            false
        }
        Mute::Method(_) => false,
    };
    assert!(has_failed || !must_fail, "{name} while {mute:?} is mute");
    has_failed
}

fn every_method_of_the_port_is_in_the_table() {
    let declared: BTreeSet<_> = sources("../pat-core/src/store")
        .iter()
        .flat_map(|source| blocks(source, "pub trait "))
        .flat_map(|(_, body)| names_after(&body, "    async fn "))
        // It ends only with the jobs, which drop it.
        .filter(|name| name != "listen")
        .collect();
    let listed: BTreeSet<_> = METHODS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(declared, listed);
}

fn every_call_of_the_api_is_in_the_table() {
    let sources = [
        sources("../pat-core/src/service"),
        sources("../pat-core/src/jobs"),
    ];
    let mut declared = BTreeSet::new();
    for (owner, body) in sources.iter().flatten().flat_map(|s| blocks(s, "impl ")) {
        let asynchronous = names_after(&body, "    pub async fn ");
        let futures = body.split("    pub fn ").skip(1).filter(|function| {
            let signature = function.split('{').next().unwrap_or_default();
            signature.contains("impl Future<")
        });
        let futures = futures.filter_map(|f| f.split(['(', '<']).next().map(str::to_owned));
        declared.extend(
            asynchronous
                .into_iter()
                .chain(futures)
                .map(|name| format!("{owner}::{name}")),
        );
    }
    let calls = CALLS
        .iter()
        .map(|call| call.name)
        .chain(ELSEWHERE.iter().copied());
    let listed: BTreeSet<_> = calls.map(str::to_owned).collect();
    assert_eq!(declared, listed);
}

/// The texts of the source files in a folder.
fn sources(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).expect("a folder");
    let texts = files.map(|file| std::fs::read_to_string(file.expect("a file").path()));
    texts.map(|text| text.expect("a source file")).collect()
}

/// The blocks of a source that begin so, each with the name of its type.
fn blocks<'a>(source: &'a str, begin: &str) -> Vec<(String, String)> {
    let starts: Vec<_> = source
        .match_indices(begin)
        .filter(|(at, _)| *at == 0 || source[..*at].ends_with('\n'))
        .collect();
    let block = |(at, _): (usize, &'a str)| {
        let rest = &source[at + begin.len()..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let body = rest.split("\n}\n").next().unwrap_or_default();
        (name, body.to_owned())
    };
    starts.into_iter().map(block).collect()
}

fn names_after(body: &str, begin: &str) -> Vec<String> {
    let rests = body.split(begin).skip(1);
    let names = rests.filter_map(|rest| rest.split(['(', '<']).next());
    names.map(str::to_owned).collect()
}
