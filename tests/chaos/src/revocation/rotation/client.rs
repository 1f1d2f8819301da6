//! A client that replaces its token as the guide says.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pat_harness::{PROJECTS, TOKENS};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::MANY;
use super::exchange::{Answer, Received, may_be_created, rotate};
use super::report::Report;
use crate::revocation::BOUND;
use crate::revocation::history::History;
use crate::revocation::node::user;
use crate::revocation::nodes::{NODES, Nodes};
use crate::revocation::random::Random;

/// How much earlier than announced a token may end on a node: by the time that its database takes to answer.
const EARLY: Duration = Duration::from_millis(500);
/// A date that is nearer than before by less than this is the same.
const NEARER: Duration = Duration::from_secs(1);
/// An answer is hardly longer, in bytes.
const LENGTH: usize = 1_000;
/// How long a use may take.
const TIMEOUT: Duration = Duration::from_millis(1_500);

/// What all clients know.
pub(super) struct Shared {
    nodes: Arc<Nodes>,
    history: Arc<History>,
    requests: usize,
    overlap: u64,
    http: reqwest::Client,
    is_quiet: AtomicBool,
    /// After how many bytes the next client is killed.
    cut: AtomicUsize,
    report: Mutex<Report>,
    /// Tasks that try old secrets after their end.
    ended: tokio::sync::Mutex<JoinSet<()>>,
}

impl Shared {
    /// Clients go on until there were so many requests.
    pub(super) fn new(
        nodes: Arc<Nodes>,
        history: Arc<History>,
        requests: usize,
        overlap: u64,
    ) -> Self {
        Self {
            nodes,
            history,
            requests,
            overlap,
            http: client(),
            is_quiet: AtomicBool::new(false),
            cut: AtomicUsize::new(0),
            report: Mutex::default(),
            ended: tokio::sync::Mutex::default(),
        }
    }

    /// Whether there were enough requests, and answers that broke off at each byte.
    pub(super) fn is_enough(&self) -> bool {
        let report = self.note();
        // In a short run only the requests count.
        let is_short = self.requests < MANY;
        report.requests >= self.requests && (is_short || report.covers_answers())
    }

    /// Says that nothing is broken any more.
    pub(super) fn set_quiet(&self) {
        self.is_quiet.store(true, Ordering::SeqCst);
    }

    /// What was found, once all old secrets were tried.
    pub(super) async fn report(&self) -> Report {
        let mut ended = self.ended.lock().await;
        while let Some(tried) = ended.join_next().await {
            tried.expect("it was tried");
        }
        self.note().clone()
    }

