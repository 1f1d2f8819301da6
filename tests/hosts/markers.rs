//! How much of a host is about tokens. Those lines stand between the comments `pat` and `end`.

use std::fs;

use pat_harness::repository;

use crate::HOSTS;

/// How many of these lines a host may have, without comments.
const LINES: usize = 20;

pub(crate) fn hosts_name_these_crates_in_few_lines() {
    for host in HOSTS {
        let path = repository()
            .join("hosts")
            .join(host.name)
            .join("src/main.rs");
        let source = fs::read_to_string(path).expect("a source");
        let (ours, rest) = split(&source);
        println!("hosts/{}: {} lines", host.name, ours.len());
        assert!(
            ours.len() <= LINES,
            "hosts/{}: {} lines",
            host.name,
            ours.len()
        );
        let imports = ours.iter().filter(|line| line.starts_with("use pat_"));
        let mut names: Vec<_> = imports.flat_map(|line| words(line)).collect();
        names.retain(|name| name.starts_with(char::is_uppercase));
        names.extend([
            "jobs",
            "pats",
            "pat_core",
            "pat_mail",
            "pat_sqlx",
            "pat_tower",
        ]);
        let is_ours = |line: &&&str| words(line).any(|word| names.contains(&word));
        let found = rest.iter().find(is_ours);
        assert!(found.is_none(), "hosts/{}: {found:?}", host.name);
    }
}

/// The lines of code between the comments, and the others.
fn split(source: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut ours, mut rest, mut is_ours) = (vec![], vec![], false);
    for line in source.lines().map(str::trim) {
        match line {
            "// pat" | "// end" => {
                assert_eq!(line == "// pat", !is_ours, "the comments alternate");
                is_ours = !is_ours;
            }
            _ if line.is_empty() || line.starts_with("//") => {}
            _ if is_ours => ours.push(line),
            _ => rest.push(line),
        }
    }
    assert!(!is_ours, "a comment `end`");
    (ours, rest)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|it: char| !it.is_alphanumeric() && it != '_')
}
