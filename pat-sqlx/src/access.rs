//! By which index a search or a count reads tokens: its access path.
//!
//! An administrator may combine any criteria with any order, and no index has both. A page that walks the
//! index of its order reads until it has found enough matches, so it reads everything if there are few. A page
//! that reads by a criterion reads all matches of the criterion, and sorts them. The number of these
//! matches decides, which a bounded count over the index tells, and whether the first tokens of the order fill the page.

use pat_core::search::{Filter, NEVER, RevokedTokens, Search, SortKey, fold};
use pat_core::text::escape_like;
use sqlx::Error;

use crate::checkout::fetch_one;
use crate::conditions::{push_last_used, push_range};
use crate::dialect::Dialect;
use crate::row::TRANSIENT;
use crate::sql::Sql;
use crate::store::SqlxStore;

pub(crate) const BY_OWNER: &str = "pat_token_by_owner";
const BY_REVOCATION: &str = "pat_token_by_revocation";

/// A page that would pass over many tokens in its order reads and sorts up to this many times as many matches.
const WIDER: u32 = 4;

/// A criterion of a filter that an index decides: by a range of it, but for a part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    Owners,
    Revoked,
    Created,
    Expires,
    LastUsed,
    Transient,
    /// A part of the name, which a scan of the index of names finds.
    Name,
}

impl Criterion {
    /// Those whose matches are counted without a scan.
    const RANGES: [Self; 6] = [
        Self::Owners,
        Self::Revoked,
        Self::Created,
        Self::Expires,
        Self::LastUsed,
        Self::Transient,
    ];

    /// Returns those that a filter has, but for that of the order.
    fn ranges(filter: &Filter, order: Option<SortKey>) -> Vec<Self> {
        let own = order.and_then(Self::of_order);
        let is_considered =
            |criterion: &Self| criterion.is_given(filter) && Some(*criterion) != own;
        Self::RANGES.into_iter().filter(is_considered).collect()
    }

    /// Returns whether a filter restricts tokens by this criterion.
    pub(crate) fn is_given(self, filter: &Filter) -> bool {
        match self {
            Self::Owners => !filter.owners.is_empty(),
            Self::Revoked => filter.revoked == RevokedTokens::Only || !filter.revoked_at.is_open(),
            Self::Created => !filter.created.is_open(),
            Self::Expires => !filter.expires.is_open() || filter.never_expires == Some(true),
            Self::LastUsed => needs_last_use(filter),
            Self::Transient => filter.is_transient == Some(true),
            Self::Name => !filter.name.is_empty(),
        }
    }

    /// Returns the criterion that the index of this order has.
    pub(crate) fn of_order(key: SortKey) -> Option<Self> {
        match key {
            SortKey::CreatedAt => Some(Self::Created),
            SortKey::ExpiresAt => Some(Self::Expires),
            SortKey::LastUsedAt => Some(Self::LastUsed),
            SortKey::Owner => Some(Self::Owners),
            // A part of the name is no range of it.
            SortKey::Name => None,
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
            Self::Name => "pat_token_by_name",
        }
    }

    /// Appends the condition that the index decides.
    pub(crate) fn push_condition<DB: Dialect>(self, sql: &mut Sql<DB>, filter: &Filter) {
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
            Self::Name => push_name(sql, Access::By(self), filter),
        }
    }

    /// Returns the table of the criterion, read by its index.
    pub(crate) fn table<DB: Dialect>(self, filter: &Filter) -> String {
        let table = match self {
            Self::LastUsed => "pat_last_used u",
            Self::Name => "pat_token n",
            _ => "pat_token t",
        };
        format!("{table}{}", DB::by_index(self.index::<DB>(filter)))
    }

    /// Returns the table `t` of tokens, read by the index of the criterion.
    fn tokens<DB: Dialect>(self, filter: &Filter) -> String {
        let table = self.table::<DB>(filter);
        match self {
            // The index alone is scanned, and only the tokens that it finds are read.
            Self::Name => table + &DB::look_up("pat_token", "t", "id", "n.id"),
            _ => table,
        }
    }
}

