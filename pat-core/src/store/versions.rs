use super::StoreError;

/// The version of the stored data that this version of the crate reads and writes. It grows by one with
/// each release that stores more data.
///
/// Nodes that run several versions of the crate may share one store, since a newer version only adds data.
/// Before a newer version stores data that older versions would misread, it excludes them from the store
/// ([`TokenStore::raise_readable_from`](super::TokenStore::raise_readable_from)).
pub const SCHEMA_VERSION: u64 = 10;

/// The version of the data in a store, and the oldest version ([`SCHEMA_VERSION`]) that may use the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreVersions {
    /// Version to which the store was last migrated: the [`SCHEMA_VERSION`] of this crate or a greater one.
    pub version: u64,
    /// Least [`SCHEMA_VERSION`] with which a program may use the store; 0 if any program may.
    pub readable_from: u64,
}

impl Default for StoreVersions {
    /// Returns the versions of a store that has version [`SCHEMA_VERSION`] and that any program may use.
    fn default() -> Self {
        Self {
            version: SCHEMA_VERSION,
            readable_from: 0,
        }
    }
}

impl StoreVersions {
    /// Checks that a program with this version of the crate ([`SCHEMA_VERSION`]) may use the store.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if only programs with newer versions may.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.readable_from <= SCHEMA_VERSION {
            return Ok(());
        }
        Err(StoreError::Outdated {
            program: SCHEMA_VERSION,
            store: self.version,
            readable_from: self.readable_from,
        })
    }
}
