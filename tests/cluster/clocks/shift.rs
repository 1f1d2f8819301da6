//! A wrong date for programs that know nothing of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;

use pat_servers::programs::{find, folder};
use tempfile::TempDir;

pub(super) const DAY: i64 = 86_400;

/// By how many seconds the date is wrong in programs that are started with the variables of this. The
/// clocks that count from the start of the machine stay right, as on a machine whose date was set.
pub(super) struct Shift {
    folder: TempDir,
}

impl Shift {
    /// Why there is none; `None` if there is one.
    pub(super) fn missing() -> Option<&'static str> {
        find("cc")
            .is_none()
            .then_some("no C compiler on this machine")
    }

    pub(super) fn new(seconds: i64) -> Self {
        let shift = Self { folder: folder() };
        let source = shift.folder.path().join("shim.c");
        fs::write(&source, include_str!("shim.c")).expect("a source");
        let compiled = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-pthread", "-o",
            ])
            .arg(shift.object())
            .arg(&source)
            .status();
        assert!(compiled.expect("a C compiler").success(), "it compiles");
        shift.set(seconds);
        shift
    }

    /// Makes the date wrong by so many seconds from now on, in programs that run as well.
    pub(super) fn set(&self, seconds: i64) {
        // In place: the programs have it mapped.
        let mut file = File::options();
        let file = file
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file());
        let written = file
            .expect("a file")
            .write_all_at(&seconds.to_ne_bytes(), 0);
        written.expect("the shift");
    }

    /// What a program has to find in its environment.
    pub(super) fn variables(&self) -> [(OsString, OsString); 2] {
        [
            ("LD_PRELOAD".into(), self.object().into()),
            ("PAT_TEST_CLOCK_SHIFT".into(), self.file().into()),
        ]
    }

    fn object(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("seconds")
    }
}
