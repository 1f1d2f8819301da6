//! What keeps the server from starting is one clear line and exit code 2.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use pat_harness::process::{AS_SERVER, command, run_to_end};
use pat_harness::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(bad_options_are_refused),
        trial(bad_environment_is_refused),
        trial(a_taken_port_is_named),
        trial(a_database_that_cannot_be_used_is_named),
        trial(the_printed_lines_work_in_order),
        trial(only_the_owner_can_read_the_files),
        trial(help_lists_options_and_properties),
        disk::trial(),
    ]
}

fn assert_refused(command: &mut Command, parts: &[&str]) -> String {
    let (code, stderr) = run_to_end(command);
    assert_eq!(code, Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(
        stderr.starts_with("error: ") && !stderr.contains("panicked"),
        "{stderr}"
    );
    for part in parts {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    stderr
}

async fn bad_options_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table: &[(&[&str], &[&str])] = &[
        (&["--nonsense"], &["--nonsense"]),
        (&["extra"], &["extra"]),
        (
            &["--listn", "x"],
            &["--listn", "similar argument", "--listen"],
        ),
        (
            &["--smtp-url", "smtp://localhost"],
            &["not provided", "--mail-from"],
        ),
        (
            &["--mail-dir", "/proc/nowhere"],
            &["--mail-dir cannot be written", "/proc/nowhere"],
        ),
        (&["--listen"], &["--listen"]),
        (&["--listen", "nowhere"], &["--listen", "nowhere"]),
        (&["--listen", "127.0.0.1:99999"], &["--listen", "99999"]),
        (
            &["--listen", "0.0.0.0:0"],
            &["0.0.0.0", "--demo-users-anywhere"],
        ),
        (&["--log", "pat_core=loud"], &["--log", "loud"]),
        (
            &["-D", "atlassian.pats.enabled=maybe"],
            &["atlassian.pats.enabled", "maybe", "true or false"],
        ),
        (
            &["-Datlassian.pats.enabled"],
            &["atlassian.pats.enabled", "NAME=VALUE"],
        ),
        (&["-D", "=5"], &["\"=5\"", "NAME=VALUE"]),
        (
            &["-D", "max.tokens.per.user=5"],
            &["did you mean atlassian.pats.max.tokens.per.user?"],
        ),
        (
            &["-Dpat.rellm=x"],
            &["pat.rellm", "did you mean pat.realm?"],
        ),
        (
            &["-Dpat.auth.max.staleness.ms=100"],
            &[
                "pat.cluster.poll.interval.ms",
                "500",
                "pat.auth.max.staleness.ms",
                "100",
            ],
        ),
        (
            &["-Dpat.token.format=atlassian", "-Dpat.token.prefix=acme"],
            &["pat.token.prefix", "acme"],
        ),
        (
            &["-Datlassian.pats.pruning.schedule.cron=0 0 * * *"],
            &["0 0 * * *", "six fields"],
        ),
    ];
    for (arguments, parts) in table {
        assert_refused(command(folder.path()).args(*arguments), parts);
    }
    assert!(
        !folder.path().join("pat.db").exists(),
        "nothing was touched"
    );
}

async fn bad_environment_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table: &[(&str, &str, &[&str])] = &[
        (
            "ATLASSIAN_PATS_MAX_TOKEN_PER_USER",
            "5",
            &["did you mean ATLASSIAN_PATS_MAX_TOKENS_PER_USER?"],
        ),
        (
            "PAT_CREATE_BY_TOKENS",
            "forbidden",
            &["did you mean PAT_CREATE_BY_TOKEN?"],
        ),
        (
            "ATLASSIAN_PATS_ENABLED",
            "2",
            &["atlassian.pats.enabled", "true or false"],
        ),
        ("PAT_REALM", "a\"b", &["pat.realm"]),
        ("PAT_LISTEN", "x", &["--listen"]),
    ];
    for (name, value, parts) in table {
        assert_refused(command(folder.path()).env(name, value), parts);
    }
}

async fn a_taken_port_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    assert_refused(
        command(folder.path()).args(["--listen", &address]),
        &[&address, "in use"],
    );
    assert!(
        !folder.path().join("pat.db").exists(),
        "the database was not touched"
    );
}

