//! Compares the public API of the packages with the snapshot in `api`, one line per item.
//!
//! `.ci/api` calls it with the folder of rustdoc's JSON. With `--bless` it writes the snapshot. It also
//! fails if a signature names a crate that [`PACKAGES`] does not allow: its next major version would be
//! a breaking change of ours. And it fails if a type has two paths, or two types have one name.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use public_api::{Builder, PublicItem};

/// What every package may name; `i64` has methods of conversions.
const EVERYWHERE: [&str; 6] = ["alloc", "core", "std", "i64", "jiff", "pat_core"];

/// The packages, and the crates that their signatures may name besides.
const PACKAGES: [(&str, &[&str]); 4] = [
    ("pat_core", &["serde", "serde_core"]),
    (
        "pat_tower",
        &[
            "axum",
            "axum_core",
            "axum_login",
            "bytes",
            "http",
            "http_body",
            // In what its macro implements.
            "pin_project_lite",
            // In the helpers for tests of hosts.
            "serde_core",
            "tower_layer",
            "tower_service",
            "tower_sessions",
            "tower_sessions_core",
            "utoipa",
            "utoipa_axum",
        ],
    ),
    (
        "pat_sqlx",
        &[
            "sqlx",
            "sqlx_core",
            "sqlx_sqlite",
            "sqlx_postgres",
            "sqlx_mysql",
        ],
    ),
    ("pat_mail", &[]),
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_blessed = arguments.iter().any(|argument| argument == "--bless");
    arguments.retain(|argument| argument != "--bless");
    let [json] = arguments.as_slice() else {
        return Err("usage: pat-api [--bless] FOLDER_OF_JSON".into());
    };
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api");
    let mut is_good = true;
    for (package, allowed) in PACKAGES {
        let json = Path::new(json).join(package).with_extension("json");
        let snapshot = snapshots
            .join(package.replace('_', "-"))
            .with_extension("txt");
        let items = items(&json)?;
        if is_blessed {
            fs::write(&snapshot, format!("{}\n", items.join("\n")))?;
        }
        let expected = fs::read_to_string(&snapshot).unwrap_or_default();
        let difference = difference(&expected, &items);
        if !difference.is_empty() {
            is_good = false;
            println!(
                "{package} differs from its snapshot; to accept that: .ci/api --bless\n{difference}"
            );
        }
        for item in &items {
            for name in foreign(item, package, allowed) {
                is_good = false;
                println!("{package}: `{name}` must not be part of the public API:\n  {item}");
            }
        }
        for (name, paths) in with_two_paths(&items) {
            is_good = false;
            println!("{package}: `{name}` has several paths: {paths:?}");
        }
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns the items of a package, sorted, without what every type implements by itself or by derive.
fn items(json: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let items: BTreeSet<_> = api.items().map(PublicItem::to_string).collect();
    Ok(items.into_iter().collect())
}

/// Returns the lines that only one of both has.
fn difference(expected: &str, items: &[String]) -> String {
    let expected: BTreeSet<_> = expected.lines().collect();
    let items: BTreeSet<_> = items.iter().map(String::as_str).collect();
    let mut difference = String::new();
    for (sign, lines) in [
        ('-', expected.difference(&items)),
        ('+', items.difference(&expected)),
    ] {
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(difference, "{sign} {line}");
        }
    }
    difference
}

/// Returns the crates that an item names and must not.
fn foreign<'i>(item: &'i str, package: &str, allowed: &[&str]) -> BTreeSet<&'i str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let paths = item.split(|c: char| !is_name(c) && c != ':');
    let crates = paths.filter_map(|path| path.split_once("::"));
    crates
        .map(|(first, _)| first)
        .filter(|first| {
            // Others are type parameters (`T::Item`), or no path at all.
            first.starts_with(|c: char| c.is_lowercase())
                && *first != package
                && !EVERYWHERE.contains(first)
                && !allowed.contains(first)
        })
        .collect()
}

/// Returns the names of types and traits that stand at more than one path, and these paths.
fn with_two_paths(items: &[String]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut paths: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in items.iter().filter_map(|item| declared(item)) {
        let name = path.rsplit("::").next().unwrap_or(path);
        paths.entry(name).or_default().insert(path);
    }
    paths.retain(|_, paths| paths.len() > 1);
    paths
}

/// Returns the path that an item declares as a type or trait, if it does.
fn declared(item: &str) -> Option<&str> {
    let (_, declaration) = item.split_once("pub ")?;
    let (kind, rest) = declaration.split_once(' ')?;
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = rest.split(|c| !is_path(c)).next()?.trim_end_matches(':');
    ["struct", "enum", "union", "trait"]
        .contains(&kind)
        .then_some(path)
}
