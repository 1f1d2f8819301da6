#![doc = include_str!("../README.md")]

mod dialect;
mod error;
mod jobs;
mod row;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod write;

pub use sqlx;

pub use self::dialect::Dialect;
pub use self::error::ConnectError;
pub use self::sql::{Portable, Value};
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::store::SqlxStore;
