//! Every property, under its documented name, from whatever source.
//!
//! [`Settings`] is valid by construction: the builder, serde, property text, the environment and
//! the command line all go through the one table of [`Property`]s. A later value replaces an
//! earlier one, so the caller decides which source wins:
//!
//! ```
//! use pat_core::Settings;
//!
//! let settings = Settings::builder()
//!     .parse_properties("atlassian.pats.max.tokens.per.user = 20\npat.realm = Example")?
//!     .from_env([("ATLASSIAN_PATS_MAX_TOKENS_PER_USER", "30")])?
//!     .set("pat.auth.max.staleness.ms", "1000")?
//!     .build()?;
//! assert_eq!(settings.max_tokens_per_user(), 30);
//! for property in Settings::properties() {
//!     println!("{}={}", property.name(), property.value(&settings));
//! }
//! # Ok::<(), pat_core::SettingsError>(())
//! ```
//!
#![doc = include_str!("../docs/properties.md")]

mod builder;
mod deserialize;
mod error;
mod property;
mod rule;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::builder::SettingsBuilder;
pub use self::error::SettingsError;
pub use self::property::Property;
use crate::schedule::{Schedule, Zone};
use crate::token::{FormatName, TokenPrefix};

/// The properties in force. `Settings::default()` has the documented defaults.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a documented property of its own"
)]
pub struct Settings {
    enabled: bool,
    eternal_tokens_enabled: bool,
    mail_notifications_enabled: bool,
    last_used_update_interval_mins: u32,
    pruning_schedule_cron: Schedule,
    pruning_delay_days: u32,
    max_tokens_expiry_days: u32,
    max_tokens_per_user: u32,
    auth_cache_expiry_mins: u32,
    auth_cache_max_items: u32,
    expiry_check_schedule_cron: Schedule,
    expiry_warning_days: u32,
    invalidate_session_enabled: bool,
    token_name_length: u32,
    admin_enabled: bool,
    auth_max_staleness_ms: u32,
    auth_database_timeout_ms: u32,
    cluster_poll_interval_ms: u32,
    revocation_wait: RevocationWait,
    create_by_token: CreateByToken,
    token_prefix: TokenPrefix,
    token_format: TokenLayout,
    /// As it was given.
    token_accepted: Vec<FormatName>,
    /// The issued one, then the others, each once; follows from the three above.
    accepted_formats: Vec<FormatName>,
    realm: Box<str>,
    base_url: Option<Box<str>>,
    notice_created: bool,
    notice_pruned: bool,
    notice_revoked_by_admin: bool,
    time_zone: Zone,
    max_rows_per_user: u32,
}

/// Whether a token may create tokens (`pat.create.by.token`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateByToken {
    /// It may; the new token records which one created it, and outlives it. So who revokes a token that
    /// has leaked must see to what was created with it ([`Pats::revoke_with`](crate::Pats::revoke_with));
    /// unless tokens are meant to create such that last longer, [`CreateByToken::Capped`] is better.
    Allowed,
    /// It may, but what it creates lives no longer than itself and is revoked with it.
    Capped,
    /// It may not.
    Forbidden,
}

/// What a revocation waits for before it is acknowledged (`pat.revocation.wait`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationWait {
    /// For its own commit; other nodes follow within the staleness bound.
    None,
    /// Until no node accepts the token any more.
    Cluster,
}

/// How issued tokens look (`pat.token.format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLayout {
    /// A prefix, 256 random bits and a checksum.
    Prefixed,
    /// Atlassian's own layout.
    Atlassian,
}

const DAY: Duration = Duration::from_hours(24);

