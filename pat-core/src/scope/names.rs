use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::MAX_SCOPES;

/// The names of a token's scopes: a set of at most [`MAX_SCOPES`] names. Cheap to clone.
///
/// A name matches `[a-z][a-z0-9:._-]{0,63}`. It need not be declared in the
/// [`ScopeCatalog`](super::ScopeCatalog): a token keeps the names of scopes that are no longer declared, which
/// permit nothing.
///
/// `Display` and `FromStr` use the form of OAuth's parameter `scope` (RFC 6749 section 3.3): the names,
/// separated by spaces. `Display` writes them in alphabetical order. With serde, the value is an array of
/// names.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(Arc<str>);

/// The error for names that are not a set of scope names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScopes {
    /// The name at this index, counted from 0, does not match `[a-z][a-z0-9:._-]{0,63}`.
    #[error(
        "the scope at index {index} must begin with a lower-case letter, have at most 64 characters, and \
         consist of lower-case letters, digits and the characters : . _ -"
    )]
    #[non_exhaustive]
    Name {
        /// The index of the name, counted from 0.
        index: usize,
    },
    /// The name at this index occurs before.
    #[error("the scope at index {index} occurs twice")]
    #[non_exhaustive]
    Duplicate {
        /// The index of the name, counted from 0.
        index: usize,
    },
    /// There are more than [`MAX_SCOPES`] names.
    #[error("a token has at most 64 scopes")]
    TooMany,
}

impl Scopes {
    /// Creates a set of scopes from their names, in any order.
    ///
    /// # Errors
    /// - [`InvalidScopes::Name`]: a name does not match `[a-z][a-z0-9:._-]{0,63}`.
    /// - [`InvalidScopes::Duplicate`]: a name occurs twice.
    /// - [`InvalidScopes::TooMany`]: there are more than [`MAX_SCOPES`] names.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self, InvalidScopes> {
        let mut sorted: Vec<N> = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            if index >= MAX_SCOPES {
                return Err(InvalidScopes::TooMany);
            }
            if !is_name(name.as_ref()) {
                return Err(InvalidScopes::Name { index });
            }
            match sorted.binary_search_by(|other| other.as_ref().cmp(name.as_ref())) {
                Ok(_) => return Err(InvalidScopes::Duplicate { index }),
                Err(place) => sorted.insert(place, name),
            }
        }
        let names: Vec<&str> = sorted.iter().map(AsRef::as_ref).collect();
        Ok(Self(names.join(" ").into()))
    }

    /// Returns the empty set: a token with these scopes may do nothing that needs a scope.
    #[must_use]
    pub fn none() -> Self {
        Self("".into())
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether this name is in the set. What a scope implies is not considered.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|scope| scope == name)
    }

    /// Returns the names in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// Returns the names in alphabetical order, separated by spaces, such as `read tokens:read`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether `name` matches `[a-z][a-z0-9:._-]{0,63}`.
pub(super) fn is_name(name: &str) -> bool {
    let is_other =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b":._-".contains(byte);
    match name.as_bytes() {
        [first, others @ ..] => {
            first.is_ascii_lowercase() && others.len() < 64 && others.iter().all(is_other)
        }
        [] => false,
    }
}

impl FromStr for Scopes {
    type Err = InvalidScopes;

    /// Parses names that are separated by single spaces, in any order. The empty string is the empty set.
    ///
    /// # Errors
    /// Those of [`Scopes::new`]. Text with a space at one end, or with two together, has an empty name, which
    /// is [`InvalidScopes::Name`].
    fn from_str(text: &str) -> Result<Self, InvalidScopes> {
        match text {
            "" => Ok(Self::none()),
            text => Self::new(text.split(' ')),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::new(names).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        let longest = "a".repeat(64);
        for name in ["a", "read", "repo:write", "a.b_c-d:9", &longest] {
            assert!(is_name(name), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in [
            "", "Read", "1a", ":a", "a b", "a,b", "ä", "a\n", "a/b", &too_long,
        ] {
            assert_eq!(
                Scopes::new(["ok", name]),
                Err(InvalidScopes::Name { index: 1 }),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_set_has_each_name_once_and_at_most_64() {
        assert_eq!(
            Scopes::new(["b", "a", "b"]),
            Err(InvalidScopes::Duplicate { index: 2 })
        );
        let names: Vec<_> = (0..65).map(|number| format!("s{number}")).collect();
        assert!(Scopes::new(&names[..64]).is_ok());
        assert_eq!(Scopes::new(&names), Err(InvalidScopes::TooMany));
    }

    #[test]
    fn text_with_an_empty_name_is_refused() {
        for text in [" ", " a", "a ", "a  b"] {
            assert!(
                matches!(text.parse::<Scopes>(), Err(InvalidScopes::Name { .. })),
                "{text:?}"
            );
        }
        assert_eq!("".parse(), Ok(Scopes::none()));
    }

    #[test]
    fn names_are_in_alphabetical_order() {
        let scopes = Scopes::new(["tokens:read", "read"]).expect("scopes");
        assert_eq!(scopes.as_str(), "read tokens:read");
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_is_written(names in prop::collection::hash_set("[a-z][a-z0-9:._-]{0,8}", 0..20)) {
            let scopes = Scopes::new(&names).expect("names");
            prop_assert_eq!(scopes.iter().count(), names.len());
            prop_assert!(scopes.iter().is_sorted());
            prop_assert!(names.iter().all(|name| scopes.contains(name)));
            prop_assert_eq!(scopes.to_string().parse(), Ok(scopes.clone()));
            let json = serde_json::to_string(&scopes).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Scopes>(&json).expect("scopes"), scopes);
        }
    }
}
