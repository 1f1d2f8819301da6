//! The settings of a service: its properties, their defaults, and the sources of their values.
//!
//! Values come from typed setters, property text, environment variables or any format that serde reads.
//! [`SettingsBuilder`] checks each value, so [`Settings`] are always valid. A later value replaces an
//! earlier one, so the order of the calls decides which source wins:
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
//! A program whose operator must see where a value comes from, and every error at once, reads its settings through
//! [`SettingsSources`].
//!
//! A name that no property has is an error in property text and in what serde reads. The environment also has
//! variables of other programs, so [`SettingsBuilder::from_env`] refuses only those that look like a misspelt
//! property, such as `PAT_RELM`.
//!
#![doc = include_str!("../docs/properties.md")]

mod builder;
mod deserialize;
pub(crate) mod error;
mod kind;
mod property;
mod source;
mod sources;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use self::builder::SettingsBuilder;
pub(crate) use self::error::SettingsError;
pub use self::property::Property;
pub use self::sources::{SettingValue, SettingsProblem, SettingsReading, SettingsSources};
pub(crate) use self::table::Settings;
use crate::scope::Scopes;
use crate::token::FormatName;

/// Gives each variant its text in properties. A variant that is left out fails the build.
macro_rules! choices {
    ($($choice:ident: $($text:literal = $variant:ident),+;)+) => {$(
        impl fmt::Display for $choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }

        impl FromStr for $choice {
            type Err = InvalidChoice;

            fn from_str(text: &str) -> Result<Self, InvalidChoice> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidChoice),
                }
            }
        }
    )+};
}

/// The error for text that is not a value of [`CreateByToken`], [`RevocationWait`] or [`TokenLayout`].
/// [`Property::allowed`] lists the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such choice; see Property::allowed for the choices")]
pub struct InvalidChoice;

/// Whether a request that a token authenticates may create tokens: the value of the setting
/// `pat.create.by.token`. `Display` and `FromStr` use `allowed`, `capped` and `forbidden`. The default is
/// [`CreateByToken::Allowed`].
///
/// This enum is exhaustive: each variant is a value of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateByToken {
    /// A token may create tokens. The new token records the creating token as its parent, may expire later
    /// than the parent, and stays valid when the parent is revoked. So a leaked token must be revoked
    /// together with its children ([`Pats::revoke_with`](crate::Pats::revoke_with)).
    /// [`CreateByToken::Capped`] is the safer choice.
    Allowed,
    /// A token may create tokens. The new token expires no later than the creating token, and is revoked with
    /// it. A request for a longer life span is refused ([`PolicyError::OutlivesParent`]); a request without a
    /// life span gets a token that expires at the same time as the creating token.
    ///
    /// [`PolicyError::OutlivesParent`]: crate::PolicyError::OutlivesParent
    Capped,
    /// A token may not create tokens: the user must sign in to the host.
    Forbidden,
}

/// The point at which a revocation is acknowledged: the value of the setting `pat.revocation.wait`.
/// `Display` and `FromStr` use `none` and `cluster`. The default is [`RevocationWait::None`].
///
/// This enum is exhaustive: each variant is a value of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationWait {
    /// A revocation is acknowledged after its commit, when the node that revokes no longer accepts the
    /// token. Other nodes accept the token for at most the time in the setting
    /// `pat.auth.max.staleness.ms`.
    None,
    /// A revocation is acknowledged when no node accepts the token any more. The acknowledgement waits at most
    /// 1.1 times the setting `pat.auth.max.staleness.ms` (by default 2.2 seconds).
    Cluster,
}

/// The format of new tokens: the value of the setting `pat.token.format`. `Display` and `FromStr` use
/// `prefixed` and `atlassian`. The default is [`TokenLayout::Prefixed`].
///
/// This enum is exhaustive: each variant is a value of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLayout {
    /// The token string is a prefix (the setting `pat.token.prefix`), 256 random bits and a checksum; see
    /// [`PrefixedFormat`](crate::format::PrefixedFormat).
    Prefixed,
    /// The format of Atlassian's tokens; see [`AtlassianFormat`](crate::format::AtlassianFormat).
    Atlassian,
}

choices! {
    CreateByToken: "allowed" = Allowed, "capped" = Capped, "forbidden" = Forbidden;
    RevocationWait: "none" = None, "cluster" = Cluster;
    TokenLayout: "prefixed" = Prefixed, "atlassian" = Atlassian;
}

impl Settings {
    /// Returns a builder in which every property has its documented
    /// [default](crate::settings#properties).
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// Returns every property, in the order of the [table of properties](crate::settings#properties).
    #[must_use]
    pub fn properties() -> &'static [Property] {
        table::PROPERTIES
    }

    /// Returns the name of the format of new tokens (the setting `pat.token.format`), with its prefix (the
    /// setting `pat.token.prefix`), such as `prefixed:pat`.
    #[must_use]
    pub fn issued_format(&self) -> FormatName {
        match self.token_format {
            TokenLayout::Prefixed => FormatName::Prefixed(self.token_prefix.clone()),
            TokenLayout::Atlassian => FormatName::Atlassian,
        }
    }

    /// Returns the names of the accepted formats, without duplicates: first
    /// [`Settings::issued_format`], then those of `pat.token.accepted`.
    #[must_use]
    pub fn accepted_formats(&self) -> &[FormatName] {
        &self.accepted_formats
    }

    /// Returns how many days before its expiry the owner of a token is reminded, in descending order: the
    /// setting `pat.expiry.reminder.days`, or if that is not set, `atlassian.pats.expiry.warning.days` alone.
    /// Empty if there is no list and the warning is 0 days.
    ///
    /// Each reminder of a token is sent at most once. After an outage only the one that is nearest to the expiry
    /// is sent. A reminder that is not less than the life span of a token does not apply to the token.
    #[must_use]
    pub fn expiry_reminder_days(&self) -> &[u32] {
        &self.reminders
    }

    /// Returns `pat.base.url`: the URL at which users reach the host, for links in notifications, without
    /// a slash at its end. `None` if it is not set, which is the default.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    /// Returns whether a token may rotate itself: whether `pat.rotate.by.token` is `true`, and
    /// `pat.create.by.token` is not `forbidden`.
    #[must_use]
    pub fn may_rotate_itself(&self) -> bool {
        self.rotate_by_token() && self.create_by_token() != CreateByToken::Forbidden
    }

    /// Returns `pat.scopes.default`: the scopes of a new token whose request names none and is not
    /// authenticated by a restricted token. `None` if it is not set, which is the default.
    #[must_use]
    pub fn scopes_default(&self) -> Option<&Scopes> {
        self.scopes_default.as_ref()
    }
}
