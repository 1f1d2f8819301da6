//! Commands for the operator of a host: lists, revokes and replaces tokens, imports them, migrates the database, and
//! checks settings and surroundings. The guide [`operate`](crate::guide::operate) describes their use.
//!
//! A host mounts them into its own command line. [`Command`] is a clap `Subcommand`, and can be flattened into the
//! subcommands of the host; [`Commands`] runs it with the parts that the host's server has:
//!
//! ```
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use clap::Parser;
//! use pat_core::commands::{Command, Commands, Terminal};
//! use pat_core::settings::SettingsSources;
//! use pat_core::{BoxError, MemoryStore, Pats};
//!
//! #[derive(Parser)]
//! enum HostCommand {
//!     /// Runs the server
//!     Serve,
//!     #[command(flatten)]
//!     Pat(Command),
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let arguments = ["host", "check-config"];
//! let command = match HostCommand::parse_from(arguments) {
//!     HostCommand::Serve => return, // Runs the server.
//!     HostCommand::Pat(command) => command,
//! };
//! let sources = SettingsSources::new().env(std::env::vars_os());
//! let reading = sources.read();
//! // As for the server, but without `Pats::start`. Only commands that need the tokens open the store.
//! let open = async move || {
//!     let settings = reading.into_settings()?;
//!     let store = Arc::new(MemoryStore::default()); // A host opens its database here.
//!     Ok::<_, BoxError>(Pats::builder(store).settings(settings).build())
//! };
//! let commands = Commands::new(open).settings(sources);
//! let code: ExitCode = commands.run(command, Terminal::standard()).await;
//! # assert_eq!(code, ExitCode::SUCCESS);
//! # }
//! ```
//!
//! # Beside a running server
//!
//! A command is no node of the cluster. It starts no jobs and sends no report ([`NodeReport`]), so no
//! revocation waits for it, and it does not vouch for the database's clock. What it changes has the bound of a change
//! on any other node: the nodes learn of it within the setting `pat.auth.max.staleness.ms`; with
//! `pat.revocation.wait=cluster`, a revocation returns when they have. The nodes send the notifications and feed
//! the shared event sinks; process sinks of the nodes do not see the events of a command.
//!
//! The host opens its store for a command without migrating the tables: only `migrate` should change them.
//!
//! # Who acts
//!
//! A user who may run a command has the database, so the commands `tokens list`, `tokens revoke` and `tokens identify` ask
//! no [`UserDirectory`](crate::UserDirectory) for permission, and the setting `pat.admin.enabled` does not apply. A
//! revocation records the operator as the one who revoked the token: `command:` and the name of the account of the
//! operating system, or of `--actor`. `tokens rotate` acts as the token that it replaces, by the rules for tokens that
//! rotate themselves. Secrets are read from the standard input, never from an argument, which other users of the
//! machine could read.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; what was checked is in order |
//! | 1 | done, with something to look after: a check failed, rows were refused, the token is unknown, the operator declined |
//! | 2 | not done: bad arguments or settings, or the database fails |
//! | 3 | `migrate --check`: the tables are missing or behind this version |
//! | 4 | `migrate --check`: the tables are ahead of this version, which can use them |
//!
//! [`NodeReport`]: crate::store::NodeReport

mod arguments;
mod check_config;
mod database;
mod doctor;
mod filter;
mod finding;
mod import;
mod migrate;
mod rotate;
mod rows;
mod show;
mod terminal;
#[cfg(test)]
mod tests;
mod tokens;

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use self::arguments::{
    Command, DoctorArguments, IdentifyArguments, ImportArguments, MigrateArguments,
    RevokeArguments, RotateArguments, TokensCommand,
};
pub use self::check_config::CheckConfigArguments;
pub use self::database::{Database, MigrationText, SchemaState};
pub use self::filter::FilterArguments;
pub use self::finding::{DoctorCheck, Finding, Level, UrlCheck};
pub use self::show::{Format, ListArguments};
pub use self::terminal::Terminal;
use crate::error::BoxError;
use crate::notification::Notifier;
use crate::service::Pats;
use crate::settings::SettingsSources;

type Open = Box<dyn FnOnce() -> BoxFuture<'static, Result<Pats, BoxError>> + Send>;

/// Runs [`Command`]s with the parts of a host.
#[must_use]
pub struct Commands {
    open: Open,
    database: Option<Arc<dyn Database>>,
    settings: SettingsSources,
    notifiers: Vec<Arc<dyn Notifier>>,
    checks: Vec<Arc<dyn DoctorCheck>>,
    url_check: Option<Arc<dyn UrlCheck>>,
}

