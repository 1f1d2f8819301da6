//! What can go wrong with a server.

use futures_util::future::join_all;
use pat_core::store::TokenStore as _;
use pat_harness::until;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{Connection, Executor, MySql, Postgres, raw_sql};
use pat_sqlx::{Dialect, SqlxStore};

use super::{Bench, CALLS, CONNECTIONS, Fault, TABLES, Triggers, new};

const POSTGRES_PROBE: &str = "VACUUM pat_node";

const MARIADB_PROBE: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

pub(super) async fn an_abandoned_call_leaves_no_transaction(database: Database) {
    match database.kind {
        Kind::Postgres => {
            let bench = Bench::<Postgres>::on(&database.url, POSTGRES_PROBE).await;
            bench.give_up().await;
            bench.store.close().await;
        }
        Kind::MariaDb => {
            let bench = Bench::<MySql>::on(&database.url, MARIADB_PROBE).await;
            bench.give_up().await;
            bench.store.close().await;
        }
    }
}

pub(super) async fn errors_of_the_server_leave_no_connection_in_a_transaction(database: Database) {
    match database.kind {
        Kind::Postgres => errors_on_postgres(&database).await,
        Kind::MariaDb => errors_on_mariadb(&database).await,
    }
}

async fn errors_on_postgres(database: &Database) {
    let bench = Bench::<Postgres>::on(&database.url, POSTGRES_PROBE).await;
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN {body}; RETURN NULL; END$$"
        )
    };
    let fault = |name, body: &str| Triggers {
        name,
        pool: &bench.pools[1],
        begin: function(body),
        end: function("NULL"),
    };
    let raise = |code: &str| format!("RAISE EXCEPTION 'a fault' USING ERRCODE = '{code}'");
    let faults = [
        fault("full", &raise("53100")),
        fault("input or output", &raise("58030")),
        fault("out of memory", &raise("53200")),
        fault("cancelled", &raise("57014")),
        fault("ended", "PERFORM pg_terminate_backend(pg_backend_pid())"),
    ];
    database.execute(&faults[0].end).await;
    for is_deferred in [false, true] {
        // At the statement, or at the commit.
        for table in TABLES {
            database
                .execute(&format!("DROP TRIGGER IF EXISTS fault ON {table}"))
                .await;
            let create = if is_deferred {
                format!(
                    "CREATE CONSTRAINT TRIGGER fault AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault()"
                )
            } else {
                format!(
                    "CREATE TRIGGER fault AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     FOR EACH ROW EXECUTE FUNCTION fault()"
                )
            };
            database.execute(&create).await;
        }
        let faults: Vec<_> = faults.iter().map(|fault| fault as &dyn Fault).collect();
        bench.try_faults(&faults).await;
    }
    bench.store.close().await;
}

async fn errors_on_mariadb(database: &Database) {
    let bench = Bench::<MySql>::on(&database.url, MARIADB_PROBE).await;
    database
        .execute("CREATE TABLE fault (number INT NOT NULL) ENGINE = InnoDB")
        .await;
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            let trigger = format!(
                "CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} FOR EACH ROW BEGIN \
                 DECLARE fault INT DEFAULT (SELECT MAX(number) FROM fault); \
                 IF fault IS NOT NULL THEN \
                 SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = fault, MESSAGE_TEXT = 'a fault'; \
                 END IF; END"
            );
            database.execute(&trigger).await;
        }
    }
    let fault = |name, number: u16| Triggers {
        name,
        pool: &bench.pools[1],
        begin: format!("INSERT INTO fault VALUES ({number})"),
        end: "DELETE FROM fault".into(),
    };
    let faults = [
        fault("full", 1021),
        fault("input or output", 1030),
        fault("out of memory", 1037),
        fault("cancelled", 1317),
        fault("ended", 1927),
    ];
    let faults: Vec<_> = faults.iter().map(|fault| fault as &dyn Fault).collect();
    bench.try_faults(&faults).await;
    bench.store.close().await;
}

/// On a pool of the host's that asks no connection whether it still works.
pub(super) async fn connections_that_the_server_ended_are_replaced(database: Database) {
    match database.kind {
        Kind::Postgres => {
            farewells_on::<Postgres>(&database, "SET idle_session_timeout = '300ms'").await;
        }
        Kind::MariaDb => farewells_on::<MySql>(&database, "SET wait_timeout = 1").await,
    }
}

async fn farewells_on<DB: Dialect>(database: &Database, sets_limit: &'static str)
where
    DB::Connection: Connection<Database = DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let pool = PoolOptions::<DB>::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect(&database.url)
        .await
        .expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our tables");
    let all = async || {
        let all = join_all((0..CONNECTIONS).map(|_| pool.acquire())).await;
        all.into_iter().map(|one| one.expect("a connection"))
    };
    for call in CALLS {
        let prepared = call.prepare(&store).await;
        // Somebody ends all of them, or they were idle for too long.
        drop(all().await);
        database.cut_connections().await;
        let asked = call.ask(&store, &prepared).await;
        asked.unwrap_or_else(|error| panic!("{call:?}, cut: {error:?}"));
        for mut connection in all().await {
            let set = raw_sql(sets_limit).execute(&mut *connection).await;
            set.expect("a limit");
        }
        until("the server ends them", async || others(database).await == 0).await;
        let asked = call.ask(&store, &prepared).await;
        asked.unwrap_or_else(|error| panic!("{call:?}, idle: {error:?}"));
        let found = store.find_by_digest(&new().digest).await;
        found.unwrap_or_else(|error| panic!("a look-up, idle: {error:?}"));
    }
    store.close().await;
}

/// How many connections to this database there are, but for the one that asks.
async fn others(database: &Database) -> i64 {
    let sql = match database.kind {
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Kind::MariaDb => {
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    database.number(sql).await
}
