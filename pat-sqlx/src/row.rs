//! Conversions between rows and domain types.

use std::net::IpAddr;

use pat_core::notification::{NotificationId, NotificationKind, NotificationToken};
use pat_core::scope::Scopes;
use pat_core::store::{
    Change, ChangeEntry, ChangePage, Claim, DeadNotification, FeedPosition, MOST_READ, NodeReport,
    Outcome, QueuedNotification, ReportMode, RevokedToken, StoreVersions,
};
use pat_core::{Disabled, Line, Replaced, Token, TokenId};
use sqlx::Error;

use crate::dialect::{Dialect, Value};
use crate::sql::{Row, corrupt};

/// The columns of [`token`], to be selected from [`TOKENS`].
pub(crate) const TOKEN_COLUMNS: &str = "t.id, t.owner, t.name, t.created_at, t.expires_at, \
     t.revoked_at, t.revoked_by, t.revoke_reason, t.parent_id, t.scopes, t.description, t.hint, t.line_id, t.line_seq, t.rotated_from, \
     t.replaced_at, t.own_expires_at, t.disabled_at, t.disabled_by, t.disabled_by_admin, t.expiry_notice, t.imported_at, \
     NULLIF(u.last_used_at, 0) AS last_used_at";

/// Returns the columns of [`token`], to be selected from `pat_token t` alone: the last use of each token that is
/// found is looked up. A planner that expects more tokens than there are would read all last uses for a join.
pub(crate) fn token_columns_without_join() -> String {
    let last_use = "(SELECT u.last_used_at FROM pat_last_used u WHERE u.token_id = t.id)";
    TOKEN_COLUMNS.replace("u.last_used_at", last_use)
}

/// Tokens with their last use.
pub(crate) const TOKENS: &str = "pat_token t LEFT JOIN pat_last_used u ON u.token_id = t.id";

pub(crate) fn token<DB: Dialect>(row: &Row<DB>) -> Result<Token, Error> {
    let mut token = Token::new(
        row.token_id("id")?,
        row.owner("owner")?,
        row.text("name")?,
        row.timestamp("created_at")?,
    );
    token.expires_at = row.optional_timestamp("expires_at")?;
    token.last_used_at = row.optional_timestamp("last_used_at")?;
    token.revoked_at = row.optional_timestamp("revoked_at")?;
    token.revoked_by = row.optional_owner("revoked_by")?;
    token.revoke_reason = row.optional_text("revoke_reason")?;
    token.parent = row.optional_token_id("parent_id")?;
    token.scopes = scopes(row, token.id)?;
    token.description = row.optional_text("description")?;
    token.hint = row.optional_text("hint")?;
    token.line = line(row)?;
    token.replaced = replaced(row)?;
    token.disabled = disabled(row)?;
    token.is_transient = row.int("expiry_notice")? == TRANSIENT;
    token.imported_at = row.optional_timestamp("imported_at")?;
    Ok(token)
}

/// The value of `expiry_notice` for a token of whose expiry no owner is told: a replaced or a short-lived one
/// ([`Token::is_transient`]).
pub(crate) const TRANSIENT: i64 = 4;

fn line<DB: Dialect>(row: &Row<DB>) -> Result<Option<Line>, Error> {
    let Some(id) = row.optional_token_id("line_id")? else {
        return Ok(None);
    };
    let seq = row.int("line_seq")?.try_into().map_err(corrupt)?;
    let rotated_from = row.optional_token_id("rotated_from")?;
    Ok(Some(Line::new(id, seq, rotated_from)))
}

fn replaced<DB: Dialect>(row: &Row<DB>) -> Result<Option<Replaced>, Error> {
    let Some(at) = row.optional_timestamp("replaced_at")? else {
        return Ok(None);
    };
    let own_expires_at = row.optional_timestamp("own_expires_at")?;
    Ok(Some(Replaced::new(at, own_expires_at)))
}

fn disabled<DB: Dialect>(row: &Row<DB>) -> Result<Option<Disabled>, Error> {
    let Some(at) = row.optional_timestamp("disabled_at")? else {
        return Ok(None);
    };
    let by = row.optional_owner("disabled_by")?;
    let by_administrator = row.optional_int("disabled_by_admin")? == Some(1);
    Ok(Some(Disabled::new(at, by, by_administrator)))
}

