use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use pat_core::Settings;
use pat_core::notification::Notifier;
use tracing_subscriber::EnvFilter;

use crate::{mail, one_line};

/// The command line. Every option may be given in the environment instead.
#[derive(Debug, Parser)]
#[command(
    name = "server",
    version,
    about = "Example server with personal access tokens"
)]
struct Args {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, env = "PAT_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// Where tokens are kept: `sqlite:` and a path, or a URL that begins with `postgres:` or
    /// `mysql:`
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:pat.db"
    )]
    database_url: String,

    /// Sets a property, such as -Datlassian.pats.max.tokens.per.user=20; repeatable.
    /// Also from the environment, as `ATLASSIAN_PATS_MAX_TOKENS_PER_USER=20`
    #[arg(short = 'D', value_name = "PROPERTY=VALUE")]
    properties: Vec<String>,

    /// Lists all properties with their defaults, and exits
    #[arg(long)]
    properties_help: bool,

    /// What to log, such as `info` or `pat_core=debug,tower_http=debug`. The default leaves out what
    /// the database driver says of each connection: an outage is told of once
    #[arg(long, env = "PAT_LOG", default_value = "info,sqlx=off")]
    log: String,

    /// Mail server for notifications, such as `smtp://user:password@mail.example.com:587?tls=starttls`
    #[arg(
        long,
        env = "PAT_SMTP_URL",
        hide_env_values = true,
        requires = "mail_from"
    )]
    smtp_url: Option<String>,

    /// Sender of the notifications, such as `Example <noreply@example.com>`
    #[arg(long, env = "PAT_MAIL_FROM")]
    mail_from: Option<String>,

    /// Folder into which notifications are written as .eml files, beside or instead of sending them.
    /// Without a mail server and a folder they are only logged
    #[arg(long, env = "PAT_MAIL_DIR")]
    mail_dir: Option<PathBuf>,

    /// Adds so many tokens of several users to the database, in all states, to look at
    #[arg(long, value_name = "N", env = "PAT_DEMO_DATA", default_value_t = 0)]
    demo_data: u32,

    /// Believes the clock as it is now (the database server's, or with SQLite this machine's), after
    /// the log has said that it is far from the time that the database vouches for
    #[arg(long)]
    accept_clock: bool,

    /// After the database was restored from a backup: repeats the revocations, disablings and replacements
    /// of these events, prints what it did, and goes on. The file has lines of `GET /admin/events`
    #[arg(long, value_name = "EVENTS_FILE")]
    after_restore: Option<PathBuf>,

    /// Keeps the demo users (whose passwords everybody knows) on an address that others can reach
    #[arg(long, env = "PAT_DEMO_USERS_ANYWHERE")]
    demo_users_anywhere: bool,
}

/// What the server is told at its start.
#[derive(Debug)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Where tokens are kept: a URL of SQLite, PostgreSQL, MySQL or MariaDB.
    pub database_url: String,
    /// The properties.
    pub settings: Settings,
    /// How notifications reach users.
    pub notifiers: Vec<Arc<dyn Notifier>>,
    /// How many tokens of several users are added to the database at the start.
    pub demo_data: u32,
    /// Whether the clock is believed as it is.
    pub accept_clock: bool,
    /// The events since the backup from which the database was restored.
    pub after_restore: Option<PathBuf>,
    log: String,
}

/// Why there is no [`Config`].
#[derive(Debug)]
pub(crate) enum ParseError {
    /// Help or the version was asked for.
    Help(String),
    /// Something is wrong; one line that says what.
    Invalid(String),
}

impl Config {
    /// A configuration for tests: any free port on loopback, this database and these settings.
    #[must_use]
    pub fn for_test(database_url: String, settings: Settings) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen,
            database_url,
            settings,
            notifiers: Vec::new(),
            demo_data: 0,
            accept_clock: false,
            after_restore: None,
            log: "off".into(),
        }
    }

    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, ParseError> {
        let args = Args::try_parse_from(args).map_err(|error| clap_error(&error))?;
        if args.properties_help {
            return Err(ParseError::Help(properties_help()));
        }
        EnvFilter::try_new(&args.log).map_err(|error| {
            ParseError::Invalid(format!("--log {:?} is not a log filter: {error}", args.log))
        })?;
        if !args.listen.ip().is_loopback() && !args.demo_users_anywhere {
            return Err(ParseError::Invalid(format!(
                "{} can be reached by others, and everybody knows the demo users' passwords; \
                 listen on 127.0.0.1 or give --demo-users-anywhere",
                args.listen.ip()
            )));
        }
        let settings = settings(args.listen, &args.properties)
            .map_err(|error| ParseError::Invalid(error.to_string()))?;
        let Args {
            listen,
            database_url,
            log,
            smtp_url,
            mail_from,
            mail_dir,
            demo_data,
            accept_clock,
            after_restore,
            ..
        } = args;
        let notifiers = mail::notifiers(smtp_url.as_deref(), mail_from.as_deref(), mail_dir)
            .map_err(|error| ParseError::Invalid(one_line(&error)))?;
        Ok(Self {
            listen,
            database_url,
            settings,
            notifiers,
            demo_data,
            accept_clock,
            after_restore,
            log,
        })
    }

    pub(crate) fn start_logging(&self) {
        let filter = EnvFilter::new(&self.log);
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .init();
    }
}

/// From the environment, and over it from the command line. Unless they say otherwise, users reach
/// the server where it listens.
fn settings(
    listen: SocketAddr,
    properties: &[String],
) -> Result<Settings, pat_core::SettingsError> {
    let mut builder = Settings::builder();
    if listen.port() != 0 {
        builder = builder.base_url(&format!("http://{listen}"));
    }
    builder = builder.from_env(std::env::vars_os())?;
    for property in properties {
        let (name, value) = property.split_once('=').unwrap_or((property, ""));
        builder = builder.set(name, value)?;
    }
    builder.build()
}

fn properties_help() -> String {
    let lines = Settings::properties().iter().map(|property| {
        let (name, default) = (property.name(), property.default());
        let (meaning, allowed) = (property.meaning(), property.allowed());
        format!("\n{name}={default}\n    {meaning} ({allowed})\n")
    });
    lines.fold(
        "Properties for -D, with their defaults:\n".to_owned(),
        |help, line| help + &line,
    )
}

fn clap_error(error: &clap::Error) -> ParseError {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ParseError::Help(error.to_string()),
        _ => {
            let text = error.to_string();
            // What is missing or meant stands on the lines after the first; then comes the usage.
            let lines = text.lines().map(str::trim);
            let lines = lines.take_while(|line| {
                !line.starts_with("Usage:") && !line.starts_with("For more information")
            });
            let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
            let line = lines.join(" ");
            let line = line.strip_prefix("error: ").unwrap_or(&line);
            ParseError::Invalid(format!("{line}; see --help"))
        }
    }
}
