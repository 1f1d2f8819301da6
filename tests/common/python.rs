//! Python with the packages that the scripts of these tests use.

use std::path::{Path, PathBuf};

/// Why it cannot be used, or nothing if it can.
pub(crate) fn missing() -> Option<&'static str> {
    let installed = std::fs::read_to_string(venv().join("requirements.txt"));
    let is_current =
        installed.is_ok_and(|text| text == include_str!("../clients/requirements.txt"));
    (!is_current || !program().is_file())
        .then_some("needs clients-venv in the target folder; run .ci/setup")
}

pub(crate) fn program() -> PathBuf {
    venv().join("bin/python")
}

/// A script of this package.
pub(crate) fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where `.ci/setup` has installed the packages.
fn venv() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients-venv")
}
