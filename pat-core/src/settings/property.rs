use std::fmt;

use super::Settings;

/// A property: its name, what it means and what it may be.
#[derive(Clone, Copy)]
pub struct Property {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
    pub(super) allowed: &'static str,
    /// Takes a value; `None` if it is not allowed.
    pub(super) read: fn(&mut Settings, &str) -> Option<()>,
    pub(super) show: fn(&Settings) -> String,
}

impl Property {
    /// The full name, such as `atlassian.pats.max.tokens.per.user`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value it has unless it is set.
    #[must_use]
    pub fn default(&self) -> &'static str {
        self.default
    }

    /// What it means, in half a sentence.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// What it may be, in words that complete "give …".
    #[must_use]
    pub fn allowed(&self) -> &'static str {
        self.allowed
    }

    /// The value it has in these settings.
    #[must_use]
    pub fn value(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }

    /// The name of the environment variable: upper case, with underscores.
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
