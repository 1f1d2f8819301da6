//! Between rows and domain types. A row that cannot be one of ours is an error, never a guess.

use jiff::Timestamp;
use pat_core::notice::{NoticeId, NoticeKind, NoticeToken};
use pat_core::store::{
    Change, ChangeEntry, ChangePage, Claim, Cursor, DeadNotice, Outcome, QueuedNotice,
};
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

/// The state of a notice that waits to be sent; see [`state_number`] for the others.
pub(crate) const PENDING: i64 = 0;
/// The state of a notice that could not be sent.
pub(crate) const DEAD: i64 = 2;

/// The column `state` of a notice after this.
pub(crate) fn state_number(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Retry { .. } => PENDING,
        Outcome::Sent => 1,
        Outcome::Dead { .. } => DEAD,
        Outcome::Skipped { .. } => 3,
    }
}

/// The column `kind` of a notice.
const KINDS: [(i64, NoticeKind); 5] = [
    (1, NoticeKind::Created),
    (2, NoticeKind::ExpiresSoon),
    (3, NoticeKind::Expired),
    (4, NoticeKind::Pruned),
    (5, NoticeKind::RevokedByAdmin),
];

/// # Panics
/// The kind is newer than this crate, which is released with `pat-core`.
pub(crate) fn kind_number(kind: NoticeKind) -> i64 {
    let found = KINDS.into_iter().find(|(_, other)| *other == kind);
    found.expect("every kind has a number").0
}

fn kind(number: i64) -> Result<NoticeKind, sqlx::Error> {
    let found = KINDS.into_iter().find(|(other, _)| *other == number);
    found.map_or_else(
        || Err(corrupt(format!("pat_notice.kind is {number}"))),
        |(_, kind)| Ok(kind),
    )
}

/// A claimed notice, without its tokens and as yet without a mark.
pub(crate) fn queued_notice<DB: Database>(row: &DB::Row) -> Result<QueuedNotice, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    let sent_by: String = row.try_get("sent_by")?;
    let by: Option<String> = row.try_get("revoked_by")?;
    let id = NoticeId::new(row.try_get("id")?);
    Ok(QueuedNotice {
        claim: Claim { id, mark: 0 },
        kind: kind(row.try_get("kind")?)?,
        owner: owner(row.try_get("owner")?)?,
        tokens: Vec::new(),
        by: by.map(owner).transpose()?,
        reason: row.try_get("reason")?,
        queued_at: timestamp(row.try_get("queued_at")?)?,
        attempts: count(row.try_get("attempts")?)?,
        sent_by: names(&sent_by),
    })
}

pub(crate) fn notice_token<DB: Database>(row: &DB::Row) -> Result<NoticeToken, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    let expires_at = Some(row.try_get("expires_at")?).filter(|micros| *micros != 0);
    Ok(NoticeToken {
        id: token_id(row.try_get("token_id")?)?,
        name: row.try_get("name")?,
        created_at: timestamp(row.try_get("created_at")?)?,
        expires_at: optional(expires_at, timestamp)?,
        last_used_at: optional(row.try_get("last_used_at")?, timestamp)?,
    })
}

pub(crate) fn dead_notice<DB: Database>(row: &DB::Row) -> Result<DeadNotice, sqlx::Error>
where
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    Ok(DeadNotice {
        id: NoticeId::new(row.try_get("id")?),
        kind: kind(row.try_get("kind")?)?,
        owner: owner(row.try_get("owner")?)?,
        queued_at: timestamp(row.try_get("queued_at")?)?,
        attempts: count(row.try_get("attempts")?)?,
        error: row.try_get("error")?,
    })
}

/// Names separated by commas; none in an empty text.
fn names(text: &str) -> Vec<String> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn count(number: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(corrupt)
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
