//! Where temporary folders are.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

/// Where Linux has a file system in memory.
const MEMORY: &str = "/dev/shm";
/// How much must be free there. A run needs less than half of it.
const FREE: u64 = 4 << 30;
/// What the name of a run's folder has before the number of its process.
const PREFIX: &str = "pat-tests-";

/// A folder in memory that has the temporary folders of this run, until it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Has temporary folders be there, unless `TMPDIR` says where they are: a sync to a disk takes
    /// milliseconds, thousands of times in a run, and none of the tests has the machine lose its power.
    pub(crate) fn in_memory() -> Option<Self> {
        if std::env::var_os("TMPDIR").is_some() || !statvfs(MEMORY).is_ok_and(|it| suits(&it)) {
            return None;
        }
        delete_leftovers();
        let path = Path::new(MEMORY).join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let scratch = Self(path);
        // Servers do not run as root.
        fs::set_permissions(&scratch.0, Permissions::from_mode(0o755)).ok()?;
        tempfile::env::override_temp_dir(&scratch.0).ok()?;
        Some(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_for_the_next_run = fs::remove_dir_all(&self.0);
    }
}

/// Some of the tests make programs in their folders and start them.
fn suits(found: &StatVfs) -> bool {
    let refused = StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY;
    !found.f_flag.intersects(refused) && found.f_bavail * found.f_frsize >= FREE
}

/// Deletes the folders of runs that were killed.
fn delete_leftovers() {
    for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _another_users = fs::remove_dir_all(entry.path());
        }
    }
}