async fn a_database_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("text.db"), "no database, ".repeat(100)).expect("a file");
    let table = [
        ("sqlite:/nonexistent/pat.db", "unable to open database file"),
        ("sqlite:.", "unable to open database file"),
        ("sqlite:text.db", "not a database"),
        ("sqlite::memory:", "in-memory"),
        ("sqlite:", "name a file"),
        ("sqlite://", "name a file"),
        ("sqlite:?mode=rwc", "name a file"),
        ("sqlite:x?mode=memory", "in-memory"),
        ("sqlite:pat.db?mode=ro", "pat.db"),
        ("oracle://localhost/x", "must begin with sqlite:"),
        ("postgres://127.0.0.1:1/x", "refused"),
        ("mariadb://127.0.0.1:1/x", "refused"),
    ];
    let run = |url: &str, parts: &[&str]| {
        let mut command = command(folder.path());
        command.args(["--listen", "127.0.0.1:0", "--log", "off"]);
        assert_refused(command.args(["--database-url", url]), parts)
    };
    for (url, part) in table {
        run(url, &[url, part]);
    }
    run("nonsense", &["must begin with sqlite:"]);
    for url in [
        "postgres://alice:s3cret@127.0.0.1:1/x",
        "mysql://alice:s3cret@127.0.0.1:1/x",
        "postgres://alice@127.0.0.1:1/x?password=s3cret",
        "postgres://alice:s3cret@127.0.0.1:port/x",
        "alice:s3cret@127.0.0.1:1/x",
    ] {
        let stderr = run(url, &["cannot use the database"]);
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

/// What the server prints, pasted into a shell, also with tokens to look at.
async fn the_printed_lines_work_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = command(folder.path())
        .args(["--listen", "127.0.0.1:0", "--log", "off"])
        .args(["--demo-data", "105"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server");
    let output = BufReader::new(server.stdout.take().expect("its output")).lines();
    let lines = output.map(|line| line.expect("a line"));
    let printed: Vec<_> = lines
        .skip_while(|line| !line.starts_with("Create a token"))
        .skip(1)
        .take(3)
        .collect();
    let script = format!("set -e\n{}\necho code=$?", printed.join("\n"));
    let shell = Command::new("sh").args(["-c", &script]).output();
    let shell = shell.expect("a shell");
    server.kill().expect("its end");
    server.wait().expect("its end");
    let text = String::from_utf8_lossy(&shell.stdout);
    assert!(
        text.contains("\"name\":\"alice\"") && text.ends_with("code=0\n"),
        "{script}\n{text}"
    );
    assert!(!text.contains("errorMessages"), "{text}");
}

#[cfg(unix)]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let store = pat_sqlx::SqliteStore::open(&path).await.expect("a store");
    let files = std::fs::read_dir(folder.path()).expect("its files");
    let mut count = 0;
    for file in files.map(|file| file.expect("a file")) {
        let mode = file.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.file_name().display());
        count += 1;
    }
    assert!(count >= 1);
    drop(store);
}

async fn help_lists_options_and_properties() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (argument, parts) in [
        (
            "--help",
            ["--listen", "PAT_LISTEN", "--database-url", "DATABASE_URL"],
        ),
        (
            "--properties-help",
            [
                "atlassian.pats.enabled=true",
                "ATLASSIAN_PATS_ENABLED",
                "pat.realm=PAT",
                "whole number",
            ],
        ),
    ] {
        let output = command(folder.path())
            .arg(argument)
            .output()
            .expect("output");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success());
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

/// A disk that fills up, made of memory in a mount namespace; it needs root.
mod disk {
    use std::io::{BufRead as _, BufReader};

    use reqwest::StatusCode;
    use serde_json::json;

    use super::{AS_SERVER, Command, Path, Stdio};
    use pat_harness::{MYSELF, TOKENS, answer, client, trial_with_need};

    const SCRIPT: &str = "mount -t tmpfs -o size=$1 tmpfs \"$2\" && cd \"$2\" && exec \"$3\" \
                          --listen 127.0.0.1:0 --log off \
                          -D atlassian.pats.max.tokens.per.user=1000000";

    fn server(folder: &Path, size: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", SCRIPT, "sh", size])
            .arg(folder);
        command.arg(std::env::current_exe().expect("this program's path"));
        command
            .env(AS_SERVER, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(super) fn trial() -> libtest_mimic::Trial {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut probe = Command::new("unshare");
        let probe = probe.args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs \"$1\"", "sh"]);
        let probe = probe.arg(folder.path()).stderr(Stdio::null()).status();
        let missing = match probe {
            Ok(status) if status.success() => None,
            _ => Some("needs root and unshare, to mount a small disk"),
        };
        trial_with_need("root", missing, a_full_disk_is_no_refusal_and_no_crash)
    }

    async fn a_full_disk_is_no_refusal_and_no_crash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        super::assert_refused(
            &mut server(folder.path(), "16k"),
            &["sqlite:pat.db", "disk"],
        );

        let mut child = server(folder.path(), "800k")
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = lines.next().expect("a greeting").expect("a line");
        let base = first
            .strip_prefix("Listening on ")
            .expect("its address")
            .to_owned();
        let http = client();
        let create = async || {
            let request = http
                .post(format!("{base}{TOKENS}"))
                .basic_auth("alice", Some("alice"));
            answer(request.json(&json!({"name": "x".repeat(40)}))).await
        };
        let token = create().await.created();
        let mut refused = 0;
        for _ in 0..5_000 {
            let answer = create().await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(answer.problem(), "temporarily-unavailable");
                refused += 1;
            } else {
                assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3, "the disk fills up");
        let request = http.get(format!("{base}{MYSELF}")).bearer_auth(&token.raw);
        assert_eq!(
            answer(request).await.status,
            StatusCode::OK,
            "tokens still authenticate"
        );
        child.kill().expect("kill");
        child.wait().expect("its end");
    }
}
