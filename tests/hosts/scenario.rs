//! What users do with tokens, the same in each host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::browser::{Answer, Browser};
use crate::running::{Running, Surroundings};
use crate::{Host, SignIn};

const TOKENS: &str = "/rest/pat/latest/tokens";

pub(crate) async fn tokens_work(host: Host, programs: Option<PathBuf>) {
    let programs = programs.expect("the host is built; see above");
    let surroundings = Surroundings::of(host).await;
    let mut running = surroundings.start(host, &programs).await;
    let browser = &running.browser;
    if host.sign_in != SignIn::Basic {
        assert_eq!(browser.session_user().await, None);
    }
    browser.sign_in().await;
    let token = create(browser).await;
    let user = present(host, &programs, &running, &token.raw).await;
    let user = user.expect("a token that is used");
    assert!(user == "alice" || user.ends_with("|alice"), "{user}");
    if host.sign_in != SignIn::Basic {
        session_ends(browser, &token, &user).await;
        browser.sign_in().await;
    }
    if host.name == "nginx" {
        pages_know_the_prefix(browser).await;
    }

    // The first use of another token, which no job has had time to write.
    let late = create(browser).await;
    let presented = present(host, &programs, &running, &late.raw).await;
    assert_eq!(presented.as_ref(), Ok(&user));
    let last_use = last_use(browser, &late).await;
    assert!(last_use.is_string(), "{last_use}");
    ends(&mut running).await;
    running = surroundings.start(host, &programs).await;
    let browser = &running.browser;
    browser.sign_in().await;
    assert_eq!(self::last_use(browser, &late).await, last_use);

    let mut held = match host.client {
        Some(client) => Some(Held::new(&programs, client, &running, &token.raw, &user).await),
        None => None,
    };
    revoke(browser, &token).await;
    for invalid in [token.raw.as_str(), "pat_unknown"] {
        let refused = present(host, &programs, &running, invalid).await;
        refused.expect_err("a token that is refused");
    }
    if let Some(held) = &mut held {
        held.ends().await;
    }
    let kept = present(host, &programs, &running, &late.raw).await;
    assert_eq!(kept.as_ref(), Ok(&user));
    ends(&mut running).await;
}

/// A token as its user sees it.
#[derive(Debug)]
struct Created {
    id: u64,
    raw: String,
}

async fn create(browser: &Browser<'_>) -> Created {
    let body = json!({"name": "ci", "expirationDuration": 90}).to_string();
    let created = browser.ask(TOKENS, &["--json", &body]).await;
    assert_eq!(created.status, 201, "{created:?}");
    let token = created.json();
    Created {
        id: token["id"].as_u64().expect("an ID"),
        raw: token["rawToken"].as_str().expect("a secret").to_owned(),
    }
}

/// When a token was last used, as its user sees it.
async fn last_use(browser: &Browser<'_>, token: &Created) -> Value {
    let list = browser.ask(TOKENS, &[]).await.json();
    let mut tokens = list.as_array().expect("a list").iter();
    let found = tokens.find(|it| it["id"] == token.id);
    found.expect("the token")["lastAccessedAt"].clone()
}

async fn revoke(browser: &Browser<'_>, token: &Created) {
    let path = format!("{TOKENS}/{}", token.id);
    let revoked = browser.ask(&path, &["--request", "DELETE"]).await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
}

/// Uses a token; returns the user whom the host takes its holder for, or how the holder is refused.
async fn present(
    host: Host,
    programs: &Path,
    running: &Running<'_>,
    token: &str,
) -> Result<String, String> {
    let Some(client) = host.client else {
        let bearer = format!("Authorization: Bearer {token}");
        let answer = running.browser.ask_with(&bearer, "/whoami").await;
        return match answer.status {
            200 => Ok(answer.body),
            401 => Err(challenge(&answer)),
            _ => panic!("{answer:?}"),
        };
    };
    let mut command = Command::new(programs.join(client));
    command
        .args([&running.browser.base, token])
        .kill_on_drop(true);
    let output = command.output().await.expect("a client");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    understood(said.trim())
}

fn challenge(answer: &Answer) -> String {
    let mut lines = answer.head.lines();
    let challenge = lines.find(|line| line.to_lowercase().starts_with("www-authenticate: bearer"));
    challenge.expect("a challenge").to_owned()
}

/// What a client says: a name, or that it is refused, in its protocol's words.
fn understood(said: &str) -> Result<String, String> {
    let Some(reason) = said.strip_prefix("refused: ") else {
        return Ok(said.to_owned());
    };
    let is_known = ["Unauthenticated", "AuthRequired"]
        .iter()
        .any(|it| reason.contains(it));
    assert!(is_known, "{said}");
    Err(reason.to_owned())
}

/// A client that sends a session's cookie with a token acts as the token's owner, and has no session
/// afterwards.
async fn session_ends(browser: &Browser<'_>, token: &Created, user: &str) {
    assert_eq!(browser.session_user().await.as_deref(), Some(user));
    let cookies = browser.folder.join("cookies");
    let kept = fs::read(&cookies).expect("cookies");
    let bearer = format!("Authorization: Bearer {}", token.raw);
    let both = browser.ask(TOKENS, &["--header", &bearer]).await;
    assert_eq!(both.status, 200, "{both:?}");
    // The response may remove the cookie; a client may keep it.
    fs::write(cookies, kept).expect("cookies");
    assert_eq!(browser.session_user().await, None);
}

/// Their links are relative; the way back from the sign-in cannot be.
async fn pages_know_the_prefix(browser: &Browser<'_>) {
    let html = "Accept: text/html";
    let page = browser.ask("/tokens", &["--header", html]).await;
    assert!(page.status == 200 && page.body.contains(">ci<"), "{page:?}");
    let anonymous = browser.ask_with(html, "/tokens").await;
    assert_eq!(anonymous.status, 303, "{anonymous:?}");
    let mut lines = anonymous.head.lines();
    let location = lines.find_map(|line| line.strip_prefix("location: "));
    assert_eq!(location, Some("/app/login?return_to=/app/tokens"));
}

/// Sends SIGTERM, on which the host is to end.
async fn ends(running: &mut Running<'_>) {
    let ended = timeout(Duration::from_secs(20), running.process.end("TERM")).await;
    assert!(ended.expect("it ends"), "exit code 0");
}

/// A client that stays connected.
struct Held {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Held {
    async fn new(
        programs: &Path,
        client: &str,
        running: &Running<'_>,
        token: &str,
        user: &str,
    ) -> Self {
        let mut command = Command::new(programs.join(client));
        command
            .args([&running.browser.base, token, "hold"])
            .kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("a client");
        let output = process.stdout.take().expect("its output");
        let mut held = Self {
            lines: BufReader::new(output).lines(),
            _process: process,
        };
        assert_eq!(held.line().await, user);
        held
    }

    async fn line(&mut self) -> String {
        let line = timeout(Duration::from_secs(20), self.lines.next_line()).await;
        let line = line.expect("a line in time").expect("UTF-8");
        line.expect("a line")
    }

    /// Once its token is revoked.
    async fn ends(&mut self) {
        let said = self.line().await;
        understood(&said).expect_err("a client that is refused");
    }
}