impl Settings {
    /// Begins with the documented defaults.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// Every property there is, in the documented order.
    #[must_use]
    pub fn properties() -> &'static [Property] {
        table::PROPERTIES
    }

    /// Whether tokens may be created and used at all.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a token may be created that never expires.
    #[must_use]
    pub fn eternal_tokens_enabled(&self) -> bool {
        self.eternal_tokens_enabled
    }

    /// Whether owners are mailed about their tokens.
    #[must_use]
    pub fn mail_notifications_enabled(&self) -> bool {
        self.mail_notifications_enabled
    }

    /// How often last uses are written to the store; at least a minute.
    #[must_use]
    pub fn last_used_update_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.last_used_update_interval_mins) * 60)
    }

    /// When expired and revoked tokens are pruned.
    #[must_use]
    pub fn pruning_schedule(&self) -> &Schedule {
        &self.pruning_schedule_cron
    }

    /// How long an expired or revoked token is kept before it is pruned; whole days.
    #[must_use]
    pub fn pruning_delay(&self) -> Duration {
        DAY * self.pruning_delay_days
    }

    /// The longest life span that may be asked for, in days of 24 hours.
    #[must_use]
    pub fn max_tokens_expiry_days(&self) -> u32 {
        self.max_tokens_expiry_days
    }

    /// How many unrevoked tokens one user may have, expired ones included.
    #[must_use]
    pub fn max_tokens_per_user(&self) -> u32 {
        self.max_tokens_per_user
    }

    /// How many tokens of one user the store keeps, revoked and expired ones included, until they
    /// are pruned: at least a hundred times [`Settings::max_tokens_per_user`].
    #[must_use]
    pub fn max_rows_per_user(&self) -> u32 {
        self.max_rows_per_user
    }

    /// How long an authenticated token stays cached at most; zero for no cache.
    #[must_use]
    pub fn auth_cache_expiry(&self) -> Duration {
        Duration::from_secs(u64::from(self.auth_cache_expiry_mins) * 60)
    }

    /// How many authenticated tokens are cached at most.
    #[must_use]
    pub fn auth_cache_max_items(&self) -> u32 {
        self.auth_cache_max_items
    }

    /// When notifications about expiry are queued.
    #[must_use]
    pub fn expiry_check_schedule(&self) -> &Schedule {
        &self.expiry_check_schedule_cron
    }

    /// How many days before its expiry a token counts as "expires soon".
    #[must_use]
    pub fn expiry_warning_days(&self) -> u32 {
        self.expiry_warning_days
    }

    /// Whether the session of a request that a token authenticated is destroyed.
    #[must_use]
    pub fn invalidate_session_enabled(&self) -> bool {
        self.invalidate_session_enabled
    }

    /// The longest name of a token, in Unicode scalar values.
    #[must_use]
    pub fn token_name_length(&self) -> u32 {
        self.token_name_length
    }

    /// Whether administrators can search and revoke in bulk.
    #[must_use]
    pub fn admin_enabled(&self) -> bool {
        self.admin_enabled
    }

    /// How long another node may still accept a revoked token, whatever single fault there is;
    /// zero to ask the database on each request.
    #[must_use]
    pub fn auth_max_staleness(&self) -> Duration {
        Duration::from_millis(self.auth_max_staleness_ms.into())
    }

    /// How long a request waits for the database to look its token up.
    #[must_use]
    pub fn auth_database_timeout(&self) -> Duration {
        Duration::from_millis(self.auth_database_timeout_ms.into())
    }

    /// How often a node reads what others have changed.
    #[must_use]
    pub fn cluster_poll_interval(&self) -> Duration {
        Duration::from_millis(self.cluster_poll_interval_ms.into())
    }

    /// What a revocation waits for.
    #[must_use]
    pub fn revocation_wait(&self) -> RevocationWait {
        self.revocation_wait
    }

    /// Whether a token may create tokens.
    #[must_use]
    pub fn create_by_token(&self) -> CreateByToken {
        self.create_by_token
    }

    /// The format of new tokens.
    #[must_use]
    pub fn issued_format(&self) -> FormatName {
        match self.token_format {
            TokenLayout::Prefixed => FormatName::Prefixed(self.token_prefix.clone()),
            TokenLayout::Atlassian => FormatName::Atlassian,
        }
    }

    /// The formats that authenticate: the issued one, then the others, each once.
    #[must_use]
    pub fn accepted_formats(&self) -> &[FormatName] {
        &self.accepted_formats
    }

    /// The realm in challenges: printable ASCII without `"` and `\`.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Where users reach the host, for links in mails; an absolute URL.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    /// Whether a user is mailed when a token of his is created.
    #[must_use]
    pub fn notice_created(&self) -> bool {
        self.notice_created
    }

    /// Whether a user is mailed when an expired token of his is pruned.
    #[must_use]
    pub fn notice_pruned(&self) -> bool {
        self.notice_pruned
    }

    /// Whether a user is mailed when an administrator revokes a token of his.
    #[must_use]
    pub fn notice_revoked_by_admin(&self) -> bool {
        self.notice_revoked_by_admin
    }

    /// The time zone of the schedules.
    #[must_use]
    pub fn time_zone(&self) -> &Zone {
        &self.time_zone
    }
}
