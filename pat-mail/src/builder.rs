use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use lettre::message::Mailbox;
use pat_core::TokenId;
use pat_core::messages::Languages;
use pat_core::notification::{Notification, NotificationKind};
use pat_core::notification::{NotificationId, NotificationToken, Recipient};
use pat_core::scope::Scopes;

use crate::context::TOKEN_ID;
use crate::error::{ComposeError, ComposerError};
use crate::message::{Composer, PagePaths};
use crate::templates::{Sources, Templates};
use crate::{header, text};

/// Builds a [`Composer`]. [`Composer::builder`] creates the builder.
#[derive(Debug, Clone)]
pub struct ComposerBuilder {
    from: String,
    product: Option<String>,
    token_page: String,
    creation_page: Option<String>,
    replacement_page: Option<String>,
    languages: Languages,
    replacements: Vec<Replacement>,
}

#[derive(Debug, Clone)]
enum Replacement {
    Folder(PathBuf),
    Template { name: String, source: String },
}

impl Composer {
    /// Returns a builder for a composer. `from` is the sender of the mails: an address, with or without
    /// a name, such as `Example <noreply@example.com>`. With any other text, [`ComposerBuilder::build`]
    /// fails with [`ComposerError::InvalidFrom`](crate::ComposerError::InvalidFrom).
    pub fn builder(from: impl Into<String>) -> ComposerBuilder {
        ComposerBuilder {
            from: from.into(),
            product: None,
            token_page: String::new(),
            creation_page: None,
            replacement_page: None,
            languages: Languages::default(),
            replacements: Vec::new(),
        }
    }
}

impl ComposerBuilder {
    /// Sets the name by which mails call the host, such as `Example Tracker`. The default is the
    /// sender's name, or else the domain of the sender's address.
    #[must_use]
    pub fn product(mut self, name: impl Into<String>) -> Self {
        self.product = Some(name.into());
        self
    }

    /// Sets the path of the page on which users see their tokens, such as `/profile/tokens`. Mails link
    /// to this path below the [base URL](pat_core::notification::Notification::base_url) of the
    /// notification; by default, to the base URL itself. If a notification has no base URL, its mail has
    /// no link.
    #[must_use]
    pub fn token_page(mut self, path: impl Into<String>) -> Self {
        self.token_page = path.into();
        self
    }

    /// Sets the path of the page on which a user replaces a token, such as `/profile/tokens/{id}/replace`, where
    /// `{id}` stands for the ID of the token. The mail about one token that expires soon then links to this page
    /// instead of the [token page](Self::token_page), below the same base URL. By default there is no such page,
    /// and that mail advises to create another token.
    #[must_use]
    pub fn replacement_page(mut self, path: impl Into<String>) -> Self {
        self.replacement_page = Some(path.into());
        self
    }

    /// Sets the path of the form for a new token, such as `/profile/tokens/new?name={name}`, where `{name}` stands
    /// for the name of the token that the mail is about; a mail about several tokens links to the form without the query. Mails about tokens that have expired, or were revoked because
    /// they were not used, then link to this page instead of the [token page](Self::token_page), below the same base
    /// URL. By default there is no such page.
    #[must_use]
    pub fn creation_page(mut self, path: impl Into<String>) -> Self {
        self.creation_page = Some(path.into());
        self
    }

