use std::fmt;
use std::sync::Arc;

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use pat_core::messages::{Languages, Messages};
use pat_core::notification::Notification;

use crate::context::{Context, Format, Links};
use crate::error::{ComposeError, ComposerError};
use crate::templates::{TemplateFailure, Templates};
use crate::{header, text};

/// Composes the mails of notifications from templates.
///
/// Every attempt to send a notification has the same mail, byte for byte, so that mail programs and
/// servers recognise a second copy by its `Message-ID`. Clones are cheap.
///
/// ```
/// use pat_mail::Composer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let composer = Composer::builder("Example <noreply@example.com>")
///     .product("Example Tracker")
///     .token_page("/profile/tokens")
///     .replacement_page("/profile/tokens/{id}/replace")
///     .build()?;
/// # drop(composer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Composer {
    inner: Arc<Inner>,
}

struct Inner {
    from: Mailbox,
    product: String,
    pages: PagePaths,
    languages: Languages,
    templates: Templates,
}

/// The paths of the host's pages, below its base URL.
#[derive(Debug)]
pub(crate) struct PagePaths {
    pub(crate) tokens: String,
    pub(crate) creation: Option<String>,
    pub(crate) replacement: Option<String>,
}

/// The subject and plain text of a mail, for logs or for other channels, such as a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationText {
    /// The subject of the mail, on one line.
    pub subject: String,
    /// The plain text of the mail, with a line feed (`\n`) after each line.
    pub body: String,
}

/// A mail that [`Composer::compose`] has composed, with the addresses of its sender and recipient.
#[derive(Debug, Clone)]
pub struct Mail(Message);

impl Mail {
    /// Returns the headers and body of the mail in the format of RFC 5322, as a mail server receives
    /// them.
    #[must_use]
    pub fn formatted(&self) -> Vec<u8> {
        self.0.formatted()
    }

    #[cfg(feature = "smtp")]
    pub(crate) fn envelope(&self) -> &Envelope {
        self.0.envelope()
    }
}

impl Composer {
    pub(crate) fn new(
        from: Mailbox,
        product: String,
        pages: PagePaths,
        languages: Languages,
        templates: Templates,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                from,
                product,
                pages,
                languages,
                templates,
            }),
        }
    }

    /// Composes the mail of a notification, with a plain text and an HTML part.
    ///
    /// # Errors
    /// - [`ComposeError::InvalidRecipient`] if the recipient's address is invalid.
    /// - [`ComposeError::NoTokens`] if the notification has no tokens.
    /// - [`ComposeError::Template`] if a template of the host cannot be rendered.
    /// - [`ComposeError::Message`] if the message cannot be assembled.
    pub fn compose(&self, notification: &Notification) -> Result<Mail, ComposeError> {
        let to = header::to(&notification.recipient)?;
        let NotificationText { subject, body } = self.text(notification)?;
        let html = self.render(notification, "body.html", Some(&subject))?;
        let sender = &self.inner.from.email;
        let envelope = Envelope::new(Some(sender.clone()), vec![to.email.clone()]);
        let envelope = envelope.map_err(|error| ComposeError::Message(error.into()))?;

        Message::builder()
            .envelope(envelope)
            .raw_header(header::mailbox_header("From", &self.inner.from))
            .raw_header(header::mailbox_header("To", &to))
            .raw_header(header::subject(&subject))
            .date(header::date(notification.queued_at))
            .message_id(Some(message_id(notification, sender)))
            .raw_header(header::plain(
                "Content-Language",
                self.messages(notification).language(),
            ))
            .raw_header(header::plain(
                "List-Id",
                &format!("<pat-notice.{}>", sender.domain()),
            ))
            // RFC 3834, and the same for Exchange: no absence note answers this mail.
            .raw_header(header::plain("Auto-Submitted", "auto-generated"))
            .raw_header(header::plain("X-Auto-Response-Suppress", "All"))
            .multipart(
                MultiPart::alternative()
                    .boundary(boundary(notification))
                    .singlepart(part(ContentType::TEXT_PLAIN, body))
                    .singlepart(part(ContentType::TEXT_HTML, html)),
            )
            .map(Mail)
            .map_err(|error| ComposeError::Message(error.into()))
    }

    /// Composes only the subject and the plain text of the mail of a notification. The recipient's
    /// address need not be valid.
    ///
    /// # Errors
    /// - [`ComposeError::NoTokens`] if the notification has no tokens.
    /// - [`ComposeError::Template`] if a template of the host cannot be rendered.
    pub fn text(&self, notification: &Notification) -> Result<NotificationText, ComposeError> {
        let subject = self.render(notification, "subject.txt", None)?;
        let subject = text::subject(&subject);
        let body = self.render(notification, "body.txt", Some(&subject))?;
        Ok(NotificationText {
            subject,
            body: text::tidy(&body),
        })
    }

    fn render(
        &self,
        notification: &Notification,
        file: &str,
        subject: Option<&str>,
    ) -> Result<String, ComposeError> {
        let format = if file == "body.html" {
            Format::Html
        } else {
            Format::Text
        };
        let context = Context::new(
            notification,
            format,
            &self.inner.product,
            self.messages(notification),
            &self.links(notification),
            subject,
        );
        let context = context.ok_or(ComposeError::NoTokens)?;
        Ok(self
            .inner
            .templates
            .render(notification.kind, file, &context)?)
    }

    /// Returns the messages in the recipient's language.
    fn messages(&self, notification: &Notification) -> &Messages {
        let language = notification.recipient.language.as_deref();
        self.inner.languages.accepted(language.unwrap_or_default())
    }

    /// Returns the addresses of the pages, if the base URL is a web address.
    fn links(&self, notification: &Notification) -> Links {
        let base = notification.base_url.as_deref().filter(|base| {
            let is_web = base.starts_with("https://") || base.starts_with("http://");
            is_web && !base.chars().any(|c| c.is_whitespace() || c.is_control())
        });
        let below_base =
            |page: &str| base.map(|base| format!("{}{page}", base.trim_end_matches('/')));
        let pages = &self.inner.pages;
        Links {
            tokens: below_base(&pages.tokens),
            creation: pages.creation.as_deref().and_then(below_base),
            replacement: pages.replacement.as_deref().and_then(below_base),
        }
    }
}

impl fmt::Debug for Composer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composer")
            .field("product", &self.inner.product)
            .field("pages", &self.inner.pages)
            .field("languages", &self.inner.languages)
            .finish_non_exhaustive()
    }
}

/// Returns the `Message-ID`: the same for every attempt, and for no other notification.
fn message_id(notification: &Notification, sender: &Address) -> String {
    let queued_at = notification.queued_at.as_microsecond();
    format!(
        "<pat-notice.{}.{queued_at}@{}>",
        notification.id,
        sender.domain()
    )
}

/// Returns the boundary between the parts, the same for every attempt. Quoted-printable text never
/// contains `=_`, so no part can contain the boundary.
fn boundary(notification: &Notification) -> String {
    format!("=_pat-notice-{}", notification.id)
}

fn part(content_type: ContentType, body: String) -> SinglePart {
    SinglePart::builder()
        .header(content_type)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(body)
}

impl From<TemplateFailure> for ComposeError {
    fn from(failure: TemplateFailure) -> Self {
        Self::Template {
            template: failure.template,
            line: failure.line,
            source: failure.source.into(),
        }
    }
}

impl From<TemplateFailure> for ComposerError {
    fn from(failure: TemplateFailure) -> Self {
        Self::InvalidTemplate {
            template: failure.template,
            line: failure.line,
            source: failure.source.into(),
        }
    }
}
