use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderName, StatusCode};
use jiff::{SignedDuration, Timestamp};
use pat_core::search::{Order, Position, Search, Sort, Start};
use pat_core::text::{is_bidi_control, is_invisible, isolate};
use pat_core::{AdminError, Administration, BoxError, Token};

use super::filter::FilterForm;
use crate::http::date::wire_date;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::paging;

/// Says what separates the cells: programs for tables go by the country otherwise.
const SEPARATOR: &str = "sep=,\r\n";
/// How many tokens are read at a time.
const CHUNK_LEN: u32 = 500;
/// How long all of it may take.
const LIMIT: SignedDuration = SignedDuration::from_mins(10);
/// Programs for tables take the file for UTF-8 if it begins with this mark.
const MARK: &str = "\u{feff}";
const HEAD: [&str; 16] = [
    "id",
    "name",
    "owner",
    "username",
    "full_name",
    "status",
    "created_at",
    "last_used_at",
    "expires_at",
    "revoked_at",
    "scopes",
    "description",
    "hint",
    "disabled_at",
    "revoked_by",
    "revoke_reason",
];

/// All tokens that the filter finds, read and sent piece by piece. Each piece is for somebody who is
/// an administrator by then, and none comes after the time is up. A failure after the first piece
/// breaks the transfer off, so that half a list is not taken for a whole one. By last use, a token that
/// is used meanwhile may be missing or come twice.
pub(in crate::pages) async fn export(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let ends_at = page.pats().now().saturating_add(LIMIT);
    let ends_at = ends_at.unwrap_or(Timestamp::MAX);
    let fields = Fields::of_query(query.as_deref());
    let admin = super::administration(&page)?;
    let form = FilterForm::new(fields.clone());
    let filter = form.complete(&page, admin).await?;
    let filter = filter.map_err(|_| page.bad_request(StatusCode::BAD_REQUEST))?;
    // In the order by status, the latest come first: a program sorts by the column.
    let sort = match paging::order(&fields) {
        Order::By(sort) => sort,
        Order::ByStatus { .. } => Sort::LATEST_FIRST,
    };
    let search = Search::new(filter.filter, sort, Start::Offset(0), CHUNK_LEN);
    let first = chunk(&page, admin, &search).await;
    let (rows, next) = first.map_err(|error| page.not_administered(&error))?;
    let first = format!("{MARK}{SEPARATOR}{}{rows}", line(&HEAD.map(str::to_owned)));
    let state = (page, search, Some(first), next);
    let pieces = stream::try_unfold(state, move |(page, mut search, first, next)| async move {
        let (rows, next) = match (first, next) {
            (Some(first), next) => (first, next),
            (None, None) => return Ok::<_, BoxError>(None),
            (None, Some(after)) => {
                search.start = Start::After(after);
                further(&page, &search, ends_at).await?
            }
        };
        Ok(Some((Bytes::from(rows), (page, search, None, next))))
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"personal-access-tokens.csv\"",
        ),
        // A proxy that gathers answers before it passes them on would show nothing of a long one.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// A piece after the first.
async fn further(
    page: &Page,
    search: &Search,
    ends_at: Timestamp,
) -> Result<(String, Option<Position>), BoxError> {
    let piece = async {
        if page.pats().now() >= ends_at {
            return Err(format!("it takes longer than {LIMIT:#}").into());
        }
        let admin = page.pats().administration(page.caller()).await?;
        Ok::<_, BoxError>(chunk(page, &admin, search).await?)
    };
    let piece = piece.await;
    piece.inspect_err(|error| tracing::warn!(%error, "an export is broken off"))
}

async fn chunk(
    page: &Page,
    admin: &Administration<'_>,
    search: &Search,
) -> Result<(String, Option<Position>), AdminError> {
    let found = admin.search(search).await?;
    let owners = admin.owners_of(&found.tokens).await?;
    let rows = found.tokens.iter().zip(owners).map(|(token, owner)| {
        line(&[
            token.id.to_string(),
            token.name.clone(),
            owner.owner.to_string(),
            owner.username,
            owner.full_name,
            page.pats().status(token).as_str().to_owned(),
            wire_date(token.created_at),
            token.last_used_at.map(wire_date).unwrap_or_default(),
            token.expires_at.map(wire_date).unwrap_or_default(),
            token.revoked_at.map(wire_date).unwrap_or_default(),
            scopes(token),
            token.description.clone().unwrap_or_default(),
            token.hint.clone().unwrap_or_default(),
            token
                .disabled
                .as_ref()
                .map(|disabled| wire_date(disabled.at))
                .unwrap_or_default(),
            token
                .revoked_by
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            token.revoke_reason.clone().unwrap_or_default(),
        ])
    });
    Ok((rows.collect(), found.next))
}

/// The names of a token's scopes, separated by spaces. The cell of an unrestricted token is empty, so a token
/// that has no scope must differ from that.
fn scopes(token: &Token) -> String {
    match &token.scopes {
        None => String::new(),
        Some(scopes) if scopes.is_empty() => "(none)".to_owned(),
        Some(scopes) => scopes.to_string(),
    }
}

/// A line of RFC 4180, each cell in quotes.
fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell that programs for tables show and do not calculate: names come from users, and one that
/// begins like a formula would be run by the program that opens the file. Where a program splits lines at other
/// separators than the comma, a part of a name is a cell too. A name that would turn the direction of
/// the line is isolated.
fn quoted(cell: &str) -> String {
    let parts = cell.split_inclusive(SEPARATORS);
    let marked: String = parts.flat_map(|part| [mark(part), part]).collect();
    let shown = if marked.chars().any(is_bidi_control) {
        isolate(&marked)
    } else {
        marked
    };
    format!("\"{}\"", shown.replace('"', "\"\""))
}

/// What keeps a part of a cell from being a formula. Programs skip what cannot be seen in front of it,
/// and take the full-width and small forms of the signs too.
fn mark(part: &str) -> &'static str {
    let sign = part.trim_start_matches(is_invisible).chars().next();
    let is_formula = sign.is_some_and(|sign| FORMULA_SIGNS.contains(&sign));
    if is_formula || part.starts_with(['\t', '\r']) {
        "'"
    } else {
        ""
    }
}

/// What separates the cells of a line, or its lines, in one country or program or another.
const SEPARATORS: [char; 6] = [',', ';', '|', '\t', '\r', '\n'];
const FORMULA_SIGNS: [char; 13] = [
    '=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_and_quotes_are_only_text() {
        for (cell, expected) in [
            ("ci", "\"ci\""),
            ("a,b\"c\n", "\"a,b\"\"c\n\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t'=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("1=1", "\"1=1\""),
            ("ci;=1+1", "\"ci;'=1+1\""),
            ("ci, -1", "\"ci,' -1\""),
            ("ci|@x|+1", "\"ci|'@x|'+1\""),
            ("ci\t=1", "\"ci\t'=1\""),
            ("＝1＋1", "\"'＝1＋1\""),
            ("＋1", "\"'＋1\""),
            ("－1", "\"'－1\""),
            ("＠x", "\"'＠x\""),
            ("\u{FEFF}=1", "\"'\u{FEFF}=1\""),
            ("\u{200B}\u{200B}=1", "\"'\u{200B}\u{200B}=1\""),
            ("  =1", "\"'  =1\""),
            ("a;\u{200B}＝1", "\"a;'\u{200B}＝1\""),
            ("a\";=1", "\"a\"\";'=1\""),
            ("jira-cli / work", "\"jira-cli / work\""),
            ("a; b, c", "\"a; b, c\""),
            ("نسخة", "\"نسخة\""),
            ("report\u{202E}fdp.exe", "\"\u{2068}reportfdp.exe\u{2069}\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
