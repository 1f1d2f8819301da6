use std::fmt;
use std::ops::BitOr;

use super::names::is_name;
use super::{MAX_SCOPES, Scopes, TOKENS_ADMIN, TOKENS_READ, TOKENS_WRITE};

/// The scopes that a host declares, with the [reserved ones](super#reserved-scopes).
///
/// ```
/// use std::sync::Arc;
///
/// use pat_core::scope::ScopeCatalog;
/// use pat_core::{MemoryStore, Pats};
///
/// let scopes = ScopeCatalog::builder()
///     .scope("read", "Read reports")
///     .scope("write", "Read, change and delete reports")
///     .implies("write", "read")
///     .build()?;
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
/// # Ok::<(), pat_core::scope::CatalogError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScopeCatalog {
    /// In the order of their bits.
    declared: Vec<Declared>,
}

#[derive(Debug, Clone)]
struct Declared {
    name: Box<str>,
    description: Box<str>,
    /// The names that the host gave, or the reserved scope implies.
    implies: ScopeSet,
    /// The scope itself and all that it implies, directly or not.
    permits: ScopeSet,
}

/// A scope of a [`ScopeCatalog`].
#[derive(Debug, Clone, Copy)]
pub struct Scope<'c> {
    catalog: &'c ScopeCatalog,
    declared: &'c Declared,
}

/// A set of scopes of one [`ScopeCatalog`]. It means nothing to another catalog.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(u64);

/// The error for a scope name that a [`ScopeCatalog`] does not declare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scope {name:?} is not declared; declare it with `ScopeCatalogBuilder::scope`")]
#[non_exhaustive]
pub struct UndeclaredScope {
    /// The name.
    pub name: String,
}

/// The reason that a [`ScopeCatalog`] cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The name does not match `[a-z][a-z0-9:._-]{0,63}`.
    #[error(
        "the scope name {name:?} must begin with a lower-case letter, have at most 64 characters, and \
         consist of lower-case letters, digits and the characters : . _ -"
    )]
    #[non_exhaustive]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The name is one of the [reserved scopes](super#reserved-scopes).
    #[error("the scope {name:?} is reserved and already declared")]
    #[non_exhaustive]
    Reserved {
        /// The name.
        name: String,
    },
    /// The name is declared twice.
    #[error("the scope {name:?} is declared twice")]
    #[non_exhaustive]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The scope has no description, which people see when they choose the scopes of a token.
    #[error("the scope {name:?} needs a description")]
    #[non_exhaustive]
    NoDescription {
        /// The name.
        name: String,
    },
    /// There are more than [`MAX_SCOPES`] scopes, with the reserved ones.
    #[error("the scope {name:?} is one too many: with the 3 reserved ones, there are at most 64")]
    #[non_exhaustive]
    TooMany {
        /// The name of the first scope that is too many.
        name: String,
    },
    /// An implication names a scope that is not declared.
    #[error("an implication names the scope {name:?}, which is not declared")]
    #[non_exhaustive]
    Undeclared {
        /// The name that is not declared.
        name: String,
    },
    /// The implications lead from this scope back to it.
    #[error("the scope {name:?} implies itself, through a circle of implications")]
    #[non_exhaustive]
    Circle {
        /// The name of a scope of the circle.
        name: String,
    },
}

impl ScopeCatalog {
    /// Returns a builder for a catalog, which so far has only the reserved scopes.
    pub fn builder() -> ScopeCatalogBuilder {
        ScopeCatalogBuilder::default()
    }

