use std::collections::BTreeSet;
use std::time::Duration;

use pat_core::Owner;
use pat_core::store::{MissingOwners, SeenEffect, SeenOwner};
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::sql::{CHUNK, Insert, Sql};

impl<DB: Dialect> Write<DB> {
    /// Records that the host has seen an owner, under the owner's lock.
    pub(crate) async fn note_seen(&mut self, seen: &SeenOwner) -> Result<SeenEffect, Error> {
        // Creates the row, also where nothing need be locked.
        self.lock_owners(&BTreeSet::from([seen.owner.clone()]))
            .await?;
        self.read_time().await?;
        let mut sql = Sql::new("SELECT seen_at FROM pat_owner WHERE owner = ");
        sql.bind(&seen.owner);
        let seen_at = self.fetch_one(sql).await?.optional_timestamp("seen_at")?;
        let effect = seen.effect(seen_at, self.now());
        if effect != SeenEffect::None {
            let mut sql = Sql::new("UPDATE pat_owner SET seen_at = ");
            sql.bind(self.now());
            sql.push(" WHERE owner = ").bind(&seen.owner);
            self.execute(sql).await?;
        }
        Ok(effect)
    }

    /// Records the present time for those of these owners whom the host has not reported; returns how many there
    /// were.
    pub(crate) async fn note_unseen(&mut self, owners: &[Owner]) -> Result<u64, Error> {
        let mut unseen: BTreeSet<_> = owners.iter().cloned().collect();
        for chunk in owners.chunks(CHUNK) {
            let mut sql =
                Sql::new("SELECT owner FROM pat_owner WHERE seen_at IS NOT NULL AND owner IN ");
            sql.bind_in(chunk);
            for row in self.fetch(sql).await? {
                unseen.remove(&row.owner("owner")?);
            }
        }
        self.lock_owners(&unseen).await?;
        let unseen: Vec<_> = unseen.into_iter().collect();
        for chunk in unseen.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE pat_owner SET seen_at = ");
            sql.bind(self.now());
            sql.push(" WHERE seen_at IS NULL AND owner IN ")
                .bind_in(chunk);
            self.execute(sql).await?;
        }
        Ok(unseen.len() as u64)
    }

    /// Records that these owners are not missing.
    pub(crate) async fn note_present(&mut self, owners: &[Owner]) -> Result<(), Error> {
        for chunk in owners.chunks(CHUNK) {
            let mut sql = Sql::new(
                "UPDATE pat_owner SET missing_since = NULL \
                 WHERE missing_since IS NOT NULL AND owner IN ",
            );
            sql.bind_in(chunk);
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Records since when owners are missing; returns those that have been missing long enough.
    pub(crate) async fn note_missing(
        &mut self,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, Error> {
        let vouched = self.cutoff(noted.vouched, Duration::ZERO);
        let long_ago = self.cutoff(noted.vouched, noted.at_least);
        let mut gone = Vec::new();
        for chunk in noted.missing.chunks(CHUNK) {
            // An owner whose tokens were imported has no row yet.
            let rows = chunk.iter().map(|owner| [owner.into()]);
            let owners = Insert::new("pat_owner (owner)", rows).or_ignore::<DB>("owner");
            self.insert(vec![owners]).await?;
            // A time in the future was recorded while a clock was wrong.
            let mut sql = Sql::new("UPDATE pat_owner SET missing_since = ");
            sql.bind(vouched);
            sql.push(" WHERE (missing_since IS NULL OR missing_since > ");
            sql.bind(vouched).push(") AND owner IN ").bind_in(chunk);
            self.execute(sql).await?;
            let mut sql = Sql::new("SELECT owner FROM pat_owner WHERE missing_since <= ");
            sql.bind(long_ago);
            sql.push(" AND owner IN ").bind_in(chunk);
            sql.push(" ORDER BY owner");
            for row in self.fetch(sql).await? {
                gone.push(row.owner("owner")?);
            }
        }
        Ok(gone)
    }
}
