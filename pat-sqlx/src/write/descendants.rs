//! The tokens that were created with others: they are revoked with them, counted, and adopted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pat_core::store::RevocationScope;
use pat_core::{Owner, TokenId};
use sqlx::Error;

use super::Write;
use super::tokens::{Locked, Place, Takes, Unrevoked, count_sql, sorted};
use crate::dialect::Dialect;
use crate::sql::{CHUNK, Row, SPARSE_CHUNK, Sql};

/// For each owner, how many descendants of revoked tokens still authenticate.
pub(crate) type LiveChildren = BTreeMap<Owner, u64>;

impl<DB: Dialect> Write<DB> {
    /// Locks the owners of those of these tokens that have children: a concurrent revocation that walks
    /// from their ancestors to their descendants must not miss the ones that get a new parent.
    pub(crate) async fn lock_owners_of_parents(&mut self, ids: &[TokenId]) -> Result<(), Error> {
        let mut owners = BTreeSet::new();
        for chunk in ids.chunks(SPARSE_CHUNK) {
            if DB::HAS_ONE_WRITER {
                break;
            }
            let mut sql = Sql::new(format!(
                "SELECT DISTINCT p.owner FROM pat_token c{} \
                 JOIN pat_token p ON p.id = c.parent_id WHERE c.parent_id IN ",
                DB::by_sparse_index("pat_token_by_parent")
            ));
            sql.bind_in(chunk.iter().copied());
            for row in self.fetch(sql).await? {
                owners.insert(row.owner("owner")?);
            }
        }
        self.lock_owners(&owners).await
    }

    /// Gives the children of these tokens, which are to be deleted, a new parent, so that a revocation which
    /// would have included them still does: the next remaining token of the parent's line, or else the
    /// parent's nearest ancestor, or such a token of its line. Without one, the children keep their parent's
    /// ID.
    pub(crate) async fn adopt_children(&mut self, ids: &[TokenId]) -> Result<(), Error> {
        let gone: BTreeSet<_> = ids.iter().copied().collect();
        let mut children = Vec::new();
        for chunk in ids.chunks(SPARSE_CHUNK) {
            for row in self.children_of(chunk, "id, parent_id").await? {
                let child = row.token_id("id")?;
                if !gone.contains(&child) {
                    children.push((child, row.token_id("parent_id")?));
                }
            }
        }
        if children.is_empty() {
            return Ok(());
        }
        let heirs = self.heirs_of(&gone).await?;
        let mut adopted: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (child, parent) in children {
            let mut heir = heirs.get(&parent);
            while let Some(id) = heir.filter(|id| gone.contains(id)) {
                heir = heirs.get(id);
            }
            if let Some(heir) = heir {
                adopted.entry(*heir).or_default().push(child);
            }
        }
        for (heir, children) in adopted {
            for chunk in children.chunks(CHUNK) {
                let mut sql = Sql::new("UPDATE pat_token SET parent_id = ");
                sql.bind(heir).push(" WHERE id IN ");
                sql.bind_in(chunk.iter().copied());
                self.execute(sql).await?;
            }
        }
        Ok(())
    }

    /// Returns, for each of these tokens, the next token of its line that is not one of them, or else its
    /// parent, which may be one of them.
    async fn heirs_of(
        &mut self,
        gone: &BTreeSet<TokenId>,
    ) -> Result<BTreeMap<TokenId, TokenId>, Error> {
        let ids: Vec<_> = gone.iter().copied().collect();
        let (mut heirs, mut places) = (BTreeMap::new(), BTreeMap::new());
        for chunk in ids.chunks(CHUNK) {
            let mut sql =
                Sql::new("SELECT id, parent_id, line_id, line_seq FROM pat_token WHERE id IN ");
            sql.bind_in(chunk.iter().copied());
            for row in self.fetch(sql).await? {
                let id = row.token_id("id")?;
                heirs.extend(
                    row.optional_token_id("parent_id")?
                        .map(|parent| (id, parent)),
                );
                places.extend(Place::of(&row)?.map(|place| (id, place)));
            }
        }
        let lines = places.values().map(|place| place.line);
        let members = self.tokens_of_lines(lines).await?;
        for (id, place) in places {
            let later = members.iter().filter(|(member, other)| {
                other.line == place.line && other.seq > place.seq && !gone.contains(member)
            });
            let next = later.min_by_key(|(_, other)| other.seq);
            heirs.extend(next.map(|(next, _)| (id, *next)));
        }
        Ok(heirs)
    }