    /// Returns whether no scope is declared, not even a reserved one: the catalog of a service for which the
    /// host has set none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Returns the declared scopes: the host's, in the order in which it declared them, then the reserved
    /// ones.
    pub fn iter(&self) -> impl Iterator<Item = Scope<'_>> {
        let scope = |declared| Scope {
            catalog: self,
            declared,
        };
        self.declared.iter().map(scope)
    }

    /// Returns the set of the scopes with these names. What they imply is not in the set.
    ///
    /// # Errors
    /// [`UndeclaredScope`] with the first name that is not declared.
    pub fn set<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<ScopeSet, UndeclaredScope> {
        let mut set = ScopeSet::default();
        for name in names {
            let name = name.as_ref();
            let bit = self.bit(name).ok_or_else(|| UndeclaredScope {
                name: name.to_owned(),
            })?;
            set = set | bit;
        }
        Ok(set)
    }

    /// Returns what a token with these scopes may do: the declared ones among them, and all that these imply.
    #[must_use]
    pub fn permitted_by(&self, scopes: &Scopes) -> ScopeSet {
        let declared = self.declared.iter();
        let granted = declared.filter(|declared| scopes.contains(&declared.name));
        granted.fold(ScopeSet::default(), |set, scope| set | scope.permits)
    }

    /// Returns what a token with these scopes may do, or with `None` an unrestricted token.
    pub(crate) fn permitted(&self, scopes: Option<&Scopes>) -> ScopeSet {
        scopes.map_or(ScopeSet::ALL, |scopes| self.permitted_by(scopes))
    }

    /// Returns the names of the scopes of a set, in the order of [`ScopeCatalog::iter`].
    pub fn names_of(&self, set: ScopeSet) -> impl Iterator<Item = &str> {
        let declared = self.declared.iter().enumerate();
        let within = declared.filter(move |(index, _)| set.contains(ScopeSet(1 << index)));
        within.map(|(_, declared)| &*declared.name)
    }

    fn bit(&self, name: &str) -> Option<ScopeSet> {
        let mut declared = self.declared.iter();
        let index = declared.position(|declared| *declared.name == *name)?;
        Some(ScopeSet(1 << index))
    }
}

impl<'c> Scope<'c> {
    /// Returns the name, such as `read`.
    #[must_use]
    pub fn name(&self) -> &'c str {
        &self.declared.name
    }

    /// Returns the sentence that tells people what the scope permits.
    #[must_use]
    pub fn description(&self) -> &'c str {
        &self.declared.description
    }

    /// Returns the names of the scopes that this one implies directly.
    pub fn implies(&self) -> impl Iterator<Item = &'c str> + use<'c> {
        self.catalog.names_of(self.declared.implies)
    }

    /// Returns the scope and all that it implies.
    pub(super) fn permits(&self) -> ScopeSet {
        self.declared.permits
    }
}

impl ScopeSet {
    /// All scopes of every catalog.
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// Returns whether every scope of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        other.without(self).is_empty()
    }

    /// Returns the scopes of this set that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the set has no scope.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for ScopeSet {
    type Output = Self;

    /// Returns the scopes that are in either set.
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({:#b})", self.0)
    }
}

/// Builds a [`ScopeCatalog`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ScopeCatalogBuilder {
    /// Names and descriptions.
    scopes: Vec<(String, String)>,
    implications: Vec<(String, String)>,
}

/// What every catalog ends with: the name, the description, and what the scope implies.
const RESERVED: [(&str, &str, Option<&str>); 3] = [
    (TOKENS_READ, "See your access tokens", None),
    (
        TOKENS_WRITE,
        "See, create and revoke your access tokens",
        Some(TOKENS_READ),
    ),
    (
        TOKENS_ADMIN,
        "As an administrator, see and revoke the access tokens of all users",
        None,
    ),
];

impl ScopeCatalogBuilder {
    /// Declares a scope with this name, which must match `[a-z][a-z0-9:._-]{0,63}`. The description is a
    /// sentence that tells people what the scope permits, without a full stop, such as `Read reports`.
    ///
    /// A declared name should keep its meaning: tokens that have it are bound to the name. Once it is no
    /// longer declared, it permits nothing.
    pub fn scope(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.scopes.push((name.into(), description.into()));
        self
    }

    /// Adds that the scope `name` implies the scope `implied`: a token with `name` may also do what `implied`
    /// permits, and what that implies. Both may be declared before or after this call, and may be reserved.
    pub fn implies(mut self, name: impl Into<String>, implied: impl Into<String>) -> Self {
        self.implications.push((name.into(), implied.into()));
        self
    }