/// Returns the scopes of this token in the column `scopes`; `None` for an unrestricted token. A list that
/// cannot be parsed counts as an empty one, which permits nothing.
pub(crate) fn scopes<DB: Dialect>(row: &Row<DB>, token: TokenId) -> Result<Option<Scopes>, Error> {
    let text = row.optional_text("scopes")?;
    Ok(text.map(|text| {
        text.parse().unwrap_or_else(|_unparsable| {
            // Without the text, which may be anything.
            tracing::warn!(
                token.id = token.get(),
                "the stored scopes of a token cannot be parsed and count as an empty list"
            );
            Scopes::none()
        })
    }))
}

const TOKEN_CHANGED: i64 = 1;
const OWNER_CHANGED: i64 = 2;
const EVERYTHING: i64 = 3;

/// Converts the rows of one poll of the change feed.
pub(crate) fn change_page<DB: Dialect>(rows: &[Row<DB>]) -> Result<ChangePage, Error> {
    let first = rows
        .first()
        .ok_or_else(|| corrupt("pat_clock has no row"))?;
    let nonce = |column| Ok::<_, Error>(first.optional_int(column)?.map(i64::cast_unsigned));
    // If there are too many, none is read.
    let read = if rows.len() as u64 > MOST_READ {
        &[]
    } else {
        rows
    };
    let entries = read.iter().filter_map(|row| change_entry(row).transpose());
    let mut page = ChangePage::new(FeedPosition {
        generation: first.count("head_gen")?,
        nonce: nonce("head_nonce")?,
    });
    page.nonce_at_cursor = nonce("cursor_nonce")?;
    page.entries = entries.collect::<Result<_, _>>()?;
    page.time = first.store_time()?;
    page.versions = versions(first)?;
    Ok(page)
}

/// Which versions may use the tables.
pub(crate) fn versions<DB: Dialect>(row: &Row<DB>) -> Result<StoreVersions, Error> {
    let mut versions = StoreVersions::default();
    versions.version = row.count("version")?;
    versions.readable_from = row.count("readable_from")?;
    Ok(versions)
}

/// Checks that this version of the program may use the tables, in a transaction that has locked the owner of
/// the tokens which it is about to change. A paused program may have checked it long ago, when it began; and
/// it does not know what changes of newer versions, which need that lock, have to go with its own.
///
/// # Errors
/// Returns `StoreError::Outdated` in the error, if only newer versions may.
pub(crate) fn check_versions<DB: Dialect>(row: &Row<DB>) -> Result<(), Error> {
    let checked = versions(row)?.check();
    checked.map_err(|outdated| Error::Decode(outdated.into()))
}

/// Converts a row of the change feed; `None` for the empty side of an outer join.
fn change_entry<DB: Dialect>(row: &Row<DB>) -> Result<Option<ChangeEntry>, Error> {
    let Some(generation) = row.optional_int("change_gen")? else {
        return Ok(None);
    };
    let change = match row.int("kind")? {
        TOKEN_CHANGED => Change::TokenChanged(row.token_id("token_id")?),
        OWNER_CHANGED => Change::OwnerChanged(row.owner("owner")?),
        EVERYTHING => Change::Everything,
        kind => {
            tracing::debug!(
                kind,
                "the change feed has a kind of a newer version; all cached tokens are invalidated"
            );
            Change::Everything
        }
    };
    Ok(Some(ChangeEntry::new(
        generation.cast_unsigned(),
        row.int("nonce")?.cast_unsigned(),
        change,
    )))
}

/// Converts a row of a node; `None` for the empty side of an outer join.
pub(crate) fn node_report<DB: Dialect>(row: &Row<DB>) -> Result<Option<NodeReport>, Error> {
    let Some(node) = row.optional_int("id")? else {
        return Ok(None);
    };
    let mut report = NodeReport::new(
        node.cast_unsigned(),
        row.count("applied_gen")?,
        row.timestamp("reported_at")?,
    );
    report.mode = mode(row.int("mode")?);
    report.version = row.count("version")?;
    report.contradicts_leap = row.int("contradicts_leap")? != 0;
    report.flushed_at = row.optional_timestamp("flushed_at")?;
    Ok(Some(report))
}

/// Returns the column `mode` of a node.
pub(crate) fn mode_number(mode: ReportMode) -> i64 {
    match mode {
        ReportMode::Seldom => 0,
        ReportMode::EachChange => 1,
        ReportMode::EachChangeAndWaits => 2,
    }
}

/// Converts the column `mode`; an unknown mode counts as the one that promises least.
fn mode(number: i64) -> ReportMode {
    match number {
        1 => ReportMode::EachChange,
        2 => ReportMode::EachChangeAndWaits,
        _ => ReportMode::Seldom,
    }
}

