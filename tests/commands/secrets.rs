//! Where the secrets are that commands read and write.

use std::env::current_exe;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use pat_harness::process::{AS_SERVER, Process};
use pat_harness::{trial, trial_with_need};
use pat_servers::programs::find;
use reqwest::StatusCode;

use super::{Ran, create, run, try_token};

pub(super) fn trials() -> Vec<Trial> {
    let missing = find("script")
        .is_none()
        .then_some("needs script of util-linux");
    vec![
        trial(secrets_are_in_the_given_file_alone),
        trial_with_need("script", missing, a_terminal_shows_no_secret),
    ]
}

/// Neither on the command line nor in what is printed or logged.
async fn secrets_are_in_the_given_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let token = create(&server, "alice").await;
    let path = folder.path().join("token.txt");
    std::fs::write(&path, &token.raw).expect("a file");
    let shown = |ran: &Ran| format!("{ran:?}");
    let identified = run(
        folder.path(),
        &["--log", "trace", "tokens", "identify"],
        &token.raw,
    );
    assert!(!shown(&identified.ended(0)).contains(&token.raw));
    let rotate = [
        "--log",
        "trace",
        "tokens",
        "rotate",
        "--output",
        "token.txt",
    ];
    let rotated = run(folder.path(), &rotate, &token.raw).ended(0);
    let new = std::fs::read_to_string(&path).expect("a file");
    assert_ne!(new.trim(), token.raw);
    for secret in [new.trim(), &token.raw] {
        assert!(!shown(&rotated).contains(secret), "{rotated:?}");
        assert_eq!(try_token(&server, secret).await, StatusCode::OK);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // As an argument, which other users of the machine can read, it is refused and not shown.
    for arguments in [["tokens", "identify"], ["tokens", "rotate"]] {
        let arguments = [&arguments[..], &[&token.raw]].concat();
        let refused = run(folder.path(), &arguments, "").ended(2);
        assert!(!shown(&refused).contains(&token.raw), "{refused:?}");
    }
}

async fn a_terminal_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let token = create(&server, "alice").await;
    let shown = on_terminal(folder.path(), "tokens identify", "Token: ", &token.raw);
    assert!(
        shown.contains("alice") && shown.contains(&token.id),
        "{shown}"
    );
    assert!(!shown.contains(&token.raw), "{shown}");
    // This terminal does show what is typed.
    let revoke = format!("tokens revoke {}", token.id);
    let shown = on_terminal(folder.path(), &revoke, "confirm: ", "7-is-typed");
    assert!(shown.contains("7-is-typed"), "{shown}");
    assert_eq!(try_token(&server, &token.raw).await, StatusCode::OK);
}

/// Runs a command on a terminal, types a line once this prompt is there, and returns what the terminal has shown.
fn on_terminal(folder: &Path, arguments: &str, prompt: &str, line: &str) -> String {
    let program = current_exe().expect("this program's path");
    let command = format!("'{}' {arguments}", program.display());
    let mut script = Command::new("script");
    script
        .args([
            "--quiet",
            "--flush",
            "--echo",
            "always",
            "--command",
            &command,
        ])
        .arg("/dev/null")
        .env(AS_SERVER, "1")
        .env("DATABASE_URL", "sqlite:pat.db")
        .env("SHELL", "/bin/sh")
        .env("USER", "ops")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut script = script.spawn().expect("a terminal");
    let mut output = script.stdout.take().expect("its output");
    let mut shown = Vec::new();
    while !shown.ends_with(prompt.as_bytes()) {
        let mut byte = [0];
        let count = output.read(&mut byte).expect("the output");
        assert!(count > 0, "{}", String::from_utf8_lossy(&shown));
        shown.extend(byte);
    }
    let mut input = script.stdin.take().expect("its input");
    writeln!(input, "{line}").expect("a line");
    output.read_to_end(&mut shown).expect("the output");
    drop(input);
    script.wait().expect("its end");
    String::from_utf8_lossy(&shown).into_owned()
}
