#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    expect(dead_code, reason = "without a database nothing opens a store")
)]

mod access;
mod apply;
mod call_time;
mod checkout;
#[cfg(all(
    feature = "commands",
    any(feature = "sqlite", feature = "postgres", feature = "mysql")
))]
mod commands;
mod conditions;
mod connect;
mod count;
mod dialect;
mod due;
mod error;
mod event_row;
mod events;
mod imports;
pub mod guide {
    #![doc = include_str!("docs/database.md")]
}
mod jobs;
mod migrate;
mod migration;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod prepare;
mod privileges;
mod probe;
mod retry;
mod row;
mod search;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
mod settings;
mod sql;
mod sql_dialect;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod tokens;
mod write;
mod writers;

pub use sqlx;

#[cfg(all(
    feature = "commands",
    any(feature = "sqlite", feature = "postgres", feature = "mysql")
))]
pub use self::commands::DatabaseUrl;
pub use self::connect::{AnyStore, connect, connect_without_migrating};
pub use self::dialect::Dialect;
#[doc(hidden)]
pub use self::dialect::Value;
pub use self::error::ConnectError;
pub use self::migration::Migration;
#[cfg(feature = "mysql")]
pub use self::mysql::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
pub use self::prepare::prepare_connection;
pub use self::sql_dialect::Grants;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::store::SqlxStore;
