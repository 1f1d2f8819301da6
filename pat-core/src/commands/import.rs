//! `import`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;

use super::arguments::ImportArguments;
use super::rotate::create_private;
use super::rows::{Refused, Row, RowFormat, Rows};
use super::{Commands, Exit, Failure, Terminal};
use crate::service::Pats;

/// How many rows are imported at once.
const BATCH: usize = 500;
/// After how many rows the progress is shown.
const PROGRESS: u64 = 10_000;
/// How many refused rows are shown if there is no file for them.
const SHOWN: u64 = 20;

pub(super) async fn run(
    commands: Commands,
    arguments: &ImportArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let format = format_of(arguments)?;
    let bad = |error: String| Failure::because(format!("{}: {error}", file.display()));
    // Without a borrow of the terminal, which shows the progress meanwhile.
    let input: Box<dyn BufRead + Send> = if file == Path::new("-") {
        let mut all = Vec::new();
        let read = terminal.reader().read_to_end(&mut all);
        read.map_err(|error| bad(error.to_string()))?;
        Box::new(std::io::Cursor::new(all))
    } else {
        let opened = File::open(file).map_err(|error| bad(error.to_string()))?;
        Box::new(BufReader::new(opened))
    };
    let rows = Rows::new(format, input).map_err(bad)?;
    let mut refused = match &arguments.refused {
        Some(file) => {
            let cannot = |error: std::io::Error| {
                Failure::because(format!(
                    "--refused {} cannot be written: {error}",
                    file.display()
                ))
            };
            let output = create_private(file).map_err(cannot)?;
            let refused = Refused::new(rows.header(), BufWriter::new(output), rows.reason_at());
            Some(refused.map_err(cannot)?)
        }
        None => None,
    };
    let pats = if arguments.check {
        None
    } else {
        Some(commands.pats().await?)
    };
    let mut counts = Counts::default();
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let batch: Result<Vec<_>, _> = rows.by_ref().take(BATCH).collect();
        let batch = batch.map_err(bad)?;
        for (row, reason) in import(pats.as_ref(), batch, &mut counts).await? {
            counts.refused += 1;
            match &mut refused {
                Some(file) => file.write(&row.original, &reason)?,
                None if counts.refused <= SHOWN => {
                    terminal.note(&format!("line {}: {reason}", row.line));
                }
                None if counts.refused == SHOWN + 1 => {
                    terminal.note("more rows are refused; --refused FILE lists all");
                }
                None => {}
            }
        }
        if counts.read % PROGRESS == 0 {
            terminal.note(&format!("{} rows so far", counts.read));
        }
    }
    if let Some(file) = &mut refused {
        file.flush()?;
    }
    let Counts {
        read,
        stored,
        skipped,
        refused,
    } = counts;
    match pats {
        Some(_) => writeln!(
            terminal.out,
            "{read} rows: {stored} imported, {skipped} skipped as present, {refused} refused"
        )?,
        None => writeln!(
            terminal.out,
            "{read} rows: {refused} cannot be read; none was imported"
        )?,
    }
    terminal.out.flush()?;
    Ok(if refused == 0 {
        Exit::Done
    } else {
        Exit::LookAfter
    })
}

#[derive(Default)]
struct Counts {
    read: u64,
    stored: u64,
    skipped: u64,
    refused: u64,
}

/// Imports rows, if there is a service, and returns those that were refused with the reason.
async fn import(
    pats: Option<&Pats>,
    batch: Vec<Row>,
    counts: &mut Counts,
) -> Result<Vec<(Row, String)>, Failure> {
    counts.read += batch.len() as u64;
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    let mut tokens = Vec::new();
    for row in batch {
        match row.token.clone() {
            Ok(token) => {
                tokens.push(token);
                good.push(Some(row));
            }
            Err(reason) => refused.push((row, reason)),
        }
    }
    let Some(pats) = pats else {
        return Ok(refused);
    };
    let imported = pats.import(tokens).await.map_err(|error| {
        let Failure::Because(line) = Failure::of(&error) else {
            return Failure::OutputClosed;
        };
        Failure::because(format!(
            "{line}; {} rows were imported before, and are skipped when the command is run again",
            counts.stored
        ))
    })?;
    counts.stored += imported.stored;
    counts.skipped += imported.skipped;
    for by_service in imported.refused {
        if let Some(row) = good.get_mut(by_service.index).and_then(Option::take) {
            refused.push((row, by_service.reason.to_string()));
        }
    }
    refused.sort_by_key(|(row, _)| row.line);
    Ok(refused)
}

fn format_of(arguments: &ImportArguments) -> Result<RowFormat, Failure> {
    let extension = arguments.file.extension().and_then(|name| name.to_str());
    match (arguments.format, extension) {
        (Some(format), _) => Ok(format),
        (None, Some("csv")) => Ok(RowFormat::Csv),
        (None, Some("jsonl" | "ndjson")) => Ok(RowFormat::Jsonl),
        (None, _) => Err(Failure::because(
            "the name of the file does not end in .csv or .jsonl; give --format",
        )),
    }
}