    /// Builds the catalog: the declared scopes, and the [reserved ones](super#reserved-scopes).
    ///
    /// # Errors
    /// - [`CatalogError::InvalidName`], [`CatalogError::Reserved`], [`CatalogError::Duplicate`] or
    ///   [`CatalogError::NoDescription`]: a declared scope is not valid.
    /// - [`CatalogError::TooMany`]: there are more than [`MAX_SCOPES`] scopes, with the reserved ones.
    /// - [`CatalogError::Undeclared`]: an implication names a scope that is not declared.
    /// - [`CatalogError::Circle`]: a scope implies itself, directly or through others.
    pub fn build(self) -> Result<ScopeCatalog, CatalogError> {
        let reserved = RESERVED.map(|(name, description, _)| (name.into(), description.into()));
        let host = self.scopes.len();
        let mut catalog = ScopeCatalog::default();
        for (index, (name, description)) in self.scopes.into_iter().chain(reserved).enumerate() {
            let is_hosts = index < host;
            if !is_name(&name) {
                return Err(CatalogError::InvalidName { name });
            }
            if is_hosts && RESERVED.iter().any(|(reserved, ..)| *reserved == name) {
                return Err(CatalogError::Reserved { name });
            }
            if catalog.bit(&name).is_some() {
                return Err(CatalogError::Duplicate { name });
            }
            if crate::text::is_blank(&description) {
                return Err(CatalogError::NoDescription { name });
            }
            if is_hosts && index >= MAX_SCOPES - RESERVED.len() {
                return Err(CatalogError::TooMany { name });
            }
            catalog.declared.push(Declared {
                name: name.into(),
                description: description.into(),
                implies: ScopeSet::default(),
                permits: ScopeSet::default(),
            });
        }
        let of_reserved = RESERVED.iter().filter_map(|(name, _, implied)| {
            Some(((*name).to_owned(), implied.as_ref()?.to_string()))
        });
        for (name, implied) in self.implications.into_iter().chain(of_reserved) {
            let undeclared = |UndeclaredScope { name }| CatalogError::Undeclared { name };
            let implied = catalog.set([implied]).map_err(undeclared)?;
            let mut declared = catalog.declared.iter_mut();
            let scope = declared.find(|declared| *declared.name == *name);
            let scope = scope.ok_or(CatalogError::Undeclared { name })?;
            scope.implies = scope.implies | implied;
        }
        catalog.close()?;
        Ok(catalog)
    }
}

impl ScopeCatalog {
    /// Computes what each scope permits from what each implies.
    fn close(&mut self) -> Result<(), CatalogError> {
        for index in 0..self.declared.len() {
            let itself = ScopeSet(1 << index);
            let implied = self.closure(self.declared[index].implies);
            if implied.contains(itself) {
                let name = self.declared[index].name.to_string();
                return Err(CatalogError::Circle { name });
            }
            self.declared[index].permits = itself | implied;
        }
        Ok(())
    }

