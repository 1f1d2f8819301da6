//! What is to be done after the database was restored from a backup.

use std::path::{Path, PathBuf};

use pat_core::event::Event;
use pat_core::{BoxError, Pats, Restored};
use pat_tower::api::parse_event;

use crate::app::StartError;

/// Repeats the revocations and other changes of these events, and prints what was done and found.
pub(crate) async fn repeat(pats: &Pats, file: PathBuf) -> Result<(), StartError> {
    // All of it first: a line that cannot be read must not be found half-way.
    let events = read(&file).map_err(|source| StartError::Events { file, source })?;
    let restored = pats.after_restore(events).await;
    print(&restored.map_err(StartError::Restore)?);
    Ok(())
}

fn read(file: &Path) -> Result<Vec<Event>, BoxError> {
    let text = std::fs::read_to_string(file)?;
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let events = lines.map(|(number, line)| {
        let event = parse_event(line);
        event.map_err(|error| format!("line {number}: {error}").into())
    });
    events.collect()
}

/// On stderr, since the first line on stdout says where the server listens.
fn print(restored: &Restored) {
    eprintln!(
        "After the restore: {} tokens revoked again, {} disabled, {} replaced.",
        restored.revoked, restored.disabled, restored.replaced
    );
    eprintln!(
        "{} tokens were created after the backup, and are lost.",
        restored.lost.len()
    );
    for token in &restored.lost {
        eprintln!("  {} of {}", token.id, token.owner);
    }
    match restored.last_event_at {
        Some(at) => eprintln!("Revocations after {at}, the last event, are not known."),
        None => eprintln!("The file has no event: no revocation after the backup is known."),
    }
    if restored.missing_events > 0 {
        eprintln!(
            "{} events are missing; revocations among them are not known.",
            restored.missing_events
        );
    }
}
