//! What one writes in an afternoon: axum's `from_fn`, and a query to SQLite for each request.

use std::path::Path;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use http::{Request, Response, StatusCode, header};
use pat_sqlx::sqlx::{self, SqlitePool};
use sha2::{Digest, Sha256};

/// Messages of the length that tokens have.
pub(crate) fn tokens(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("pat_{number:049}"))
}

/// A new database with these tokens.
pub(crate) async fn database(path: &Path, tokens: &[String]) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePool::connect(&format!("sqlite:{}?mode=rwc", path.display())).await?;
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&pool)
        .await?;
    sqlx::query("CREATE TABLE token (digest BLOB PRIMARY KEY, owner TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    let mut transaction = pool.begin().await?;
    for token in tokens {
        sqlx::query("INSERT INTO token VALUES (?, 'alice')")
            .bind(&Sha256::digest(token)[..])
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(pool)
}

pub(crate) async fn authenticate(
    State(pool): State<SqlitePool>,
    mut request: Request<Body>,
    next: Next,
) -> Result<Response<Body>, StatusCode> {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header.and_then(|header| header.as_bytes().strip_prefix(b"Bearer "));
    let digest = Sha256::digest(token.ok_or(StatusCode::UNAUTHORIZED)?);
    let owner: Option<String> = sqlx::query_scalar("SELECT owner FROM token WHERE digest = ?")
        .bind(&digest[..])
        .fetch_optional(&pool)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let owner = owner.ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(owner);
    Ok(next.run(request).await)
}
