//! The errors with which a SQLite file, or a pool of the host, is refused.
#![cfg(feature = "sqlite")]

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use pat_sqlx::sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use pat_sqlx::sqlx::{AssertSqlSafe, raw_sql};
use pat_sqlx::{ConnectError, SqliteStore, SqlxStore, prepare_connection};

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let within = |name: &str| folder.path().join(name);
    fs::create_dir(within("folder.db")).expect("a folder");
    fs::write(
        within("notes.txt"),
        "not a database, but a text\n".repeat(50),
    )
    .expect("a file");
    // Linux lets no account create files there.
    let forbidden = PathBuf::from("/sys/pat.db");
    for (case, path, cause) in [
        (
            "a missing folder",
            within("missing/pat.db"),
            "unable to open",
        ),
        (
            "a file as folder",
            within("notes.txt/pat.db"),
            "unable to open",
        ),
        ("a folder as file", within("folder.db"), "unable to open"),
        ("no permission", forbidden, "unable to open"),
        ("another file", within("notes.txt"), "not a database"),
    ] {
        let url = format!("sqlite:{}", path.display());
        // The host's own pool opens its first connection when the store checks it.
        let pool = SqlitePool::connect_lazy(&url).expect("a pool");
        for refused in [
            SqliteStore::open(&path).await.map(drop),
            SqliteStore::connect(&url).await.map(drop),
            SqliteStore::connect_without_migrating(&url).await.map(drop),
            pat_sqlx::connect(&url).await.map(drop),
            SqlxStore::new(pool.clone(), pool).migrate().await,
        ] {
            let refused = refused.expect_err(case);
            assert_eq!(
                refused.to_string(),
                format!("cannot open the database {}", path.display()),
                "{case}"
            );
            let source = refused.source().expect("the error of SQLite").to_string();
            assert!(source.contains(cause), "{case}: {source}");
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_or_migrated_is_named() {
    for (case, sql, text) in [
        (
            "no writes",
            "CREATE TRIGGER no BEFORE INSERT ON pat_lease BEGIN SELECT RAISE(ABORT, 'no'); END",
            "cannot write to pat_lease in ",
        ),
        (
            "another migration",
            "UPDATE pat_migrations SET checksum = X'00' WHERE version = 2",
            "cannot migrate the database ",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pat.db");
        SqliteStore::open(&path)
            .await
            .expect("a store")
            .close()
            .await;
        let url = format!("sqlite:{}", path.display());
        let pool = SqlitePool::connect(&url).await.expect("a pool");
        raw_sql(sql).execute(&pool).await.expect(case);
        pool.close().await;
        let refused = SqliteStore::connect_without_migrating(&url).await;
        let refused = refused.expect_err(case);
        assert_eq!(
            refused.to_string(),
            format!("{text}{}", path.display()),
            "{case}"
        );
    }
}

#[tokio::test]
async fn the_file_of_the_pool_that_fails_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sound, missing) = (
        folder.path().join("pat.db"),
        folder.path().join("missing/pat.db"),
    );
    let url = |path: &Path| format!("sqlite:{}?mode=rwc", path.display());
    let sound = prepared().connect(&url(&sound)).await.expect("a pool");
    let failing = SqlitePool::connect_lazy(&url(&missing)).expect("a pool");
    for store in [
        SqlxStore::new(sound.clone(), failing.clone()),
        SqlxStore::new(failing, sound),
    ] {
        match store.migrate().await {
            Err(ConnectError::Open { file, .. }) => assert_eq!(file, Some(missing.clone())),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
#[cfg(all(feature = "postgres", feature = "mysql"))]
async fn the_url_of_a_server_is_not_named() {
    for scheme in ["postgres", "mysql"] {
        // Nothing listens on this port.
        let url = format!("{scheme}://app:secret@127.0.0.1:1/db");
        let refused = pat_sqlx::connect(&url).await.expect_err(scheme);
        assert!(
            matches!(refused, ConnectError::Open { file: None, .. }),
            "{refused:?}"
        );
        assert_eq!(refused.to_string(), "cannot open the database");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_relative_path_is_named_with_its_folder() {
    let refused = SqliteStore::open("missing/pat.db").await;
    let refused = refused.expect_err("no folder");
    let folder = std::env::current_dir().expect("a working directory");
    let path = folder.join("missing/pat.db");
    assert!(refused.to_string().ends_with(&*path.to_string_lossy()));
}

#[tokio::test]
async fn a_pool_of_the_host_is_refused_with_what_to_do() {
    const PREPARE: &str = "; call pat_sqlx::prepare_connection in the after_connect of the pool";
    const WAL: &str =
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
    for (name, set, is_prepared, remedy) in [
        ("journal_mode", "", false, PREPARE),
        ("busy_timeout", "PRAGMA busy_timeout = 0", false, PREPARE),
        ("synchronous", "PRAGMA synchronous = OFF", false, PREPARE),
        ("query_only", "PRAGMA query_only = 1", false, PREPARE),
        ("query_only", "PRAGMA query_only = 1", true, PREPARE),
        (
            "encoding",
            "PRAGMA encoding = 'UTF-16'",
            false,
            "; use another file: ",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("app.db").display());
        let sound = if name == "journal_mode" { "" } else { WAL };
        // The encoding comes first: it is fixed when the file is written.
        let sql = format!("{set}; {sound}; {set}");
        let pool = SqlitePoolOptions::new().after_connect(move |connection, _| {
            let sql = AssertSqlSafe(sql.clone());
            Box::pin(async move {
                if is_prepared {
                    prepare_connection(connection).await?;
                }
                raw_sql(sql).execute(connection).await.map(drop)
            })
        });
        let pool = pool.connect(&url).await.expect("a pool");
        let store = SqlxStore::new(pool.clone(), pool);
        for refused in [store.migrate().await, store.check().await] {
            let refused = refused.expect_err(name).to_string();
            assert!(refused.contains(&format!("setting {name} is")), "{refused}");
            assert!(refused.contains(remedy), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_database_in_memory_is_refused_with_what_to_use_instead() {
    for url in [
        "sqlite::memory:",
        "sqlite://file:shared?mode=memory&cache=shared",
        "sqlite://",
    ] {
        for options in [SqlitePoolOptions::new(), prepared()] {
            let pool = options.connect(url).await.expect("a pool");
            let store = SqlxStore::new(pool.clone(), pool);
            for refused in [store.migrate().await, store.check().await] {
                let refused = refused.expect_err(url);
                assert!(
                    matches!(refused, ConnectError::InMemory),
                    "{url}: {refused:?}"
                );
                let text = refused.to_string();
                assert!(
                    text.contains("name a file") && text.contains("MemoryStore"),
                    "{text}"
                );
            }
        }
    }
}

fn prepared() -> SqlitePoolOptions {
    SqlitePoolOptions::new().after_connect(|connection, _| Box::pin(prepare_connection(connection)))
}
