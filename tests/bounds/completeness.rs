//! The tables name all that is there.

use std::collections::BTreeSet;

use pat_harness::fault_store::METHODS;
use pat_harness::repository;

use super::calls::{CALLS, ELSEWHERE};

pub(super) fn every_method_of_the_port_is_in_the_table() {
    let declared: BTreeSet<_> = sources("pat-core/src/store")
        .iter()
        .flat_map(|source| blocks(source, "pub trait "))
        .flat_map(|(_, body)| names_after(&body, "    async fn "))
        // It ends only with the jobs, which drop it.
        .filter(|name| name != "listen")
        .collect();
    let listed: BTreeSet<_> = METHODS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(declared, listed);
}

pub(super) fn every_call_of_the_api_is_in_the_table() {
    let sources = [
        sources("pat-core/src/service"),
        sources("pat-core/src/jobs"),
    ];
    let mut declared = BTreeSet::new();
    for (owner, body) in sources.iter().flatten().flat_map(|s| blocks(s, "impl ")) {
        let asynchronous = names_after(&body, "    pub async fn ");
        let futures = body.split("    pub fn ").skip(1).filter(|function| {
            let signature = function.split('{').next().unwrap_or_default();
            signature.contains("impl Future<")
        });
        let futures = futures.filter_map(|f| f.split(['(', '<']).next().map(str::to_owned));
        declared.extend(
            asynchronous
                .into_iter()
                .chain(futures)
                .map(|name| format!("{owner}::{name}")),
        );
    }
    let calls = CALLS
        .iter()
        .map(|call| call.name)
        .chain(ELSEWHERE.iter().copied());
    let listed: BTreeSet<_> = calls.map(str::to_owned).collect();
    assert_eq!(declared, listed);
}

/// The texts of the source files below a folder.
fn sources(folder: &str) -> Vec<String> {
    let mut folders = vec![repository().join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts.push(std::fs::read_to_string(path).expect("a source file"));
            }
        }
    }
    texts
}

/// The blocks of a source that begin so, each with the name of its type.
fn blocks<'a>(source: &'a str, begin: &str) -> Vec<(String, String)> {
    let starts: Vec<_> = source
        .match_indices(begin)
        .filter(|(at, _)| *at == 0 || source[..*at].ends_with('\n'))
        .collect();
    let block = |(at, _): (usize, &'a str)| {
        let rest = &source[at + begin.len()..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let body = rest.split("\n}\n").next().unwrap_or_default();
        (name, body.to_owned())
    };
    starts.into_iter().map(block).collect()
}

fn names_after(body: &str, begin: &str) -> Vec<String> {
    let rests = body.split(begin).skip(1);
    let names = rests.filter_map(|rest| rest.split(['(', '<']).next());
    names.map(str::to_owned).collect()
}