/// Appends the condition that a token has a part of the name.
pub(crate) fn push_name<DB: Dialect>(sql: &mut Sql<DB>, access: Access, filter: &Filter) {
    let table = if access.is_by_names(filter) { "n" } else { "t" };
    let pattern = format!("%{}%", escape_like(&fold(&filter.name)));
    sql.push(format_args!("{table}.name_folded LIKE "))
        .bind(pattern.as_str());
    sql.push(" ESCAPE '!'");
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

    /// Returns whether the index of names is read, under the name `n`, and only the tokens that have the part of the
    /// name are looked up.
    pub(crate) fn is_by_names(self, filter: &Filter) -> bool {
        let has_part = Criterion::Name.is_given(filter);
        has_part
            && matches!(
                self,
                Self::By(Criterion::Name) | Self::InOrder(SortKey::Name)
            )
    }

    /// Returns the table `t` of tokens, and `u` of last uses if it [is joined](joins_last_use), for a search in this
    /// order whose index has this name, or for a count.
    pub(crate) fn tables<DB: Dialect>(
        self,
        filter: &Filter,
        order: Option<(SortKey, &str)>,
    ) -> String {
        let order_index = order.map_or("", |(_, index)| index);
        let tokens_of_uses =
            |uses: &str| uses.to_owned() + &DB::look_up("pat_token", "t", "id", "u.token_id");
        let tokens = match self {
            Self::By(Criterion::LastUsed) => {
                return tokens_of_uses(&Criterion::LastUsed.table::<DB>(filter));
            }
            Self::InOrder(SortKey::LastUsedAt) => {
                let index = DB::by_index(order_index);
                return tokens_of_uses(&format!("pat_last_used u{index}"));
            }
            // Those that match are looked up, instead of the last use of each token.
            Self::All if needs_last_use(filter) => {
                let uses = Criterion::LastUsed.table::<DB>(filter);
                let in_order = DB::JOIN_IN_ORDER;
                return format!("{uses} {in_order} pat_token t ON t.id = u.token_id");
            }
            _ if self.is_by_names(filter) => Criterion::Name.tokens::<DB>(filter),
            Self::By(criterion) => criterion.tokens::<DB>(filter),
            Self::InOrder(_) => format!("pat_token t{}", DB::by_index(order_index)),
            Self::All => format!("pat_token t{}", DB::BY_NO_INDEX),
        };
        if !joins_last_use(filter, order.map(|(key, _)| key)) {
            return tokens;
        }
        // The condition on last uses makes an outer join an inner one, which planners may turn round.
        tokens + &DB::look_up("pat_last_used", "u", "token_id", "t.id")
    }

    /// Returns the tables of a count: the last uses only if the filter needs them.
    pub(crate) fn counted_tables<DB: Dialect>(self, filter: &Filter) -> String {
        if needs_last_use(filter) {
            return self.tables::<DB>(filter, None);
        }
        match self {
            Self::By(criterion) => criterion.tokens::<DB>(filter),
            // Only whether tokens are revoked matters, which an index tells.
            _ if !filter.is_effective() => "pat_token t".into(),
            _ => format!("pat_token t{}", DB::BY_NO_INDEX),
        }
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Chooses the access path of a count or a list of IDs, whose order does not matter.
    pub(crate) async fn access_of_count(&self, filter: &Filter) -> Result<Access, Error> {
        let ranges = Criterion::ranges(filter, None);
        let mut narrowest = self.narrowest(filter, &ranges, DB::NARROW).await?;
        if narrowest.is_none() {
            narrowest = self.rare_name(filter).await?;
        }
        Ok(narrowest.map_or(Access::All, Access::By))
    }

    /// Chooses the access path of a page.
    ///
    /// The criterion of the order's own index is not considered: that index is read within the range. A page with a
    /// criterion that not so few tokens meet is read in its order, unless it would pass over many tokens: its order may
    /// begin with many that do not meet the criterion. A part of the name is considered last, since it takes a scan of
    /// all names to count those that have it; pages in the order of names take one in any case.
    pub(crate) async fn access_of_page(&self, search: &Search) -> Result<Access, Error> {
        let (filter, key) = (&search.filter, search.sort.key);
        let ranges = Criterion::ranges(filter, Some(key));
        let is_rare_name_considered = Criterion::Name.is_given(filter) && key != SortKey::Name;
        let mut narrowest = self.narrowest(filter, &ranges, DB::NARROW).await?;
        let is_considered = !ranges.is_empty() || is_rare_name_considered;
        if narrowest.is_none() && is_considered && !self.passes_over_few(search).await? {
            narrowest = self.narrowest(filter, &ranges, WIDER * DB::NARROW).await?;
            if narrowest.is_none() && is_rare_name_considered {
                narrowest = self.rare_name(filter).await?;
            }
        }
        Ok(narrowest.map_or(Access::InOrder(key), Access::By))
    }

    async fn rare_name(&self, filter: &Filter) -> Result<Option<Criterion>, Error> {
        if !Criterion::Name.is_given(filter) {
            return Ok(None);
        }
        self.narrowest(filter, &[Criterion::Name], DB::NARROW).await
    }

    /// Returns the one of these criteria that the fewest tokens meet, if `most` meet it at most.
    pub(crate) async fn narrowest(
        &self,
        filter: &Filter,
        criteria: &[Criterion],
        most: u32,
    ) -> Result<Option<Criterion>, Error> {
        if criteria.is_empty() {
            return Ok(None);
        }
        let mut sql = Sql::<DB>::new("SELECT ");
        for (number, criterion) in criteria.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            let table = criterion.table::<DB>(filter);
            sql.push(format_args!(
                "{separator}(SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} WHERE "
            ));
            criterion.push_condition(&mut sql, filter);
            sql.push(" LIMIT ").bind(most + 1);
            sql.push(format_args!(") c{number}) AS n{number}"));
        }
        let row = fetch_one(&self.pool, sql).await?;
        let mut narrowest = None;
        for (number, criterion) in criteria.iter().enumerate() {
            let count = row.count(&format!("n{number}"))?;
            if count <= most.into() && narrowest.is_none_or(|(least, _)| count < least) {
                narrowest = Some((count, *criterion));
            }
        }
        Ok(narrowest.map(|(_, criterion)| criterion))
    }
}
