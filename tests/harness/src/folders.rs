//! Folders of the repository and of its builds.

use std::path::{Path, PathBuf};

/// Returns the repository's folder: the one above the package that cargo runs, or, outside of cargo, above
/// this package as it was compiled.
#[must_use]
pub fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let is_repository = |folder: &&Path| folder.join("Cargo.lock").is_file();
    let repository = package.ancestors().find(is_repository);
    repository.expect("the repository").to_owned()
}

/// Returns the target folder, by the rule of `.ci/setup`.
#[must_use]
pub fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    repository().join(folder)
}
