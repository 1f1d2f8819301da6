//! The commands on a store in memory. The tests of the repository run them as processes of the example server.

mod check_config;
mod doctor;
mod import;
mod migrate;
mod rotate;
mod tokens;

use std::io;
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::caller::Caller;
use crate::memory::MemoryStore;
use crate::policy::TokenRequest;
use crate::service::CreatedToken;
use crate::settings::Settings;
use crate::testing::{TestClock, TestDirectory};

#[derive(Debug, Parser)]
struct Host {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("a lock").clone()).expect("text")
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a command has printed, and its exit code.
#[derive(Debug)]
struct Run {
    code: ExitCode,
    out: String,
    err: String,
}

impl Run {
    fn is(&self, exit: Exit) -> bool {
        self.code == ExitCode::from(exit as u8)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("JSON")
    }
}

struct Fixture {
    store: Arc<MemoryStore>,
    pats: Pats,
    clock: Arc<TestClock>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let (store, clock) = (Arc::<MemoryStore>::default(), Arc::<TestClock>::default());
        let directory = TestDirectory::default();
        for user in ["alice", "bob"] {
            directory.add(user);
        }
        let pats = Pats::builder(store.clone())
            .users(Arc::new(directory))
            .settings(settings)
            .clock(clock.clone())
            .build();
        Self { store, pats, clock }
    }

    async fn create(&self, owner: &str, name: &str) -> CreatedToken {
        let caller = Caller::header_authenticated(owner.parse().expect("an owner"));
        let request = TokenRequest::new(name, Some(90));
        self.pats.create(&caller, request).await.expect("a token")
    }

    fn commands(&self) -> Commands {
        let pats = self.pats.clone();
        Commands::new(async move || Ok(pats))
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Run {
        run(self.commands(), arguments, input).await
    }

    async fn is_valid(&self, created: &CreatedToken) -> bool {
        let presented = created.plain.expose().as_bytes();
        self.pats.authenticate(presented).await.is_ok()
    }
}

async fn run(commands: Commands, arguments: &[&str], input: &str) -> Run {
    let host = Host::try_parse_from(["host"].iter().chain(arguments));
    let command = host.unwrap_or_else(|error| panic!("{error}")).command;
    let (out, err) = (Output::default(), Output::default());
    let input = io::Cursor::new(input.to_owned().into_bytes());
    let terminal = Terminal::new(input, out.clone(), err.clone());
    let code = commands.run(command, terminal).await;
    Run {
        code,
        out: out.text(),
        err: err.text(),
    }
}

#[test]
fn each_command_has_a_help_with_an_example() {
    use clap::CommandFactory as _;
    fn check(command: &mut clap::Command) {
        if !command.has_subcommands() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
        for sub in command.get_subcommands_mut() {
            if sub.get_name() != "help" {
                check(sub);
            }
        }
    }
    let mut host = Host::command();
    host.clone().debug_assert();
    check(&mut host);
}

#[tokio::test]
async fn a_secret_that_is_given_as_an_argument_is_refused_and_not_shown() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let secret = created.plain.expose();
    for command in ["identify", "rotate"] {
        for more in [&[secret][..], &["token", secret]] {
            let run = fixture
                .run(&[&["tokens", command], more].concat(), secret)
                .await;
            assert!(run.is(Exit::Failed) && run.out.is_empty(), "{run:?}");
            assert!(
                run.err.contains("to its standard input") && !run.err.contains(secret),
                "{run:?}"
            );
        }
    }
}

/// Ends after so many bytes, like `head`.
struct Closed;

#[tokio::test]
async fn a_reader_that_has_enough_is_no_error() {
    let fixture = Fixture::new();
    fixture.create("alice", "ci").await;
    let host = Host::parse_from(["host", "tokens", "list"]);
    let err = Output::default();
    let terminal = Terminal::new(io::empty(), Closed, err.clone());
    let code = fixture.commands().run(host.command, terminal).await;
    assert_eq!((code, err.text()), (ExitCode::SUCCESS, String::new()));
}