    /// Sets the languages of the mails; English by default. A mail has the
    /// [language of its recipient](pat_core::User::language), or else the first one. The same files have the words of
    /// the pages.
    ///
    /// ```
    /// use pat_core::messages::Messages;
    /// use pat_mail::Composer;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let source = "mail-review = Token ansehen";
    /// let german = Messages::from_ftl("de", source)?; // such as include_str!("de.ftl")
    /// let composer = Composer::builder("Example <noreply@example.com>")
    ///     .languages([Messages::english(), german])
    ///     .build()?;
    /// # drop(composer);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn languages(mut self, languages: impl Into<Languages>) -> Self {
        self.languages = languages.into();
        self
    }

    /// Adds the MiniJinja templates in a folder. A template replaces the shipped template with the same
    /// name, and any template with that name that was added before. The name of a template is the path of
    /// its file in the folder, such as `expired/body.txt`; the [crate documentation](crate#templates)
    /// lists the valid names and the fields that a template can use. Other files than `.txt` and `.html`,
    /// and hidden files, are ignored.
    ///
    /// This method does not fail: [`build`](Self::build) reads the folder, once, and returns an error if
    /// it cannot be read or a template is wrong.
    ///
    /// ```
    /// use pat_mail::Composer;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let composer = Composer::builder("Example <noreply@example.com>")
    ///     .templates_from(&folder) // such as /etc/example/mails
    ///     .template("expired/subject.txt", "“{{ token.name }}” has expired")
    ///     .build()?;
    /// # drop(composer);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn templates_from(mut self, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref().to_owned();
        self.replacements.push(Replacement::Folder(folder));
        self
    }

    /// Adds the template `source`, written in the template language MiniJinja. The template replaces the
    /// shipped template with the same name, and any template with that name that was added before.
    ///
    /// `name` is a name such as `expired/body.txt`; the [crate documentation](crate#templates) lists the
    /// valid names and the fields that a template can use. This method does not fail:
    /// [`build`](Self::build) returns [`ComposerError::UnknownTemplate`] if the name is not valid, and
    /// [`ComposerError::InvalidTemplate`] if the template cannot be parsed or rendered.
    #[must_use]
    pub fn template(mut self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.replacements.push(Replacement::Template {
            name: name.into(),
            source: source.into(),
        });
        self
    }

    /// Builds the composer: reads the templates, and renders each template with sample data.
    ///
    /// # Errors
    /// - [`ComposerError::InvalidFrom`] if the sender is not a mail address.
    /// - [`ComposerError::InvalidTokenPage`] if the token page is not a path.
    /// - [`ComposerError::InvalidCreationPage`] if the creation page is not a path.
    /// - [`ComposerError::InvalidReplacementPage`] if the replacement page is not a path with `{id}` in it.
    /// - [`ComposerError::UnreadableTemplate`] if a folder or file cannot be read.
    /// - [`ComposerError::UnknownTemplate`] if a template has a name that no template may have.
    /// - [`ComposerError::InvalidTemplate`] if a template cannot be parsed, or fails with sample data.
    pub fn build(self) -> Result<Composer, ComposerError> {
        let from = self.from.trim().parse::<Mailbox>();
        let mut from = from.map_err(|error| ComposerError::InvalidFrom(error.into()))?;
        from.name = from
            .name
            .map(|name| text::person(&name))
            .filter(|name| !name.is_empty());
        from.email = header::ascii_domain(&from.email);
        if !is_page(&self.token_page) {
            return Err(ComposerError::InvalidTokenPage);
        }
        let creation_page = self.creation_page;
        let is_form = |path: &str| is_page(path) && !path.is_empty();
        if creation_page.as_deref().is_some_and(|path| !is_form(path)) {
            return Err(ComposerError::InvalidCreationPage);
        }
        let replacement_page = self.replacement_page;
        let is_for_one = |path: &str| is_page(path) && path.contains(TOKEN_ID);
        if replacement_page
            .as_deref()
            .is_some_and(|path| !is_for_one(path))
        {
            return Err(ComposerError::InvalidReplacementPage);
        }

        let mut sources = Sources::shipped();
        for replacement in self.replacements {
            match replacement {
                Replacement::Folder(folder) => sources.read(&folder)?,
                Replacement::Template { name, source } => sources.set(&name, source)?,
            }
        }
        let templates =
            Templates::parse(sources, self.languages.clone()).map_err(ComposerError::from)?;

        let product = self.product.map(|name| text::person(&name));
        let product = product.filter(|name| !name.is_empty());
        let product = product.or_else(|| from.name.clone());
        let product = product.unwrap_or_else(|| from.email.domain().to_owned());
        let pages = PagePaths {
            tokens: self.token_page,
            creation: creation_page,
            replacement: replacement_page,
        };
        let languages = self.languages;
        let composer = Composer::new(from, product, pages, languages.clone(), templates);
        let of_each_language = languages
            .iter()
            .flat_map(|messages| samples(messages.language()));
        for notification in of_each_language {
            composer
                .compose(&notification)
                .map_err(|error| match error {
                    ComposeError::Template {
                        template,
                        line,
                        source,
                    } => ComposerError::InvalidTemplate {
                        template,
                        line,
                        source,
                    },
                    error => ComposerError::InvalidFrom(error.into()),
                })?;
        }
        Ok(composer)
    }
}

fn is_page(path: &str) -> bool {
    let is_path = path.starts_with('/') && !path.starts_with("//");
    let is_clean = !path.chars().any(|c| c.is_whitespace() || c.is_control());
    path.is_empty() || (is_path && is_clean)
}

/// Returns notifications of every kind that cover the branches of a template: one token, several tokens
/// and more than are shown, with and without the optional fields.
fn samples(language: &str) -> impl Iterator<Item = Notification> {
    let kinds = NotificationKind::ALL.into_iter();
    kinds.flat_map(|kind| {
        [(1, true), (1, false), (3, true), (3, false), (30, true)].map(|(count, full)| {
            let mut notification = sample(kind, count, full);
            notification.recipient.language = Some(language.to_owned());
            notification
        })
    })
}

