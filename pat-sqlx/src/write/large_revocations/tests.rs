use jiff::Timestamp;
use pat_core::store::{NewToken, Revocation, Rotation, TokenStore as _};
use pat_core::{Owner, TokenDigest};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, Sqlite};
use tempfile::TempDir;

use super::*;
use crate::sqlite::SqliteStore;

const TOKENS: i64 = 150;

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an ID")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a date")
}

fn owner() -> Owner {
    "alice".parse().expect("an owner")
}

fn digest(number: i64) -> TokenDigest {
    TokenDigest::of(&number.to_le_bytes())
}

fn scope(count: i64) -> RevocationScope {
    RevocationScope::Tokens((1..=count).map(id).collect())
}

async fn insert(store: &SqliteStore, number: i64, parent: Option<i64>) {
    let mut token = NewToken::new(id(number), digest(number), owner(), "ci", at(number));
    token.parent = parent.map(id);
    let inserted = store.insert(&token, u32::MAX).await;
    inserted.expect("an insertion");
}

async fn store() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    let store = store.expect("a store").dangerous_with_callers_clock();
    for number in 1..=TOKENS {
        insert(&store, number, None).await;
    }
    (folder, store)
}

async fn execute(store: &SqliteStore, sql: &str) {
    let done = store.pool.execute(AssertSqlSafe(sql.to_owned())).await;
    done.expect("a statement");
}

async fn read_ahead(store: &SqliteStore, scope: &RevocationScope) -> Option<ReadAhead> {
    Write::read_ahead(store, scope).await.expect("tokens")
}

/// Returns the unrevoked tokens and the parents that a transaction finds which begins now.
async fn lock(store: &SqliteStore, ahead: ReadAhead) -> (Vec<TokenId>, Vec<TokenId>) {
    let mut write = Write::begin_unread(store, at(1_000)).await.expect("a lock");
    let locked = write.lock_read_ahead(&scope(TOKENS), Some(ahead)).await;
    let locked = locked.expect("tokens");
    write.rollback().await.expect("a rollback");
    let ids = locked.tokens.iter().map(|token| token.id);
    (ids.collect(), locked.parents)
}

#[tokio::test]
async fn what_others_did_since_the_tokens_were_read_counts() {
    let (_folder, store) = store().await;
    let mut expected: Vec<_> = (1..=TOKENS).map(id).collect();

    let ahead = read_ahead(&store, &scope(TOKENS)).await.expect("tokens");
    assert_eq!(lock(&store, ahead).await, (expected.clone(), vec![]));

    let ahead = read_ahead(&store, &scope(TOKENS)).await.expect("tokens");
    let revoked = RevocationScope::Tokens(vec![id(7)]);
    let revoked = store.revoke(&revoked, &Revocation::new(at(200))).await;
    assert_eq!(revoked.expect("a revocation").tokens.len(), 1);
    expected.remove(6);
    assert_eq!(lock(&store, ahead).await, (expected.clone(), vec![]));

    let ahead = read_ahead(&store, &scope(TOKENS)).await.expect("tokens");
    execute(&store, "DELETE FROM pat_token WHERE id = 1").await;
    expected.remove(0);
    assert_eq!(lock(&store, ahead).await, (expected.clone(), vec![]));

    let ahead = read_ahead(&store, &scope(TOKENS)).await.expect("tokens");
    insert(&store, TOKENS + 1, Some(9)).await;
    assert_eq!(lock(&store, ahead).await, (expected, vec![id(9)]));
    assert!(read_ahead(&store, &scope(TOKENS)).await.is_none());
}

#[tokio::test]
async fn tokens_that_are_replaced_meanwhile_are_not_read_again() {
    let (_folder, store) = store().await;
    let rotate = async |predecessor, number| {
        let (id, digest) = (id(number), digest(number));
        let rotation = Rotation::new(predecessor, owner(), id, digest, at(number));
        store.rotate(&rotation).await.expect("a rotation");
    };
    // The first of its line is not named.
    let named = RevocationScope::Tokens((2..=TOKENS + 1).map(id).collect());
    rotate(id(1), TOKENS + 1).await;
    let ahead = read_ahead(&store, &named).await.expect("tokens");
    assert_eq!(ahead.ids, (1..=TOKENS + 1).map(id).collect::<Vec<_>>());
    rotate(id(TOKENS + 1), TOKENS + 2).await;
    rotate(id(2), TOKENS + 3).await;
    let mut write = Write::begin_unread(&store, at(1_000))
        .await
        .expect("a lock");
    assert!(write.is_unchanged(&ahead).await.expect("an answer"));
    let locked = write.lock_unrevoked(&named).await.expect("tokens");
    assert_eq!(locked.tokens, ahead.unrevoked.tokens);
}

#[tokio::test]
async fn only_tokens_of_large_revocations_are_read_ahead() {
    let (_folder, store) = store().await;
    let large = i64::try_from(LARGE).expect("a number");
    assert!(read_ahead(&store, &scope(large)).await.is_none());
    assert!(read_ahead(&store, &scope(large + 1)).await.is_some());
    let RevocationScope::Tokens(ids) = scope(TOKENS) else {
        unreachable!("tokens");
    };
    let family = RevocationScope::TokensAndDescendants(ids);
    assert!(read_ahead(&store, &family).await.is_none());
    assert!(
        read_ahead(&store, &RevocationScope::Owner(owner()))
            .await
            .is_none()
    );
}

/// Returns the size of the database file, without the write-ahead log.
fn size(folder: &TempDir) -> u64 {
    let file = std::fs::metadata(folder.path().join("pat.db"));
    file.expect("the file").len()
}

#[tokio::test]
async fn the_checkpoint_of_a_large_transaction_comes_after_its_commit() {
    let (folder, store) = store().await;
    let mut connection = store.pool.acquire().await.expect("a connection");
    let setting = "PRAGMA wal_autocheckpoint";
    connection
        .execute(AssertSqlSafe(format!("{setting} = 1")))
        .await
        .expect("a setting");
    let grow = "INSERT INTO pat_event (id, at, kind, reason, number, seq) \
                SELECT id, 1, 'other', hex(zeroblob(1000)), 1, 0 FROM pat_token";
    let before = size(&folder);
    let put_off = <Sqlite as crate::sql_dialect::SqlDialect>::put_off_checkpoint(&mut connection);
    let put_off = put_off.await.expect("a setting").expect("a checkpoint");
    connection.execute(grow).await.expect("rows");
    assert_eq!(size(&folder), before, "only the log has them");
    let made = <Sqlite as crate::sql_dialect::SqlDialect>::checkpoint(put_off, &mut connection);
    made.await.expect("a checkpoint");
    assert!(size(&folder) > before + 150_000);
    let restored = connection.fetch_one(setting).await.expect("a setting");
    assert_eq!(restored.get::<i64, _>(0), 1);
}

#[tokio::test]
async fn a_large_revocation_leaves_its_connection_as_it_was() {
    let (_folder, store) = store().await;
    let revoked = store
        .revoke(&scope(TOKENS), &Revocation::new(at(200)))
        .await;
    assert_eq!(revoked.expect("a revocation").tokens.len(), 150);
    let mut connections = Vec::new();
    while let Some(connection) = store.pool.try_acquire() {
        connections.push(connection);
    }
    assert!(!connections.is_empty());
    for mut connection in connections {
        let setting = connection.fetch_one("PRAGMA wal_autocheckpoint").await;
        assert_eq!(setting.expect("a setting").get::<i64, _>(0), 1_000);
    }
}
