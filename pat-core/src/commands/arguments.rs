use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::check_config::CheckConfigArguments;
use super::filter::FilterArguments;
use super::show::{Format, ListArguments};
use crate::token::{Owner, TokenId};

/// The commands, for clap.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a process has one of them")]
pub enum Command {
    /// Creates the tables or brings them up to date
    ///
    /// The server does the same when it starts. Run it before, with an account that may change tables, if the server's
    /// account may not.
    #[command(after_help = example(&["migrate --check", "migrate --print --from 7 >update.sql"]))]
    Migrate(MigrateArguments),

    /// Lists, revokes, identifies and replaces tokens
    #[command(subcommand)]
    Tokens(TokensCommand),

    /// Imports tokens of another table from a file
    ///
    /// The rows are read as CSV with a header, or as JSON lines, with the columns sha256 (hexadecimal, of the whole
    /// token), owner, name, createdAt, and, if known, expiresAt, lastUsedAt, scopes, description and example (a made-up
    /// token of the same shape). Rows that are stored already are skipped, so a file can be imported again.
    #[command(after_help = example(&["import keys.csv --refused refused.csv"]))]
    Import(ImportArguments),

    /// Shows each setting with its source, and every error
    #[command(after_help = example(&["check-config", "check-config --set --format json"]))]
    CheckConfig(CheckConfigArguments),

    /// Checks settings, database, clocks, mail and whatever else the server depends on
    ///
    /// Each line says what was found, and what to do about it. The exit code is 1 if a check failed.
    #[command(after_help = example(&["doctor", "doctor --send-to admin@example.com"]))]
    Doctor(DoctorArguments),
}

/// The commands about tokens, for clap.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum TokensCommand {
    /// Lists the tokens that match a filter
    #[command(after_help = example(&[
        "tokens list --owner alice",
        "tokens list --never-used --created-before 2026-01-01 --format json",
    ]))]
    List(ListArguments),

    /// Revokes tokens by their IDs, or those that match a filter
    ///
    /// The command shows how many tokens it would revoke, and asks before it does.
    #[command(after_help = example(&[
        "tokens revoke 206158430208123 --reason 'in a public repository'",
        "tokens revoke --owner alice --unused-for 90 --yes",
    ]))]
    Revoke(RevokeArguments),

    /// Shows whose token this is
    ///
    /// The secret is read from the standard input, or asked for without an echo. The exit code is 1 if there is no such
    /// token.
    #[command(after_help = example(&["tokens identify <leaked.txt"]))]
    Identify(IdentifyArguments),

    /// Replaces a token by a new one
    ///
    /// The old secret is read from the standard input, or asked for without an echo. It stays valid for the overlap, so
    /// if the new secret is lost, the command can be run again.
    #[command(after_help = example(&["tokens rotate --output token.txt <token.txt"]))]
    Rotate(RotateArguments),
}

/// The arguments of `migrate`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct MigrateArguments {
    /// Only tells whether the tables are up to date: exit code 0 if they are, 3 if they are missing or behind, 4 if
    /// they are ahead of this version, which can use them
    #[arg(long, conflicts_with = "print")]
    pub check: bool,

    /// Only prints the SQL, without a database
    #[arg(long)]
    pub print: bool,

    /// Version of the tables from which the printed SQL starts; 0 if there are none
    #[arg(long, value_name = "VERSION", requires = "print", default_value_t = 0)]
    pub from: u64,

    /// Version to which the printed SQL leads; the latest one by default
    #[arg(long, value_name = "VERSION", requires = "print")]
    pub to: Option<u64>,

    /// Database of the printed SQL: sqlite, postgres or mysql; by default that of the server
    #[arg(long, requires = "print")]
    pub engine: Option<String>,
}

/// The arguments of `tokens revoke`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct RevokeArguments {
    /// IDs of the tokens; without them, the filter decides
    #[arg(value_name = "ID")]
    pub ids: Vec<TokenId>,

    /// The filter, which needs at least one criterion.
    #[command(flatten)]
    pub filter: FilterArguments,

    /// Why, for the audit events and the owners
    #[arg(long)]
    pub reason: Option<String>,

    /// Also revokes the tokens that were created with these, and those that replaced them
    #[arg(long)]
    pub family: bool,

    /// Does not ask
    #[arg(long, short)]
    pub yes: bool,

    /// Who revokes, for the audit events, as `command:NAME`; by default the account of the operating system
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
}

/// The arguments of `tokens identify`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct IdentifyArguments {
    /// How to show the token
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    #[command(flatten)]
    pub(super) no_secret: NoSecret,
}

/// What is given where a secret must not be. Clap's own error would show it.
#[derive(Clone, Default, Args)]
pub(super) struct NoSecret {
    #[arg(hide = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl NoSecret {
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.arguments.is_empty() {
            return Ok(());
        }
        Err(Failure::because(
            "the command takes no argument: write the token to its standard input, as in `… <token.txt`; others can \
             read arguments, so revoke a token that was given as one",
        ))
    }
}

impl fmt::Debug for NoSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoSecret(..)")
    }
}

/// The arguments of `tokens rotate`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct RotateArguments {
    /// For how long the old secret stays valid; by default the setting `pat.rotate.overlap.seconds`
    #[arg(long, value_name = "SECONDS")]
    pub overlap: Option<u64>,

    /// File for the new secret, readable for this account alone, which replaces the file of this name; without it, the
    /// secret is written to the standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub(super) no_secret: NoSecret,
}

/// The arguments of `import`, for clap.
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct ImportArguments {
    /// File with the rows, whose name ends in .csv or .jsonl; `-` for the standard input
    pub file: PathBuf,

    /// Format of the rows, if the name of the file does not tell
    #[arg(long, value_enum)]
    pub format: Option<super::rows::RowFormat>,

    /// File for the rows that are refused, with the reason as another column; it can be corrected and imported
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,

    /// Only checks that the rows can be read, without a database
    #[arg(long)]
    pub check: bool,
}

/// The arguments of `doctor`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct DoctorArguments {
    /// Also sends a notification to this mail address
    #[arg(long, value_name = "ADDRESS")]
    pub send_to: Option<String>,

    /// Also probes the proxies: the URL at which clients reach the route of the probe
    #[arg(long)]
    pub url: Option<String>,

    /// How to show the findings
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

impl RevokeArguments {
    /// Returns the key under which the audit names the operator.
    pub(super) fn actor(&self) -> Result<Owner, String> {
        const VARIABLES: [&str; 4] = ["SUDO_USER", "DOAS_USER", "USER", "LOGNAME"];
        let account = || VARIABLES.iter().find_map(|name| std::env::var(name).ok());
        let name = self.actor.clone().or_else(account).unwrap_or_default();
        if name.trim().is_empty() {
            return Err("who revokes is not known; give --actor NAME".to_owned());
        }
        // No user of the host has such a key.
        Owner::new(format!("command:{name}")).map_err(|error| format!("--actor {name:?}: {error}"))
    }
}

/// Returns the examples for the help of a command, with the name of this program.
fn example(lines: &[&str]) -> String {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(|path| path.file_name());
    let name = name.map_or_else(|| "host".into(), |name| name.to_string_lossy());
    let head = match lines {
        [_] => "Example:".to_owned(),
        _ => "Examples:".to_owned(),
    };
    lines
        .iter()
        .fold(head, |help, line| format!("{help}\n  {name} {line}"))
}
