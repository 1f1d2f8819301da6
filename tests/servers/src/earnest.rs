use std::net::Ipv4Addr;

use super::{Database, Kind, Server, await_answer, local, missing};

/// A database for a benchmark: on a server of its own that is set up as one in earnest, if one can be started
/// here, and else on the server of all.
#[derive(Debug)]
pub struct InEarnest {
    /// The database; its URL is that of a socket if the server is its own.
    pub database: Database,
    /// What the server is called.
    pub name: &'static str,
    address: Ipv4Addr,
}

impl InEarnest {
    /// Creates the database; prints why there is none of this kind, and returns `None` then.
    pub async fn create(kind: Kind) -> Option<Self> {
        if let Some(why) = missing(kind) {
            println!("{} is left out: {why}", kind.need());
            return None;
        }
        // Of this process alone, so that others may listen on the same port.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 19, high, low);
        let own = Database::create_on_new_server(kind, &[address], local::in_earnest(kind), &[]);
        let database = match own {
            Some(database) => database,
            None => Database::create(kind).await,
        };
        let version = await_answer(kind, &database.url).expect("a server that answers");
        let names = ["PostgreSQL", "MariaDB"];
        let name = names.into_iter().find(|name| version.contains(name));
        Some(Self {
            database,
            name: name.unwrap_or("MySQL"),
            address,
        })
    }

    /// The URL by which clients of other machines would reach the database.
    #[must_use]
    pub fn url_over_tcp(&self) -> String {
        let Database { kind, url, .. } = &self.database;
        if self.database.server.is_none() {
            return url.clone();
        }
        let url = match kind {
            Kind::Postgres => format!("postgres://postgres@{}", self.address),
            Kind::MariaDb => format!("mariadb://root@{}", self.address),
        };
        Server { kind: *kind, url }.url(&self.database.name)
    }

    /// Deletes the database, unless its server ends with the run.
    pub async fn delete(self) {
        if self.database.server.is_none() {
            self.database.delete().await;
        }
    }
}