    /// Returns a set with all that its scopes imply.
    pub(super) fn closure(&self, set: ScopeSet) -> ScopeSet {
        let declared = self.declared.iter().enumerate();
        let wider = declared.fold(set, |wider, (index, declared)| {
            if wider.contains(ScopeSet(1 << index)) {
                wider | declared.implies
            } else {
                wider
            }
        });
        if wider == set {
            set
        } else {
            self.closure(wider)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The scopes `read` and `write`, which implies `read`.
    pub(crate) fn read_and_write() -> ScopeCatalogBuilder {
        ScopeCatalog::builder()
            .scope("read", "Read")
            .scope("write", "Write")
            .implies("write", "read")
    }

    fn catalog() -> ScopeCatalog {
        let builder = read_and_write()
            .scope("own", "Own")
            .implies("own", "write")
            .implies("own", TOKENS_WRITE);
        builder.build().expect("a catalog")
    }

    #[test]
    fn a_scope_permits_what_it_implies_however_indirectly() {
        let catalog = catalog();
        let permitted = |names: &[&str]| {
            let scopes = Scopes::new(names).expect("scopes");
            let permitted = catalog.permitted_by(&scopes);
            catalog.names_of(permitted).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(permitted(&["read"]), "read");
        assert_eq!(permitted(&["write"]), "read write");
        assert_eq!(
            permitted(&["own"]),
            "read write own tokens:read tokens:write"
        );
        assert_eq!(permitted(&[TOKENS_WRITE]), "tokens:read tokens:write");
        assert_eq!(permitted(&[TOKENS_ADMIN]), "tokens:admin");
        assert_eq!(permitted(&["gone", "read"]), "read", "undeclared");
        assert_eq!(permitted(&[]), "");
    }

    #[test]
    fn scopes_are_listed_as_they_were_declared() {
        let catalog = catalog();
        let listed: Vec<_> = catalog
            .iter()
            .map(|scope| (scope.name(), scope.implies().collect::<Vec<_>>().join(" ")))
            .collect();
        assert_eq!(
            listed,
            [
                ("read", String::new()),
                ("write", "read".into()),
                ("own", "write tokens:write".into()),
                (TOKENS_READ, String::new()),
                (TOKENS_WRITE, TOKENS_READ.into()),
                (TOKENS_ADMIN, String::new()),
            ]
        );
        assert_eq!(
            catalog.iter().next().map(|scope| scope.description()),
            Some("Read")
        );
        assert!(ScopeCatalog::default().is_empty() && !catalog.is_empty());
    }

    #[test]
    fn an_undeclared_name_is_no_set() {
        let missing = UndeclaredScope {
            name: "delete".into(),
        };
        assert_eq!(catalog().set(["read", "delete"]), Err(missing));
        assert_eq!(
            ScopeCatalog::default().permitted_by(&Scopes::new(["read"]).expect("scopes")),
            ScopeSet::default()
        );
    }

    #[test]
    fn errors_name_the_scope() {
        let name = |name: &str| name.to_owned();
        let read = || ScopeCatalog::builder().scope("read", "Read");
        let table = [
            (
                read().scope("Write", "Write"),
                CatalogError::InvalidName {
                    name: name("Write"),
                },
            ),
            (
                read().scope(TOKENS_READ, "Read"),
                CatalogError::Reserved {
                    name: name(TOKENS_READ),
                },
            ),
            (
                read().scope("read", "Again"),
                CatalogError::Duplicate { name: name("read") },
            ),
            (
                read().scope("write", " "),
                CatalogError::NoDescription {
                    name: name("write"),
                },
            ),
            (
                read().implies("read", "write"),
                CatalogError::Undeclared {
                    name: name("write"),
                },
            ),
            (
                read().implies("write", "read"),
                CatalogError::Undeclared {
                    name: name("write"),
                },
            ),
            (
                read().implies("read", "read"),
                CatalogError::Circle { name: name("read") },
            ),
            (
                read()
                    .implies("read", TOKENS_WRITE)
                    .implies(TOKENS_READ, "read"),
                CatalogError::Circle { name: name("read") },
            ),
        ];
        for (builder, expected) in table {
            let error = builder.build().expect_err("no catalog");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn with_the_reserved_scopes_there_are_at_most_64() {
        let with = |count: usize| {
            let scopes = (0..count).map(|number| format!("s{number}"));
            let builder = scopes.fold(ScopeCatalog::builder(), |builder, name| {
                builder.scope(name, "It")
            });
            builder.build()
        };
        let full = with(61).expect("a catalog");
        assert_eq!(full.iter().count(), MAX_SCOPES);
        let all = full.set(full.iter().map(|scope| scope.name()));
        assert_eq!(all, Ok(ScopeSet::ALL));
        let too_many = CatalogError::TooMany { name: "s61".into() };
        assert_eq!(with(62).expect_err("no catalog"), too_many);
    }

    proptest! {
        /// Among ten scopes, of which each may imply later ones.
        #[test]
        fn what_is_permitted_is_closed(pairs in prop::collection::vec((0..10usize, 0..10usize), 0..20), given in 0..10usize) {
            let names: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
            let builder = names.iter().fold(ScopeCatalog::builder(), |builder, name| builder.scope(name, "It"));
            let pairs: Vec<_> = pairs.into_iter().filter(|(from, to)| from < to).collect();
            let builder = pairs.iter().fold(builder, |builder, (from, to)| builder.implies(&names[*from], &names[*to]));
            let catalog = builder.build().expect("no circle");
            let permitted = catalog.permitted_by(&Scopes::new([&names[given]]).expect("scopes"));
            let has = |number: usize| permitted.contains(catalog.set([&names[number]]).expect("a set"));
            prop_assert!(has(given));
            for (from, to) in pairs {
                prop_assert!(!has(from) || has(to));
            }
        }
    }
}
