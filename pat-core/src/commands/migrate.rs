//! `migrate`.

use std::io::Write as _;

use super::arguments::MigrateArguments;
use super::database::{Database, SchemaState};
use super::{Exit, Failure, Terminal};

pub(super) async fn run(
    database: &dyn Database,
    arguments: &MigrateArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    if arguments.print {
        return print(database, arguments, terminal);
    }
    let state = database.state().await;
    let state = state.map_err(|error| Failure::of(&*error))?;
    match &state {
        SchemaState::Current => {
            writeln!(terminal.out, "The tables are up to date.")?;
            Ok(Exit::Done)
        }
        SchemaState::Ahead {
            version,
            readable_from,
        } => {
            let ours = crate::store::SCHEMA_VERSION;
            if *readable_from > ours {
                return Err(Failure::because(format!(
                    "the tables have version {version}, which this program (version {ours}) cannot use; start a \
                     newer one"
                )));
            }
            writeln!(
                terminal.out,
                "The tables have version {version}, which is newer than this program (version {ours}). It can use them."
            )?;
            Ok(if arguments.check {
                Exit::Ahead
            } else {
                Exit::Done
            })
        }
        SchemaState::Behind { missing } if arguments.check => {
            writeln!(terminal.out, "The tables lack {}.", missing.join(", "))?;
            Ok(Exit::Behind)
        }
        SchemaState::Behind { missing } => {
            let migrated = database.migrate().await;
            migrated.map_err(|error| Failure::of(&*error))?;
            writeln!(terminal.out, "Applied {}.", missing.join(", "))?;
            Ok(Exit::Done)
        }
    }
}

fn print(
    database: &dyn Database,
    arguments: &MigrateArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let all = database.migrations(arguments.engine.as_deref());
    let all = all.map_err(|error| Failure::of(&*error))?;
    let latest = all.last().map_or(0, |migration| migration.version);
    let (from, to) = (arguments.from, arguments.to.unwrap_or(latest));
    if from > to || to > latest {
        return Err(Failure::because(format!(
            "there is no way from version {from} to version {to}; the versions are 0 (no tables) to {latest}, and \
             migrations only go up"
        )));
    }
    let wanted = all
        .iter()
        .filter(|migration| migration.version > from && migration.version <= to);
    for migration in wanted {
        writeln!(terminal.out, "-- {}\n\n{}", migration.name, migration.sql)?;
    }
    terminal.out.flush()?;
    Ok(Exit::Done)
}
