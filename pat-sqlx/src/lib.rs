#![doc = include_str!("../README.md")]

mod dialect;
mod error;
mod jobs;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod write;

pub use sqlx;

pub use self::dialect::Dialect;
pub use self::error::ConnectError;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::store::SqlxStore;
