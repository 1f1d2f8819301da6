//! How notifications reach users: by mail, as files, or else only into the log.

use std::path::PathBuf;
use std::sync::Arc;

use pat_core::async_trait;
use pat_core::notification::{Notification, Notifier, NotifyError};
use pat_mail::{Composer, ComposerError, FileMailer, SmtpError, SmtpMailer, SmtpUrl, SmtpUrlError};

use crate::languages::languages;

/// The sender of mails that leave the machine by nobody's hand.
const LOCAL_SENDER: &str = "PAT example <pat@localhost>";

/// Why mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailSetupError {
    #[error("--smtp-url")]
    Url(#[from] SmtpUrlError),
    #[error("--smtp-url")]
    Smtp(#[from] SmtpError),
    #[error("--mail-from")]
    From(#[from] ComposerError),
    #[error("--mail-dir cannot be written")]
    Folder(#[source] std::io::Error),
}

/// One mailer for each way that is given, or the log.
pub(crate) fn notifiers(
    smtp_url: Option<&str>,
    from: Option<&str>,
    folder: Option<PathBuf>,
) -> Result<Vec<Arc<dyn Notifier>>, MailSetupError> {
    let composer = Composer::builder(from.unwrap_or(LOCAL_SENDER))
        .languages(languages())
        .token_page("/tokens")
        .creation_page("/tokens/new?name={name}")
        .replacement_page("/tokens/{id}/replace")
        .build()?;
    let mut notifiers: Vec<Arc<dyn Notifier>> = Vec::new();
    if let Some(url) = smtp_url {
        let url: SmtpUrl = url.parse()?;
        notifiers.push(Arc::new(SmtpMailer::new(composer.clone(), &url)?));
    }
    if let Some(folder) = folder {
        let notifier = FileMailer::new(composer.clone(), &folder);
        notifier.check().map_err(MailSetupError::Folder)?;
        notifiers.push(Arc::new(notifier));
    }
    if notifiers.is_empty() {
        notifiers.push(Arc::new(LogNotifier(composer)));
    }
    Ok(notifiers)
}

/// Writes what it would mail into the log.
#[derive(Debug)]
struct LogNotifier(Composer);

#[async_trait]
impl Notifier for LogNotifier {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let text = self.0.text(notification)?;
        tracing::info!(
            notification.id = %notification.id, kind = %notification.kind, subject = text.subject,
            "a notification, which is only logged: give --smtp-url or --mail-dir to have it mailed"
        );
        Ok(())
    }

    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        Ok(Some(
            "only logs: give --smtp-url or --mail-dir to have notifications mailed".to_owned(),
        ))
    }
}
