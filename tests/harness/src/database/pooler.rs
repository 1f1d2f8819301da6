//! `PgBouncer` between nodes and their database.

use std::fs;

use pat_servers::programs::{Started, find, folder};
use pat_servers::{Database, Kind, await_answer};

/// A pooler between nodes and the server of a database.
#[derive(Debug)]
pub struct Pooler {
    /// The database, by this way.
    pub url: String,
    /// The running pooler.
    pub program: Started,
}

impl Pooler {
    /// Why there is none; `None` if there is one.
    pub fn missing() -> Option<&'static str> {
        let program = find("pgbouncer");
        program.is_none().then_some("no PgBouncer on this machine")
    }

    /// Starts one that gives each connection one of the server's for as long as it lasts.
    pub fn start(database: &Database) -> Self {
        Self::start_in(database, "session")
    }

    /// One that gives each connection another one of the server's for each transaction, say.
    pub fn start_in(database: &Database, mode: &str) -> Self {
        let folder = folder();
        let (path, server) = (folder.path().to_owned(), database.own_server().folder());
        let (shown, server) = (path.display(), server.display());
        let configuration = format!(
            "[databases]\n* = host={server} user=postgres\n[pgbouncer]\npool_mode = {mode}\n\
             auth_type = any\nunix_socket_dir = {shown}\nlisten_port = 5432\n\
             max_client_conn = 300\ndefault_pool_size = 200\n\
             ignore_startup_parameters = extra_float_digits\nserver_login_retry = 1\n"
        );
        let file = path.join("pgbouncer.ini");
        fs::write(&file, configuration).expect("a configuration");
        let program = find("pgbouncer").expect("PgBouncer");
        let url = database
            .url
            .replace(&server.to_string(), &shown.to_string());
        let program = Started::start(folder, program, vec![file.into()]);
        await_answer(Kind::Postgres, &url).expect("it answers");
        Self { url, program }
    }
}
