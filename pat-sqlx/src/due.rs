//! The tokens about which notifications are due, in the order in which they expire.

use std::time::Duration;

use jiff::Timestamp;
use pat_core::TokenId;
use pat_core::notification::NotificationKind;
use pat_core::store::{DueNotifications, DueOwners, ExpiryPosition, REPLACED_NOTICE};
use sqlx::Error;

use crate::call_time::CallTime;
use crate::checkout::fetch;
use crate::dialect::Dialect;
use crate::row::TRANSIENT;
use crate::sql::Sql;
use crate::store::SqlxStore;

const DAY: Duration = Duration::from_hours(24);
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The values of `expiry_notice` before a token has expired.
const NOT_NOTIFIED: i64 = 0;
const EXPIRES_SOON: i64 = 2;
/// How many due tokens are read for each owner that is looked for.
const DUE_PER_OWNER: u32 = 10;

impl<DB: Dialect> SqlxStore<DB> {
    /// Reads a number of due tokens in the order of the index of each part, and returns their owners up to the place
    /// that all parts were read to. So many calls, each after the last one, read each token once, whether it has left
    /// its part meanwhile or not.
    pub(crate) async fn try_owners_due(
        &self,
        due: &DueNotifications,
        after: Option<ExpiryPosition>,
        max_owners: u32,
    ) -> Result<DueOwners, Error> {
        let mut due = due.clone();
        due.now = CallTime::of_reader(self, due.now).await?.now();
        let most = max_owners.saturating_mul(DUE_PER_OWNER);
        let mut tokens = Vec::new();
        let mut read_to: Option<ExpiryPosition> = None;
        for part in parts(due.kind) {
            let columns = "t.id, t.owner, t.expires_at";
            let mut sql = from_tokens(columns, "pat_token_by_expiry", due.kind);
            sql.push(format_args!("t.expiry_notice = {part}"));
            push_due(&mut sql, &due, "t.expires_at");
            if let Some(after) = after {
                sql.push(" AND t.expires_at >= ").bind(after.expires_at);
                sql.push(" AND (t.expires_at > ").bind(after.expires_at);
                sql.push(" OR t.id > ").bind(after.id).push(")");
            }
            sql.push(" ORDER BY t.expires_at, t.id LIMIT ").bind(most);
            let rows = fetch(&self.pool, sql).await?;
            let mut last = None;
            for row in &rows {
                let id: TokenId = row.token_id("id")?;
                let position = ExpiryPosition::new(row.timestamp("expires_at")?, id);
                tokens.push((position, row.owner("owner")?));
                last = Some(position);
            }
            if rows.len() == most as usize {
                read_to = read_to.into_iter().chain(last).min();
            }
        }
        tokens.sort_unstable_by_key(|(position, _)| *position);
        let tokens = tokens
            .into_iter()
            .take_while(|(position, _)| read_to.is_none_or(|to| *position <= to));
        Ok(DueOwners::collect(tokens, max_owners, read_to))
    }
}

/// Returns the values of `expiry_notice` of tokens that may be due.
pub(crate) const fn parts(kind: NotificationKind) -> &'static [i64] {
    match kind {
        NotificationKind::ReplacedInUse => &[TRANSIENT],
        _ => &[NOT_NOTIFIED, EXPIRES_SOON],
    }
}

/// Returns the beginning of a statement, up to `WHERE`, that reads tokens by this index, with their last uses if
/// [`push_due`] needs them.
pub(crate) fn from_tokens<DB: Dialect>(
    columns: &str,
    index: &str,
    kind: NotificationKind,
) -> Sql<DB> {
    let (index, join) = (DB::by_index(index), DB::JOIN_IN_ORDER);
    let mut sql = Sql::new(format!("SELECT {columns} FROM pat_token t{index}"));
    if kind == NotificationKind::ReplacedInUse {
        sql.push(format_args!(" {join} pat_last_used u ON u.token_id = t.id"));
    }
    sql.push(" WHERE ");
    sql
}

/// Appends the condition of the tokens for which a notification is due, apart from the last one about each.
pub(crate) fn push_due<DB: Dialect>(sql: &mut Sql<DB>, due: &DueNotifications, expires_at: &str) {
    sql.push(" AND t.revoked_at IS NULL");
    if due.kind == NotificationKind::ReplacedInUse {
        push_used_at_the_end(sql, due.now, expires_at);
        return;
    }
    sql.push(format_args!(" AND {expires_at} <= "));
    if due.kind != NotificationKind::ExpiresSoon {
        sql.bind(due.now);
        return;
    }
    let first = due.reminder_days.first().copied().unwrap_or_default();
    sql.bind(after(due.now, first));
    sql.push(format_args!(" AND {expires_at} > ")).bind(due.now);
    sql.push(" AND (1 = 0");
    // For each reminder the tokens to which no smaller one applies.
    for [days, next] in reminders(due) {
        sql.push(format_args!(" OR ({expires_at} <= "))
            .bind(after(due.now, days));
        sql.push(format_args!(" AND {expires_at} > "))
            .bind(after(due.now, next));
        sql.push(" AND t.expires_at - t.created_at > ")
            .bind(i64::from(days) * DAY_MICROS);
        // An older version records no reminder.
        sql.push(" AND (t.expiry_notice = 0 OR COALESCE(t.reminded_days, ");
        sql.bind(due.warning_days)
            .push(") > ")
            .bind(days)
            .push("))");
    }
    sql.push(")");
}

/// Appends the condition that a replaced token was used in the last tenth of its overlap, of which its owner was not
/// told.
fn push_used_at_the_end<DB: Dialect>(sql: &mut Sql<DB>, now: Timestamp, expires_at: &str) {
    sql.push(format_args!(
        " AND t.replaced_at IS NOT NULL AND {expires_at} > "
    ));
    sql.bind(now - REPLACED_NOTICE);
    sql.push(
        " AND t.expires_at > t.replaced_at \
         AND (t.expires_at - u.last_used_at) * 10 <= t.expires_at - t.replaced_at \
         AND NOT EXISTS (SELECT 1 FROM pat_notice_token n WHERE n.token_id = t.id \
         AND n.expires_at = t.expires_at AND n.kind = ",
    );
    sql.bind(NotificationKind::ReplacedInUse.number()).push(")");
}

/// Returns each reminder with the next smaller one, or 0; in days, the greatest first.
pub(crate) fn reminders(due: &DueNotifications) -> impl Iterator<Item = [u32; 2]> {
    let next = due.reminder_days.iter().skip(1).chain([&0]);
    std::iter::zip(&due.reminder_days, next).map(|(days, next)| [*days, *next])
}

/// Returns the time some days later; the last possible time if it would be later than that.
pub(crate) fn after(now: Timestamp, days: u32) -> Timestamp {
    now.checked_add(days * DAY).unwrap_or(Timestamp::MAX)
}
