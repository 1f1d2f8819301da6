//! The migrations of the app's own tables.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{pk_auto, string_uniq};

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Users)]
    }
}

#[derive(DeriveMigrationName)]
struct Users;

#[async_trait::async_trait]
impl MigrationTrait for Users {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table("user").col(pk_auto("id")).col(string_uniq("name"));
        manager.create_table(table).await?;
        let mut alice = Query::insert();
        alice.into_table("user").columns(["name"]).values_panic(["alice".into()]);
        manager.execute(alice).await
    }
}
