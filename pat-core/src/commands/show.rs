//! Tokens and tables, as text and as JSON.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::filter::FilterArguments;
use crate::scope::Scopes;
use crate::search::{Sort, SortKey};
use crate::service::Pats;
use crate::text::{breaks_line, is_bidi_control};
use crate::token::{DateText, Owner, Token, TokenId, TokenStatus};

/// How a command shows its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Table,
    /// A JSON document for programs.
    Json,
}

/// The arguments of `tokens list`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct ListArguments {
    /// The filter.
    #[command(flatten)]
    pub filter: FilterArguments,

    /// Also lists revoked tokens
    #[arg(long, conflicts_with = "status")]
    pub include_revoked: bool,

    /// What to sort by
    #[arg(long, value_enum, default_value_t = Key::Created)]
    pub sort: Key,

    /// Sorts the greatest first
    #[arg(long)]
    pub descending: bool,

    /// Lists so many tokens at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,

    /// How to show the tokens
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// What `tokens list` sorts by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// The time of creation.
    #[default]
    Created,
    /// The time of expiry; tokens that never expire have the greatest.
    Expires,
    /// The last use; tokens that were never used have the least.
    LastUsed,
    /// The name, in any letter case.
    Name,
    /// The owner's key.
    Owner,
}

impl ListArguments {
    pub(super) fn order(&self) -> Sort {
        let key = match self.sort {
            Key::Created => SortKey::CreatedAt,
            Key::Expires => SortKey::ExpiresAt,
            Key::LastUsed => SortKey::LastUsedAt,
            Key::Name => SortKey::Name,
            Key::Owner => SortKey::Owner,
        };
        Sort {
            key,
            is_descending: self.descending,
        }
    }
}

/// A token as JSON, with the names of the REST API where it has one. Times are in its format too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenJson<'a> {
    id: i64,
    name: &'a str,
    owner: &'a str,
    status: &'static str,
    created_at: String,
    /// `null` if the token never expires.
    expiring_at: Option<String>,
    /// `null` if the token was never used.
    last_accessed_at: Option<String>,
    /// `null` if the token is unrestricted.
    scopes: Option<&'a Scopes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoke_reason: Option<&'a str>,
}

impl<'a> TokenJson<'a> {
    pub(super) fn new(pats: &Pats, token: &'a Token) -> Self {
        let date = |at: Timestamp| DateText::new(at).to_string();
        Self {
            id: token.id.get(),
            name: &token.name,
            owner: token.owner.as_str(),
            status: status(pats, token).as_str(),
            created_at: date(token.created_at),
            expiring_at: token.expires_at.map(date),
            last_accessed_at: token.last_used_at.map(date),
            scopes: token.scopes.as_ref(),
            description: token.description.as_deref(),
            hint: token.hint.as_deref(),
            parent: token.parent.map(TokenId::get),
            rotated_from: token
                .line
                .and_then(|line| line.rotated_from)
                .map(TokenId::get),
            imported_at: token.imported_at.map(date),
            disabled_at: token.disabled.as_ref().map(|disabled| date(disabled.at)),
            revoked_at: token.revoked_at.map(date),
            revoked_by: token.revoked_by.as_ref().map(Owner::as_str),
            revoke_reason: token.revoke_reason.as_deref(),
        }
    }
}

pub(super) const HEADER: [&str; 7] = [
    "ID",
    "OWNER",
    "NAME",
    "STATUS",
    "CREATED (UTC)",
    "EXPIRES (UTC)",
    "LAST USED (UTC)",
];

/// Returns the cells of a token under [`HEADER`].
pub(super) fn cells(pats: &Pats, token: &Token) -> [String; 7] {
    [
        token.id.to_string(),
        plain(token.owner.as_str()),
        plain(&token.name),
        spelled(status(pats, token)),
        minute(token.created_at),
        token.expires_at.map_or_else(|| "never".into(), minute),
        token.last_used_at.map_or_else(|| "never".into(), minute),
    ]
}

/// Returns what is known of one token, a line for each fact.
pub(super) fn facts(pats: &Pats, token: &Token) -> Vec<[String; 2]> {
    let revoked_by = token.revoked_by.as_ref().map(Owner::as_str);
    let scopes = token.scopes.as_ref().map(Scopes::as_str);
    let facts = [
        ("ID", Some(token.id.to_string())),
        ("Owner", Some(plain(token.owner.as_str()))),
        ("Name", Some(plain(&token.name))),
        ("Description", token.description.as_deref().map(plain)),
        ("Status", Some(spelled(status(pats, token)))),
        ("Scopes", Some(scopes.unwrap_or("unrestricted").to_owned())),
        ("Created", Some(second(token.created_at))),
        ("Imported", token.imported_at.map(second)),
        (
            "Expires",
            Some(token.expires_at.map_or_else(|| "never".into(), second)),
        ),
        (
            "Last used",
            Some(token.last_used_at.map_or_else(|| "never".into(), second)),
        ),
        (
            "Disabled",
            token.disabled.as_ref().map(|disabled| second(disabled.at)),
        ),
        ("Revoked", token.revoked_at.map(second)),
        ("Revoked by", revoked_by.map(plain)),
        ("Reason", token.revoke_reason.as_deref().map(plain)),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some([format!("{name}:"), fact?]));
    known.collect()
}

/// Writes rows in columns, two spaces apart.
pub(super) fn write_table<const N: usize>(
    out: &mut dyn Write,
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths);
        let line = cells.fold(String::new(), |line, (cell, width)| {
            format!("{line}{cell:width$}  ")
        });
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Returns a text of a user without what could change the terminal.
pub(super) fn plain(text: &str) -> String {
    let is_safe = |c: char| !breaks_line(c) && !is_bidi_control(c);
    text.chars()
        .map(|c| if is_safe(c) { c } else { '\u{FFFD}' })
        .collect()
}

fn status(pats: &Pats, token: &Token) -> TokenStatus {
    let days = i64::from(pats.settings().expiry_warning_days());
    token.status(pats.now(), SignedDuration::from_hours(24 * days))
}

/// Returns the status as the filter takes it.
fn spelled(status: TokenStatus) -> String {
    status.as_str().to_ascii_lowercase().replace('_', "-")
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_change_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2J\n\u{202e}b\u{2028}ü"),
            "a\u{FFFD}[2J\u{FFFD}\u{FFFD}b\u{FFFD}ü"
        );
    }
}
