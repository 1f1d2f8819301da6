//! Every property, under its documented name, from any source.
//!
//! [`Settings`] is valid by construction: the builder, serde, property text, the environment and
//! the command line all go through the one table of [`Property`]s. A later value replaces an
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
#![doc = include_str!("../docs/properties.md")]

mod builder;
mod deserialize;
pub(crate) mod error;
mod kind;
mod property;
mod source;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use self::builder::SettingsBuilder;
pub(crate) use self::error::SettingsError;
pub use self::property::Property;
pub(crate) use self::table::Settings;
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

/// The error for text that names no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such choice; see Property::allowed for the choices")]
pub struct InvalidChoice;

/// Whether a token may create tokens (`pat.create.by.token`). Exhaustive: each variant is a value of
/// the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateByToken {
    /// A token may create tokens. The new token records its parent, may outlive it, and stays when the
    /// parent is revoked, so a leaked token must be revoked together with its children
    /// ([`Pats::revoke_with`](crate::Pats::revoke_with)). [`CreateByToken::Capped`] is the safer choice.
    Allowed,
    /// A token may create tokens that expire no later than itself and are revoked with it.
    Capped,
    /// A token may not create tokens.
    Forbidden,
}

/// The point at which a revocation is acknowledged (`pat.revocation.wait`). Exhaustive: each variant is
/// a value of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationWait {
    /// After its own commit; other nodes follow within `pat.auth.max.staleness.ms`.
    None,
    /// When no node accepts the token any more.
    Cluster,
}

/// The layout of issued tokens (`pat.token.format`). Exhaustive: each variant is a value of the
/// property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLayout {
    /// A prefix, 256 random bits and a checksum.
    Prefixed,
    /// Atlassian's own layout.
    Atlassian,
}

choices! {
    CreateByToken: "allowed" = Allowed, "capped" = Capped, "forbidden" = Forbidden;
    RevocationWait: "none" = None, "cluster" = Cluster;
    TokenLayout: "prefixed" = Prefixed, "atlassian" = Atlassian;
}

impl Settings {
    /// Returns a builder that begins with the documented defaults.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// Returns every property, in the documented order.
    #[must_use]
    pub fn properties() -> &'static [Property] {
        table::PROPERTIES
    }

    /// Returns the format of new tokens.
    #[must_use]
    pub fn issued_format(&self) -> FormatName {
        match self.token_format {
            TokenLayout::Prefixed => FormatName::Prefixed(self.token_prefix.clone()),
            TokenLayout::Atlassian => FormatName::Atlassian,
        }
    }

    /// Returns the formats that authenticate: the issued one, then the others, each once.
    #[must_use]
    pub fn accepted_formats(&self) -> &[FormatName] {
        &self.accepted_formats
    }

    /// Returns `pat.base.url`: the URL of the host for links in mails, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
