//! Clients that exist, unchanged, against the real server: curl with the lines of Atlassian's
//! documentation, and the Python packages that people use (`clients/*.py`).

use std::ffi::OsStr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::{Settings, SystemClock};
use pat_example_server::{Config, Stop, app};
use pat_harness::names::{name_in_case, name_of};
use pat_harness::node::sqlite_url;
use pat_harness::{named_trial_with_need, python};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;

/// How long one run of a client may take.
const CLIENT_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(Need::Curl, curl_lines_of_the_documentation_work),
        trial(Need::Curl, curl_lines_that_the_server_prints_work),
        trial(Need::Curl, a_token_ends_the_session_in_curls_cookie_jar),
        python_trial("jira"),
        python_trial("atlassian"),
        python_trial("cookie_jar"),
        script_trial(Need::Mcp, "mcp"),
    ]
}

const CREATE_BY_BASIC: &str = r#"curl -u alice:alice -X POST $BASE/rest/pat/latest/tokens -H 'Content-Type: application/json' -d '{"name":"tokenName","expirationDuration":90}'"#;
const CREATE_BY_BEARER: &str = r#"curl -X POST $BASE/rest/pat/latest/tokens -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"name": "tokenName","expirationDuration": 90}'"#;
const USE: &str = r#"curl -H "Authorization: Bearer $TOKEN" $BASE/rest/api/content"#;
const LIST: &str = r#"curl -H "Authorization: Bearer $TOKEN" $BASE/rest/pat/1.0/tokens"#;
const REVOKE_BY_BEARER: &str =
    r#"curl -X DELETE -H "Authorization: Bearer $TOKEN" $BASE/rest/pat/latest/tokens/$ID"#;

async fn curl_lines_of_the_documentation_work(shell: Shell) {
    let (first_id, first) = shell.curl(CREATE_BY_BASIC, 201).await.created();
    let by_first = shell.with("TOKEN", &first);
    let (second_id, second) = by_first.curl(CREATE_BY_BEARER, 201).await.created();
    let by_second = shell.with("TOKEN", &second);
    for shell in [&by_first, &by_second] {
        let content = shell.curl(USE, 200).await;
        assert_eq!(content.json()["size"], 1);
    }

    let listed = by_first.curl(LIST, 200).await.json();
    let ids = [&listed[0]["id"], &listed[1]["id"], &listed[2]["id"]];
    assert_eq!(ids, [&json!(first_id), &json!(second_id), &Value::Null]);
    assert!(!listed.to_string().contains("rawToken"), "{listed}");

    // The second token by the first one, and then the first one by itself.
    let revoked = by_first
        .with("ID", &second_id)
        .curl(REVOKE_BY_BEARER, 204)
        .await;
    assert_eq!(revoked.body, "");
    by_second.curl(USE, 401).await.assert_refusal();
    by_first.curl(USE, 200).await;
    by_first
        .with("ID", &first_id)
        .curl(REVOKE_BY_BEARER, 204)
        .await;
    by_first.curl(USE, 401).await.assert_refusal();
    by_first.curl(LIST, 401).await.assert_refusal();
}

async fn curl_lines_that_the_server_prints_work(shell: Shell) {
    const CREATE: &str = r#"curl -u alice:alice -H 'Content-Type: application/json' -d '{"name":"ci","expirationDuration":90}' $BASE/rest/pat/latest/tokens"#;
    const USE: &str = r#"curl -H "Authorization: Bearer $TOKEN" $BASE/rest/api/latest/myself"#;
    const REVOKE: &str =
        r#"curl -H "Authorization: Bearer $TOKEN" -X DELETE $BASE/rest/pat/latest/tokens/current"#;

    let (id, token) = shell.curl(CREATE, 201).await.created();
    let shell = shell.with("TOKEN", &token).with("ID", &id);
    assert_eq!(shell.curl(USE, 200).await.json()["name"], "alice");
    shell.curl(REVOKE, 204).await;
    shell.curl(USE, 401).await.assert_refusal();
}

/// A call with a token ends the session in curl's own jar: there, and on the server.
async fn a_token_ends_the_session_in_curls_cookie_jar(shell: Shell) {
    const SIGN_IN: &str = r#"curl -b "$JAR" -c "$JAR" -H 'Content-Type: application/json' -d '{"username":"alice","password":"alice"}' $BASE/rest/auth/1/session"#;
    const USE_JAR: &str = r#"curl -b "$JAR" -c "$JAR" $BASE/rest/api/2/myself"#;
    const USE_KEPT: &str = r#"curl -b "$KEPT" $BASE/rest/api/2/myself"#;
    const USE_BOTH: &str =
        r#"curl -b "$JAR" -c "$JAR" -H "Authorization: Bearer $TOKEN" $BASE/rest/api/2/myself"#;

    let directory = tempfile::tempdir().expect("a temporary folder");
    let jar = directory.path().join("jar");
    let kept = directory.path().join("kept");
    let holds_session = || {
        let jar = std::fs::read_to_string(&jar).expect("curl has written the jar");
        jar.contains("JSESSIONID")
    };
    let (id, token) = shell.curl(CREATE_BY_BASIC, 201).await.created();
    let shell = shell.with("TOKEN", &token).with("ID", &id);
    let shell = shell
        .with("JAR", &jar.display())
        .with("KEPT", &kept.display());

    shell.curl(SIGN_IN, 200).await;
    shell.curl(USE_JAR, 200).await;
    assert!(holds_session(), "the session is not in the jar");
    std::fs::copy(&jar, &kept).expect("the jar can be copied");
    shell.curl(USE_KEPT, 200).await;

    for _ in 0..5 {
        shell.curl(USE_BOTH, 200).await;
        assert!(!holds_session(), "a dead session is in the jar");
    }
    shell.curl(REVOKE_BY_BEARER, 204).await;
    shell.curl(USE_BOTH, 401).await.assert_refusal();
    shell.curl(USE_JAR, 401).await;
    // Nor does the cookie that somebody kept from before give access.
    shell.curl(USE_KEPT, 401).await;
}

