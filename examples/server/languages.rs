//! The languages of the pages and the mails.

use pat_core::messages::{Languages, Messages};

/// English, and German for browsers that prefer it.
pub(crate) fn languages() -> Languages {
    let german = Messages::from_ftl("de", include_str!("../messages/de.ftl"));
    let german = german.expect("a test reads the German messages");
    [Messages::english(), german].into()
}

/// The words of the site's own navigation.
#[derive(Debug)]
pub(crate) struct Navigation {
    pub(crate) label: &'static str,
    pub(crate) home: &'static str,
    pub(crate) tokens: &'static str,
    pub(crate) administration: &'static str,
    pub(crate) sign_out: &'static str,
}

const ENGLISH: Navigation = Navigation {
    label: "Main",
    home: "Home",
    tokens: "Your tokens",
    administration: "Administration",
    sign_out: "Sign out",
};

const GERMAN: Navigation = Navigation {
    label: "Hauptmenü",
    home: "Startseite",
    tokens: "Ihre Token",
    administration: "Verwaltung",
    sign_out: "Abmelden",
};

impl Navigation {
    /// The words in the language with this tag.
    pub(crate) fn of(language: &str) -> &'static Self {
        match language {
            "de" => &GERMAN,
            _ => &ENGLISH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_german_messages_are_whole() {
        let languages = languages();
        let german = languages.accepted("de");
        assert_eq!(german.language(), "de");
        let missing: Vec<_> = german.missing().collect();
        assert!(
            missing.is_empty(),
            "examples/messages/de.ftl lacks {missing:?}"
        );
    }
}
