//! Processes and databases that die in the midst of a delivery.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::{Insertion, NewToken, TokenStore as _};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Clock as _, TokenDigest, TokenId};
use pat_harness::fault_store::FaultStore;
use pat_harness::mail::Mail;
use pat_harness::smtp::{Sink, mailer};
use pat_harness::until;
use pat_servers::environment::number;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::{self, Connection as _, SqliteConnection};

use super::{Host, open, owner, pats, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(kill_9_loses_no_notice),
        trial(a_database_that_goes_away_loses_no_notice),
    ]
}

/// How many notifications a process has in hand at a time (`pat_core`'s `IN_HAND`).
const IN_HAND: usize = 8;

/// Makes the test program deliver the notifications of a database. Its arguments: the file, the mail
/// server's URL, and by how many hours its clock is ahead. The clock stands still, so what fails is
/// left to the next process.
pub(crate) const AS_MAILER: &str = "PAT_TEST_AS_MAILER";

pub(crate) fn deliver_as_process() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [file, url, hours] = &arguments[..] else {
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(file).await.expect("a store");
        let clock = Arc::new(TestClock::default());
        clock.advance(Duration::from_hours(hours.parse().expect("hours")));
        let users = TestDirectory::default();
        users.add("alice");
        let pats = pats(Arc::new(store), &clock, &users, |it| {
            it.notifier(Arc::new(mailer(url)))
        });
        pats.deliver_notifications().await.expect("a delivery");
    });
    ExitCode::SUCCESS
}

/// A process that delivers.
struct Deliverer {
    child: Child,
}

impl Deliverer {
    fn start(file: &Path, sink: &Sink, hours: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program's path"));
        command.env_clear().env(AS_MAILER, "1").stdin(Stdio::null());
        command.arg(file);
        command.arg(format!("smtp://127.0.0.1:{}", sink.port));
        let child = command.arg(hours.to_string()).spawn();
        Self {
            child: child.expect("a process"),
        }
    }

    fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    fn run_to_end(mut self) {
        assert!(self.child.wait().expect("its end").success());
    }
}

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The messages in hand are not sent yet.
    BeforeData,
    /// The server has them, and has not said so.
    BeforeReply,
    /// So long after its first message has come.
    After(Duration),
}

/// `PAT_TEST_MAIL_NOTICES` and `PAT_TEST_KILL_ROUNDS` make it longer.
async fn kill_9_loses_no_notice() {
    let notifications = number("PAT_TEST_MAIL_NOTICES", 1_000);
    let mut moments = vec![Moment::BeforeData, Moment::BeforeReply];
    moments.extend((0..number("PAT_TEST_KILL_ROUNDS", 5)).map(|_| {
        let random = RandomState::new().hash_one(0);
        Moment::After(Duration::from_millis(random % 300))
    }));
    moments.extend([Moment::BeforeReply, Moment::BeforeData]);

    let folder = tempfile::tempdir().expect("a temporary folder");
    queue(&open(&folder).await, notifications).await;
    let file = folder.path().join("pat.db");
    let sink = Sink::start();
    let mut kills = Vec::new();
    // By name, how often a notification was in hand at a kill: then it may come once more.
    let mut in_hand = BTreeMap::<String, usize>::new();
    // Each process comes hours after the last: no claim and no pause lasts so long.
    let mut hours = 0;
    for moment in moments {
        if count(&file, PENDING).await < 2 * IN_HAND {
            break;
        }
        hours += 2;
        let process = Deliverer::start(&file, &sink, hours);
        wait_for(moment, &sink).await;
        process.kill();
        kills.push(moment);
        for name in claimed(&file, hours).await {
            *in_hand.entry(name).or_default() += 1;
        }
    }
    sink.fail("now-and-then");
    for round in 1.. {
        assert!(round < 50, "the outbox is never empty");
        hours += 2;
        Deliverer::start(&file, &sink, hours).run_to_end();
        if count(&file, PENDING).await == 0 {
            break;
        }
    }
    assert_eq!(count(&file, DEAD).await, 0);

    let mails = sink.mails();
    let duplicates = assert_complete(&mails, notifications, &in_hand);
    println!(
        "{notifications} notifications, {} kills with {} notifications in hand, {} cuts: {duplicates} duplicates",
        kills.len(),
        in_hand.values().sum::<usize>(),
        mails.iter().filter(|mail| is_cut(mail)).count(),
    );
    let certain = kills.iter().filter(|it| matches!(it, Moment::BeforeReply));
    assert!(
        duplicates >= certain.count() * IN_HAND,
        "what was not acknowledged is sent again: {duplicates}"
    );
}

