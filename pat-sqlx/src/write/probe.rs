use pat_core::TokenDigest;
use pat_core::store::SCHEMA_VERSION;
use sqlx::Error;

use super::Write;
use crate::dialect::{Dialect, Value};
use crate::sql::Sql;

/// Columns of a table with their values in a probe's row.
type Columns = Vec<(&'static str, Value)>;

impl<DB: Dialect> Write<DB> {
    /// Writes to each table, with a number that no other row has. The change counter comes last,
    /// since all other writers wait for it.
    ///
    /// # Errors
    /// Returns the table that could not be written, and the database's error.
    pub(crate) async fn write_to_each_table(
        &mut self,
        number: i64,
    ) -> Result<(), (&'static str, Error)> {
        for (table, columns) in rows(number) {
            let inserted = self.insert_row(table, columns).await;
            inserted.map_err(|error| (table, error))?;
        }
        let count = Sql::new("UPDATE pat_clock SET gen = gen + 1 WHERE id = 1");
        let counted = self.execute(count).await;
        counted.map_err(|error| ("pat_clock", error))?;
        Ok(())
    }

    /// Writes the report of a node that does not exist, and that no revocation waits for.
    pub(crate) async fn insert_probe_node(&mut self, number: i64) -> Result<(), Error> {
        self.insert_row("pat_node", node(number)).await
    }

    pub(crate) async fn delete_probe_node(&mut self, number: i64) -> Result<(), Error> {
        let mut sql = Sql::new("DELETE FROM pat_node WHERE id = ");
        sql.bind(number);
        self.execute(sql).await.map(drop)
    }

    async fn insert_row(&mut self, table: &str, columns: Columns) -> Result<(), Error> {
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let mut sql = Sql::new(format!(
            "INSERT INTO {table} ({}) VALUES ",
            names.join(", ")
        ));
        sql.bind_list(values);
        self.execute(sql).await.map(drop)
    }
}

/// The owner of a probe's rows.
pub(crate) fn probe_owner(number: i64) -> String {
    format!("proof {number}")
}

fn rows(number: i64) -> [(&'static str, Columns); 10] {
    let id = || Value::from(number);
    let zero = || Value::from(0_i64);
    let owner = probe_owner(number);
    let owner = || Value::from(owner.as_str());
    let text = || Value::from("");
    let digest = TokenDigest::of(&number.to_le_bytes());
    [
        (
            "pat_lease",
            vec![
                ("job", owner()),
                ("term", zero()),
                ("held_until", zero()),
                ("done", zero()),
            ],
        ),
        ("pat_owner", vec![("owner", owner())]),
        (
            "pat_token",
            vec![
                ("id", id()),
                ("digest", digest.into()),
                ("owner", owner()),
                ("name", text()),
                ("name_folded", text()),
                ("created_at", zero()),
            ],
        ),
        (
            "pat_last_used",
            vec![
                ("token_id", id()),
                ("created_at", zero()),
                ("last_used_at", zero()),
            ],
        ),
        (
            "pat_notice",
            vec![
                ("id", id()),
                ("kind", zero()),
                ("owner", owner()),
                ("queued_at", zero()),
                ("state", zero()),
                ("due_at", zero()),
                ("attempts", zero()),
                ("mark", zero()),
                ("sent_by", text()),
                ("error", text()),
            ],
        ),
        (
            "pat_notice_token",
            vec![
                ("notice_id", id()),
                ("token_id", id()),
                ("kind", zero()),
                ("name", text()),
                ("created_at", zero()),
                ("expires_at", zero()),
            ],
        ),
        (
            "pat_event",
            vec![
                ("id", id()),
                ("at", zero()),
                ("kind", text()),
                ("number", zero()),
            ],
        ),
        ("pat_sink", vec![("name", owner()), ("seq", zero())]),
        ("pat_node", node(number)),
        (
            "pat_change",
            vec![
                ("gen", id()),
                ("item", zero()),
                ("nonce", zero()),
                ("kind", zero()),
                ("at", zero()),
            ],
        ),
    ]
}

fn node(number: i64) -> Columns {
    vec![
        ("id", number.into()),
        ("applied_gen", i64::MAX.into()),
        ("reported_at", 0_i64.into()),
        // This version, so that no node waits for an older one to be upgraded.
        ("version", SCHEMA_VERSION.cast_signed().into()),
    ]
}
