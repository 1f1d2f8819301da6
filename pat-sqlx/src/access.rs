//! By which index a search or a count reads tokens: its access path.
//!
//! An administrator may combine any criteria with any order, and no index has both. A page that walks the
//! index of its order reads until it has found enough matches, so it reads everything if there are few. A page
//! that reads by a criterion reads all matches of the criterion, and sorts them. The number of these
//! matches decides, which a bounded count over the index tells.

use pat_core::search::{Filter, NEVER, RevokedTokens, SortKey};
use sqlx::Error;

use crate::checkout::fetch;
use crate::conditions::{push_last_used, push_range};
use crate::dialect::Dialect;
use crate::row::TRANSIENT;
use crate::sql::Sql;
use crate::store::SqlxStore;

pub(crate) const BY_OWNER: &str = "pat_token_by_owner";
const BY_REVOCATION: &str = "pat_token_by_revocation";

/// The greatest number of index entries that each page of a search reads and sorts.
const NARROW: u32 = 5_000;

/// A criterion of a filter whose matches are a range of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    Owners,
    Revoked,
    Created,
    Expires,
    LastUsed,
    Transient,
}

impl Criterion {
    const ALL: [Self; 6] = [
        Self::Owners,
        Self::Revoked,
        Self::Created,
        Self::Expires,
        Self::LastUsed,
        Self::Transient,
    ];

    /// Returns whether a filter restricts tokens by this criterion.
    fn is_given(self, filter: &Filter) -> bool {
        match self {
            Self::Owners => !filter.owners.is_empty(),
            Self::Revoked => filter.revoked == RevokedTokens::Only || !filter.revoked_at.is_open(),
            Self::Created => !filter.created.is_open(),
            Self::Expires => !filter.expires.is_open() || filter.never_expires == Some(true),
            Self::LastUsed => needs_last_use(filter),
            Self::Transient => filter.is_transient == Some(true),
        }
    }

    /// Returns whether the index of this order has the criterion.
    fn is_of_order(self, key: SortKey) -> bool {
        match key {
            SortKey::CreatedAt => self == Self::Created,
            SortKey::ExpiresAt => self == Self::Expires,
            SortKey::LastUsedAt => self == Self::LastUsed,
            SortKey::Owner => self == Self::Owners,
            SortKey::Name => false,
        }
    }

    fn index<DB: Dialect>(self, filter: &Filter) -> &'static str {
        match self {
            // An owner may have many revoked tokens.
            Self::Owners if filter.revoked == RevokedTokens::Excluded => DB::BY_UNREVOKED_OWNER,
            Self::Owners => BY_OWNER,
            Self::Revoked => BY_REVOCATION,
            Self::Created => "pat_token_by_creation",
            Self::Expires => "pat_token_by_end",
            Self::LastUsed => "pat_last_used_by_time",
            Self::Transient => "pat_token_by_expiry",
        }
    }

    /// Appends the condition that the index decides.
    fn push_condition<DB: Dialect>(self, sql: &mut Sql<DB>, filter: &Filter) {
        match self {
            Self::Owners => {
                sql.push("t.owner IN ").bind_in(&filter.owners);
                if filter.revoked == RevokedTokens::Excluded {
                    sql.push(" AND t.revoked_at IS NULL");
                }
            }
            Self::Revoked => {
                sql.push("t.revoked_at IS NOT NULL");
                push_range(sql, "t.revoked_at", filter.revoked_at);
            }
            Self::Created => {
                sql.push("1 = 1");
                push_range(sql, "t.created_at", filter.created);
            }
            Self::Expires => {
                sql.push("1 = 1");
                push_range(sql, "t.expires_key", filter.expires);
                if filter.never_expires == Some(true) {
                    push_never_expires(sql);
                }
            }
            Self::LastUsed => {
                sql.push("1 = 1");
                push_last_used(sql, filter);
            }
            Self::Transient => {
                sql.push(format_args!("t.expiry_notice = {TRANSIENT}"));
            }
        }
    }

    /// Returns the table of the criterion, read by its index.
    fn table<DB: Dialect>(self, filter: &Filter) -> String {
        let table = match self {
            Self::LastUsed => "pat_last_used u",
            _ => "pat_token t",
        };
        format!("{table}{}", DB::by_index(self.index::<DB>(filter)))
    }
}

/// Appends the condition that a token never expires, by the column that an index has.
pub(crate) fn push_never_expires<DB: Dialect>(sql: &mut Sql<DB>) {
    sql.push(format_args!(
        " AND t.expires_key = {}",
        NEVER.as_microsecond()
    ));
}

