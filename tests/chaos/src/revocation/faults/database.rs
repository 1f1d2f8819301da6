//! Faults of the database.

use std::time::Duration;

use pat_harness::disk::Full;
use pat_harness::process::Frozen;
use pat_servers::programs::Started;
use pat_servers::{Database, Kind, Session};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use pat_sqlx::sqlx::{self, Connection as _, Executor as _};

use super::Faults;
use crate::revocation::random::Random;

impl Faults {
    fn database(&self) -> &Database {
        self.database.as_ref().expect("a server for these faults")
    }

    fn server(&self) -> &Started {
        self.database().own_server()
    }

    pub(super) async fn freeze_database(&self, random: &mut Random) {
        let length = random.millis(1_000, 3_000);
        let frozen = Frozen::with_children(self.server().id());
        tokio::time::sleep(length).await;
        drop(frozen);
    }

    pub(super) async fn kill_database(&self, random: &mut Random) {
        let length = random.millis(0, 1_000);
        self.server().kill();
        tokio::time::sleep(length).await;
        self.server().restart();
        let database = self.database().clone();
        let answered = tokio::task::spawn_blocking(move || database.await_answer());
        answered.await.expect("an answer");
    }

    pub(super) async fn kill_pooler(&self, random: &mut Random) {
        let length = random.millis(0, 1_000);
        let pooler = self.pooler.as_ref().expect("a pooler for this fault");
        pooler.program.kill();
        tokio::time::sleep(length).await;
        pooler.program.restart();
    }

    /// Whoever wants to change something waits for the row of the counter. On PostgreSQL the idle
    /// one would also listen, so that notifications pile up.
    pub(super) async fn lock_database(&self, random: &mut Random) {
        let length = random.millis(1_000, 3_000);
        let Some(database) = &self.database else {
            return self.lock_file(length).await;
        };
        let lock: &[&str] = match database.kind {
            Kind::Postgres => &["LISTEN pat_change", "BEGIN"],
            Kind::MariaDb => &["BEGIN"],
        };
        let row = "SELECT gen FROM pat_clock WHERE id = 1 FOR UPDATE";
        keep(database.hold(&[lock, &[row]].concat()).await, length).await;
    }

    pub(super) async fn exhaust_pool(&self, random: &mut Random) {
        let length = random.millis(1_000, 3_000);
        keep(self.database().lock_table("pat_token").await, length).await;
    }

    async fn lock_file(&self, length: Duration) {
        let path = self.nodes.folder().join("pat.db");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(5));
        // The disk may be full.
        let Ok(mut connection) = SqliteConnection::connect_with(&options).await else {
            return;
        };
        // Under load, others may be served first for long.
        if connection.execute("BEGIN IMMEDIATE").await.is_ok() {
            tokio::time::sleep(length).await;
            connection.execute("ROLLBACK").await.expect("an end");
        }
        connection.close().await.expect("a closed connection");
    }

    pub(super) async fn fill_disk(&self, random: &mut Random) {
        let length = random.millis(1_000, 3_000);
        let full = Full::fill(self.nodes.folder());
        tokio::time::sleep(length).await;
        drop(full);
    }
}

/// Keeps what was locked, if the server gave it.
async fn keep(lock: Result<Session, sqlx::Error>, length: Duration) {
    if let Ok(lock) = lock {
        tokio::time::sleep(length).await;
        lock.close().await;
    }
}