    /// Locks tokens, those that are revoked with one of them, and the descendants of all these, level by
    /// level. A creation locks the owner of the parent, so below a level with locked owners no token can be
    /// created; nor can one be rotated, which needs that lock too. Usually a child has its parent's owner; an
    /// imported one may have another owner, whose row is locked late: a deadlock is then possible, and the
    /// transaction is repeated.
    pub(super) async fn lock_family(
        &mut self,
        roots: Vec<TokenId>,
        takes: Takes,
    ) -> Result<Vec<Locked>, Error> {
        let mut family = Vec::new();
        let mut seen: BTreeSet<_> = roots.iter().copied().collect();
        let mut owners = self.owners_to_lock(&roots).await?;
        self.lock_owners(&owners).await?;
        let mut level = roots;
        while !level.is_empty() {
            let locked = self.lock_with_line(&level, takes).await?;
            seen.extend(locked.iter().map(|locked| locked.token.id));
            // A named token that is deleted may have children too.
            let parents = level
                .into_iter()
                .chain(locked.iter().map(|locked| locked.token.id));
            let parents = sorted(&parents.collect::<Vec<_>>());
            family.extend(locked);
            let mut children = Vec::new();
            let mut others = BTreeSet::new();
            for chunk in parents.chunks(SPARSE_CHUNK) {
                for row in self.children_of(chunk, "id, owner").await? {
                    let child = row.token_id("id")?;
                    if seen.insert(child) {
                        children.push(child);
                        others.insert(row.owner("owner")?);
                    }
                }
            }
            others.retain(|owner| !DB::HAS_ONE_WRITER && !owners.contains(owner));
            self.lock_owners(&others).await?;
            owners.append(&mut others);
            level = sorted(&children);
        }
        Ok(family)
    }

    /// Returns these columns of all children of at most a [`SPARSE_CHUNK`] of tokens.
    async fn children_of(
        &mut self,
        parents: &[TokenId],
        columns: &str,
    ) -> Result<Vec<Row<DB>>, Error> {
        let index = DB::by_sparse_index("pat_token_by_parent");
        let mut sql = Sql::new(format!(
            "SELECT {columns} FROM pat_token{index} WHERE parent_id IN "
        ));
        sql.bind_in(parents.iter().copied());
        let rows = self.fetch(sql).await?;
        if !rows.is_empty() {
            let mut count = count_sql(&index, "parent_id IN ");
            count.bind_in(parents.iter().copied());
            self.assert_all(rows.len(), count).await?;
        }
        Ok(rows)
    }

    /// Counts the descendants that still authenticate once the tokens of this scope are revoked. None
    /// is created meanwhile, since the revocation holds the owners' locks.
    pub(crate) async fn count_live_children(
        &mut self,
        scope: &RevocationScope,
        unrevoked: &Unrevoked,
        at: Timestamp,
    ) -> Result<LiveChildren, Error> {
        if !matches!(scope, RevocationScope::Tokens(_)) {
            return Ok(LiveChildren::new());
        }
        let revoked = unrevoked.tokens.iter().map(|token| token.id).collect();
        self.live_descendants(unrevoked.parents.clone(), revoked, at)
            .await
    }

    /// Counts the descendants of these tokens that authenticate at this time, for each owner, except those in
    /// `others`.
    pub(crate) async fn live_descendants(
        &mut self,
        mut level: Vec<TokenId>,
        others: BTreeSet<TokenId>,
        at: Timestamp,
    ) -> Result<LiveChildren, Error> {
        let mut live = LiveChildren::new();
        let mut seen = others;
        seen.extend(level.iter().copied());
        while !level.is_empty() {
            let mut children = Vec::new();
            for chunk in level.chunks(SPARSE_CHUNK) {
                let columns = "id, owner, revoked_at, expires_at, disabled_at";
                let rows = self.children_of(chunk, columns);
                for row in rows.await? {
                    let id = row.token_id("id")?;
                    if !seen.insert(id) {
                        continue;
                    }
                    let is_off = row.optional_int("revoked_at")?.is_some()
                        || row.optional_int("disabled_at")?.is_some();
                    let expires_at = row.optional_timestamp("expires_at")?;
                    if !is_off && expires_at.is_none_or(|end| end > at) {
                        *live.entry(row.owner("owner")?).or_default() += 1;
                    }
                    children.push(id);
                }
            }
            level = children;
        }
        Ok(live)
    }
}
