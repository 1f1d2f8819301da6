#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    expect(dead_code, reason = "without a database nothing opens a store")
)]

mod checkout;
mod connect;
mod dialect;
mod error;
mod events;
mod jobs;
mod migrate;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod privileges;
mod probe;
mod retry;
mod row;
mod search;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
mod settings;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod write;

pub use sqlx;

pub use self::connect::{AnyStore, connect};
pub use self::dialect::Dialect;
pub use self::error::ConnectError;
#[cfg(feature = "mysql")]
pub use self::mysql::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
pub use self::settings::prepare_connection;
#[doc(hidden)]
pub use self::sql::Value;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::store::SqlxStore;
