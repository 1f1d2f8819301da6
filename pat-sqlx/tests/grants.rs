//! The guide shows the grants that the stores return.
#![cfg(all(feature = "postgres", feature = "mysql"))]

use pat_sqlx::{MySqlStore, PostgresStore};

#[test]
fn the_guide_has_the_grants() {
    let guide = include_str!("../src/docs/database.md");
    let [postgres, mysql] = [
        PostgresStore::grants("app", "public"),
        MySqlStore::grants("app", "db"),
    ];
    for statement in [
        postgres.to_run,
        postgres.to_migrate,
        mysql.to_run,
        mysql.to_migrate,
    ]
    .concat()
    {
        assert!(guide.contains(&format!("\n{statement};\n")), "{statement}");
    }
    // And no others.
    let grants = guide.lines().filter(|line| line.starts_with("GRANT "));
    assert_eq!(grants.count(), 6);
}

#[test]
fn names_are_quoted() {
    let grants = PostgresStore::grants("o\"brien", "my schema");
    assert_eq!(
        grants.to_migrate,
        [r#"GRANT USAGE, CREATE ON SCHEMA "my schema" TO "o""brien""#]
    );
    let grants = MySqlStore::grants("o'brien@10.0.0.%", "my_db");
    assert_eq!(
        grants.to_migrate,
        [r"GRANT CREATE, ALTER, INDEX ON `my\_db`.* TO 'o''brien'@'10.0.0.%'"]
    );
}
