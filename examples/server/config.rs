use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, ValueEnum};
use pat_core::Settings;
use pat_core::commands::{Command, one_line};
use pat_core::notification::Notifier;
use pat_core::settings::SettingsSources;
use pat_tower::{ProxyHeader, TrustedProxies};
use tracing_subscriber::EnvFilter;

use crate::app::Shutdown;
use crate::commands::CommandConfig;
use crate::mail;

/// The command line. Options stand before the command.
#[derive(Debug, Parser)]
#[command(
    name = "server",
    version,
    about = "Example server with personal access tokens, and commands for its operator",
    after_help = AFTER_HELP
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Address or name, and port to listen on; port 0 picks a free one
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "PAT_LISTEN",
        default_value = "127.0.0.1:3000",
        value_parser = address
    )]
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
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    properties: Vec<String>,

    /// Lists all properties with their environment variables and defaults, and exits
    #[arg(long)]
    properties_help: bool,

    /// What to log, such as `info` or `pat_core=debug,tower_http=debug`. The default is `info,sqlx=off`, or
    /// `warn,sqlx=off` for a command; it leaves out what the database driver says of each connection: an outage is
    /// told of once
    #[arg(long, env = "PAT_LOG")]
    log: Option<String>,

    /// How to write the log: for people, or one JSON object a line
    #[arg(
        long,
        value_name = "FORMAT",
        env = "PAT_LOG_FORMAT",
        value_enum,
        default_value_t
    )]
    log_format: LogFormat,

    /// Proxies whose report of the client's address is believed, such as `127.0.0.1,10.1.0.0/16`
    #[arg(
        long,
        value_name = "NETWORKS",
        env = "PAT_TRUSTED_PROXIES",
        default_value = ""
    )]
    trusted_proxies: TrustedProxies,

    /// The header in which these proxies report it
    #[arg(
        long,
        value_name = "HEADER",
        env = "PAT_PROXY_HEADER",
        value_enum,
        default_value_t
    )]
    proxy_header: ProxyHeaderName,

    /// For how many seconds the server still takes requests after SIGTERM, although `/readyz` says that it is not
    /// ready
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PAT_SHUTDOWN_GRACE",
        default_value_t = 5
    )]
    shutdown_grace: u32,

    /// How many seconds it then waits for requests that are under way
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PAT_SHUTDOWN_TIMEOUT",
        default_value_t = 10
    )]
    shutdown_timeout: u32,

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProxyHeaderName {
    #[default]
    XForwardedFor,
    Forwarded,
}

const AFTER_HELP: &str = "\
Examples:
  server --listen localhost:3999 -Datlassian.pats.max.tokens.per.user=20
  server --database-url postgres://localhost/app tokens list --owner alice
  server help tokens revoke";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    Serve(Box<Config>),
    Command(Box<CommandConfig>),
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
    /// The proxies whose report of the client's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// What is odd about the command line.
    pub(crate) warnings: Vec<String>,
    /// How a shutdown takes its time.
    pub shutdown: Shutdown,
    log: String,
    log_format: LogFormat,
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
            trusted_proxies: TrustedProxies::default(),
            warnings: Vec::new(),
            shutdown: Shutdown {
                grace: Duration::ZERO,
                patience: Duration::from_secs(10),
            },
            log: "off".into(),
            log_format: LogFormat::Text,
        }
    }

    fn of(args: Args, sources: &SettingsSources) -> Result<Self, ParseError> {
        if !args.listen.ip().is_loopback() && !args.demo_users_anywhere {
            return Err(ParseError::Invalid(format!(
                "{} can be reached by others, and everybody knows the demo users' passwords; \
                 listen on 127.0.0.1 or give --demo-users-anywhere",
                args.listen.ip()
            )));
        }
        let reading = sources.read();
        let warnings = reading.warnings().to_vec();
        let settings = reading
            .into_settings()
            .map_err(|error| ParseError::Invalid(error.to_string()))?;
        let notifiers = args.notifiers()?;
        let Args {
            listen,
            database_url,
            log,
            log_format,
            trusted_proxies,
            proxy_header,
            shutdown_grace,
            shutdown_timeout,
            demo_data,
            accept_clock,
            after_restore,
            ..
        } = args;
        Ok(Self {
            listen,
            database_url,
            settings,
            notifiers,
            demo_data,
            accept_clock,
            after_restore,
            trusted_proxies: trusted_proxies.with_header(match proxy_header {
                ProxyHeaderName::XForwardedFor => ProxyHeader::XForwardedFor,
                ProxyHeaderName::Forwarded => ProxyHeader::Forwarded,
            }),
            shutdown: Shutdown {
                grace: Duration::from_secs(shutdown_grace.into()),
                patience: Duration::from_secs(shutdown_timeout.into()),
            },
            warnings,
            log: log.unwrap_or_else(|| LOG.into()),
            log_format,
        })
    }

    pub(crate) fn start_logging(&self) {
        start_logging(&self.log, self.log_format);
    }
}

