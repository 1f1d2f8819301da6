//! Which hosts are tested, and how they are built.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use pat_harness::{repository, target_folder, timer_now};

use crate::{HOSTS, Host};

/// Returns the names of the hosts that `PAT_TEST_HOSTS` chooses.
pub(crate) fn chosen() -> Vec<&'static str> {
    let names = HOSTS.map(|host| host.name);
    match std::env::var("PAT_TEST_HOSTS").as_deref() {
        Err(_) | Ok("") => vec![],
        Ok("all") => names.to_vec(),
        Ok("commit") => vec![names[turn() % names.len()]],
        Ok(list) => {
            let find = |name| names.into_iter().find(|it| *it == name);
            let find = |name| find(name).unwrap_or_else(|| panic!("no host is called {name}"));
            list.split(',').map(find).collect()
        }
    }
}

/// The first byte of the commit's hash.
fn turn() -> usize {
    let mut git = Command::new("git");
    let git = git.args(["rev-parse", "HEAD"]).current_dir(repository());
    let hash = git.output().expect("git").stdout;
    let hash = String::from_utf8(hash).expect("a hash");
    usize::from_str_radix(&hash[..2], 16).expect("a hash")
}

/// Where `.ci/package` has hosts that use the packages, this folder is another.
fn manifest(host: &str) -> PathBuf {
    let folder = std::env::var_os("PAT_TEST_HOSTS_FOLDER");
    let folder = folder.map_or_else(|| repository().join("hosts"), PathBuf::from);
    folder.join(host).join("Cargo.toml")
}

/// Builds a host with what its lock file names, and returns the folder of its programs. Prints what went
/// wrong.
pub(crate) fn build(host: Host) -> Option<PathBuf> {
    let target = target_folder().join("hosts");
    let begun = timer_now();
    let status = cargo(&["build", "--locked", "--quiet"], host.name)
        .arg("--target-dir")
        .arg(&target)
        .status();
    println!("hosts/{} took {:?} to build", host.name, begun.elapsed());
    let is_built = status.expect("cargo").success();
    is_built.then(|| target.join("debug"))
}

fn cargo(arguments: &[&str], host: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(arguments)
        .arg("--manifest-path")
        .arg(manifest(host));
    // The hosts are not built as the tests are.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(&*name);
        }
    }
    cargo.stdin(Stdio::null());
    cargo
}

/// A lock file also has the dependencies of this repository's crates.
pub(crate) fn lock_files_are_up_to_date() {
    let is_current = |host: &str| {
        let update = cargo(&["update", "--workspace", "--locked", "--quiet"], host).status();
        update.expect("cargo").success()
    };
    let names = HOSTS.map(|host| host.name);
    let old: Vec<_> = names.into_iter().filter(|host| !is_current(host)).collect();
    let update = "cargo update --workspace --manifest-path";
    let commands = old
        .iter()
        .map(|host| format!("{update} hosts/{host}/Cargo.toml\n"));
    assert!(old.is_empty(), "run\n{}", commands.collect::<String>());
}
