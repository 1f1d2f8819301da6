use std::borrow::Cow;

use fluent_bundle::FluentValue;

use crate::token::TokenStatus;

/// An argument of a message. A message can select a variant by its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A text, which the message contains as it is.
    Text(Cow<'a, str>),
    /// A number, which the message contains with groups of three digits. A message can select by the plural
    /// category of the number in its language (`[one]`), or by the number itself (`[1]`).
    Number(u64),
}

impl<'a> Value<'a> {
    pub(super) fn fluent(self) -> FluentValue<'a> {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// `yes` or `no`.
impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        if is_so { "yes" } else { "no" }.into()
    }
}

/// The name of the status in the REST API, such as `EXPIRES_SOON`.
impl From<TokenStatus> for Value<'_> {
    fn from(status: TokenStatus) -> Self {
        status.as_str().into()
    }
}
