#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod auth;
mod caller;
mod client;
mod clock;
mod cluster;
#[cfg(feature = "commands")]
pub mod commands;
mod context;
mod directory;
mod error;
pub mod event;
pub mod guide {
    #![doc = include_str!("docs/guide.md")]

    pub mod cluster {
        #![doc = include_str!("docs/cluster.md")]
    }
    pub mod dependencies {
        #![doc = include_str!("docs/dependencies.md")]
    }
    pub mod monitoring {
        #![doc = include_str!("docs/metrics.md")]
    }
    #[cfg(feature = "commands")]
    pub mod operate {
        #![doc = include_str!("docs/operate.md")]
    }
    pub mod proxies {
        #![doc = include_str!("docs/proxies.md")]
    }
    pub mod performance {
        #![doc = include_str!("docs/performance.md")]
    }
}
pub mod health;
mod jobs;
mod memory;
#[cfg(feature = "messages")]
pub mod messages;
mod metrics;
mod node;
pub mod notification;
mod outage;
mod policy;
mod principal;
mod schedule;
pub mod scope;
pub mod search;
mod service;
pub mod settings;
pub mod store;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
mod token;
mod versions;

/// The attribute of ports with asynchronous methods, such as [`UserDirectory`], and of their implementations:
/// re-exported from the crate `async-trait`, so that a host needs no dependency on it.
pub use async_trait::async_trait;

pub use self::caller::Caller;
pub use self::client::Client;
pub use self::clock::{Clock, SystemClock};
pub use self::directory::{OpenDirectory, User, UserDirectory};
pub use self::error::{
    AccessError, AdminError, AuthError, BoxError, CreateError, PolicyError, RotateError,
    Unavailable, UpdateError,
};
pub use self::jobs::{JobRun, Jobs, ShutdownReport};
pub use self::memory::MemoryStore;
pub use self::policy::{Lifetime, RotationRequest, TokenRequest};
pub use self::principal::Principal;
pub use self::schedule::{InvalidSchedule, Schedule, UnknownZone, Zone};
pub use self::service::{
    Administration, CreatedToken, Family, ImportRefusal, ImportRow, Imported, InactiveOwners,
    LostToken, OwnPage, OwnSearch, Pats, PatsBuilder, RefusedRow, Relatives, Restored,
    RevokedCount, SearchPage, StatusPage, StatusPosition, StatusStart, Successor, TokenHistory,
    TokenUpdate, UpdatedToken,
};
pub use self::settings::error::SettingsError;
pub use self::settings::table::Settings;
pub use self::token::{
    DateText, Disabled, InvalidOwner, InvalidToken, InvalidTokenId, InvalidTokenStatus, Line,
    Owner, PlainToken, Replaced, Token, TokenDigest, TokenId, TokenStatus, format,
};
