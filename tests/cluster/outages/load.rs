//! Who asks the server meanwhile, and what they were told.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pat_core::format::{PrefixedFormat, TokenFormat as _, TokenPrefix};
use pat_harness::process::Process;
use pat_harness::{NewToken, PROJECTS, TOKENS, answer, client};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::report::{Report, Told};

/// How soon the server has to be back, with much room; the aim is five seconds.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// How many tokens the server does not know.
const COLD: usize = 40;

/// A server in a process of its own, with tokens.
pub(super) struct Node {
    process: Process,
    log: PathBuf,
    http: Client,
    /// Of each [`Ask::Warm`] and [`Ask::Revoke`] one, and many of [`Ask::Cold`].
    tokens: Vec<NewToken>,
}

impl Node {
    pub(super) async fn start(folder: &Path, database: &str) -> Self {
        let limit = "atlassian.pats.max.tokens.per.user=1000".to_owned();
        let arguments = ["--database-url".into(), database.into(), "-D".into(), limit];
        let log = folder.join("server.log");
        let file = File::create(&log).expect("a file");
        let mut node = Self {
            process: Process::start_usual(folder, &arguments, file),
            log,
            http: client(),
            tokens: vec![],
        };
        for _ in 0..COLD + 2 {
            let token = answer(node.create()).await.created();
            node.tokens.push(token);
        }
        node
    }

    fn create(&self) -> RequestBuilder {
        let body = json!({"name": "ci", "expirationDuration": 90});
        let request = self.http.post(format!("{}{TOKENS}", self.process.base));
        request.basic_auth("alice", Some("alice")).json(&body)
    }

    fn revoke(&self, token: &NewToken) -> RequestBuilder {
        let request = self
            .http
            .delete(format!("{}{}", self.process.base, token.path()));
        request.basic_auth("alice", Some("alice"))
    }

    fn try_token(&self, token: &str) -> RequestBuilder {
        let request = self.http.get(format!("{}{PROJECTS}", self.process.base));
        request.bearer_auth(token)
    }
}

/// What kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// With a token that is in the server's cache.
    Warm,
    /// With tokens that are not, from the time on when the database is broken.
    Cold,
    /// With strings that never were tokens, so that there always is a query under way.
    Unknown,
    Create,
    /// Repeated until it is acknowledged, from the time on when the database is broken.
    Revoke,
}

impl Ask {
    fn pause(self) -> Duration {
        Duration::from_millis(match self {
            Self::Unknown => 5,
            Self::Warm => 20,
            Self::Cold | Self::Create | Self::Revoke => 100,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Broken,
    Back,
    Over,
}

/// Requests that go on until they are told to end.
pub(super) struct Load {
    clients: JoinSet<()>,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    broken_at: Option<Duration>,
    mended_at: Option<Duration>,
    back_at: Option<Duration>,
}

struct Shared {
    node: Node,
    start: Instant,
    told: Mutex<Vec<Told>>,
    next: AtomicUsize,
}

impl Shared {
    fn request(&self, ask: Ask) -> RequestBuilder {
        let tokens = &self.node.tokens;
        match ask {
            Ask::Warm => self.node.try_token(&tokens[COLD].raw),
            Ask::Cold => {
                let next = self.next.fetch_add(1, Ordering::SeqCst) % COLD;
                self.node.try_token(&tokens[next].raw)
            }
            Ask::Unknown => {
                let format = PrefixedFormat::new(TokenPrefix::default());
                let token = format.generate().expect("randomness");
                self.node.try_token(token.expose())
            }
            Ask::Create => self.node.create(),
            Ask::Revoke => self.node.revoke(&tokens[COLD + 1]),
        }
    }

    async fn keep_asking(self: Arc<Self>, ask: Ask, mut phase: watch::Receiver<Phase>) {
        if matches!(ask, Ask::Cold | Ask::Revoke) {
            let _broken = phase.wait_for(|phase| *phase != Phase::Before).await;
        }
        while *phase.borrow() != Phase::Over {
            let sent = self.start.elapsed();
            let status = answer(self.request(ask)).await.status;
            let took = self.start.elapsed().saturating_sub(sent);
            let told = Told {
                ask,
                sent,
                took,
                status,
            };
            self.told().push(told);
            if (ask, status) == (Ask::Revoke, StatusCode::NO_CONTENT) {
                break;
            }
            tokio::time::sleep(ask.pause()).await;
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures deadlines of the protocol in real time"
    )]
    pub(super) async fn start(node: Node) -> Self {
        let shared = Arc::new(Shared {
            node,
            start: Instant::now(),
            told: Mutex::default(),
            next: AtomicUsize::new(0),
        });
        let phase = watch::Sender::new(Phase::Before);
        let mut clients = JoinSet::new();
        for (ask, count) in [
            (Ask::Warm, 1),
            (Ask::Cold, 4),
            (Ask::Unknown, 6),
            (Ask::Create, 2),
            (Ask::Revoke, 1),
        ] {
            for _ in 0..count {
                clients.spawn(shared.clone().keep_asking(ask, phase.subscribe()));
            }
        }
        // By then the server has read the change feed, and trusts its cache.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Self {
            clients,
            shared,
            phase,
            broken_at: None,
            mended_at: None,
            back_at: None,
        }
    }

    /// From now on nobody reaches the database.
    pub(super) fn broken(&mut self) {
        self.broken_at = Some(self.shared.start.elapsed());
        self.phase.send_replace(Phase::Broken);
    }

    /// From now on somebody may, but not everybody yet.
    pub(super) fn mended(&mut self) {
        self.mended_at = Some(self.shared.start.elapsed());
    }

    /// Everybody does again.
    pub(super) fn back(&mut self) {
        self.back_at = Some(self.shared.start.elapsed());
        self.phase.send_replace(Phase::Back);
    }

    /// Waits until the server works again.
    pub(super) async fn finish(mut self) -> Report {
        let (Some(broken), Some(back)) = (self.broken_at, self.back_at) else {
            panic!("nothing was broken");
        };
        let report = loop {
            let told = self.shared.told().clone();
            let mended = self.mended_at.unwrap_or(back);
            let log = fs::read_to_string(&self.shared.node.log);
            let report = Report {
                told,
                log: log.expect("the log"),
                broken,
                mended,
                back,
            };
            if report.is_back() || self.shared.start.elapsed() > back + BACK_WITHIN {
                break report;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.phase.send_replace(Phase::Over);
        while let Some(client) = self.clients.join_next().await {
            client.expect("a client that is always answered");
        }
        let acknowledged = report.back_after(Ask::Revoke).is_some();
        let verdict = self.verdict_on_revoked().await;
        assert_eq!(acknowledged, verdict == StatusCode::UNAUTHORIZED);
        report
    }

    /// How the token that was to be revoked is judged, once it can be: not every connection of
    /// before may have been given up yet.
    async fn verdict_on_revoked(&self) -> StatusCode {
        let revoked = &self.shared.node.tokens[COLD + 1];
        let judged = async {
            loop {
                let status = answer(self.shared.node.try_token(&revoked.raw))
                    .await
                    .status;
                if status != StatusCode::SERVICE_UNAVAILABLE {
                    break status;
                }
            }
        };
        let judged = tokio::time::timeout(BACK_WITHIN, judged).await;
        judged.expect("a verdict in time")
    }
}
