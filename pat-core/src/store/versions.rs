use super::StoreError;

/// The version of what stores keep, as this crate knows it: each release that keeps more counts up
/// from the one before.
///
/// Programs of several versions may use one store, since a newer version only adds. Once it uses
/// what an older one would misread, it says so in the store
/// ([`TokenStore::raise_readable_from`](super::TokenStore::raise_readable_from)).
pub const SCHEMA_VERSION: u64 = 6;

/// Which versions may use a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreVersions {
    /// The version that the store was last brought up to: [`SCHEMA_VERSION`], or that of a newer
    /// program.
    pub version: u64,
    /// The oldest version that may use the store; 0 for any.
    pub readable_from: u64,
}

impl Default for StoreVersions {
    /// Of a store that this version has made, and any may use.
    fn default() -> Self {
        Self {
            version: SCHEMA_VERSION,
            readable_from: 0,
        }
    }
}

impl StoreVersions {
    /// Whether this version may use the store.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if it may not.
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
