use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use pat_core::event::{Event, EventKind};
use pat_core::search::fold;
use pat_core::store::{
    Change, IdempotencyKey, LastUse, NewToken, Revocation, RevocationScope, RevokedToken,
};
use pat_core::{Owner, Token, TokenDigest, TokenId};
use sqlx::Error;

use super::Write;
use super::events::event_inserts;
use crate::dialect::{Dialect, Value};
use crate::row::{self, TRANSIENT};
use crate::sql::{CHUNK, ClockSource, InconsistentRead, Insert, Row, Sql};
use crate::sql_dialect::Chain;

/// A token whose row is locked.
pub(crate) struct Locked {
    pub(crate) token: RevokedToken,
    pub(crate) is_revoked: bool,
    pub(crate) is_transient: bool,
    pub(super) line: Option<Place>,
    pub(super) has_children: bool,
}

/// Which tokens of a line are revoked with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Those that it replaced, directly or through others.
    Earlier,
    All,
}

/// The place of a token in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: TokenId,
    pub(super) seq: i64,
}

impl Place {
    /// Reads the columns `line_id` and `line_seq`.
    pub(super) fn of<DB: Dialect>(row: &Row<DB>) -> Result<Option<Self>, Error> {
        let Some(line) = row.optional_token_id("line_id")? else {
            return Ok(None);
        };
        let seq = row.int("line_seq")?;
        Ok(Some(Self { line, seq }))
    }
}

/// The locked tokens of a scope that are not revoked.
pub(crate) struct Unrevoked {
    /// In id order.
    pub(crate) tokens: Vec<RevokedToken>,
    /// The tokens of the scope that have created others, revoked ones too.
    pub(super) parents: Vec<TokenId>,
}

impl Unrevoked {
    /// Returns those of the locked tokens of a scope.
    pub(super) fn of(mut tokens: Vec<Locked>) -> Self {
        let parents = tokens.iter().filter(|locked| locked.has_children);
        let parents = parents.map(|locked| locked.token.id).collect();
        tokens.retain(|locked| !locked.is_revoked);
        // A token of the scope may also be a descendant of another one.
        tokens.sort_unstable_by_key(|locked| locked.token.id);
        tokens.dedup_by_key(|locked| locked.token.id);
        Self {
            tokens: tokens.into_iter().map(|locked| locked.token).collect(),
            parents,
        }
    }
}

/// How many tokens an owner has.
pub(crate) struct Count {
    pub(crate) all: u64,
    /// Those that count for the limit, each line once.
    pub(crate) counted: u64,
}

impl<DB: Dialect> Write<DB> {
    /// Keeps all other creations and revocations for these owners out until the end of the
    /// transaction. Without it, concurrent creations would all count before any of them inserts, and a
    /// token that creates another one during its revocation would leave that one unrevoked.
    ///
    /// It changes the row, since the members of a Galera cluster detect conflicts only between writes.
    pub(crate) async fn lock_owners(&mut self, owners: &BTreeSet<Owner>) -> Result<(), Error> {
        // In order, so that two transactions do not wait for each other.
        let owners: Vec<_> = owners.iter().collect();
        for chunk in owners.chunks(CHUNK) {
            let rows = chunk.iter().map(|owner| [(*owner).into(), 0_i64.into()]);
            let owners = Insert::new("pat_owner (owner, seq)", rows)
                .on_conflict(DB::or_count_up("pat_owner", "owner"));
            for sql in Insert::into_statements(vec![owners]) {
                self.execute_lock(sql).await?;
            }
        }
        Ok(())
    }

    /// Locks the owner of a new token, and the owner of its parent, which may be another one. Does
    /// nothing where there is one writer at a time.
    pub(crate) async fn lock_owners_of_new(&mut self, token: &NewToken) -> Result<(), Error> {
        if DB::HAS_ONE_WRITER {
            return Ok(());
        }
        let mut owners = self.owners_to_lock(token.parent.as_slice()).await?;
        owners.insert(token.owner.clone());
        self.lock_owners(&owners).await
    }

