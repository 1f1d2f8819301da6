//! The rows of a file with tokens to import.

use std::io::{self, BufRead, Lines, Write};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::service::ImportRow;
use crate::token::{Owner, TokenDigest};

/// The format of a file with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// One JSON object on each line.
    Jsonl,
}

const SHA256: &str = "sha256";
const OWNER: &str = "owner";
const NAME: &str = "name";
const CREATED_AT: &str = "createdAt";
const EXPIRES_AT: &str = "expiresAt";
const LAST_USED_AT: &str = "lastUsedAt";
const SCOPES: &str = "scopes";
const DESCRIPTION: &str = "description";
const EXAMPLE: &str = "example";
/// Of refused rows, which can be imported after their correction.
pub(super) const REASON: &str = "reason";
const COLUMNS: [&str; 10] = [
    SHA256,
    OWNER,
    NAME,
    CREATED_AT,
    EXPIRES_AT,
    LAST_USED_AT,
    SCOPES,
    DESCRIPTION,
    EXAMPLE,
    REASON,
];
/// What stands for no restriction in a CSV file: an empty cell may be a mistake.
const UNRESTRICTED: &str = "*";

/// A row, as it was read.
pub(super) struct Row {
    /// Number of its (first) line, from 1.
    pub(super) line: u64,
    pub(super) original: Original,
    /// The token, or why there is none.
    pub(super) token: Result<ImportRow, String>,
}

pub(super) enum Original {
    Csv(csv::StringRecord),
    Json(String),
}

/// Reads rows one by one.
pub(super) enum Rows<R> {
    Csv {
        header: csv::StringRecord,
        records: csv::StringRecordsIntoIter<R>,
    },
    Json(std::iter::Zip<std::ops::RangeFrom<u64>, Lines<R>>),
}

impl<R: BufRead> Rows<R> {
    /// Begins to read; fails if the header of a CSV file is not allowed.
    pub(super) fn new(format: RowFormat, input: R) -> Result<Self, String> {
        if format == RowFormat::Jsonl {
            return Ok(Self::Json((1..).zip(input.lines())));
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.headers().map_err(|error| error.to_string())?;
        let header: csv::StringRecord = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim())
            .collect();
        for (index, name) in header.iter().enumerate() {
            known(name)?;
            if header.iter().take(index).any(|before| before == name) {
                return Err(format!("the header has the column {name} twice"));
            }
        }
        for needed in [SHA256, OWNER, NAME, CREATED_AT] {
            if !header.iter().any(|name| name == needed) {
                return Err(format!("the header lacks the column {needed}"));
            }
        }
        let records = reader.into_records();
        Ok(Self::Csv { header, records })
    }

    /// Returns the header of refused rows.
    pub(super) fn header(&self) -> Option<csv::StringRecord> {
        match self {
            Self::Csv { header, .. } => {
                let others = header.iter().filter(|name| *name != REASON);
                Some(others.chain([REASON]).collect())
            }
            Self::Json(_) => None,
        }
    }

    /// Returns the index of the column with the reason, in a file of refused rows.
    pub(super) fn reason_at(&self) -> Option<usize> {
        match self {
            Self::Csv { header, .. } => header.iter().position(|name| name == REASON),
            Self::Json(_) => None,
        }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Csv { header, records } => {
                let record = records.next()?;
                Some(record.map_err(|error| error.to_string()).map(|record| Row {
                    line: record.position().map_or(0, csv::Position::line),
                    token: fields_of(header, &record).and_then(|fields| token(&fields)),
                    original: Original::Csv(record),
                }))
            }
            Self::Json(lines) => loop {
                let (number, line) = lines.next()?;
                let line = match line {
                    Ok(line) if line.trim().is_empty() => continue,
                    Ok(line) => line,
                    Err(error) => return Some(Err(format!("line {number}: {error}"))),
                };
                let fields = serde_json::from_str::<Map<String, Value>>(&line);
                let fields = fields.map_err(|error| format!("no JSON object: {error}"));
                return Some(Ok(Row {
                    line: number,
                    token: fields.and_then(|fields| token(&fields)),
                    original: Original::Json(line),
                }));
            },
        }
    }
}