/// Every notification has come, and more than once only where nobody could know better. Returns how many
/// were too many.
fn assert_complete(
    mails: &[Mail],
    notifications: usize,
    in_hand: &BTreeMap<String, usize>,
) -> usize {
    let mut by_name = BTreeMap::<String, Vec<&Mail>>::new();
    for mail in mails {
        by_name.entry(name_in(mail)).or_default().push(mail);
    }
    assert_eq!(by_name.len(), notifications, "none is missing");
    for (name, mails) in &by_name {
        let kills = in_hand.get(name).copied().unwrap_or_default();
        let cuts = mails.iter().filter(|mail| is_cut(mail)).count();
        assert!(
            mails.len() <= 1 + kills + cuts,
            "{name} came {} times, at {kills} kills and {cuts} cuts",
            mails.len()
        );
        for mail in mails {
            assert_eq!(mail.raw, mails[0].raw, "{name}");
        }
    }
    let mut ids: Vec<_> = by_name.values().map(|mails| mails[0].id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids.len(),
        notifications,
        "each notification has a Message-ID of its own"
    );
    mails.len() - notifications
}

/// Has the process get to this moment.
async fn wait_for(moment: Moment, sink: &Sink) {
    let fault = match moment {
        Moment::BeforeData => "message hang",
        Moment::BeforeReply => "stored hang",
        Moment::After(_) => "now-and-then",
    };
    let (count, hanging) = (sink.count(), sink.hanging());
    sink.fail(fault);
    if let Moment::After(time) = moment {
        until("a message", async || sink.count() > count).await;
        tokio::time::sleep(time).await;
    } else {
        let all = hanging + IN_HAND;
        until("waiting", async || sink.hanging() == all).await;
    }
}

/// Queues so many notifications to alice, each about a token of its own.
async fn queue(store: &SqliteStore, notifications: usize) {
    let created_at = TestClock::default().wall();
    for number in 0..notifications {
        let mut token = NewToken::new(
            i64::try_from(number)
                .ok()
                .and_then(TokenId::new)
                .expect("an id"),
            TokenDigest::of(&number.to_le_bytes()),
            owner("alice"),
            format!("token-{number}"),
            created_at,
        );
        token.max_rows = 10_000;
        token.notify = true;
        let insertion = store.insert(&token, u32::MAX).await.expect("insert");
        assert!(matches!(insertion, Insertion::Stored(_)), "{insertion:?}");
    }
}

/// The names of the tokens whose notifications a process of this clock had in hand when it died.
async fn claimed(file: &Path, hours: u64) -> Vec<String> {
    let clock = TestClock::default();
    clock.advance(Duration::from_hours(hours));
    let query = "SELECT name FROM pat_notice JOIN pat_notice_token ON notice_id = pat_notice.id \
                 WHERE state = 0 AND mark <> 0 AND due_at > ?";
    let names = sqlx::query_scalar(query).bind(clock.wall().as_microsecond());
    names
        .fetch_all(&mut connect(file).await)
        .await
        .expect("names")
}

/// States of a notification, as the database has them.
const PENDING: i64 = 0;
const DEAD: i64 = 2;

/// How many notifications are in this state.
async fn count(file: &Path, state: i64) -> usize {
    let query = "SELECT count(*) FROM pat_notice WHERE state = ?";
    let count = sqlx::query_scalar::<_, i64>(query).bind(state);
    let count = count.fetch_one(&mut connect(file).await).await;
    count
        .expect("a count")
        .try_into()
        .expect("a count of notifications")
}

async fn connect(file: &Path) -> SqliteConnection {
    let url = format!("sqlite:{}", file.display());
    let connection = SqliteConnection::connect(&url).await;
    connection.expect("a database")
}

/// The name of the token that a mail is about.
fn name_in(mail: &Mail) -> String {
    let (_, rest) = mail.subject.split_once('“').expect("a name");
    let (name, _) = rest.split_once('”').expect("its end");
    name.to_owned()
}

/// Whether the server has cut the connection instead of acknowledging this mail.
fn is_cut(mail: &Mail) -> bool {
    mail.envelope["cut"] == true
}

/// The database goes away after half of the notifications are sent.
async fn a_database_that_goes_away_loses_no_notice() {
    const NOTICES: usize = 500;
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    host.users.add("alice");
    queue(&open(&host.folder).await, NOTICES).await;
    let store = FaultStore::new(Arc::new(open(&host.folder).await));
    let fault_store = pats(Arc::new(store.clone()), &host.clock, &host.users, |it| {
        it.notifier(Arc::new(sink.mailer()))
    });
    let delivering = tokio::spawn(async move { fault_store.deliver_notifications().await });
    until("half of the mails", async || sink.count() >= NOTICES / 2).await;
    store.set_down(true);
    let result = delivering.await.expect("no panic");
    assert!(result.is_err(), "it was noticed: {result:?}");
    assert!(sink.count() < NOTICES, "{} were sent", sink.count());

    let sent = host.deliver_later().await;
    assert_eq!(host.outbox().await, (0, 0));
    let mails = host.mails(&sink);
    let mut in_hand = BTreeMap::new();
    for mail in &mails {
        in_hand.insert(name_in(mail), 1);
    }
    let duplicates = assert_complete(&mails, NOTICES, &in_hand);
    assert!(duplicates <= IN_HAND, "{duplicates} were sent twice");
    println!(
        "{sent} of {NOTICES} notifications after the database was back: {duplicates} duplicates"
    );
}
