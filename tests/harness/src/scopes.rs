//! Scopes, and users who may not give a token all of them.

use async_trait::async_trait;
use pat_core::scope::{AllowedScopes, ScopeCatalog};
use pat_core::testing::TestDirectory;
use pat_core::{BoxError, Owner, User, UserDirectory};

/// The scopes `read` and `write`, which implies `read`.
pub fn catalog() -> ScopeCatalog {
    let builder = ScopeCatalog::builder()
        .scope("read", "Read reports")
        .scope("write", "Read and change reports")
        .implies("write", "read");
    builder.build().expect("a catalog")
}

/// A directory that allows bob to read, carol nothing, and everybody else everything.
#[derive(Debug, Default)]
pub struct NarrowDirectory(pub TestDirectory);

#[async_trait]
impl UserDirectory for NarrowDirectory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        self.0.find(owner).await
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.0.is_administrator(owner).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.0.search(contains, limit).await
    }

    async fn allowed_scopes(
        &self,
        owner: &Owner,
        catalog: &ScopeCatalog,
    ) -> Result<AllowedScopes, BoxError> {
        // So that its outage is this one's.
        let all = self.0.allowed_scopes(owner, catalog).await?;
        Ok(match owner.as_str() {
            "bob" => AllowedScopes::only(catalog.set(["read"])?),
            "carol" => AllowedScopes::only(catalog.set([""; 0])?),
            _ => all,
        })
    }
}