/// What the server logs unless it is told otherwise, and what a command does.
const LOG: &str = "info,sqlx=off";
const LOG_OF_COMMAND: &str = "warn,sqlx=off";

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, ParseError> {
    let mut args = Args::try_parse_from(args).map_err(|error| clap_error(&error))?;
    if args.properties_help {
        return Err(ParseError::Help(properties_help()));
    }
    if let Some(log) = &args.log {
        EnvFilter::try_new(log).map_err(|error| {
            ParseError::Invalid(format!("--log {log:?} is not a log filter: {error}"))
        })?;
    }
    let sources = sources(args.listen, &args.properties);
    let Some(command) = args.command.take() else {
        let config = Config::of(args, &sources)?;
        return Ok(Invocation::Serve(Box::new(config)));
    };
    let config = CommandConfig {
        command,
        notifiers: args.notifiers()?,
        database_url: args.database_url,
        sources,
        log: args.log.unwrap_or_else(|| LOG_OF_COMMAND.into()),
        log_format: args.log_format,
    };
    Ok(Invocation::Command(Box::new(config)))
}

impl Args {
    fn notifiers(&self) -> Result<Vec<Arc<dyn Notifier>>, ParseError> {
        let (url, from) = (self.smtp_url.as_deref(), self.mail_from.as_deref());
        let notifiers = mail::notifiers(url, from, self.mail_dir.clone());
        notifiers.map_err(|error| ParseError::Invalid(one_line(&error)))
    }
}

pub(crate) fn start_logging(filter: &str, format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_span_list(false).init();
            // Panics would otherwise be lines of their own kind.
            std::panic::set_hook(Box::new(|panic| {
                let place = panic.location().map(ToString::to_string);
                let message = panic.payload_as_str();
                tracing::error!(panic = message, place, "a thread panicked");
            }));
        }
    }
}

/// An address, or one of the addresses that a name has.
fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs();
    let found = found.map_err(|error| format!("{error}; give HOST:PORT"))?;
    // Not each machine that has the name `::1` has the address.
    let found = found.min_by_key(SocketAddr::is_ipv6);
    found.ok_or_else(|| "the name has no address".to_owned())
}

/// From the environment, and over it from the command line. Unless they say otherwise, users reach
/// the server where it listens.
fn sources(listen: SocketAddr, properties: &[String]) -> SettingsSources {
    let mut sources = SettingsSources::new();
    if listen.port() != 0 {
        sources = sources.value("--listen", "pat.base.url", &format!("http://{listen}"));
    }
    sources.env(std::env::vars_os()).options("-D", properties)
}

fn properties_help() -> String {
    let lines = Settings::properties().iter().map(|property| {
        let (name, default) = (property.name(), property.default());
        let (meaning, allowed) = (property.meaning(), property.allowed());
        let variable = property.variable();
        format!("\n{name}={default}\n    {meaning} ({allowed})\n    environment: {variable}\n")
    });
    lines.fold(
        "Properties for -D, with their defaults:\n".to_owned(),
        |help, line| help + &line,
    )
}

fn clap_error(error: &clap::Error) -> ParseError {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ParseError::Help(error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ParseError::Invalid("a subcommand is missing; see --help".to_owned())
        }
        _ => {
            if let Some(option) = misplaced(error) {
                return ParseError::Invalid(format!(
                    "{option} is an option of the server; give it before the command"
                ));
            }
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

/// The option of the server that stands behind a command.
fn misplaced(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = given.trim_start_matches('-');
    let server = Args::command();
    let mut options = server.get_arguments();
    let is_known = options.any(|option| {
        let short = option.get_short().map(String::from);
        option.get_long() == Some(name) || short.as_deref() == Some(name)
    });
    (error.kind() == ErrorKind::UnknownArgument && is_known).then(|| given.clone())
}