    fn note(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After how many bytes the next client is killed: one more than the one before, without those at which an answer
    /// has broken off already, as long as there are others.
    fn next_cut(&self) -> usize {
        let mut report = self.note();
        report.killed += 1;
        let end = match report.longest {
            0 => LENGTH,
            longest => longest + 1,
        };
        let from = self.cut.load(Ordering::SeqCst) % end;
        let mut following = (from..end).chain(0..from);
        let next = following.find(|bytes| !report.cuts.contains(bytes));
        let next = next.unwrap_or(from);
        self.cut.store(next + 1, Ordering::SeqCst);
        next
    }

    /// Notes what a client has of the answer to its rotation of this token, and says what it does next.
    fn note_rotation(
        &self,
        received: Received,
        killed_after: Option<usize>,
        held: &Secret,
        node: usize,
    ) -> Next {
        let returned = self.history.now();
        let mut report = self.note();
        report.requests += 1;
        let next = match received {
            Received::Nothing | Received::All(Answer { status: 503, .. }) => {
                report.unavailable += 1;
                Next::Repeat
            }
            Received::Part(part) => {
                if killed_after == Some(part.len()) && may_be_created(&part) {
                    report.cuts.insert(part.len());
                }
                Next::Repeat
            }
            Received::All(Answer {
                status: 201,
                body,
                length,
            }) => {
                report.rotations += 1;
                report.longest = report.longest.max(length);
                report.cuts.extend(killed_after);
                return Next::Take(body);
            }
            // With a key, and the secret was in an answer before.
            Received::All(Answer { status: 200, .. }) => Next::RepeatWithAnotherKey,
            Received::All(Answer { status: 401, .. }) => {
                if held.is_valid_at(returned) {
                    let refusal = format!(
                        "a rotation of token {} on node {node}, at {returned:?}; it ends at {:?}",
                        held.id, held.end
                    );
                    report.refused.push(refusal);
                } else {
                    report.lost += 1;
                }
                return Next::Lost;
            }
            Received::All(Answer { status, body, .. }) => {
                report
                    .strange
                    .push(format!("{status} to a rotation: {body}"));
                Next::Repeat
            }
        };
        report.repeated += 1;
        next
    }

    /// Sends one node one request with this secret.
    async fn try_secret(&self, node: usize, secret: &str) -> Option<Response> {
        let request = self
            .http
            .get(format!("{}{PROJECTS}", self.nodes.base(node)));
        request.bearer_auth(secret).send().await.ok()
    }

    /// Sends one node requests with this secret, until it decides about one. Returns when that was sent, and the status
    /// of the answer.
    async fn decided(&self, node: usize, secret: &str) -> (Duration, u16) {
        loop {
            let invoked = self.history.now();
            let response = self.try_secret(node, secret).await;
            match response.map(|response| response.status().as_u16()) {
                Some(status) if status != 503 => return (invoked, status),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Tries a secret on each node when its end is known to it.
    async fn try_ended(self: Arc<Self>, old: Secret) {
        let known = old.end + BOUND;
        tokio::time::sleep(known.saturating_sub(self.history.now())).await;
        for node in 0..NODES {
            let (invoked, status) = self.decided(node, &old.raw).await;
            if status != 401 {
                let late = format!(
                    "{status} to token {} on node {node}, at {invoked:?}; it ended at {:?}",
                    old.id, old.end
                );
                self.note().late.push(late);
            }
        }
        self.note().ended += 1;
    }
}

/// What a client does after an attempt to replace its token.
enum Next {
    /// It uses the new token, which is in this answer.
    Take(Value),
    /// It has another one made, since the old one has ended.
    Lost,
    Repeat,
    RepeatWithAnotherKey,
}

/// A secret that a client has received completely.
#[derive(Clone)]
struct Secret {
    id: i64,
    raw: Arc<str>,
    /// When it ends, as the last answer says.
    end: Duration,
    /// The ends of secrets that it may end with: their client has given up a rotation without a key, which a node may
    /// still make.
    uncertain: Vec<Duration>,
}

impl Secret {
    /// The end that is known to be the earliest.
    fn ends_by(&mut self, end: Duration) {
        self.end = self.end.min(end);
    }

    /// Whether a refusal that arrived at this time is unwanted.
    fn is_valid_at(&self, at: Duration) -> bool {
        let certain = self.uncertain.iter().copied().fold(self.end, Duration::min);
        at + EARLY < certain
    }

    /// Notes that the secret was accepted by a node that it was sent to at this time: it did not end before.
    fn was_accepted_at(&mut self, invoked: Duration) {
        self.uncertain.retain(|end| invoked <= *end + BOUND);
    }
}

pub(super) struct Client {
    shared: Arc<Shared>,
    user: String,
    random: Random,
    /// How many tokens it had made, since it has lost the others.
    created: usize,
    keys: usize,
}

/// The end of a client's life.
pub(super) struct Ended {
    client: Client,
    held: Secret,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, number: usize, random: Random) -> Self {
        Self {
            shared,
            user: user(number),
            random,
            created: 0,
            keys: 0,
        }
    }

    /// Uses and replaces a token until there were enough requests.
    pub(super) async fn run(mut self) -> Ended {
        let mut held = self.create().await;
        while !self.shared.is_enough() {
            for _ in 0..3 + self.random.below(4) {
                if self.is_nearer(&mut held).await {
                    break;
                }
                tokio::time::sleep(self.random.millis(1, 10)).await;
            }
            held = self.replace(held, true).await;
        }
        // A rotation that it has given up may still be made, by a node that goes on later.
        let mut rounds = 0;
        while rounds < 5 {
            rounds += usize::from(self.shared.is_quiet.load(Ordering::SeqCst));
            if self.is_nearer(&mut held).await {
                held = self.replace(held, false).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ended { client: self, held }
    }

    /// Has a token made, which takes a person.
    async fn create(&mut self) -> Secret {
        loop {
            let node = self.random.below(NODES);
            let base = self.shared.nodes.base(node);
            let request = self.shared.http.post(format!("{base}{TOKENS}"));
            let request = request.basic_auth(&self.user, Some(&self.user));
            let request = request.json(&json!({"name": "ci", "expirationDuration": 90}));
            if let Ok(response) = request.send().await {
                // It may have been made though the answer says nothing of it.
                self.created += 1;
                if response.status() == 201
                    && let Ok(body) = response.json::<Value>().await
                {
                    return self.secret(&body);
                }
            } else {
                self.created += 1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn secret(&self, body: &Value) -> Secret {
        Secret {
            id: body["id"].as_i64().expect("an id"),
            raw: body["rawToken"].as_str().expect("a secret").into(),
            end: self.time_of(&body["expiringAt"]),
            uncertain: vec![],
        }
    }

    fn time_of(&self, date: &Value) -> Duration {
        let date = date.as_str().expect("a date");
        self.shared.history.time_of(date.parse().expect("a date"))
    }

    /// Uses the token once; whether the answer says that it ends earlier than was known.
    async fn is_nearer(&mut self, held: &mut Secret) -> bool {
        let shared = Arc::clone(&self.shared);
        let node = self.random.below(NODES);
        let invoked = shared.history.now();
        let response = shared.try_secret(node, &held.raw).await;
        let returned = shared.history.now();
        let mut report = shared.note();
        report.requests += 1;
        let Some(response) = response else {
            report.unavailable += 1;
            return false;
        };
        match response.status().as_u16() {
            200 => {
                drop(report);
                held.was_accepted_at(invoked);
                let Some(end) = response.headers().get("pat-expires-at") else {
                    return false;
                };
                let end = self.time_of(&end.to_str().expect("a date").into());
                let is_nearer = end + NEARER < held.end;
                held.ends_by(end);
                if is_nearer {
                    shared.note().overtaken += 1;
                }
                is_nearer
            }
            401 => {
                let refusal = format!(
                    "a use of token {} on node {node}, at {returned:?}; it ends at {:?}",
                    held.id, held.end
                );
                if held.is_valid_at(returned) {
                    report.refused.push(refusal);
                    held.ends_by(returned);
                }
                // To be replaced, which fails.
                true
            }
            503 => {
                report.unavailable += 1;
                false
            }
            status => {
                report.strange.push(format!("{status} to a use"));
                false
            }
        }
    }

    /// Replaces the token, again and again until it has the new secret. In the first attempt, and in some of the next,
    /// it is killed while it reads the answer.
    async fn replace(&mut self, mut held: Secret, may_die: bool) -> Secret {
        let shared = Arc::clone(&self.shared);
        let has_keys = self.random.once_in(2);
        let mut key = has_keys.then(|| self.new_key());
        let mut may_still_run = false;
        let mut killed_after = may_die.then(|| shared.next_cut());
        loop {
            let node = self.random.below(NODES);
            let base = shared.nodes.base(node);
            let invoked = shared.history.now();
            let received = rotate(
                &base,
                &format!("{TOKENS}/current/rotate"),
                &held.raw,
                key.as_deref(),
                &json!({"overlapSeconds": shared.overlap}),
                killed_after,
            )
            .await;
            // From now on it may be replaced, whatever the answer.
            held.ends_by(invoked + Duration::from_secs(shared.overlap));
            may_still_run |= !has_keys && received.may_still_run();
            match shared.note_rotation(received, killed_after, &held, node) {
                Next::Take(body) => return self.take(held, &body, may_still_run).await,
                Next::Lost => return self.create().await,
                Next::RepeatWithAnotherKey => key = Some(self.new_key()),
                Next::Repeat => {}
            }
            let pause = self.random.millis(1, 50);
            tokio::time::sleep(pause).await;
            killed_after = (may_die && self.random.once_in(4)).then(|| shared.next_cut());
        }
    }

    fn new_key(&mut self) -> String {
        self.keys += 1;
        format!("rotation-{}", self.keys)
    }

    /// Has the new secret in place of the old one, which is tried again when it has ended. A rotation of the old one
    /// `may_still_run`.
    async fn take(&self, mut old: Secret, body: &Value, may_still_run: bool) -> Secret {
        let ending = body["ending"].as_array().expect("what ends").iter();
        let mut ending = ending.filter(|ending| ending["id"] == old.id);
        let end = ending.next().expect("the end of the old token");
        old.end = self.time_of(&end["at"]);
        let mut new = self.secret(body);
        new.uncertain.clone_from(&old.uncertain);
        new.uncertain.extend(may_still_run.then_some(old.end));
        let shared = Arc::clone(&self.shared);
        self.shared.ended.lock().await.spawn(shared.try_ended(old));
        new
    }
}

impl Ended {
    /// Looks at what is left of the client's lines, when every overlap has ended.
    pub(super) async fn look_back(self, report: &mut Report) {
        let Client { shared, user, .. } = &self.client;
        let (shared, user) = (Arc::clone(shared), user.clone());
        for node in 0..NODES {
            let (_, status) = shared.decided(node, &self.held.raw).await;
            if status != 200 {
                let refusal = format!("{status} to the last token {} on node {node}", self.held.id);
                report.refused.push(refusal);
            }
        }
        let list = loop {
            let request = shared
                .http
                .get(format!("{}{TOKENS}", shared.nodes.base(0)))
                .basic_auth(&user, Some(&user));
            match request.send().await {
                Ok(list) if list.status() == 200 => break list.json::<Value>().await,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        let list = list.expect("a list");
        let ids: Vec<_> = list.as_array().expect("a list").iter().collect();
        let has_own = ids.iter().any(|token| token["id"] == self.held.id);
        if has_own && ids.len() <= self.client.created {
            report.lines += ids.len();
        } else {
            let wrong = format!("{user} made {} and has {list}", self.client.created);
            report.wrong_lines.push(wrong);
        }
    }
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    builder.build().expect("an HTTP client")
}
