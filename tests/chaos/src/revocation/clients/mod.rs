//! Who asks the nodes.

mod lines;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use pat_harness::{PROJECTS, TOKENS};
use pat_servers::environment::number;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::history::{Entry, History, Op, Way};
use super::node::{USERS, user};
use super::nodes::{NODES, Nodes};
use super::random::Random;
use super::tokens::{Group, Token, Tokens};

const ADMIN_TOKENS: &str = "/rest/pat/latest/admin/tokens";

/// Tasks that authenticate, for each node.
const READERS: usize = 2;
/// Tasks that create and revoke, unless the environment says otherwise. Most of them wait: for the
/// cluster, or for a node that stands still.
const WRITERS: usize = 12;
/// A server answers within its own deadline of a second.
const READ_TIMEOUT: Duration = Duration::from_millis(1_500);
/// A revocation may wait for the staleness bound, and for a database.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a token is followed that was just revoked: longer than any node may accept it.
const CHASE: Duration = Duration::from_secs(4);

pub(super) struct Clients {
    nodes: Arc<Nodes>,
    history: Arc<History>,
    tokens: Mutex<Tokens>,
    /// By which ways tokens are revoked, in turn.
    ways: Vec<Way>,
    turn: AtomicUsize,
    /// Those by which some were, acknowledged.
    used: watch::Sender<BTreeSet<Way>>,
    /// The numbers of those who had no token yet. A user who was disabled stays so.
    users: Mutex<Vec<usize>>,
    /// For many requests at once. It keeps its connections, so that a node that wakes up has the
    /// requests in its hands.
    http: reqwest::Client,
    stop: CancellationToken,
}

impl Clients {
    /// Starts all clients.
    pub(super) fn start(
        nodes: Arc<Nodes>,
        history: Arc<History>,
        ways: Vec<Way>,
        random: &mut Random,
    ) -> (Arc<Self>, JoinSet<()>) {
        let clients = Arc::new(Self {
            nodes,
            history,
            tokens: Mutex::default(),
            ways,
            turn: AtomicUsize::new(0),
            used: watch::Sender::default(),
            users: Mutex::new((0..USERS).collect()),
            http: client(WRITE_TIMEOUT),
            stop: CancellationToken::new(),
        });
        let mut tasks = JoinSet::new();
        let writers = if clients.ways.is_empty() {
            0
        } else {
            number("PAT_TEST_REVOCATION_WRITERS", WRITERS)
        };
        for _ in 0..writers {
            tasks.spawn(Arc::clone(&clients).write(random.fork()));
        }
        for node in (0..NODES).cycle().take(NODES * READERS) {
            tasks.spawn(Arc::clone(&clients).read(node, random.fork()));
        }
        (clients, tasks)
    }

    /// Waits until tokens were revoked by each way: on a busy machine that may take a while.
    pub(super) async fn used_all_ways(&self) {
        let mut used = self.used.subscribe();
        let all = used.wait_for(|used| self.ways.iter().all(|way| used.contains(way)));
        let in_time = tokio::time::timeout(Duration::from_mins(3), all).await;
        assert!(in_time.is_ok(), "only {:?}", *self.used.borrow());
    }

    /// Has all clients end after what they are at.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, Vec<usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Readers