    /// Returns the owners of these tokens; none where there is one writer at a time.
    pub(super) async fn owners_to_lock(
        &mut self,
        ids: &[TokenId],
    ) -> Result<BTreeSet<Owner>, Error> {
        let mut owners = BTreeSet::new();
        if DB::HAS_ONE_WRITER {
            return Ok(owners);
        }
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new("SELECT DISTINCT owner FROM pat_token WHERE id IN ");
            sql.bind_in(chunk.iter().copied());
            for row in self.fetch(sql).await? {
                owners.insert(row.owner("owner")?);
            }
        }
        Ok(owners)
    }

    /// Whether a token may create this one, and has the scopes that the caller knows of it; if so, no
    /// other transaction can revoke it until the end of this one.
    pub(crate) async fn is_valid_parent(
        &mut self,
        parent: TokenId,
        token: &NewToken,
    ) -> Result<bool, Error> {
        let mut sql = Sql::new("SELECT scopes FROM pat_token WHERE id = ");
        sql.bind(parent);
        sql.push(
            " AND revoked_at IS NULL AND disabled_at IS NULL \
             AND (expires_at IS NULL OR expires_at > ",
        );
        sql.bind(token.created_at).push(")").push(DB::FOR_UPDATE);
        let rows = self.fetch(sql).await?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        Ok(row::scopes(row, parent)? == token.parent_scopes)
    }

    /// Counts the tokens of an owner, up to `most`, and reads the time: call it after the owner's lock,
    /// which the transaction may have waited for. Of revoked tokens it reads only the index.
    pub(crate) async fn count_tokens(&mut self, owner: &Owner, most: u32) -> Result<Count, Error> {
        let clock = self.time.source.expression::<DB>();
        let mut sql = Sql::new(format!(
            "SELECT MAX({clock}) AS clock, c.mark, c.version, c.readable_from, \
             (SELECT COUNT(*) FROM (SELECT owner FROM pat_token WHERE owner = "
        ));
        sql.bind(owner).push(" LIMIT ").bind(most);
        sql.push(
            ") a) AS n, COUNT(DISTINCT CASE WHEN o.ends_at IS NULL OR (o.ends_at > c.mark AND o.ends_at > ",
        );
        // The later of clock and mark counts.
        if self.time.source == ClockSource::Database && DB::HAS_SERVER {
            sql.push(clock);
        } else {
            sql.bind(self.time.caller_now);
        }
        let index = DB::by_index(DB::BY_UNREVOKED_OWNER);
        sql.push(format_args!(
            ") THEN o.line END) AS counted FROM pat_clock c LEFT JOIN \
             (SELECT COALESCE(line_id, id) AS line, \
             CASE WHEN expiry_notice = {TRANSIENT} THEN expires_at END AS ends_at \
             FROM pat_token{index} WHERE revoked_at IS NULL AND owner = "
        ));
        sql.bind(owner).push(" LIMIT ").bind(most);
        sql.push(") o ON 1 = 1 WHERE c.id = 1 GROUP BY c.mark, c.version, c.readable_from");
        let row = self.fetch_one(sql).await?;
        row::check_versions(&row)?;
        self.time.read = row.store_time()?;
        Ok(Count {
            all: row.count("n")?,
            counted: row.count("counted")?,
        })
    }

    /// Counts the rows of an owner, up to `most`, and reads the time, like [`Write::count_tokens`]; reads only the
    /// index.
    pub(crate) async fn count_rows(&mut self, owner: &Owner, most: u32) -> Result<u64, Error> {
        let clock = self.time.source.expression::<DB>();
        let mut sql = Sql::new(format!(
            "SELECT {clock} AS clock, c.mark, c.version, c.readable_from, \
             (SELECT COUNT(*) FROM (SELECT owner FROM pat_token WHERE owner = "
        ));
        sql.bind(owner).push(" LIMIT ").bind(most);
        sql.push(") o) AS n FROM pat_clock c WHERE c.id = 1");
        let row = self.fetch_one(sql).await?;
        row::check_versions(&row)?;
        self.time.read = row.store_time()?;
        row.count("n")
    }

    /// Returns the creation times of those of these tokens that exist, revoked or not.
    pub(crate) async fn find_created(
        &mut self,
        ids: impl Iterator<Item = TokenId>,
    ) -> Result<HashMap<TokenId, Timestamp>, Error> {
        let mut sql = Sql::new("SELECT id, created_at FROM pat_token WHERE id IN ");
        sql.bind_in(ids);
        let rows = self.fetch(sql).await?;
        rows.iter()
            .map(|row| Ok((row.token_id("id")?, row.timestamp("created_at")?)))
            .collect()
    }

    /// Writes last uses, with the creation times of their tokens, where they are later than the stored
    /// ones.
    pub(crate) async fn put_last_uses(
        &mut self,
        uses: &[(LastUse, Timestamp)],
    ) -> Result<(), Error> {
        // A use recorded by a clock that was ahead must not stay the latest one for ever.
        let now = self.now();
        let rows = uses.iter().map(|(used, created_at)| {
            let at = used.at.min(now);
            [used.id.into(), (*created_at).into(), at.into()]
        });
        let uses = Insert::new("pat_last_used (token_id, created_at, last_used_at)", rows);
        let later = DB::upsert_if_newer("pat_last_used", "token_id", "last_used_at", &[]);
        self.insert(vec![uses.on_conflict(later)]).await
    }

    /// Writes a new token, the event of its creation, and the key of the request.
    pub(crate) async fn insert_token(
        &mut self,
        token: &Token,
        digest: TokenDigest,
        event: EventKind,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), Error> {
        let line = token.line;
        let row = [
            token.id.into(),
            digest.into(),
            (&token.owner).into(),
            token.name.as_str().into(),
            fold(&token.name).as_str().into(),
            token.created_at.into(),
            token.expires_at.into(),
            token.parent.into(),
            token.scopes.as_ref().into(),
            token.description.as_deref().into(),
            token.hint.as_deref().into(),
            (if token.is_transient { TRANSIENT } else { 0 }).into(),
            line.map(|line| line.id).into(),
            Value::Int(line.map(|line| line.seq.into())),
            line.and_then(|line| line.rotated_from).into(),
        ];
        // Where there are several writers, the lock has inserted the owner's row.
        let owner = DB::HAS_ONE_WRITER.then(|| {
            let row = [(&token.owner).into(), 0_i64.into()];
            Insert::new("pat_owner (owner, seq)", [row]).or_ignore::<DB>("owner")
        });
        let key = key.map(|IdempotencyKey { key, request, .. }| {
            let row = [
                (&token.owner).into(),
                key.as_str().into(),
                Value::Bytes(request.to_vec()),
                token.id.into(),
                token.created_at.into(),
            ];
            Insert::new(
                "pat_idempotency (owner, idem_key, request, token_id, at)",
                [row],
            )
        });
        let mut inserts = vec![
            Insert::new(
                "pat_token \
                 (id, digest, owner, name, name_folded, created_at, expires_at, parent_id, scopes, \
                 description, hint, expiry_notice, line_id, line_seq, rotated_from)",
                [row],
            ),
            Insert::new(
                "pat_last_used (token_id, created_at, last_used_at)",
                [[token.id.into(), token.created_at.into(), 0_i64.into()]],
            ),
        ];
        inserts.extend(owner);
        inserts.extend(key);
        inserts.extend(event_inserts::<DB>(&[Event::new(token.created_at, event)])?);
        self.insert(inserts).await
    }

    /// Locks the tokens of a scope after their owners, and reads the time.
    pub(crate) async fn lock_unrevoked(
        &mut self,
        scope: &RevocationScope,
    ) -> Result<Unrevoked, Error> {
        let tokens = match scope {
            RevocationScope::Tokens(ids) => {
                let ids = sorted(ids);
                let owners = self.owners_to_lock(&ids).await?;
                self.lock_owners(&owners).await?;
                self.lock_with_line(&ids, Takes::Earlier).await?
            }
            RevocationScope::TokensAndDescendants(ids) => {
                self.lock_family(sorted(ids), Takes::Earlier).await?
            }
            RevocationScope::Families(ids) => self.lock_family(sorted(ids), Takes::All).await?,
            RevocationScope::Owner(owner) => {
                // The owner first, so that no token is created in between.
                self.lock_owners(&BTreeSet::from([owner.clone()])).await?;
                let mut sql = self.lock_sql("t.owner = ");
                sql.bind(owner);
                let locked = self.fetch_locked(sql).await?;
                let mut count = count_sql("", "owner = ");
                count.bind(owner);
                self.assert_all(locked.len(), count).await?;
                locked
            }
        };
        if tokens.is_empty() {
            self.read_time().await?;
        }
        Ok(Unrevoked::of(tokens))
    }

    pub(crate) async fn lock_tokens(&mut self, ids: &[TokenId]) -> Result<Vec<Locked>, Error> {
        let mut tokens = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut sql = self.lock_sql("t.id IN ");
            sql.bind_in(chunk.iter().copied());
            let locked = self.fetch_locked(sql).await?;
            if chunk.len() > 1 {
                let mut count = count_sql("", "id IN ");
                count.bind_in(chunk.iter().copied());
                self.assert_all(locked.len(), count).await?;
            }
            tokens.extend(locked);
        }
        Ok(tokens)
    }

    /// Begins a statement for [`Write::fetch_locked`].
    fn lock_sql(&self, condition: &str) -> Sql<DB> {
        let clock = self.time.source.expression::<DB>();
        Sql::new(format!(
            "SELECT t.id, t.owner, t.name, t.revoked_at, t.expiry_notice, t.line_id, t.line_seq, \
             {clock} AS clock, \
             (SELECT mark FROM pat_clock WHERE id = 1) AS mark, \
             (SELECT version FROM pat_clock WHERE id = 1) AS version, \
             (SELECT readable_from FROM pat_clock WHERE id = 1) AS readable_from, \
             (SELECT c.id FROM pat_token c{} WHERE c.parent_id = t.id LIMIT 1) AS child \
             FROM pat_token t WHERE {condition}",
            by_parent::<DB>()
        ))
    }

    async fn fetch_locked(&mut self, mut sql: Sql<DB>) -> Result<Vec<Locked>, Error> {
        sql.push(" ORDER BY t.id").push(DB::FOR_UPDATE);
        let mut locked = Vec::new();
        for row in self.fetch(sql).await? {
            let token = row::revoked_token(&row)?;
            row::check_versions(&row)?;
            self.time.read = row.store_time()?;
            locked.push(Locked {
                token,
                is_revoked: row.optional_int("revoked_at")?.is_some(),
                is_transient: row.int("expiry_notice")? == TRANSIENT,
                line: Place::of(&row)?,
                has_children: row.optional_int("child")?.is_some(),
            });
        }
        Ok(locked)
    }

    /// Returns an error if rows are missing: a setting of the session may cut results.
    pub(super) async fn assert_all(&mut self, found: usize, count: Sql<DB>) -> Result<(), Error> {
        if !DB::HAS_SERVER {
            return Ok(());
        }
        let there = self.fetch_one(count).await?.count("n")?;
        if found as u64 == there {
            return Ok(());
        }
        Err(InconsistentRead::error(format!(
            "the database has {there} rows but returned {found}; is sql_select_limit set?"
        )))
    }

    pub(super) async fn fetch_ids(&mut self, sql: Sql<DB>) -> Result<Vec<TokenId>, Error> {
        let rows = self.fetch(sql).await?;
        rows.iter().map(|row| row.token_id("id")).collect()
    }

    /// Marks locked tokens as revoked, and, with `notice_due`, that the notifications to their owners are still
    /// to be queued ([`Write::queue_revocation_notices`]).
    pub(crate) async fn mark_revoked(
        &mut self,
        tokens: &[RevokedToken],
        revocation: &Revocation,
        notice_due: bool,
    ) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE pat_token SET revoked_at = ");
        sql.bind(revocation.at);
        sql.push(", revoked_by = ").bind(revocation.by.as_ref());
        sql.push(", revoke_reason = ");
        sql.bind(revocation.reason.as_deref());
        sql.push(", revocation_id = ")
            .bind(Value::Int(revocation.id));
        sql.push(", notice_due_at = ")
            .bind(notice_due.then_some(revocation.at));
        sql.push(" WHERE revoked_at IS NULL AND id IN ");
        sql.bind_in(tokens.iter().map(|token| token.id));
        self.execute_on(tokens.len(), sql).await
    }

    /// Increments the change counter, and appends these changes with its new value, and an event. It is
    /// the last step of a transaction, since the counter's row stays locked until the commit.
    pub(crate) async fn append_changes(
        &mut self,
        changes: &[Change],
        at: Timestamp,
        event: Option<EventKind>,
    ) -> Result<(), Error> {
        let mut events = event_inserts::<DB>(event.map(|kind| Event::new(at, kind)).as_slice())?;
        // Events that take a statement of their own are written before the lock.
        let mut last = match DB::CHAIN {
            Chain::None => None,
            Chain::With | Chain::Script => events.pop(),
        };
        self.insert_each(events).await?;
        self.execute_lock(Sql::new("UPDATE pat_clock SET gen = gen + 1 WHERE id = 1"))
            .await?;
        let nonce = getrandom::u64().map_err(|error| Error::Encode(error.into()))?;
        let rows = (0_i64..).zip(changes).map(|(item, change)| {
            let [kind, token_id, owner] = row::change_columns(change);
            [
                Value::Expression("(SELECT gen FROM pat_clock WHERE id = 1)"),
                item.into(),
                nonce.cast_signed().into(),
                kind,
                token_id,
                owner,
                at.into(),
            ]
        });
        let into = "pat_change (gen, item, nonce, kind, token_id, owner, at)";
        for changes in Insert::chunks::<DB, _>(into, rows.collect()) {
            let inserts = last.take().into_iter().chain([changes]);
            self.insert(inserts.collect()).await?;
        }
        Ok(())
    }
}

/// Returns each ID once, in the order in which tokens are locked.
pub(super) fn sorted(ids: &[TokenId]) -> Vec<TokenId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) fn count_sql<DB: Dialect>(index: &str, condition: &str) -> Sql<DB> {
    Sql::new(format!(
        "SELECT COUNT(*) AS n FROM pat_token{index} WHERE {condition}"
    ))
}

/// Follows the name of the table where tokens are looked up by their parents. If most tokens have
/// no parent, the planner considers that index useless, and each look-up would read all tokens.
pub(super) fn by_parent<DB: Dialect>() -> String {
    DB::by_index("pat_token_by_parent")
}
