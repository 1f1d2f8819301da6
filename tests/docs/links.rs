//! The links of the documents. Links to items of the crates are rustdoc's to check.

use std::fs;
use std::path::{Path, PathBuf};

use pat_harness::repository;
use url::Url;

/// Where the repository's documents are.
const FOLDERS: &[&str] = &[
    "",
    "hosts",
    "leaks",
    "pat-core",
    "pat-core/src/docs",
    "pat-mail",
    "pat-sqlx",
    "pat-sqlx/src/docs",
    "pat-tower",
    "pat-tower/src/docs",
];

/// A document, without its blocks of code.
struct Document {
    path: PathBuf,
    text: String,
}

fn documents() -> Vec<Document> {
    let folders = FOLDERS.iter().map(|folder| repository().join(folder));
    let files = folders
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten();
    let files = files.map(|file| file.expect("a file").path());
    let documents = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let documents: Vec<_> = documents
        .map(|path| Document {
            text: without_code(&fs::read_to_string(&path).expect("text")),
            path,
        })
        .collect();
    assert!(documents.len() > 15, "the documents are found");
    documents
}

fn without_code(text: &str) -> String {
    let mut is_code = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    prose.collect::<Vec<_>>().join("\n")
}

/// The targets of a text's links.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1);
    links.filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// What is between backticks.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

pub(super) fn every_link_leads_somewhere() {
    let mut count = 0;
    for Document { path, text } in documents() {
        for target in targets(&text) {
            if let Err(reason) = follow(&path, target) {
                panic!("{}: {target}: {reason}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 40, "the links are found");
}

fn follow(from: &Path, target: &str) -> Result<(), String> {
    if target.starts_with("http") {
        let url = Url::parse(target).map_err(|error| error.to_string())?;
        return match url.host_str() {
            Some("docs.rs") => find_item(url.path()),
            Some(host) if host.contains('.') => Ok(()),
            _ => Err("no host".into()),
        };
    }
    if is_item(target) {
        return Ok(());
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = match file {
        "" => from.to_owned(),
        file => from.parent().expect("a folder").join(file),
    };
    if heading.is_empty() {
        return file.exists().then_some(()).ok_or("no such file".into());
    }
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let mut headings = text.lines().filter(|line| line.starts_with('#')).map(slug);
    headings
        .any(|other| other == heading)
        .then_some(())
        .ok_or("no such heading".into())
}

/// Whether rustdoc resolves this link: a path of items, such as `crate::Pats#errors`.
fn is_item(target: &str) -> bool {
    let first = target.split(['#', ':']).next().unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    first == "crate" || target.contains("::") && first.bytes().all(is_name)
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    heading
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// Checks that a path of docs.rs, if it is one of these crates, names modules that are there.
fn find_item(path: &str) -> Result<(), String> {
    let mut parts = path.trim_matches('/').split('/');
    let Some(package) = parts
        .next()
        .filter(|package| repository().join(package).is_dir())
    else {
        return Ok(());
    };
    let (Some("latest"), Some(krate)) = (parts.next(), parts.next()) else {
        return Err("not /package/latest/crate".into());
    };
    if krate != package.replace('-', "_") {
        return Err(format!("no crate {krate}"));
    }
    let lib = repository().join(package).join("src/lib.rs");
    let lib = fs::read_to_string(lib).map_err(|error| error.to_string())?;
    // The last part is the page.
    let mut modules = parts.filter(|part| !part.contains('.'));
    match modules.find(|module| !lib.contains(&format!("pub mod {module}"))) {
        Some(module) => Err(format!("no module {module}")),
        None => Ok(()),
    }
}

/// Names of files and folders in prose, such as `examples/server`, from the top of the repository or of a
/// package.
pub(super) fn every_named_file_exists() {
    let packages = ["pat-core", "pat-tower", "pat-sqlx", "pat-mail"];
    let packages = packages.map(|package| repository().join(package).join("src"));
    let tops = [repository()].into_iter().chain(packages);
    let tops: Vec<_> = tops.collect();
    let mut count = 0;
    for Document { path, text } in documents() {
        for name in names(&text).filter(|name| is_path(name)) {
            let is_there = tops.iter().any(|top| top.join(name).exists());
            assert!(is_there, "{}: there is no {name}", path.display());
            count += 1;
        }
    }
    assert!(count > 100, "the names are found");
}

/// Whether this is the name of a file or folder in one that the repository has.
fn is_path(name: &str) -> bool {
    let Some((first, _)) = name.split_once('/') else {
        return false;
    };
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let is_source = [".rs", ".md"].iter().any(|end| name.ends_with(end));
    is_plain
        && first != "src"
        && (is_source || !first.is_empty() && repository().join(first).is_dir())
}