/// Returns the columns `kind`, `token_id` and `owner` of a change.
pub(crate) fn change_columns(change: &Change) -> [Value; 3] {
    match change {
        Change::TokenChanged(id) => [TOKEN_CHANGED.into(), (*id).into(), Value::Text(None)],
        Change::OwnerChanged(owner) => [OWNER_CHANGED.into(), Value::Int(None), owner.into()],
        Change::Everything => [EVERYTHING.into(), Value::Int(None), Value::Text(None)],
    }
}

/// The state of a notification that waits to be sent; see [`state_number`] for the others.
pub(crate) const PENDING: i64 = 0;
/// The state of a notification that could not be sent.
pub(crate) const DEAD: i64 = 2;

/// Returns the column `state` of a notification with this outcome.
pub(crate) fn state_number(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Retry { .. } => PENDING,
        Outcome::Sent => 1,
        Outcome::Dead { .. } => DEAD,
        Outcome::Skipped { .. } => 3,
    }
}

/// Returns the kinds of notifications that this version knows. Nodes of a newer version send the
/// others.
pub(crate) fn known_kinds() -> impl Iterator<Item = i64> {
    NotificationKind::ALL
        .into_iter()
        .map(NotificationKind::number)
}

pub(crate) fn kind(number: i64) -> Result<NotificationKind, Error> {
    let unknown = || corrupt(format!("pat_notice.kind is {number}"));
    NotificationKind::from_number(number).ok_or_else(unknown)
}

pub(crate) fn notice_id(number: i64) -> Result<NotificationId, Error> {
    let wrong = || corrupt(format!("a notification ID is {number}"));
    NotificationId::new(number).ok_or_else(wrong)
}

/// Converts a claimed notification, still without its tokens and its claim token.
pub(crate) fn queued_notification<DB: Dialect>(row: &Row<DB>) -> Result<QueuedNotification, Error> {
    let sent_by = row.text("sent_by")?;
    let sent_by = sent_by.split(',').filter(|name| !name.is_empty());
    let mut queued = QueuedNotification::new(
        Claim::new(notice_id(row.int("id")?)?, 0),
        kind(row.int("kind")?)?,
        row.owner("owner")?,
        Vec::new(),
        row.timestamp("queued_at")?,
    );
    queued.by = row.optional_owner("revoked_by")?;
    queued.reason = row.optional_text("reason")?;
    queued.live_children = row.count("live_children")?;
    queued.client_address = address(row)?;
    queued.attempts = attempts(row)?;
    queued.sent_by = sent_by.map(str::to_owned).collect();
    Ok(queued)
}

/// Converts a token that is revoked, with its name.
pub(crate) fn revoked_token<DB: Dialect>(row: &Row<DB>) -> Result<RevokedToken, Error> {
    let mut token = RevokedToken::new(row.token_id("id")?, row.owner("owner")?);
    token.name = Some(row.text("name")?);
    Ok(token)
}

/// Converts the address of a client; `None` for text that a later version may have written in another way.
pub(crate) fn address<DB: Dialect>(row: &Row<DB>) -> Result<Option<IpAddr>, Error> {
    let address = row.optional_text("client_address")?;
    Ok(address.and_then(|address| address.parse().ok()))
}

/// Converts a token of a notification. The expiry, a part of a key, is 0 if the token never expires.
pub(crate) fn notification_token<DB: Dialect>(row: &Row<DB>) -> Result<NotificationToken, Error> {
    let never_expires = row.int("expires_at")? == 0;
    let mut token = NotificationToken::new(
        row.token_id("token_id")?,
        row.text("name")?,
        row.timestamp("created_at")?,
    );
    token.expires_at = if never_expires {
        None
    } else {
        row.optional_timestamp("expires_at")?
    };
    token.last_used_at = row.optional_timestamp("last_used_at")?;
    token.scopes = scopes(row, token.id)?;
    Ok(token)
}

pub(crate) fn dead_notification<DB: Dialect>(row: &Row<DB>) -> Result<DeadNotification, Error> {
    let mut dead = DeadNotification::new(
        notice_id(row.int("id")?)?,
        kind(row.int("kind")?)?,
        row.owner("owner")?,
        row.timestamp("queued_at")?,
        row.text("error")?,
    );
    dead.attempts = attempts(row)?;
    Ok(dead)
}

fn attempts<DB: Dialect>(row: &Row<DB>) -> Result<u32, Error> {
    row.int("attempts")?.try_into().map_err(corrupt)
}
