//! `import`.

use std::path::Path;

use serde_json::{Value, json};

use super::super::*;
use super::{Fixture, Run};
use crate::token::TokenDigest;

fn digest(number: u32) -> String {
    let digest = TokenDigest::of(&number.to_le_bytes());
    let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

async fn import(fixture: &Fixture, path: &Path, more: &[&str]) -> Run {
    let arguments = [&["import", path.to_str().expect("text")], more].concat();
    fixture.run(&arguments, "").await
}

#[tokio::test]
async fn rows_are_imported_once_and_refused_ones_can_be_corrected() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, refused) = (
        folder.path().join("keys.csv"),
        folder.path().join("refused.csv"),
    );
    let rows = format!(
        "owner,sha256,name,createdAt,expiresAt,scopes\n\
         alice,{},\"one, and more\",2024-01-01T00:00:00Z,,*\n\
         bob,{},two,1704067200,2999-01-01T00:00:00Z,*\n\
         bob,secret,three,2024-01-01T00:00:00Z,,*\n\
         bob,{},four,2024-01-01T00:00:00Z,,\n\
         bob,{},,2024-01-01T00:00:00Z,,*\n\
         bob,{},six,yesterday,,*\n\
         bob,{},seven,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,*\n\
         bob,x\n",
        digest(1),
        digest(2),
        digest(4),
        digest(5),
        digest(6),
        digest(7)
    );
    std::fs::write(&path, rows).expect("a file");
    let checked = import(&fixture, &path, &["--check"]).await;
    assert_eq!(checked.out, "8 rows: 5 cannot be read; none was imported\n");
    assert!(!checked.err.contains("secret"), "{checked:?}");
    let refused_text = refused.to_str().expect("text");
    let run = import(&fixture, &path, &["--refused", refused_text]).await;
    assert!(run.is(Exit::LookAfter) && run.err.is_empty(), "{run:?}");
    assert_eq!(
        run.out,
        "8 rows: 2 imported, 0 skipped as present, 6 refused\n"
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(
        lines[0],
        "owner,sha256,name,createdAt,expiresAt,scopes,reason"
    );
    for (line, reason) in lines[1..].iter().zip([
        "sha256: give the SHA-256",
        "scopes: give the names",
        "name is missing",
        "yesterday",
        "the token has expired",
        "the row has 2 cells, and the header 6",
    ]) {
        assert!(line.contains(reason), "{reason} in {line}");
    }
    let again = import(&fixture, &path, &[]).await;
    assert!(
        again.out.starts_with("8 rows: 0 imported, 2 skipped"),
        "{again:?}"
    );
    assert!(again.err.starts_with("line 4: sha256"), "{again:?}");
    let corrected = lines[0..2].join("\n").replace("secret", &digest(3));
    std::fs::write(&path, corrected).expect("a file");
    let run = import(&fixture, &path, &[]).await;
    assert_eq!(
        run.out,
        "1 rows: 1 imported, 0 skipped as present, 0 refused\n"
    );
    let listed = fixture
        .run(
            &["tokens", "list", "--sort", "name", "--format", "json"],
            "",
        )
        .await;
    let names: Vec<_> = listed
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|token| token["name"].clone())
        .collect();
    assert_eq!(names, ["one, and more", "three", "two"]);
    // A file that lists refused rows is not overwritten.
    let run = import(&fixture, &path, &["--refused", refused_text]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("--refused"),
        "{run:?}"
    );
}

#[tokio::test]
async fn json_lines_are_imported_and_unknown_names_refused() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, refused) = (
        folder.path().join("keys.jsonl"),
        folder.path().join("refused.jsonl"),
    );
    let row = |number, name: &str, more: Value| {
        let mut row =
            json!({"sha256": digest(number), "owner": 7, "name": name, "createdAt": 1_704_067_200});
        row.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        row.to_string()
    };
    let rows = [
        row(
            1,
            "one",
            json!({"description": "x", "reason": "an earlier one"}),
        ),
        String::new(),
        row(2, "two", json!({"expiresAtt": "2999-01-01T00:00:00Z"})),
        row(3, "three", json!({"scopes": "read"})),
        "nonsense".to_owned(),
    ];
    std::fs::write(&path, rows.join("\n")).expect("a file");
    let run = import(
        &fixture,
        &path,
        &["--refused", refused.to_str().expect("text")],
    )
    .await;
    assert_eq!(
        run.out,
        "4 rows: 1 imported, 0 skipped as present, 3 refused\n"
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    for (line, reason) in listed.lines().zip([
        "no column \"expiresAtt\"",
        "scopes: give a list",
        "no JSON object",
    ]) {
        let json: Value = serde_json::from_str(line).expect("JSON");
        assert!(
            json["reason"].as_str().expect("a reason").contains(reason),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_csv_file_without_the_needed_columns_is_refused_whole() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.csv");
    for (header, expected) in [
        ("sha256,owner,name", "lacks the column createdAt"),
        (
            "sha256,owner,name,createdAt,expires",
            "no column \"expires\"",
        ),
        ("sha256,owner,name,createdAt,name", "the column name twice"),
        ("", "lacks the column sha256"),
    ] {
        std::fs::write(&path, header).expect("a file");
        let run = import(&fixture, &path, &[]).await;
        assert!(
            run.is(Exit::Failed) && run.err.contains(expected),
            "{run:?}"
        );
    }
    let run = import(&fixture, &folder.path().join("keys.txt"), &[]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("give --format"),
        "{run:?}"
    );
    let run = import(&fixture, &folder.path().join("missing.csv"), &[]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("missing.csv"),
        "{run:?}"
    );
}
