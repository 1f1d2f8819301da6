//! How notices reach users: by mail, as files, or else only into the log.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pat_core::{MailError, Mailer, Notice};
use pat_mail::{Composer, ComposerError, FileMailer, SmtpError, SmtpMailer, SmtpUrl, SmtpUrlError};

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
    #[error("--mail-dir {} cannot be written", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
}

/// One mailer for each way that is given, or the log.
pub(crate) fn mailers(
    smtp_url: Option<&str>,
    from: Option<&str>,
    folder: Option<PathBuf>,
) -> Result<Vec<Arc<dyn Mailer>>, MailSetupError> {
    let composer = Composer::builder(from.unwrap_or(LOCAL_SENDER))
        .token_page("/tokens")
        .build()?;
    let mut mailers: Vec<Arc<dyn Mailer>> = Vec::new();
    if let Some(url) = smtp_url {
        let url: SmtpUrl = url.parse()?;
        mailers.push(Arc::new(SmtpMailer::new(composer.clone(), &url)?));
    }
    if let Some(folder) = folder {
        let mailer = FileMailer::new(composer.clone(), &folder);
        mailer
            .check()
            .map_err(|source| MailSetupError::Folder(folder, source))?;
        mailers.push(Arc::new(mailer));
    }
    if mailers.is_empty() {
        mailers.push(Arc::new(LogMailer(composer)));
    }
    Ok(mailers)
}

/// Writes what it would mail into the log.
#[derive(Debug)]
struct LogMailer(Composer);

#[async_trait]
impl Mailer for LogMailer {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn send(&self, notice: &Notice) -> Result<(), MailError> {
        let text = self.0.text(notice)?;
        tracing::info!(
            notice.id = %notice.id, kind = %notice.kind, subject = text.subject,
            "a notice, which is only logged: give --smtp-url or --mail-dir to have it mailed"
        );
        Ok(())
    }
}
