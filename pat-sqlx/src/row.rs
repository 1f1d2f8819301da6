//! Between rows and domain types. A row that cannot be one of ours is an error, never a guess.

use jiff::Timestamp;
use pat_core::store::{Change, ChangeEntry, ChangePage, Cursor};
use pat_core::{Owner, Token, TokenId};
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

/// The columns of [`token`], to be selected from [`TOKENS`].
pub(crate) const TOKEN_COLUMNS: &str = "t.id, t.owner, t.name, t.created_at, t.expires_at, \
     t.revoked_at, t.parent_id, u.last_used_at";

/// Tokens with their last use.
pub(crate) const TOKENS: &str = "pat_token t LEFT JOIN pat_last_used u ON u.token_id = t.id";

const TOKEN_REVOKED: i64 = 1;
const OWNER_CHANGED: i64 = 2;

pub(crate) fn token<DB: Database>(row: &DB::Row) -> Result<Token, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    Ok(Token {
        id: token_id(row.try_get("id")?)?,
        owner: owner(row.try_get("owner")?)?,
        name: row.try_get("name")?,
        created_at: timestamp(row.try_get("created_at")?)?,
        expires_at: optional(row.try_get("expires_at")?, timestamp)?,
        last_used_at: optional(row.try_get("last_used_at")?, timestamp)?,
        revoked_at: optional(row.try_get("revoked_at")?, timestamp)?,
        parent: optional(row.try_get("parent_id")?, token_id)?,
    })
}

/// The page that these rows of one look at the feed make.
pub(crate) fn change_page<DB: Database>(rows: &[DB::Row]) -> Result<ChangePage, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    let first = rows
        .first()
        .ok_or_else(|| corrupt("pat_clock has no row"))?;
    let nonce = |column| {
        first
            .try_get::<Option<i64>, _>(column)
            .map(|n| n.map(i64::cast_unsigned))
    };
    let entries = rows
        .iter()
        .filter_map(|row| change_entry::<DB>(row).transpose());
    Ok(ChangePage {
        head: Cursor {
            generation: first.try_get::<i64, _>("head_gen")?.cast_unsigned(),
            nonce: nonce("head_nonce")?,
        },
        nonce_at_cursor: nonce("cursor_nonce")?,
        entries: entries.collect::<Result<_, _>>()?,
        database_time: None,
    })
}

/// The entry of a change row; `None` where an outer join found none.
fn change_entry<DB: Database>(row: &DB::Row) -> Result<Option<ChangeEntry>, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    let Some(generation) = row.try_get::<Option<i64>, _>("change_gen")? else {
        return Ok(None);
    };
    let change = match row.try_get("kind")? {
        TOKEN_REVOKED => Change::TokenRevoked(token_id(row.try_get("token_id")?)?),
        OWNER_CHANGED => Change::OwnerChanged(owner(row.try_get("owner")?)?),
        kind => return Err(corrupt(format!("pat_change.kind is {kind}"))),
    };
    let nonce = row.try_get::<i64, _>("nonce")?.cast_unsigned();
    Ok(Some(ChangeEntry {
        generation: generation.cast_unsigned(),
        nonce,
        change,
    }))
}

/// The columns `kind`, `token_id` and `owner` of a change.
pub(crate) fn change_columns(change: &Change) -> (i64, Option<i64>, Option<String>) {
    match change {
        Change::TokenRevoked(id) => (TOKEN_REVOKED, Some(id.get()), None),
        Change::OwnerChanged(owner) => (OWNER_CHANGED, None, Some(owner.to_string())),
    }
}

pub(crate) fn token_id(number: i64) -> Result<TokenId, sqlx::Error> {
    TokenId::new(number).ok_or_else(|| corrupt(format!("a token id is {number}")))
}

pub(crate) fn owner(key: String) -> Result<Owner, sqlx::Error> {
    Owner::new(key).map_err(corrupt)
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros).map_err(corrupt)
}

pub(crate) fn optional<T>(
    value: Option<i64>,
    read: fn(i64) -> Result<T, sqlx::Error>,
) -> Result<Option<T>, sqlx::Error> {
    value.map(read).transpose()
}

fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