fn sample(kind: NotificationKind, count: i64, full: bool) -> Notification {
    let now = Timestamp::UNIX_EPOCH;
    let token = |number| {
        let mut token = NotificationToken::new(
            TokenId::new(number).expect("small numbers are ids"),
            format!("sample {number}"),
            now,
        );
        token.expires_at = full.then(|| now + SignedDuration::from_hours(24 * number));
        token.last_used_at = full.then_some(now);
        token.scopes = Scopes::new(["read", "write"]).ok().filter(|_| full);
        token
    };
    let mut notification = Notification::new(
        NotificationId::new(0).expect("small numbers are ids"),
        kind,
        Recipient::new("Sample Person", "sample@example.com"),
        (1..=count).map(token).collect(),
        now,
    );
    notification.by = full.then(|| "Sample Administrator".to_owned());
    notification.reason = full.then(|| "A sample.".to_owned());
    notification.client_address = full.then(|| [192, 0, 2, 7].into());
    notification.live_children = if full { count.unsigned_abs() } else { 0 };
    notification.base_url = full.then(|| "https://example.com".to_owned());
    notification
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;

    use super::*;

    const FROM: &str = "Example <noreply@example.com>";

    #[test]
    fn a_wrong_sender_or_page_is_refused() {
        for from in [
            "",
            "Example",
            "a@",
            "a@b\r\nBcc: c@d",
            "a@example.com, b@example.com",
        ] {
            let built = Composer::builder(from).build();
            assert!(
                matches!(built, Err(ComposerError::InvalidFrom(_))),
                "{from}: {built:?}"
            );
        }
        for page in ["profile", "//evil.example", "/a b", "/a\nb"] {
            let built = Composer::builder(FROM).token_page(page).build();
            assert!(
                matches!(built, Err(ComposerError::InvalidTokenPage)),
                "{page}"
            );
        }
        for page in ["", "tokens/new", "//new"] {
            let built = Composer::builder(FROM).creation_page(page).build();
            assert!(
                matches!(built, Err(ComposerError::InvalidCreationPage)),
                "{page}"
            );
        }
        for page in ["", "/profile/tokens", "tokens/{id}", "//{id}", "/{id} "] {
            let built = Composer::builder(FROM).replacement_page(page).build();
            assert!(
                matches!(built, Err(ComposerError::InvalidReplacementPage)),
                "{page}"
            );
        }
    }

    #[test]
    fn templates_are_replaced_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("expired")).unwrap();
        fs::write(
            folder.path().join("expired/subject.txt"),
            "{{ token.name }} is gone\n",
        )
        .unwrap();
        fs::write(folder.path().join("README.md"), "no template").unwrap();
        let composer = Composer::builder(FROM)
            .templates_from(&folder)
            .build()
            .unwrap();

        let expired = composer
            .text(&sample(NotificationKind::Expired, 1, true))
            .unwrap();
        assert_eq!(expired.subject, "sample 1 is gone");
        assert!(
            expired
                .body
                .contains("One of your personal access tokens has expired.")
        );
        let pruned = composer
            .text(&sample(NotificationKind::Pruned, 1, true))
            .unwrap();
        assert!(pruned.subject.contains("was deleted"));
    }

    #[test]
    fn a_bad_template_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("created")).unwrap();
        let file = folder.path().join("created/body.html");
        for (bad, line) in [
            ("a\n{% if %}", 2),
            ("\n\n{{ unknown }}", 3),
            ("{% include 'no.txt' %}", 1),
        ] {
            fs::write(&file, bad).unwrap();
            let error = Composer::builder(FROM)
                .templates_from(&folder)
                .build()
                .unwrap_err();
            let expected = format!("the template {} is wrong at line {line}", file.display());
            assert_eq!(error.to_string(), expected);
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn a_folder_that_is_missing_or_misspelt_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Composer::builder(FROM)
            .templates_from(folder.path().join("no"))
            .build();
        assert!(matches!(
            missing,
            Err(ComposerError::UnreadableTemplate { .. })
        ));
        fs::create_dir(folder.path().join("expires_soon")).unwrap();
        fs::write(folder.path().join("expires_soon/body.txt"), "").unwrap();
        let misspelt = Composer::builder(FROM).templates_from(&folder).build();
        assert!(matches!(
            misspelt,
            Err(ComposerError::UnknownTemplate { .. })
        ));
    }

    #[test]
    fn a_string_may_replace_a_layout() {
        let layout = "{% block body %}{% endblock %}\nBye, {{ product }}";
        let composer = Composer::builder("noreply@example.com").template("layout.txt", layout);
        let text = composer
            .build()
            .unwrap()
            .text(&sample(NotificationKind::Created, 3, true))
            .unwrap();
        assert!(text.body.ends_with("\nBye, example.com\n"), "{}", text.body);
    }
}
