//! The folder of a run, on a disk that can be filled up.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pat_servers::programs::is_root;
use tempfile::TempDir;

/// Enough for a run of an hour.
const SIZE: &str = "size=256m";

/// A folder that is deleted when this is dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    is_small: bool,
}

impl Folder {
    /// Makes a folder on the disk of all.
    pub fn temporary() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            is_small: false,
        }
    }

    /// On a small disk of its own, where there are the rights to have one.
    pub fn on_small_disk() -> Self {
        let mut folder = Self::temporary();
        folder.is_small = is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", SIZE, "pat-test"])
                .arg(folder.path())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
        folder
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns whether it is on a small disk of its own.
    pub fn is_small(&self) -> bool {
        self.is_small
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_small {
            // Lazily: a process that was just killed may still be in it.
            let mut command = Command::new("umount");
            let _status = command.arg("--lazy").arg(self.path()).status();
        }
    }
}

/// A disk without a free byte, until this is dropped.
#[derive(Debug)]
pub struct Full<'a>(&'a Path);

const FILLING: &str = "filling";

impl<'a> Full<'a> {
    /// Fills the disk that this folder is on.
    pub fn fill(folder: &'a Path) -> Self {
        let full = Self(folder);
        let mut file = File::create(folder.join(FILLING)).expect("a file");
        for block in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
        full
    }
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        fs::remove_file(self.0.join(FILLING)).expect("free space");
    }
}