/// What a client needs that the machine may not have.
#[derive(Clone, Copy)]
enum Need {
    Curl,
    Python,
    Mcp,
}

impl Need {
    /// Its name in `PAT_TEST_REQUIRE`.
    fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "python",
            Self::Mcp => "mcp",
        }
    }

    /// Why it cannot be used, or nothing if it can.
    fn missing(self) -> Option<&'static str> {
        match self {
            Self::Curl => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let found =
                    std::env::split_paths(&path).any(|folder| folder.join("curl").is_file());
                (!found).then_some("needs curl; run .ci/setup")
            }
            Self::Python => python::CLIENTS.missing(),
            Self::Mcp => python::MCP.missing(),
        }
    }
}

/// A test of one client against a server of its own.
fn trial<C, F>(need: Need, client: C) -> Trial
where
    C: FnOnce(Shell) -> F + Send + 'static,
    F: Future<Output = ()>,
{
    named_trial(name_of(&client), need, client)
}

fn named_trial<C, F>(name: String, need: Need, client: C) -> Trial
where
    C: FnOnce(Shell) -> F + Send + 'static,
    F: Future<Output = ()>,
{
    named_trial_with_need(name, need.name(), need.missing(), || with_server(client))
}

/// A test that a script makes, which is told the server's base URL.
fn python_trial(script: &'static str) -> Trial {
    script_trial(Need::Python, script)
}

fn script_trial(need: Need, script: &'static str) -> Trial {
    let name = name_in_case(&a_script_passes, script);
    named_trial(name, need, move |shell| {
        a_script_passes(shell, need, script)
    })
}

async fn a_script_passes(shell: Shell, need: Need, script: &str) {
    let python = match need {
        Need::Mcp => python::MCP,
        Need::Curl | Need::Python => python::CLIENTS,
    };
    let mut command = client(python.program());
    // Isolated from the user's own packages and from the current folder.
    command
        .arg("-I")
        .arg(python::script("clients").join(format!("use_{script}.py")))
        .arg(shell.base());
    run(command, script).await;
}

/// Runs a client against a server of its own.
async fn with_server<C, F>(client: C)
where
    C: FnOnce(Shell) -> F,
    F: Future<Output = ()>,
{
    let directory = tempfile::tempdir().expect("a temporary folder");
    let database = sqlite_url(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the listener has an address");
    let mut config = Config::for_test(database, Settings::default());
    config.listen = address;
    let app = app(config, Arc::new(SystemClock))
        .await
        .expect("the server starts");
    let (stop, stopped) = oneshot::channel::<()>();
    let stopping = async {
        drop(stopped.await);
        Stop::default()
    };
    let serving = tokio::spawn(app.serve(listener, stopping));
    let shell = Shell(Vec::new()).with("BASE", &format_args!("http://{address}"));
    client(shell).await;
    drop(stop);
    serving.await.expect("the server does not panic");
}

/// A program in an environment that holds no proxy and no configuration.
fn client(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Runs a client in an empty home, and ends it when it takes too long. It must succeed.
async fn run(mut command: Command, what: &str) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    command
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("over {CLIENT_TIMEOUT:?}: {command:?}"));
    let output = output.expect("the client starts");
    let (status, errors) = (output.status, String::from_utf8_lossy(&output.stderr));
    assert!(status.success(), "{what}: {status}\n{errors}");
    output
}

/// Runs lines of shell with these variables.
#[derive(Clone)]
struct Shell(Vec<(&'static str, String)>);

impl Shell {
    fn with(&self, name: &'static str, value: &impl ToString) -> Self {
        let mut variables = self.0.clone();
        variables.push((name, value.to_string()));
        Self(variables)
    }

    /// The base URL of the server.
    fn base(&self) -> &str {
        &self.0[0].1
    }

    /// Runs a line as it is written, of which curl also shows the head of the answer.
    async fn curl(&self, line: &str, expected_status: u16) -> Answer {
        let arguments = line.strip_prefix("curl ").expect("the line starts curl");
        let mut command = client("sh");
        command
            .arg("-c")
            .arg(format!("exec curl --disable -sS -i {arguments}"))
            .envs(self.0.iter().map(|(name, value)| (name, value)));
        let output = run(command, line).await;
        let text = String::from_utf8(output.stdout).expect("the answer is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("the answer has a head");
        let status = format!("HTTP/1.1 {expected_status} ");
        assert!(
            head.starts_with(&status),
            "not {expected_status}: {line}\n{text}"
        );
        Answer {
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// What curl has shown.
struct Answer {
    /// Status line and fields, in lower case.
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Id and secret of the token that was created.
    fn created(&self) -> (u64, String) {
        let token = self.json();
        let id = token["id"].as_u64().expect("the id is a number");
        let secret = token["rawToken"].as_str().expect("there is a secret");
        (id, secret.to_owned())
    }

    /// A challenge, and a sentence to read.
    fn assert_refusal(&self) {
        let challenge = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix("www-authenticate: bearer "))
            .expect("there is a challenge");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        let sentence = "The access token is not valid: it may be mistyped, expired or revoked.";
        assert_eq!(self.json()["message"], sentence);
    }
}
