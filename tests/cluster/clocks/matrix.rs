//! A date that is wrong, of a node or of a database server, from its start or from a moment on, by
//! days or by minutes, whether or not nodes can report: nothing is lost by that, and nothing is
//! accepted that has ended.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use pat_core::{Clock as _, SystemClock};
use pat_harness::until;
use pat_servers::{Database, Kind};

use super::node::Node;
use super::shift::{DAY, Shift};
use super::tables::{Connection, Tables};
use super::teller::assert_seen_by;
use super::tokens::{Tokens, assert_all_kept, assert_told, insert_old};

/// By how many seconds a date is wrong, and how that is called.
pub(super) type Offset = (&'static str, i64);

const OFFSETS: [Offset; 6] = [
    ("+400d", 400 * DAY),
    ("-400d", -400 * DAY),
    ("+2d", 2 * DAY),
    ("-2d", -2 * DAY),
    ("+10m", 600),
    ("-10m", -600),
];

/// How long the date is wrong: some polls, and a run of each job.
const WRONG: Duration = Duration::from_millis(1_700);
/// How long it is right again before a node is stopped: a poll.
const RIGHT: Duration = Duration::from_millis(700);

/// One of them, another one each day and in each of these tests; all or some of them if
/// `PAT_TEST_CLOCKS` says so.
fn offsets(test: &str, number: i64) -> Vec<Offset> {
    let offsets: Vec<_> = match std::env::var("PAT_TEST_CLOCKS").as_deref() {
        Err(_) | Ok("") => {
            let day = SystemClock.wall().as_second() / DAY;
            let one = usize::try_from((day + number) % 6).expect("less than six");
            vec![OFFSETS[one]]
        }
        Ok("all") => OFFSETS.to_vec(),
        Ok(list) => list.split(',').map(offset).collect(),
    };
    for (name, _) in &offsets {
        println!("clocks::{test}: {name}");
    }
    offsets
}

fn offset(name: &str) -> Offset {
    let found = OFFSETS.into_iter().find(|offset| offset.0 == name.trim());
    found.unwrap_or_else(|| panic!("PAT_TEST_CLOCKS has {name:?}, which is none of {OFFSETS:?}"))
}

/// From when on the date is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Start,
    /// Some time after it.
    Running,
}

/// Whether nodes can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polls {
    Free,
    Blocked,
}

/// One row of the matrix, with tables of its own.
struct Cell {
    offset: Offset,
    from: From,
    polls: Polls,
    tables: Tables,
    tokens: Tokens,
}

impl Cell {
    async fn new(offset: Offset, from: From, polls: Polls, tables: Tables) -> Self {
        let tokens = Tokens::insert(&tables).await;
        Self {
            offset,
            from,
            polls,
            tables,
            tokens,
        }
    }

    /// What came of it, or why it went wrong.
    async fn named<T>(&self, what: impl Future<Output = T>) -> Result<T, String> {
        let result = AssertUnwindSafe(what).catch_unwind().await;
        result.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref().copied());
            let ((offset, _), from, polls) = (self.offset, self.from, self.polls);
            format!(
                "{offset}, {from:?}, polls {polls:?}: {}",
                text.unwrap_or_default()
            )
        })
    }

    async fn lock(&self) -> Option<Connection> {
        match self.polls {
            Polls::Free => None,
            Polls::Blocked => Some(self.tables.lock_reports().await),
        }
    }

    /// A node that knows all the tokens.
    async fn warm_node(&self, shift: Option<&Shift>) -> Node {
        let node = Node::start(&self.tables, shift, &[]).await;
        node.accepts_live(&self.tokens).await;
        node.refuses_ended(&self.tokens).await;
        node
    }

    /// A node that is started while the date is wrong; `None` where it cannot write, and gives up.
    async fn cold_node(&self, shift: Option<&Shift>) -> Option<Node> {
        match self.polls {
            Polls::Free => Some(Node::start(&self.tables, shift, &[]).await),
            Polls::Blocked => Node::try_start(&self.tables, shift, &[]).await,
        }
    }

    /// The date of the node is wrong.
    async fn of_node(&self) {
        let (shift, seconds) = (Shift::new(0), self.offset.1);
        let (node, lock) = match self.from {
            From::Start => {
                let lock = self.lock().await;
                shift.set(seconds);
                (self.cold_node(Some(&shift)).await, lock)
            }
            From::Running => {
                let node = self.warm_node(Some(&shift)).await;
                let lock = self.lock().await;
                shift.set(seconds);
                (Some(node), lock)
            }
        };
        if let Some(node) = &node {
            node.keeps_refusing(&self.tokens, WRONG).await;
            if self.tables.server.is_some() {
                node.accepts_live(&self.tokens).await;
            }
        }
        shift.set(0);
        unlock(lock).await;
        if let Some(node) = node {
            node.keeps_refusing(&self.tokens, RIGHT).await;
            node.stop().await;
        }
        self.right_again().await;
    }

    /// The date of the server is wrong; `node` was there before.
    async fn while_server_is_wrong(&self, node: Option<Node>) -> Option<Node> {
        let node = match node {
            Some(node) => Some(node),
            None => self.cold_node(None).await,
        };
        if let Some(node) = &node {
            node.keeps_refusing(&self.tokens, WRONG).await;
        }
        node
    }

    /// And then right.
    async fn after_server_was_wrong(&self, node: Option<Node>, lock: Option<Connection>) {
        unlock(lock).await;
        if let Some(node) = node {
            node.refuses_ended(&self.tokens).await;
            node.accepts_live_again(&self.tokens).await;
            node.refuses_ended(&self.tokens).await;
            node.stop().await;
        }
        self.right_again().await;
    }

    /// Fails unless a node with the right date finds all as it was, and the jobs run on time.
    async fn right_again(&self) {
        let since = self.tables.clock().await;
        assert_all_kept(&self.tables).await;
        let node = Node::start(&self.tables, None, &[]).await;
        node.accepts_live(&self.tokens).await;
        node.refuses_ended(&self.tokens).await;
        let old = insert_old(&self.tables).await;
        jobs_run(&self.tables, since).await;
        let is_there = format!("SELECT COUNT(*) FROM pat_token WHERE id = {old}");
        until("an old token is deleted", async || {
            self.tables.number(&is_there).await == 0
        })
        .await;
        assert_all_kept(&self.tables).await;
        if self.tells_the_truth() {
            assert_told(&self.tables).await;
        }
        node.stop().await;
    }

    /// Whether owners are told nothing wrong: a machine that was off for up to a week is believed that
    /// a token has expired meanwhile.
    fn tells_the_truth(&self) -> bool {
        self.offset.1 != 2 * DAY
    }
}

