//! Whether a search finds the users whose texts have the text in them, and no others.

use super::Suite;
use super::calls::{Outcome, differs, name, names, search};
use super::derive::{around, in_other_case, other_case, own_part, texts, texts_like};
use crate::directory::User;

/// More users than a search for a text of one user finds.
const MANY: usize = 1_000;

/// What else may be wrong with a search for `_` or `%`.
const LITERALLY: &str = "; a pattern of SQL's LIKE needs `_` and `%` escaped (`text::escape_like`), and the condition \
                         ESCAPE '!'";
/// What else may be wrong with a search for letters beyond ASCII.
const BEYOND_ASCII: &str = "; SQLite's LIKE and lower(), and PostgreSQL's in the locale \"C\", fold ASCII letters \
                            alone: store `User::search_text` in a column, and search it for `text::fold_case`";

impl Suite<'_> {
    /// Key, user name, full name and mail address are searched, in any letter case. The simplest part of a text
    /// comes first, so that a failure has one cause.
    pub(super) async fn texts_are_searched(&self) -> Outcome {
        let user = &self.active;
        for (name, text) in texts(user) {
            let same = texts(user).filter(|(_, other)| other.to_lowercase() == text.to_lowercase());
            if same.count() > 1 {
                // The key is the user name, for instance.
                continue;
            }
            let Some(part) = own_part(user, text) else {
                return Err(format!(
                    "the {name} {text:?} of `active` is a part of another text of this user: give `active` the \
                     key of a user whose texts differ; otherwise a search that does not look into the {name} \
                     passes"
                ));
            };
            let advice = format!("search anywhere in the {name}, which is {text:?}");
            self.finds(user, part, &advice).await?;
            let advice = format!("ignore letter case in the {name}, which is {text:?}");
            self.finds(user, &in_other_case(part), &advice).await?;
        }
        self.wildcards_are_found().await?;
        self.letter_case_is_ignored_beyond_ascii().await?;
        for (name, text) in texts(user) {
            let advice = format!("search for any part of the {name}, also for the whole");
            self.finds(user, text, &advice).await?;
        }
        Ok(())
    }

    async fn wildcards_are_found(&self) -> Outcome {
        let user = &self.active;
        let is_wildcard = |letter| matches!(letter, '_' | '%');
        let part = texts(user).find_map(|(_, text)| around(text, is_wildcard));
        let Some(part) = part else {
            return Err(format!(
                "{} has no `_` in its names: give `active` the key of a user with one, such as the user name \
                 \"zoe_a\"; otherwise a search that does not find it passes",
                name(user)
            ));
        };
        let advice = "search for each character literally";
        self.finds(user, part, advice).await
    }

    async fn letter_case_is_ignored_beyond_ascii(&self) -> Outcome {
        let user = &self.active;
        let is_paired = |letter: char| !letter.is_ascii() && other_case(letter).is_some();
        let mut has_letter = false;
        for (name, text) in texts(user) {
            let Some(part) = around(text, is_paired) else {
                continue;
            };
            has_letter = true;
            let advice =
                format!("ignore letter case beyond ASCII in the {name}, which is {text:?}");
            self.finds(user, &in_other_case(part), &advice).await?;
        }
        if has_letter {
            return Ok(());
        }
        Err(format!(
            "{} has no letter beyond ASCII in its names: give `active` the key of a user with one, such as the \
             full name \"Zoë Ångström\"; otherwise a search that ignores the case of ASCII letters alone passes",
            name(user)
        ))
    }

    /// No character of a search is a wildcard, a quote or an escape, in none of the texts.
    pub(super) async fn characters_stand_for_themselves(&self) -> Outcome {
        let user = &self.active;
        let mut searches = texts(user)
            .flat_map(|(_, text)| texts_like(user, text))
            .peekable();
        if searches.peek().is_none() {
            return Err(format!(
                "{} has no word of three letters in its names: give `active` the key of a user with one",
                name(user)
            ));
        }
        for text in searches {
            let found = search(self.directory, &text, MANY).await?;
            if found.iter().any(|found| found.owner == user.owner) {
                return Err(format!(
                    "search({text:?}, {MANY}) returned {}, whose names do not have that text: search for each \
                     character literally{LITERALLY}",
                    name(user)
                ));
            }
        }
        Ok(())
    }

    /// The administrator and the disabled user are found too.
    pub(super) async fn every_user_is_searched(&self) -> Outcome {
        for user in self.users() {
            if self.text_that_finds(user).await?.is_none() {
                return Err(format!(
                    "search finds {} by no text, neither key nor user name, full name or mail address: search \
                     all users, including those who are not active",
                    name(user)
                ));
            }
        }
        Ok(())
    }

    pub(super) async fn the_limit_is_kept(&self) -> Outcome {
        for user in self.users() {
            let Some(text) = self.text_that_finds(user).await? else {
                continue;
            };
            search(self.directory, text, 0).await?;
            if search(self.directory, text, 1).await?.is_empty() {
                return Err(format!(
                    "search({text:?}, 1) returned no user, but search({text:?}, {MANY}) {}: the limit is for \
                     the users who are found, not for those who are looked at",
                    name(user)
                ));
            }
        }
        if search(self.directory, "", 1).await?.is_empty() {
            return Err(
                "search(\"\", 1) returned no user: the empty text is in every text".to_owned(),
            );
        }
        Ok(())
    }

    /// Returns a text of the user by which a search finds the user, the least ambiguous first.
    async fn text_that_finds<'t>(&self, user: &'t User) -> Outcome<Option<&'t str>> {
        let mut texts: Vec<_> = texts(user).map(|(_, text)| text).collect();
        texts.reverse();
        for text in texts {
            let found = search(self.directory, text, MANY).await?;
            if found.iter().any(|found| found.owner == user.owner) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// Checks that a search for this text returns the user.
    async fn finds(&self, user: &User, text: &str, advice: &str) -> Outcome {
        let found = search(self.directory, text, MANY).await?;
        let call = format!("search({text:?}, {MANY})");
        match found.iter().find(|found| found.owner == user.owner) {
            Some(found) if found == user => Ok(()),
            Some(found) => Err(differs(&call, found)),
            None => Err(format!(
                "{call} returned {}, and not {}: {advice}{}{}",
                names(&found),
                name(user),
                if text.contains(['_', '%']) {
                    LITERALLY
                } else {
                    ""
                },
                if text.is_ascii() { "" } else { BEYOND_ASCII }
            )),
        }
    }
}
