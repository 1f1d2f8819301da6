//! What the benchmarks share.

pub mod turns;

use std::path::{Path, PathBuf};

use pat_core::{Clock as _, SystemClock};

/// The median in nanoseconds that criterion has just written; `None` if it has not.
#[must_use]
pub fn median(group: &str, name: &str) -> Option<f64> {
    let target = std::env::var("CARGO_TARGET_DIR")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target").to_owned());
    let path = format!("{target}/criterion/{group}/{name}/new/estimates.json");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    json["median"]["point_estimate"].as_f64()
}

/// The load averages of this machine.
#[must_use]
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// When and on what a run was made, and what else the machine had to do.
#[must_use]
pub fn surroundings(load_before: &str) -> String {
    format!(
        "Measured on {} with {} on {}, load averages before and after {load_before} and {}",
        SystemClock.wall().strftime("%F"),
        compiler(),
        processor(),
        load(),
    )
}

fn compiler() -> String {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let short = version.split(" (").next().unwrap_or_default();
    short.trim().to_owned()
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names: Vec<_> = info
        .lines()
        .filter(|line| line.starts_with("model name"))
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    format!("{} × {}", names.len(), names.first().unwrap_or(&"unknown"))
}

/// Writes a result into the repository's folder `benchmarks`, or into the one that `PAT_BENCH_OUTPUT`
/// names.
///
/// # Panics
/// The folder cannot be written to.
pub fn write(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks");
    let folder = std::env::var_os("PAT_BENCH_OUTPUT").map_or(folder, PathBuf::from);
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written to");
    println!("written: {}", path.display());
}

/// The median of these values.
///
/// # Panics
/// There are none.
#[must_use]
pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