impl Commands {
    /// Creates a runner. `open` opens the store and builds the service as the server does, with the same settings,
    /// directory, scopes, formats and notifiers, but does not start its jobs. It is called once, by the commands that
    /// need the tokens.
    pub fn new<F, R>(open: F) -> Self
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = Result<Pats, BoxError>> + Send + 'static,
    {
        Self {
            open: Box::new(move || Box::pin(open())),
            database: None,
            settings: SettingsSources::new(),
            notifiers: Vec::new(),
            checks: Vec::new(),
            url_check: None,
        }
    }

    /// Sets the database, for `migrate` and `doctor`. `pat_sqlx::DatabaseUrl` is one.
    pub fn database(self, database: Arc<dyn Database>) -> Self {
        Self {
            database: Some(database),
            ..self
        }
    }

    /// Sets the sources of the settings, for `check-config` and `doctor`.
    pub fn settings(self, settings: SettingsSources) -> Self {
        Self { settings, ..self }
    }

    /// Adds a notifier that `doctor` tries, also if the database fails.
    pub fn notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifiers.push(notifier);
        self
    }

    /// Adds a check of the host's own to `doctor`.
    pub fn check(mut self, check: Arc<dyn DoctorCheck>) -> Self {
        self.checks.push(check);
        self
    }

    /// Sets the check that `doctor` runs with the URL of `--url`.
    pub fn url_check(self, check: Arc<dyn UrlCheck>) -> Self {
        Self {
            url_check: Some(check),
            ..self
        }
    }

    /// Runs a command, and returns the exit code of the process ([the codes](crate::commands#exit-codes)). What keeps
    /// the command from being done is one line on the terminal's standard error.
    pub async fn run(self, command: Command, mut terminal: Terminal) -> ExitCode {
        let exit = match self.run_command(command, &mut terminal).await {
            Ok(exit) => exit,
            Err(Failure::OutputClosed) => Exit::Done,
            Err(Failure::Because(line)) => {
                terminal.error(&line);
                Exit::Failed
            }
        };
        ExitCode::from(exit as u8)
    }

    async fn run_command(self, command: Command, terminal: &mut Terminal) -> Result<Exit, Failure> {
        match command {
            Command::Migrate(arguments) => {
                migrate::run(self.migratable()?, &arguments, terminal).await
            }
            Command::Tokens(TokensCommand::List(arguments)) => {
                tokens::list(&self.pats().await?, &arguments, terminal).await
            }
            Command::Tokens(TokensCommand::Revoke(arguments)) => {
                tokens::revoke(&self.pats().await?, &arguments, terminal).await
            }
            Command::Tokens(TokensCommand::Identify(arguments)) => {
                arguments.no_secret.check()?;
                let secret = terminal.secret()?;
                tokens::identify(&self.pats().await?, &secret, arguments.format, terminal).await
            }
            Command::Tokens(TokensCommand::Rotate(arguments)) => {
                arguments.no_secret.check()?;
                let secret = terminal.secret()?;
                rotate::run(&self.pats().await?, &secret, &arguments, terminal).await
            }
            Command::Import(arguments) => import::run(self, &arguments, terminal).await,
            Command::CheckConfig(arguments) => {
                check_config::run(&self.settings, &arguments, terminal)
            }
            Command::Doctor(arguments) => doctor::run(self, &arguments, terminal).await,
        }
    }

    fn migratable(&self) -> Result<&dyn Database, Failure> {
        self.database
            .as_deref()
            .ok_or_else(|| Failure::because("this program has no database that can be migrated"))
    }

    async fn pats(self) -> Result<Pats, Failure> {
        (self.open)().await.map_err(|error| Failure::of(&*error))
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands")
            .field("database", &self.database)
            .field("notifiers", &self.notifiers)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done = 0,
    LookAfter = 1,
    Failed = 2,
    Behind = 3,
    Ahead = 4,
}

/// Why a command was not done.
#[derive(Debug)]
enum Failure {
    /// The reader of the output, such as `head`, has enough.
    OutputClosed,
    Because(String),
}

impl Failure {
    fn because(line: impl Into<String>) -> Self {
        Self::Because(line.into())
    }

    fn of(error: &dyn std::error::Error) -> Self {
        Self::Because(one_line(error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::because(format!("cannot write the output: {error}")),
        }
    }
}

/// Returns an error and its causes on one line, separated by colons.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    crate::error::one_line(error)
}
