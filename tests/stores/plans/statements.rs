//! The statements that the store sends, and values for their placeholders.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use pat_core::search::{Filter, Position, Search, SortValue, Start};
use pat_servers::Kind;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

use super::rows::{DAY, NOW};

/// Collects the texts that the drivers of the databases log.
#[derive(Clone, Default)]
pub(super) struct Sent(Arc<Mutex<BTreeSet<String>>>);

impl Sent {
    /// Returns what was sent since the last call.
    pub(super) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().expect("statements"))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Sent {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "sqlx::query" {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        // A short statement is its own summary.
        let text = if text.statement.is_empty() {
            text.summary
        } else {
            text.statement
        };
        self.0
            .lock()
            .expect("statements")
            .insert(text.trim().to_owned());
    }
}

#[derive(Default)]
struct Text {
    summary: String,
    statement: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Returns a statement with literals in place of its placeholders: what `search` asks for, or else what is
/// usual in the column before the placeholder.
pub(super) fn with_literals(text: &str, server: Option<Kind>, search: Option<&Search>) -> String {
    let mut literal = String::new();
    let mut rest = text;
    let mut count = 0;
    while let Some(at) = rest.find(['?', '$']) {
        let (before, after) = rest.split_at(at);
        literal.push_str(before);
        let after = after[1..].trim_start_matches(|letter: char| letter.is_ascii_digit());
        count += 1;
        literal.push_str(&value(&literal, count, server, search));
        rest = after;
    }
    literal.push_str(rest);
    literal
}

/// Returns the literal after this beginning of a statement.
fn value(before: &str, count: usize, server: Option<Kind>, search: Option<&Search>) -> String {
    let text = before.trim_end();
    let words: Vec<_> = text
        .split(|letter: char| letter.is_whitespace() || "(),".contains(letter))
        .filter(|word| !word.is_empty())
        .collect();
    let last = words.last().copied().unwrap_or_default();
    let is_relation = ["=", "<", ">", "<=", ">=", "LIKE"].contains(&last);
    match last {
        // That of a count of matches.
        "LIMIT" if text.contains("SELECT 1 AS one") => return "5001".into(),
        "LIMIT" => return search.map_or(100, |search| search.limit).to_string(),
        "OFFSET" => return "0".into(),
        _ => {}
    }
    // The column is before the relation, or before the `IN` of this list.
    let column = if is_relation {
        words.iter().rev().nth(1).copied().unwrap_or_default()
    } else {
        let list = text.rfind(" IN (").map_or("", |at| &text[..at]);
        let is_list = text.rfind('(') == text.rfind(" IN (").map(|at| at + 4);
        let word = list.rsplit(' ').next().unwrap_or_default();
        if is_list { word } else { "" }
    };
    let name = column.rsplit('.').next().unwrap_or_default();
    if let Some(search) = search
        && let Some(literal) = searched(name, last, search)
    {
        return literal;
    }
    match name {
        "owner" => format!("'user {}'", 7 + count % 100),
        "digest" | "request" => match server {
            Some(Kind::Postgres) => r"'\x00'".into(),
            _ => "X'00'".into(),
        },
        "name_folded" => "'%99999%'".into(),
        "scopes" => "'read'".into(),
        "job" | "name" | "idem_key" | "error" | "sent_by" | "reason" | "revoked_by"
        | "revoke_reason" | "disabled_by" | "description" | "hint" => "'ci'".into(),
        "kind" if text.contains("pat_event") => "'created'".into(),
        "kind" => "2".into(),
        "state" => "0".into(),
        "term" | "mark" | "nonce" => "1".into(),
        "gen" if last.starts_with('<') => "10".into(),
        "gen" => "9990".into(),
        "seq" | "line_seq" => "99990".into(),
        "due_at" if last.starts_with('>') => (NOW + 90 * DAY).to_string(),
        // The oldest are due first.
        "due_at" => (NOW - 99_000).to_string(),
        // In the future: there is none.
        "created_at" | "replaced_at" | "last_used_at" | "seen_at" if last == ">" => {
            (NOW + DAY).to_string()
        }
        "at" if last == ">" => (NOW + DAY).to_string(),
        "revoked_at" => (NOW - 89 * DAY).to_string(),
        "expires_key" | "at" => (NOW - 29 * DAY).to_string(),
        "notice_due_at" => NOW.to_string(),
        _ if name.ends_with("_at") || name == "missing_since" => NOW.to_string(),
        // IDs, and values that are stored.
        _ => (5_000 + count * 7).to_string(),
    }
}

/// Returns the value that a search has in a column.
fn searched(column: &str, relation: &str, search: &Search) -> Option<String> {
    let Filter {
        created,
        expires,
        last_used,
        revoked_at,
        owners,
        ..
    } = &search.filter;
    let range = match column {
        "created_at" => created,
        "expires_key" => expires,
        "last_used_at" => last_used,
        "revoked_at" => revoked_at,
        "owner" if relation != "=" && relation != "<" && relation != ">" => {
            return owners.first().map(|owner| format!("'{owner}'"));
        }
        _ => &Default::default(),
    };
    let of_range = match relation {
        ">=" => range.from,
        "<=" if column == "last_used_at" => range.to.or(search.filter.unused_since),
        "<=" => range.to,
        _ => None,
    };
    if let Some(at) = of_range {
        return Some(at.as_microsecond().to_string());
    }
    let (Start::After(Position {
        value,
        created_at,
        id,
    })
    | Start::Before(Position {
        value,
        created_at,
        id,
    })) = &search.start
    else {
        return None;
    };
    match column {
        "id" | "token_id" => Some(id.to_string()),
        "created_at" => Some(created_at.as_microsecond().to_string()),
        _ => Some(match value {
            SortValue::Time(at) => at.as_microsecond().to_string(),
            SortValue::Text(text) => format!("'{text}'"),
        }),
    }
    .filter(|_| ["=", "<", ">"].contains(&relation))
}
