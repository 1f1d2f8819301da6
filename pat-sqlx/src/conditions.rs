//! Conditions of searches that narrow what an index returns too.

use pat_core::search::{DateRange, Filter};

use crate::dialect::{Dialect, Value};
use crate::sql::Sql;

/// Appends the conditions on the last use alone.
pub(crate) fn push_last_used<DB: Dialect>(sql: &mut Sql<DB>, filter: &Filter) {
    push_range(sql, "u.last_used_at", filter.last_used);
    if filter.is_used == Some(true) || !filter.last_used.is_open() {
        sql.push(" AND u.last_used_at > 0");
    }
    if filter.is_used == Some(false) {
        sql.push(" AND u.last_used_at = 0");
    }
    if let Some(since) = filter.unused_since {
        push_and(sql, "u.last_used_at", " <= ", since.into());
    }
}

pub(crate) fn push_range<DB: Dialect>(sql: &mut Sql<DB>, column: &str, range: DateRange) {
    if let Some(from) = range.from {
        push_and(sql, column, " >= ", from.into());
    }
    if let Some(to) = range.to {
        push_and(sql, column, " <= ", to.into());
    }
}

pub(crate) fn push_and<DB: Dialect>(sql: &mut Sql<DB>, column: &str, relation: &str, value: Value) {
    sql.push(" AND ").push(column).push(relation).bind(value);
}
