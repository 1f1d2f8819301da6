//! Python with the packages that the scripts of these tests use.

use std::fs;
use std::path::PathBuf;

use crate::{repository, target_folder};

/// A virtual environment that `.ci/setup` makes in the target folder.
#[derive(Debug, Clone, Copy)]
pub struct Venv {
    /// Its folder.
    name: &'static str,
    /// The list of its packages, in `tests/clients`.
    requirements: &'static str,
    /// What a test says that lacks it.
    missing: &'static str,
}

/// The one of most scripts.
pub const CLIENTS: Venv = Venv {
    name: "clients-venv",
    requirements: "requirements.txt",
    missing: "needs clients-venv in the target folder; run .ci/setup",
};

/// The one of `use_mcp.py`, whose packages need other versions.
pub const MCP: Venv = Venv {
    name: "mcp-venv",
    requirements: "requirements-mcp.txt",
    missing: "needs mcp-venv in the target folder; run .ci/setup",
};

impl Venv {
    /// Why it cannot be used, or nothing if it can.
    pub fn missing(self) -> Option<&'static str> {
        let needed = fs::read(script("clients").join(self.requirements)).expect("the requirements");
        let installed = fs::read(self.folder().join("requirements.txt"));
        let is_current = installed.is_ok_and(|installed| installed == needed);
        (!is_current || !self.program().is_file()).then_some(self.missing)
    }

    /// Returns the path of the interpreter.
    pub fn program(self) -> PathBuf {
        self.folder().join("bin/python")
    }

    fn folder(self) -> PathBuf {
        target_folder().join(self.name)
    }
}

/// A file in the repository's folder `tests`.
pub fn script(path: &str) -> PathBuf {
    repository().join("tests").join(path)
}
