use super::StoreError;

/// The version of the stored data that this crate knows. It grows by one with each release that
/// stores more.
///
/// Nodes of several versions may use one store, since a newer version only adds data. Before a
/// newer version stores data that an older one would misread, it excludes the older one
/// ([`TokenStore::raise_readable_from`](super::TokenStore::raise_readable_from)).
pub const SCHEMA_VERSION: u64 = 6;

/// The version of a store, and the oldest version that may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreVersions {
    /// The version to which the store was last migrated: [`SCHEMA_VERSION`] or newer.
    pub version: u64,
    /// The oldest version that may use the store; 0 for any.
    pub readable_from: u64,
}

impl Default for StoreVersions {
    /// Returns [`SCHEMA_VERSION`], usable by any version.
    fn default() -> Self {
        Self {
            version: SCHEMA_VERSION,
            readable_from: 0,
        }
    }
}

impl StoreVersions {
    /// Checks that this version may use the store.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if only newer versions may.
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
