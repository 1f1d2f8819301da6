use std::collections::BTreeSet;

use jiff::Timestamp;
use pat_core::search::fold;
use pat_core::store::{Change, Presented, Update, UpdateEffect};
use pat_core::{Token, TokenId};
use sqlx::Error;

use super::Write;
use super::tokens::{Place, Takes, sorted};
use crate::dialect::{Dialect, Value};
use crate::row::{self, TOKEN_COLUMNS, TOKENS};
use crate::sql::{CHUNK, Sql};

/// The locked tokens of a line.
pub(crate) struct LockedLine {
    pub(crate) tokens: Vec<Token>,
    /// Whether any of the tokens has created others.
    pub(crate) have_children: bool,
}

impl<DB: Dialect> Write<DB> {
    /// Locks the owners of the token to be changed and of the presented one, and reads the time.
    pub(crate) async fn lock_owners_of_update(&mut self, update: &Update) -> Result<(), Error> {
        let presented = update.presented.as_ref().map(|presented| presented.id);
        let ids: BTreeSet<_> = presented.into_iter().chain([update.id]).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let owners = self.owners_to_lock(&ids).await?;
        self.lock_owners(&owners).await?;
        self.read_time().await.map(drop)
    }

    /// Returns whether the presented token still authenticates; if so, no other transaction can change that until the
    /// end of this one.
    pub(crate) async fn is_valid_presented(
        &mut self,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let found = self.find_tokens(&[presented.id]).await?;
        Ok(presented.is_valid(found.first(), now))
    }

    /// Locks a token, and of its line what matters if the token is rotated ([`Rotation::decide`]): the tokens after
    /// it, and those that an administrator has disabled. Their owner is locked.
    ///
    /// [`Rotation::decide`]: pat_core::store::Rotation::decide
    pub(crate) async fn lock_rotated(&mut self, id: TokenId) -> Result<Vec<Token>, Error> {
        let mut ids = vec![id];
        let locked = self.lock_tokens(&ids).await?;
        if let Some(place) = locked.first().and_then(|locked| locked.line) {
            let mut sql = Sql::new("");
            push_later_or_held(&mut sql, place);
            let mut others = self.fetch_ids(sql).await?;
            let mut count = Sql::new("SELECT COUNT(*) AS n FROM (");
            push_later_or_held(&mut count, place);
            count.push(") l");
            self.assert_all(others.len(), count).await?;
            others.retain(|other| *other != id);
            let others = sorted(&others);
            self.lock_tokens(&others).await?;
            ids.extend(others);
        }
        self.find_tokens(&ids).await
    }

    /// Locks a token and all others of its line. Their owner is locked.
    pub(crate) async fn lock_line(&mut self, id: TokenId) -> Result<LockedLine, Error> {
        let locked = self.lock_with_line(&[id], Takes::All).await?;
        let ids: Vec<_> = locked.iter().map(|locked| locked.token.id).collect();
        Ok(LockedLine {
            tokens: self.find_tokens(&ids).await?,
            have_children: locked.iter().any(|locked| locked.has_children),
        })
    }

    async fn find_tokens(&mut self, ids: &[TokenId]) -> Result<Vec<Token>, Error> {
        let mut tokens = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new(format!(
                "SELECT {TOKEN_COLUMNS} FROM {TOKENS} WHERE t.id IN "
            ));
            sql.bind_in(chunk.iter().copied());
            for row in self.fetch(sql).await? {
                tokens.push(row::token(&row)?);
            }
        }
        Ok(tokens)
    }

    /// Writes what an update changes, with its events.
    pub(crate) async fn put_update(
        &mut self,
        effect: &UpdateEffect,
        at: Timestamp,
    ) -> Result<(), Error> {
        for chunk in effect.switched.chunks(CHUNK) {
            let disabled = effect.disabled.as_ref();
            let mut sql = Sql::new("UPDATE pat_token SET disabled_at = ");
            sql.bind(disabled.map(|disabled| disabled.at));
            sql.push(", disabled_by = ");
            sql.bind(disabled.and_then(|disabled| disabled.by.as_ref()));
            sql.push(", disabled_by_admin = ");
            sql.bind(Value::Int(
                disabled.map(|disabled| disabled.by_administrator.into()),
            ));
            sql.push(" WHERE revoked_at IS NULL AND id IN ");
            sql.bind_in(chunk.iter().copied());
            self.execute_on(chunk.len(), sql).await?;
        }
        let token = &effect.token;
        if effect.is_edited {
            let mut sql = Sql::new("UPDATE pat_token SET name = ");
            sql.bind(token.name.as_str());
            sql.push(", name_folded = ")
                .bind(fold(&token.name).as_str());
            sql.push(", description = ")
                .bind(token.description.as_deref());
            sql.push(" WHERE revoked_at IS NULL AND id = ")
                .bind(token.id);
            self.execute_on(1, sql).await?;
        }
        if effect.is_replaced {
            self.mark_replaced(token).await?;
        }
        let mut events = effect.events.clone();
        let last = events.pop();
        for event in events {
            self.record(at, event).await?;
        }
        // Last, since the counter's row stays locked until the commit.
        let changes = Change::of_changed(effect.changed());
        self.append_changes(&changes, at, last).await
    }
}

/// Appends the IDs of the tokens of a line that have a later place, or that an administrator has disabled: each
/// condition is a range of the index.
fn push_later_or_held<DB: Dialect>(sql: &mut Sql<DB>, place: Place) {
    let index = DB::by_index("pat_token_by_line");
    for (condition, and) in [
        ("disabled_by_admin IS NULL", " UNION ALL "),
        ("disabled_by_admin = 0", " UNION ALL "),
        ("disabled_by_admin = 1", ""),
    ] {
        sql.push(format_args!(
            "SELECT id FROM pat_token{index} WHERE {condition} AND line_id = "
        ));
        sql.bind(place.line);
        if !and.is_empty() {
            sql.push(" AND line_seq > ").bind(place.seq);
        }
        sql.push(and);
    }
}
