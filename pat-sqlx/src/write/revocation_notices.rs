//! The notifications of large revocations, which are queued after the revocations.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pat_core::notification::NotificationKind;
use pat_core::store::Revocation;
use pat_core::{Owner, TokenId};
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::sql::{CHUNK, Sql};

/// Of how many owners a transaction queues the notifications.
const OWNERS: u32 = 100;

/// A revocation as its tokens tell of it: two may have the same time.
type Told = (Option<i64>, Option<Owner>, Option<String>);

impl<DB: Dialect> Write<DB> {
    /// Queues the notifications to some owners whose tokens say that they are to be queued (the column
    /// `notice_due_at`), and clears the column; returns whether there were any.
    ///
    /// So a revocation of many tokens keeps other writers out for less time, and a crash after it loses no
    /// notification. An owner's tokens are taken together, so that the owner gets one notification.
    pub(crate) async fn queue_revocation_notices(&mut self) -> Result<bool, Error> {
        let mut sql = Sql::new(
            "SELECT notice_due_at, owner FROM pat_token WHERE notice_due_at > 0 \
             GROUP BY notice_due_at, owner ORDER BY notice_due_at, owner LIMIT ",
        );
        sql.bind(OWNERS);
        let (mut first, mut owners) = (None, Vec::new());
        for row in self.fetch(sql).await? {
            let at = row.timestamp("notice_due_at")?;
            if *first.get_or_insert(at) == at {
                owners.push(row.owner("owner")?);
            }
        }
        let Some(at) = first else {
            return Ok(false);
        };
        for (told, ids) in self.lock_with_due_notice(at, &owners).await? {
            let (id, by, reason) = told;
            let mut revocation = Revocation::new(at);
            (revocation.id, revocation.by, revocation.reason) = (id, by, reason);
            let live_children = self
                .live_descendants(ids.clone(), BTreeSet::new(), at)
                .await?;
            let (kind, now) = (NotificationKind::RevokedByAdmin, self.now());
            self.queue_notifications(kind, &ids, now, Some((&revocation, &live_children)))
                .await?;
            for chunk in ids.chunks(CHUNK) {
                let mut sql = Sql::new("UPDATE pat_token SET notice_due_at = NULL WHERE id IN ");
                sql.bind_in(chunk.iter().copied());
                self.execute_on(chunk.len(), sql).await?;
            }
        }
        Ok(true)
    }

    /// Locks the tokens of these owners with notifications to be queued since this time, by revocations. Another
    /// worker that has read the same owners waits, and then finds none.
    async fn lock_with_due_notice(
        &mut self,
        at: Timestamp,
        owners: &[Owner],
    ) -> Result<BTreeMap<Told, Vec<TokenId>>, Error> {
        let mut sql = Sql::new(
            "SELECT id, revocation_id, revoked_by, revoke_reason FROM pat_token WHERE notice_due_at = ",
        );
        sql.bind(at).push(" AND owner IN ").bind_in(owners);
        sql.push(" ORDER BY id").push(DB::FOR_UPDATE);
        let mut by_revocation = BTreeMap::<Told, Vec<_>>::new();
        for row in self.fetch(sql).await? {
            let told = (
                row.optional_int("revocation_id")?,
                row.optional_owner("revoked_by")?,
                row.optional_text("revoke_reason")?,
            );
            by_revocation
                .entry(told)
                .or_default()
                .push(row.token_id("id")?);
        }
        Ok(by_revocation)
    }
}
