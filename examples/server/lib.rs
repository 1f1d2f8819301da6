//! A complete host app with personal access tokens: users and a login (demo ones), sessions, the
//! token router, and a small protected API in the shape that clients of Atlassian's products
//! expect.
//!
//! It is a library with a thin `main`, so that tests start the real thing with a clock of their
//! own. For the same reason it has the plug-ins of the example `plugin`.

mod app;
mod atlassian;
mod commands;
mod config;
mod connections;
mod cross_site;
mod demo_api;
mod demo_data;
mod failures;
mod headers;
mod languages;
mod mail;
mod metrics;
#[path = "../plugin/mod.rs"]
pub mod plugin;
mod restore;
mod sign_in;
mod site;
mod user_table;
mod users;

use std::ffi::OsString;
use std::process::ExitCode;

use pat_core::commands::one_line;

pub use self::app::{App, End, Parts, Shutdown, StartError, Stop, app, app_of};
pub use self::config::Config;
use self::config::Invocation;
pub use self::user_table::UserTableError;
pub use self::users::DemoUsers;

/// Parses the command line, starts the server and runs it until SIGTERM or SIGINT, or runs the command that is
/// given.
///
/// What keeps it from starting is one line on stderr and exit code 2. If its end cuts off requests or
/// jobs, the exit code is 1.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    main_of(args, Parts::default())
}

/// The same, of other parts.
pub fn main_of(args: impl IntoIterator<Item = OsString>, parts: Parts) -> ExitCode {
    let config = match config::parse(args) {
        Ok(Invocation::Serve(config)) => *config,
        Ok(Invocation::Command(command)) => {
            config::start_logging(&command.log, command.log_format);
            return commands::run(*command, parts.clock);
        }
        Err(config::ParseError::Help(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(config::ParseError::Invalid(line)) => return fail(&line),
    };
    match run(config, parts) {
        Ok(End::Complete) => ExitCode::SUCCESS,
        Ok(End::CutOff) => ExitCode::FAILURE,
        Err(error) => fail(&one_line(&error)),
    }
}

#[tokio::main]
async fn run(mut config: Config, parts: Parts) -> Result<End, StartError> {
    config.start_logging();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // The port first: a second server on it must not touch the database.
    let listener = app::listen(&mut config).await?;
    let address = config.listen;
    let app = app_of(config, parts).await?;
    let stopped = app::terminated();
    app::greet(address);
    Ok(app.serve(listener, stopped).await)
}

fn fail(line: &str) -> ExitCode {
    eprintln!("error: {line}");
    ExitCode::from(2)
}