/// Returns the cells as JSON, without those that are empty.
fn fields_of(
    header: &csv::StringRecord,
    record: &csv::StringRecord,
) -> Result<Map<String, Value>, String> {
    if record.len() != header.len() {
        return Err(format!(
            "the row has {} cells, and the header {}",
            record.len(),
            header.len()
        ));
    }
    let mut fields = Map::new();
    for (name, cell) in header.iter().zip(record) {
        let value = match (name, cell) {
            (SCOPES, UNRESTRICTED) => continue,
            (SCOPES, "") => {
                return Err(format!(
                    "{SCOPES}: give the names, separated by spaces, or {UNRESTRICTED} for a token without a \
                     restriction"
                ));
            }
            (SCOPES, names) => names.split_whitespace().map(Value::from).collect(),
            (_, "") => continue,
            (_, cell) => Value::from(cell),
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(fields)
}

fn known(name: &str) -> Result<(), String> {
    if COLUMNS.contains(&name) {
        return Ok(());
    }
    Err(format!(
        "there is no column {name:?}; there are {}",
        COLUMNS[..COLUMNS.len() - 1].join(", ")
    ))
}

fn token(fields: &Map<String, Value>) -> Result<ImportRow, String> {
    fields.keys().try_for_each(|name| known(name))?;
    let digest = digest(&text(fields, SHA256)?.unwrap_or_default())?;
    let owner = required(fields, OWNER)?;
    let owner = Owner::new(owner).map_err(|error| format!("{OWNER}: {error}"))?;
    let created_at = instant(CREATED_AT, &required(fields, CREATED_AT)?)?;
    let time = |name| {
        let given = text(fields, name)?;
        given.map(|given| instant(name, &given)).transpose()
    };
    let mut row = ImportRow::new(digest, owner, required(fields, NAME)?, created_at);
    row.expires_at = time(EXPIRES_AT)?;
    row.last_used_at = time(LAST_USED_AT)?;
    row.description = text(fields, DESCRIPTION)?;
    row.example = text(fields, EXAMPLE)?;
    row.scopes = match fields.get(SCOPES) {
        None | Some(Value::Null) => None,
        Some(names) => {
            let names = serde_json::from_value(names.clone());
            Some(names.map_err(|_| format!("{SCOPES}: give a list of names"))?)
        }
    };
    Ok(row)
}

fn required(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    text(fields, name)?.ok_or_else(|| format!("{name} is missing"))
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{name}: give a text")),
    }
}

/// The error does not show the value, which may be a secret by mistake.
fn digest(hex: &str) -> Result<TokenDigest, String> {
    let digits = hex.as_bytes();
    let mut bytes = [0; 32];
    let is_hex = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    if is_hex {
        return Ok(TokenDigest::from_bytes(bytes));
    }
    Err(format!(
        "{SHA256}: give the SHA-256 of the whole token as 64 hexadecimal digits"
    ))
}

fn instant(name: &str, text: &str) -> Result<Timestamp, String> {
    let of_seconds = |seconds: i64| Timestamp::from_second(seconds);
    let parsed = match text.parse() {
        Ok(seconds) => of_seconds(seconds),
        Err(_) => text.parse::<Timestamp>(),
    };
    parsed.map_err(|_| {
        format!("{name}: {text:?} is no time; give one such as 2026-01-31T12:00:00Z, or seconds since 1970")
    })
}

/// Writes refused rows in the format of the file that they come from.
pub(super) struct Refused<W: Write> {
    format: Writer<W>,
    reason_at: Option<usize>,
}

enum Writer<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json(W),
}

impl<W: Write> Refused<W> {
    pub(super) fn new(
        header: Option<csv::StringRecord>,
        output: W,
        reason_at: Option<usize>,
    ) -> io::Result<Self> {
        let format = match header {
            None => Writer::Json(output),
            Some(header) => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(output);
                writer.write_record(&header)?;
                Writer::Csv(Box::new(writer))
            }
        };
        Ok(Self { format, reason_at })
    }

    pub(super) fn write(&mut self, original: &Original, reason: &str) -> io::Result<()> {
        match (&mut self.format, original) {
            (Writer::Csv(writer), Original::Csv(record)) => {
                let others = record.iter().enumerate();
                let others = others.filter(|(index, _)| Some(*index) != self.reason_at);
                let cells = others.map(|(_, cell)| cell).chain([reason]);
                writer.write_record(cells)?;
            }
            (Writer::Json(writer), Original::Json(line)) => {
                let fields = serde_json::from_str::<Map<String, Value>>(line);
                let mut fields = fields.unwrap_or_else(|_| {
                    // As text, since it is no object.
                    Map::from_iter([("line".to_owned(), Value::from(line.as_str()))])
                });
                fields.insert(REASON.to_owned(), Value::from(reason));
                writeln!(writer, "{}", Value::Object(fields))?;
            }
            _ => unreachable!("rows of one file have one format"),
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.format {
            Writer::Csv(writer) => writer.flush(),
            Writer::Json(writer) => writer.flush(),
        }
    }
}
