//! `tokens rotate`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::RotateArguments;
use super::{Exit, Failure, Terminal};
use crate::caller::Caller;
use crate::policy::RotationRequest;
use crate::service::Pats;
use crate::token::{PlainToken, random_u64};

pub(super) async fn run(
    pats: &Pats,
    secret: &str,
    arguments: &RotateArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    // Before the token is replaced: a file that cannot be written must not cost a secret.
    let output = arguments
        .output
        .as_deref()
        .map(Output::create)
        .transpose()?;
    let principal = pats.authenticate(secret.as_bytes()).await;
    let principal = principal.map_err(|error| Failure::of(&error))?;
    let id = principal.token_id();
    let request = RotationRequest {
        overlap: arguments.overlap.map(Duration::from_secs),
        ..RotationRequest::default()
    };
    let successor = pats
        .rotate(&Caller::with_token(principal), id, request)
        .await;
    let successor = successor.map_err(|error| Failure::of(&error))?;
    if let Err(error) = pats.flush_last_use().await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the use of the token is not written"
        );
    }
    let lost = |error: io::Error| {
        Failure::because(format!(
            "the token was replaced, but its new secret cannot be written: {error}; run the command again \
             while the old secret is valid"
        ))
    };
    match output {
        Some(output) => output.finish(&successor.plain).map_err(lost)?,
        None => writeln!(terminal.out, "{}", successor.plain.expose())
            .and_then(|()| terminal.out.flush())
            .map_err(lost)?,
    }
    let expiry = |at: Option<jiff::Timestamp>| match at {
        Some(at) => format!("expires at {at:.0}"),
        None => "never expires".to_owned(),
    };
    let new = &successor.token;
    terminal.note(&format!(
        "Token {id} of {} is replaced by {}, which {}.",
        super::show::plain(new.owner.as_str()),
        new.id,
        expiry(new.expires_at)
    ));
    for ending in &successor.ending {
        terminal.note(&format!(
            "The secret of {} is valid until {:.0}.",
            ending.id, ending.at
        ));
    }
    Ok(Exit::Done)
}

/// A file that replaces another one when it is complete.
struct Output {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

impl Output {
    fn create(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::because(format!(
                "--output {} cannot be written: {error}",
                path.display()
            ))
        };
        if path.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        let random = random_u64().map_err(|error| Failure::of(&error))?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{random:016x}.new"));
        let temporary = path.with_file_name(name);
        let file = create_private(&temporary).map_err(cannot)?;
        Ok(Self {
            file,
            temporary,
            path: path.to_owned(),
            is_finished: false,
        })
    }

    fn finish(mut self, plain: &PlainToken) -> io::Result<()> {
        writeln!(self.file, "{}", plain.expose())?;
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, &self.path)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.is_finished {
            let _gone_already = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Creates a file that only this account can read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