    async fn read(self: Arc<Self>, node: usize, mut random: Random) {
        let http = client(READ_TIMEOUT);
        while !self.stop.is_cancelled() {
            let token = self.tokens().any(&mut random);
            let status = match token {
                Some(token) => self.authenticate(&http, node, &token).await,
                None => None,
            };
            let pause = match status {
                Some(_) => random.millis(1, 6),
                // There is no server just now, or no token.
                None => random.millis(10, 50),
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn authenticate(
        &self,
        http: &reqwest::Client,
        node: usize,
        token: &Token,
    ) -> Option<u16> {
        let request = http
            .get(format!("{}{PROJECTS}", self.nodes.base(node)))
            .bearer_auth(&token.raw);
        let (entry, _) = self.send(Op::Authenticate, node, request).await;
        let status = entry.status;
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
        status
    }

    /// The tokens that are live now.
    pub(super) fn live(&self) -> Vec<Token> {
        self.tokens().live()
    }

    /// Sends a node one request with each of these, all at once.
    pub(super) async fn burst(&self, node: usize, tokens: &[Token]) {
        let requests = tokens
            .iter()
            .map(|token| self.authenticate(&self.http, node, token));
        join_all(requests).await;
    }

    /// Tries a token that was just revoked on the nodes that did not do it, until they refuse it:
    /// how long that takes is what the figures are about.
    async fn chase(&self, http: &reqwest::Client, revoker: usize, token: &Token) {
        self.chase_while(200, http, revoker, token).await;
    }

    /// Tries a token on all nodes but one, on each while its answer has this status.
    async fn chase_while(&self, status: u16, http: &reqwest::Client, but: usize, token: &Token) {
        let chases = (0..NODES).filter(|node| *node != but);
        join_all(chases.map(async |node| {
            let until = self.history.now() + CHASE;
            let mut pause = Duration::from_millis(1);
            while self.authenticate(http, node, token).await == Some(status)
                && self.history.now() < until
            {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(16));
            }
        }))
        .await;
    }

    // Writers

    async fn write(self: Arc<Self>, mut random: Random) {
        let http = client(WRITE_TIMEOUT);
        while !self.stop.is_cancelled() {
            if random.once_in(8) {
                self.race(&http, &mut random).await;
            }
            if let Some(group) = self.create(&http, &mut random).await {
                self.tokens().put(group);
            }
            let oldest = self.tokens().take();
            if let Some(group) = oldest {
                match group.way {
                    Way::ByRotation => self.replace(&http, &group, &mut random).await,
                    Way::ByDisabling => self.disable(&http, &group, &mut random).await,
                    _ => {
                        let node = self.nodes.pick(&mut random);
                        if self.revoke(&http, node, &group).await {
                            self.chase(&http, node, &group.tokens[0]).await;
                        }
                    }
                }
            }
            tokio::time::sleep(random.millis(20, 80)).await;
        }
    }

    /// Revokes a token while all nodes are at looking it up for the first time.
    async fn race(&self, http: &reqwest::Client, random: &mut Random) {
        let node = self.nodes.pick(random);
        let Some(token) = self.create_one(http, node, "alice", None).await else {
            return;
        };
        let group = Group {
            owner: "alice".into(),
            tokens: vec![token.clone()],
            way: Way::ByOwner,
        };
        let pauses: Vec<_> = (0..4 * NODES).map(|_| random.millis(0, 20)).collect();
        let requests = pauses.into_iter().enumerate().map(async |(index, pause)| {
            tokio::time::sleep(pause).await;
            self.authenticate(http, index % NODES, &token).await;
        });
        let late = random.millis(0, 20);
        let revocation = async {
            tokio::time::sleep(late).await;
            self.revoke(http, node, &group).await
        };
        tokio::join!(revocation, join_all(requests));
        self.tokens().put_revoked(&group.tokens);
        for node in 0..NODES {
            self.authenticate(http, node, &token).await;
        }
    }

    /// Tokens for the way that is next.
    async fn create(&self, http: &reqwest::Client, random: &mut Random) -> Option<Group> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let way = self.ways[turn % self.ways.len()];
        let own_user = match way {
            Way::ByFilter | Way::WithDisabledOwner | Way::WithDeletedOwner => {
                Some(self.users().pop()?)
            }
            _ => None,
        };
        let owner = own_user.map_or_else(|| "alice".into(), user);
        let count = match way {
            Way::ByOwner | Way::ByAdmin | Way::ByItself | Way::ByRotation | Way::ByDisabling => 1,
            _ => 2,
        };
        let mut tokens: Vec<Token> = Vec::new();
        for _ in 0..count {
            let node = self.nodes.pick(random);
            let token = match (way, tokens.last()) {
                (Way::WithSuccessor, Some(predecessor)) => {
                    self.succeed(http, node, &owner, predecessor).await
                }
                (way, last) => {
                    let parent = last.filter(|_| way == Way::WithParent);
                    self.create_one(http, node, &owner, parent).await
                }
            };
            tokens.extend(token);
        }
        if tokens.is_empty() {
            self.users().extend(own_user);
        }
        let group = Group { owner, tokens, way };
        (group.tokens.len() == count).then_some(group)
    }

    async fn create_one(
        &self,
        http: &reqwest::Client,
        node: usize,
        owner: &str,
        parent: Option<&Token>,
    ) -> Option<Token> {
        let request = http.post(format!("{}{TOKENS}", self.nodes.base(node)));
        let (request, days) = match parent {
            // A child lives no longer than its parent.
            Some(parent) => (request.bearer_auth(&parent.raw), 30),
            None => (request.basic_auth(owner, Some(owner)), 90),
        };
        let request = request.json(&json!({"name": "ci", "expirationDuration": days}));
        let (entry, response) = self.send(Op::Create, node, request).await;
        let response = response.filter(|response| response.status() == 201)?;
        let body = response.json::<Value>().await.ok()?;
        let token = token(&body);
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
        Some(token)
    }

    /// Takes the power from a group, by its way; whether that was acknowledged.
    async fn revoke(&self, http: &reqwest::Client, node: usize, group: &Group) -> bool {
        let base = self.nodes.base(node);
        let Group { owner, tokens, way } = group;
        let first = match way {
            Way::WithSuccessor => tokens.last().expect("a successor"),
            _ => &tokens[0],
        };
        let one = http.delete(format!("{base}{TOKENS}/{}", first.id));
        let by_admin = |request: RequestBuilder| request.basic_auth("admin", Some("admin"));
        let request = match way {
            Way::ByOwner
            | Way::WithParent
            | Way::WithSuccessor
            | Way::ByRotation
            | Way::ByDisabling => one.basic_auth(owner, Some(owner)),
            Way::ByAdmin => by_admin(one),
            Way::ByItself => {
                let current = http.delete(format!("{base}{TOKENS}/current"));
                current.bearer_auth(&first.raw)
            }
            Way::ByIds => {
                let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
                by_admin(http.delete(format!("{base}{ADMIN_TOKENS}"))).json(&ids)
            }
            Way::ByFilter => {
                let body = json!({"filter": {"userKeys": [owner]}, "expectedCount": tokens.len()});
                by_admin(http.post(format!("{base}{ADMIN_TOKENS}/revoke"))).json(&body)
            }
            Way::WithDisabledOwner => {
                by_admin(http.post(format!("{base}/demo/users/{owner}/disable")))
            }
            Way::WithDeletedOwner => by_admin(http.delete(format!("{base}/demo/users/{owner}"))),
        };
        let started = self.history.now();
        let (mut entry, _) = self.send(Op::Revoke(*way), node, request).await;
        if entry.status == Some(200) {
            // With a count, which is the expected one.
            entry.status = Some(204);
        }
        for token in tokens {
            self.history.push(Entry {
                token: token.id,
                invoked: started,
                ..entry
            });
        }
        let is_acknowledged = entry.status == Some(204);
        if is_acknowledged {
            self.used.send_if_modified(|used| used.insert(*way));
        }
        is_acknowledged
    }

    /// Sends a request; the entry about it still lacks its token.
    async fn send(
        &self,
        op: Op,
        node: usize,
        request: RequestBuilder,
    ) -> (Entry, Option<Response>) {
        let invoked = self.history.now();
        let response = request.send().await.ok();
        let entry = Entry {
            op,
            node,
            token: 0,
            invoked,
            returned: self.history.now(),
            status: response.as_ref().map(|response| response.status().as_u16()),
            ends: None,
        };
        (entry, response)
    }
}

/// The token that was created.
fn token(body: &Value) -> Token {
    Token {
        id: body["id"].as_i64().expect("an id"),
        raw: body["rawToken"].as_str().expect("a raw token").into(),
    }
}

fn client(timeout: Duration) -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    builder.build().expect("an HTTP client")
}