/// Returns whether a filter needs the last uses of tokens.
fn needs_last_use(filter: &Filter) -> bool {
    !filter.last_used.is_open() || filter.is_used.is_some() || filter.unused_since.is_some()
}

/// Returns whether a search or a count has conditions on last uses: of its filter, or of its order, by which each
/// page but the first has one.
pub(crate) fn joins_last_use(filter: &Filter, order: Option<SortKey>) -> bool {
    needs_last_use(filter) || order == Some(SortKey::LastUsedAt)
}

/// How the tokens of a search or a count are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// By the index of a criterion with few matches, which are then sorted.
    By(Criterion),
    /// In the order of this key, by its index.
    InOrder(SortKey),
    /// All of them: no criterion has few matches, and the order does not matter.
    All,
}

impl Access {
    /// Returns whether the tokens must be sorted.
    pub(crate) fn sorts(self) -> bool {
        matches!(self, Self::By(_))
    }

    /// Returns the table `t` of tokens, and `u` of last uses if it [is joined](joins_last_use), for a search in this
    /// order whose index has this name, or for a count.
    pub(crate) fn tables<DB: Dialect>(
        self,
        filter: &Filter,
        order: Option<(SortKey, &str)>,
    ) -> String {
        let order_index = order.map_or("", |(_, index)| index);
        let in_order = DB::JOIN_IN_ORDER;
        let uses_first = |uses: &str| format!("{uses} {in_order} pat_token t ON t.id = u.token_id");
        let tokens = match self {
            Self::By(Criterion::LastUsed) => {
                return uses_first(&Criterion::LastUsed.table::<DB>(filter));
            }
            Self::InOrder(SortKey::LastUsedAt) => {
                let index = DB::by_index(order_index);
                return uses_first(&format!("pat_last_used u{index}"));
            }
            Self::By(criterion) => criterion.table::<DB>(filter),
            Self::InOrder(_) => format!("pat_token t{}", DB::by_index(order_index)),
            Self::All => format!("pat_token t{}", DB::BY_NO_INDEX),
        };
        if !joins_last_use(filter, order.map(|(key, _)| key)) {
            return tokens;
        }
        // The condition on last uses makes an outer join an inner one, which planners may turn round.
        format!("{tokens} {in_order} pat_last_used u ON u.token_id = t.id")
    }

    /// Returns the tables of a count: the last uses only if the filter needs them.
    pub(crate) fn counted_tables<DB: Dialect>(self, filter: &Filter) -> String {
        if needs_last_use(filter) {
            return self.tables::<DB>(filter, None);
        }
        match self {
            Self::By(criterion) => criterion.table::<DB>(filter),
            // Only whether tokens are revoked matters, which an index tells.
            _ if !filter.is_effective() => "pat_token t".into(),
            _ => format!("pat_token t{}", DB::BY_NO_INDEX),
        }
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Chooses the access path for a filter and the order of a search, if it is one.
    ///
    /// The criterion of the order's own index is not considered: that index is read within the range.
    pub(crate) async fn access(
        &self,
        filter: &Filter,
        order: Option<SortKey>,
    ) -> Result<Access, Error> {
        let given = Criterion::ALL.into_iter().filter(|criterion| {
            criterion.is_given(filter) && !order.is_some_and(|key| criterion.is_of_order(key))
        });
        let given: Vec<_> = given.collect();
        let otherwise = order.map_or(Access::All, Access::InOrder);
        if given.is_empty() {
            return Ok(otherwise);
        }
        let mut sql = Sql::<DB>::new("SELECT ");
        for (number, criterion) in given.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            let table = criterion.table::<DB>(filter);
            sql.push(format_args!(
                "{separator}(SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} WHERE "
            ));
            criterion.push_condition(&mut sql, filter);
            sql.push(" LIMIT ").bind(NARROW + 1);
            sql.push(format_args!(") c{number}) AS n{number}"));
        }
        let rows = fetch(&self.pool, sql).await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        let mut narrowest = None;
        for (number, criterion) in given.into_iter().enumerate() {
            let count = row.count(&format!("n{number}"))?;
            if count <= NARROW.into() && narrowest.is_none_or(|(least, _)| count < least) {
                narrowest = Some((count, criterion));
            }
        }
        Ok(narrowest.map_or(otherwise, |(_, criterion)| Access::By(criterion)))
    }
}
