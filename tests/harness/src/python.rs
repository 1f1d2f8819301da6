//! Python with the packages that the scripts of these tests use.

use std::fs;
use std::path::PathBuf;

use crate::{repository, target_folder};

/// Why it cannot be used, or nothing if it can.
pub fn missing() -> Option<&'static str> {
    let needed = fs::read(script("clients/requirements.txt")).expect("the requirements");
    let installed = fs::read(venv().join("requirements.txt"));
    let is_current = installed.is_ok_and(|installed| installed == needed);
    (!is_current || !program().is_file())
        .then_some("needs clients-venv in the target folder; run .ci/setup")
}

/// Returns the path of the interpreter.
pub fn program() -> PathBuf {
    venv().join("bin/python")
}

/// A file in the repository's folder `tests`.
pub fn script(path: &str) -> PathBuf {
    repository().join("tests").join(path)
}

/// Where `.ci/setup` has installed the packages.
fn venv() -> PathBuf {
    target_folder().join("clients-venv")
}
