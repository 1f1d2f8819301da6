use std::fmt;

use super::Settings;

/// A property: its name, its default, its meaning and its allowed values.
#[derive(Clone, Copy)]
pub struct Property {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
    pub(super) allowed: fn() -> String,
    /// Sets the value; returns `None` if the kind does not allow the text.
    pub(super) read: fn(&mut Settings, &str) -> Option<()>,
    pub(super) show: fn(&Settings) -> String,
}

impl Property {
    /// Returns the full name, such as `atlassian.pats.max.tokens.per.user`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the value that the property has unless it is set.
    #[must_use]
    pub fn default(&self) -> &'static str {
        self.default
    }

    /// Returns the meaning as a phrase, such as `minutes between writes of last uses`.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Returns the allowed values, in words that complete "give …".
    #[must_use]
    pub fn allowed(&self) -> String {
        (self.allowed)()
    }

    /// Returns the value that the property has in these settings.
    #[must_use]
    pub fn value(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }

    /// Returns the name of the environment variable: the property name in upper case, with underscores.
    #[must_use]
    pub fn variable(&self) -> String {
        self.name.to_uppercase().replace('.', "_")
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