async fn unlock(lock: Option<Connection>) {
    if let Some(lock) = lock {
        lock.close().await;
    }
}

/// Waits until both jobs have run after this time, and fails if one is said to have run later than
/// now.
pub(super) async fn jobs_run(tables: &Tables, since: i64) {
    until("both jobs run", async || {
        let done = tables.numbers("SELECT done FROM pat_lease").await;
        let now = tables.clock().await;
        done.len() == 2 && done.iter().all(|done| (since..=now).contains(done))
    })
    .await;
}

/// The date of a node is wrong, on SQLite.
pub(super) async fn guarantees_hold_with_a_wrong_date_on_sqlite() {
    let mut failures = vec![];
    for offset in offsets("sqlite", 0) {
        failures.extend(of_nodes(offset, async |_| Tables::in_file().await).await);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The date of a node is wrong, on a server whose date is right.
pub(super) async fn guarantees_hold_with_a_wrong_date_on_a_node(kind: Kind) {
    let test = format!("{}::node", kind.need());
    let number = match kind {
        Kind::Postgres => 1,
        Kind::MariaDb => 2,
    };
    let mut failures = vec![];
    for offset in offsets(&test, number) {
        let databases = join_all((0..4).map(|_| Database::create(kind))).await;
        let tables = async |cell: usize| Tables::on(&databases[cell]).await;
        failures.extend(of_nodes(offset, tables).await);
        join_all(databases.into_iter().map(Database::delete)).await;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn of_nodes(offset: Offset, tables: impl AsyncFn(usize) -> Tables) -> Vec<String> {
    let mut cells = vec![];
    for from in [From::Start, From::Running] {
        for polls in [Polls::Free, Polls::Blocked] {
            let tables = tables(cells.len()).await;
            cells.push(Cell::new(offset, from, polls, tables).await);
        }
    }
    // All at once: most of the time they wait.
    let all = cells.iter().map(|cell| cell.named(cell.of_node()));
    let all = join_all(all).await;
    all.into_iter().filter_map(Result::err).collect()
}

/// The date of a server is wrong.
pub(super) async fn guarantees_hold_with_a_wrong_date_on_the_server(kind: Kind) {
    let shift = Shift::new(0);
    let database = Database::create_in_environment(kind, &shift.variables()).expect("a server");
    let test = format!("{}::server", kind.need());
    let number = match kind {
        Kind::Postgres => 4,
        Kind::MariaDb => 5,
    };
    assert_seen_by(&database, &shift).await;
    let mut failures = vec![];
    for (round, offset) in offsets(&test, number).into_iter().enumerate() {
        for from in [From::Running, From::Start] {
            let mut cells = vec![];
            for polls in [Polls::Free, Polls::Blocked] {
                let name = format!("pat_{round}_{from:?}_{polls:?}").to_lowercase();
                let tables = Tables::on(&database.create_beside(&name).await).await;
                cells.push(Cell::new(offset, from, polls, tables).await);
            }
            failures.extend(of_server(&cells, &database, &shift).await);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Of cells that have a server in common, and the time from which on it is wrong.
async fn of_server(cells: &[Cell], database: &Database, shift: &Shift) -> Vec<String> {
    let Cell { offset, from, .. } = cells[0];
    let mut nodes = vec![];
    for cell in cells {
        nodes.push(match from {
            From::Start => None,
            From::Running => Some(cell.warm_node(None).await),
        });
    }
    if from == From::Start {
        database.restart_after(async { shift.set(offset.1) }).await;
    }
    let mut locks = vec![];
    for cell in cells {
        locks.push(cell.lock().await);
    }
    shift.set(offset.1);
    let wrong = cells.iter().zip(nodes).zip(locks);
    let wrong = wrong.map(|((cell, node), lock)| {
        cell.named(async move {
            let node = cell.while_server_is_wrong(node).await;
            (cell, node, lock)
        })
    });
    let wrong = join_all(wrong).await;
    shift.set(0);
    let after = wrong.into_iter().map(async |wrong| {
        let (cell, node, lock) = wrong?;
        cell.named(cell.after_server_was_wrong(node, lock)).await
    });
    let after = join_all(after).await;
    after.into_iter().filter_map(Result::err).collect()
}
