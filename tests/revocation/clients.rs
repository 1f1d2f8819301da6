//! Who asks the nodes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::history::{Entry, History, Op};
use super::nodes::{NODES, Nodes};
use super::random::Random;
use crate::common::{MYSELF, TOKENS};

/// Tasks that authenticate, for each node.
const READERS: usize = 2;
/// Tasks that create and revoke. Most of them wait: for the cluster, or for a node that stands
/// still.
const WRITERS: usize = 12;
/// Tokens that stay alive, so that they are in every cache when their turn comes.
const LIVE: usize = 48;
/// Tokens that were revoked last and are tried again and again. At the rate of these clients, they
/// were revoked within more than the staleness bound.
const REVOKED: usize = 512;
/// A server answers within its own deadline of a second.
const READ_TIMEOUT: Duration = Duration::from_millis(1_500);
/// A revocation may wait for the staleness bound, and for a database.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Token {
    id: i64,
    raw: Arc<str>,
}

#[derive(Default)]
struct Tokens {
    live: Vec<Token>,
    /// Newest first; the newest may still be on their way.
    revoked: VecDeque<Token>,
}

pub(super) struct Clients {
    nodes: Arc<Nodes>,
    history: Arc<History>,
    tokens: Mutex<Tokens>,
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
        random: &mut Random,
    ) -> (Arc<Self>, JoinSet<()>) {
        let clients = Arc::new(Self {
            nodes,
            history,
            tokens: Mutex::default(),
            http: client(WRITE_TIMEOUT),
            stop: CancellationToken::new(),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(Arc::clone(&clients).write(random.fork()));
        }
        for node in (0..NODES).cycle().take(NODES * READERS) {
            tasks.spawn(Arc::clone(&clients).read(node, random.fork()));
        }
        (clients, tasks)
    }

    /// Has all clients end after what they are at.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(self: Arc<Self>, node: usize, mut random: Random) {
        let http = client(READ_TIMEOUT);
        while !self.stop.is_cancelled() {
            let status = match self.any(&mut random) {
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

    /// A live token, one that was just revoked, or one that was revoked before.
    fn any(&self, random: &mut Random) -> Option<Token> {
        let tokens = self.tokens();
        let (live, revoked) = (tokens.live.len(), tokens.revoked.len());
        if revoked == 0 || random.once_in(3) {
            return (live > 0).then(|| tokens.live[random.below(live)].clone());
        }
        let newest = if random.once_in(2) { 12 } else { REVOKED };
        let index = random.below(revoked.min(newest));
        Some(tokens.revoked[index].clone())
    }

    async fn authenticate(
        &self,
        http: &reqwest::Client,
        node: usize,
        token: &Token,
    ) -> Option<u16> {
        let request = http
            .get(format!("{}{MYSELF}", self.nodes.base(node)))
            .bearer_auth(&token.raw);
        let (entry, _) = self.send(Op::Authenticate, node, request).await;
        let status = entry.status;
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
        status
    }

    async fn write(self: Arc<Self>, mut random: Random) {
        let http = client(WRITE_TIMEOUT);
        while !self.stop.is_cancelled() {
            let node = self.nodes.pick(&mut random);
            self.create(&http, node).await;
            let oldest = {
                let mut tokens = self.tokens();
                (tokens.live.len() > LIVE).then(|| {
                    let token = tokens.live.remove(0);
                    tokens.revoked.push_front(token.clone());
                    tokens.revoked.truncate(REVOKED);
                    token
                })
            };
            if let Some(token) = oldest {
                let node = self.nodes.pick(&mut random);
                self.revoke(&http, node, &token).await;
            }
            tokio::time::sleep(random.millis(20, 80)).await;
        }
    }

    async fn create(&self, http: &reqwest::Client, node: usize) {
        let request = http
            .post(format!("{}{TOKENS}", self.nodes.base(node)))
            .basic_auth("alice", Some("alice"))
            .json(&json!({"name": "ci", "expirationDuration": 90}));
        let (entry, response) = self.send(Op::Create, node, request).await;
        let Some(response) = response.filter(|response| response.status() == 201) else {
            return;
        };
        let Ok(body) = response.json::<Value>().await else {
            return;
        };
        let token = Token {
            id: body["id"].as_i64().expect("an id"),
            raw: body["rawToken"].as_str().expect("a raw token").into(),
        };
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
        self.tokens().live.push(token);
    }

    async fn revoke(&self, http: &reqwest::Client, node: usize, token: &Token) {
        let request = http
            .delete(format!("{}{TOKENS}/{}", self.nodes.base(node), token.id))
            .basic_auth("alice", Some("alice"));
        let (entry, _) = self.send(Op::Revoke, node, request).await;
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
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
        };
        (entry, response)
    }

    /// The tokens that are live now.
    pub(super) fn live(&self) -> Vec<Token> {
        self.tokens().live.clone()
    }

    /// Sends a node one request with each of these, all at once.
    pub(super) async fn burst(&self, node: usize, tokens: &[Token]) {
        let requests = tokens
            .iter()
            .map(|token| self.authenticate(&self.http, node, token));
        join_all(requests).await;
    }
}

fn client(timeout: Duration) -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    builder.build().expect("an HTTP client")
}
