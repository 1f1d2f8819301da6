//! Where a server may come from.

use super::Kind::{self, MariaDb, Postgres};
use super::{Server, await_answer, docker, local};
use crate::environment::is_required;

#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// The environment names a server.
    Url,
    Docker,
    /// The programs that are installed on this machine.
    Local,
}

impl Source {
    /// The sources in the order of preference; if `PAT_TEST_REQUIRE` names some, only those.
    fn all() -> Vec<Self> {
        let all = [Self::Url, Self::Docker, Self::Local];
        let required: Vec<_> = all
            .into_iter()
            .filter(|source| is_required(source.need()))
            .collect();
        if required.is_empty() {
            all.to_vec()
        } else {
            required
        }
    }

    /// The name in `PAT_TEST_REQUIRE`.
    fn need(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Docker => "docker",
            Self::Local => "local",
        }
    }

    /// Why there can be no server from here, as far as that shows before one is started.
    fn check(self, kind: Kind) -> Result<(), String> {
        match self {
            Self::Url if std::env::var_os(kind.variable()).is_some() => Ok(()),
            Self::Url => Err(format!("no {}", kind.variable())),
            Self::Docker if !docker::answers() => Err("no Docker".into()),
            Self::Docker if docker::pull(kind) => Ok(()),
            Self::Docker => {
                let image = docker::image_name(kind);
                Err(format!("Docker has no image {image} and gets none"))
            }
            Self::Local if local::programs(kind).is_some() => Ok(()),
            Self::Local => Err(match kind {
                Postgres => "no PostgreSQL on this machine".into(),
                MariaDb => "no MariaDB on this machine".into(),
            }),
        }
    }

    /// Starts what there is to start, and returns the server's URL and what it is.
    fn start(self, kind: Kind) -> Result<(String, String), String> {
        match self {
            Self::Url => {
                let variable = kind.variable();
                let url = std::env::var(variable).map_err(|error| error.to_string())?;
                Ok((url, format!("named by {variable}")))
            }
            Self::Docker => {
                let image = docker::image_name(kind);
                Ok((docker::start(kind)?, format!("in Docker, of {image}")))
            }
            Self::Local => {
                let [.., program] = local::programs(kind).ok_or("no programs")?;
                let (url, server) = local::start(kind, &[], &[], &[]).ok_or("no programs")??;
                // It ends with the run.
                std::mem::forget(server);
                Ok((url, format!("of this machine, {}", program.display())))
            }
        }
    }
}

/// Why there is no server of this kind; `None` if there is one, or one that can be started.
#[must_use]
pub fn missing(kind: Kind) -> Option<String> {
    let mut sources = Source::all();
    // Docker may have to pull an image first, so it is asked last.
    sources.sort_by_key(|source| matches!(source, Source::Docker));
    let mut reasons = vec![];
    for source in sources {
        match source.check(kind) {
            Ok(()) => return None,
            Err(why) => reasons.push(why),
        }
    }
    Some(reasons.join(", "))
}

/// A server from the first source that has one, and a word about which it is.
pub(super) fn first_server(kind: Kind) -> Result<Server, String> {
    let mut reasons = vec![];
    for source in Source::all() {
        let started = source.check(kind).and_then(|()| source.start(kind));
        match started.and_then(|(url, what)| Ok((await_answer(kind, &url)?, url, what))) {
            Ok((version, url, what)) => {
                eprintln!("{}: {version}, {what}", kind.need());
                return Ok(Server { kind, url });
            }
            Err(why) => reasons.push(why),
        }
    }
    Err(reasons.join(", "))
}
