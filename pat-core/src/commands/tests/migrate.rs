//! `migrate`.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::*;
use super::{Fixture, run};
use crate::store::SCHEMA_VERSION;

#[derive(Debug)]
pub(super) struct Tables(pub(super) SchemaState);

#[async_trait]
impl Database for Tables {
    fn migrations(&self, engine: Option<&str>) -> Result<Vec<MigrationText>, BoxError> {
        if engine.is_some_and(|engine| engine != "memory") {
            return Err("no such engine".into());
        }
        let text = |version| {
            MigrationText::new(
                version,
                format!("000{version}_x"),
                format!("SQL {version};"),
            )
        };
        Ok((1..=3).map(text).collect())
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        Ok(self.0.clone())
    }

    async fn migrate(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn diagnose(&self) -> Vec<Finding> {
        vec![Finding::ok("database", "in memory")]
    }
}

#[tokio::test]
async fn the_exit_code_tells_whether_the_tables_are_up_to_date() {
    let missing = vec!["0009_x".to_owned()];
    let ahead = |version, readable_from| SchemaState::Ahead {
        version,
        readable_from,
    };
    for (state, checked, migrated) in [
        (SchemaState::Current, Exit::Done, Exit::Done),
        (SchemaState::Behind { missing }, Exit::Behind, Exit::Done),
        (
            ahead(SCHEMA_VERSION + 1, SCHEMA_VERSION),
            Exit::Ahead,
            Exit::Done,
        ),
        (
            ahead(SCHEMA_VERSION + 1, SCHEMA_VERSION + 1),
            Exit::Failed,
            Exit::Failed,
        ),
    ] {
        let fixture = Fixture::new();
        let commands = || fixture.commands().database(Arc::new(Tables(state.clone())));
        let check = run(commands(), &["migrate", "--check"], "").await;
        assert!(check.is(checked), "{state:?}: {check:?}");
        let migrate = run(commands(), &["migrate"], "").await;
        assert!(migrate.is(migrated), "{state:?}: {migrate:?}");
    }
    let without = Fixture::new().run(&["migrate"], "").await;
    assert!(without.is(Exit::Failed), "{without:?}");
}

#[tokio::test]
async fn the_sql_between_two_versions_is_printed() {
    let fixture = Fixture::new();
    let print = async |more: &[&str]| {
        let commands = fixture
            .commands()
            .database(Arc::new(Tables(SchemaState::Current)));
        run(commands, &[&["migrate", "--print"], more].concat(), "").await
    };
    let all = print(&[]).await;
    assert!(all.is(Exit::Done), "{all:?}");
    assert_eq!(all.out.matches("SQL").count(), 3);
    let one = print(&["--from", "1", "--to", "2", "--engine", "memory"]).await;
    assert_eq!(one.out, "-- 0002_x\n\nSQL 2;\n");
    assert_eq!(print(&["--from", "3"]).await.out, "");
    for bad in [
        &["--from", "2", "--to", "1"][..],
        &["--to", "4"],
        &["--from", "4"],
        &["--engine", "x"],
    ] {
        let run = print(bad).await;
        assert!(
            run.is(Exit::Failed) && run.out.is_empty(),
            "{bad:?}: {run:?}"
        );
    }
}
