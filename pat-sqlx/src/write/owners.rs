use std::time::Duration;

use pat_core::Owner;
use pat_core::store::MissingOwners;
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::sql::{CHUNK, Sql};

impl<DB: Dialect> Write<DB> {
    /// Records that these owners are not missing.
    pub(crate) async fn note_present(&mut self, owners: &[Owner]) -> Result<(), Error> {
        for chunk in owners.chunks(CHUNK) {
            let mut sql = Sql::new(
                "UPDATE pat_owner SET missing_since = NULL \
                 WHERE missing_since IS NOT NULL AND owner IN ",
            );
            sql.bind_list(chunk);
            self.execute(sql.not_persistent()).await?;
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
            let mut sql = Sql::new("INSERT INTO pat_owner (owner) VALUES ");
            sql.bind_rows(chunk.iter().map(|owner| [owner.into()]));
            sql.push(DB::or_ignore("owner"));
            self.execute(sql.not_persistent()).await?;
            // A time in the future was recorded while a clock was wrong.
            let mut sql = Sql::new("UPDATE pat_owner SET missing_since = ");
            sql.bind(vouched);
            sql.push(" WHERE (missing_since IS NULL OR missing_since > ");
            sql.bind(vouched).push(") AND owner IN ").bind_list(chunk);
            self.execute(sql.not_persistent()).await?;
            let mut sql = Sql::new("SELECT owner FROM pat_owner WHERE missing_since <= ");
            sql.bind(long_ago);
            sql.push(" AND owner IN ").bind_list(chunk);
            sql.push(" ORDER BY owner");
            for row in self.fetch(sql.not_persistent()).await? {
                gone.push(row.owner("owner")?);
            }
        }
        Ok(gone)
    }
}
