//! A token: its ID, secret, string formats and stored description.

mod date;
pub mod format;
mod id;
mod record;
mod secret;

pub use self::date::DateText;
pub(crate) use self::format::{FormatName, RandomnessError, TokenFormat, TokenPrefix};
pub(crate) use self::id::IdSource;
pub use self::id::{InvalidOwner, InvalidTokenId, Owner, TokenId};
pub(crate) use self::record::is_expired;
pub use self::record::{
    Disabled, InvalidToken, InvalidTokenStatus, Line, Replaced, Token, TokenStatus,
};
pub use self::secret::{PlainToken, TokenDigest};
pub(crate) use self::secret::{random_u53, random_u64};
