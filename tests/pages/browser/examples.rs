//! The examples beside a new token work, and show the token to no other user of the machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use pat_harness::Server;
use pat_harness::browser::Browser;

/// The arguments of all processes.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").expect("processes");
    let lines = processes.filter_map(|process| {
        let line = fs::read(process.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Starts an example as a user does, who pastes the token when it waits.
fn start(tool: &str, code: &str, token: &str) -> Child {
    // Without a terminal, each of them reads the token from the standard input.
    let mut command = Command::new("setsid");
    match tool {
        "python" => command.args(["python3", "-c", code]),
        _ => command.args(["bash", "-c", code]),
    };
    if tool == "ci" {
        command.env("PAT", token);
    }
    command.env("GIT_TERMINAL_PROMPT", "0");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().expect("a process");
    let mut input = process.stdin.take().expect("its input");
    writeln!(input, "{token}").expect("it is read");
    process
}

/// What the first request to this port says, whose answer waits until `look` has looked around.
fn request_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a text")
}

/// Runs each example of the page against the server, and against one that does not answer while the processes of the
/// machine are listed.
pub(super) async fn examples_keep_the_token_out_of_the_list_of_processes() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    browser.go("/tokens/new?name=ci").await;
    browser.follow("main button.pat-primary").await;
    let token = browser.text("#pat-plain").await;
    let mut examples = Vec::new();
    for tool in ["curl", "git", "python", "ci"] {
        let code = format!("return document.getElementById('pat-{tool}').textContent");
        let code = browser.run(&code).await;
        examples.push((tool, code.as_str().expect("a text").to_owned()));
    }
    // Each can be opened without a script: the browser shows one at a time.
    let is_open = async || browser.count(".pat-examples details[open]").await;
    assert_eq!(is_open().await, 1);
    browser.click("#pat-git-label").await;
    assert_eq!(is_open().await, 1);
    assert!(browser.text("#pat-git").await.contains("git ls-remote"));
    browser.stop().await;

    // The server that tests start does not know its port.
    let (example, base) = ("http://127.0.0.1:0", server.base.clone());
    let ran = tokio::task::spawn_blocking(move || {
        for (tool, code) in examples {
            // What has no token in it leaves none in the history of a shell.
            assert!(!code.contains(&token[4..]), "{tool}: {code}");
            let output = start(tool, &code.replace(example, &base), &token)
                .wait_with_output()
                .expect("it ends");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = if tool == "git" {
                "refs/heads/main"
            } else {
                "alice"
            };
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(expected), "{tool}: {said} {errors}");

            let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = format!("http://{}", silent.local_addr().expect("an address"));
            let mut process = start(tool, &code.replace(example, &address), &token);
            let (mut stream, _) = silent.accept().expect("a request");
            let head = request_head(&mut stream);
            assert!(head.contains(&format!("Bearer {token}")), "{tool}: {head}");
            let lines = command_lines();
            assert!(lines.contains(&address), "{tool}: {lines}");
            assert!(!lines.contains(&token[4..]), "{tool}: {lines}");
            drop(stream);
            drop(silent);
            process.kill().expect("it runs or has ended");
            process.wait().expect("it ends");
        }
    });
    ran.await.expect("the examples work");
}
