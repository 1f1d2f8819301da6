use std::fmt;

use super::Settings;

/// A property of [`Settings`]: its name, its default, its meaning and its allowed values.
#[derive(Clone, Copy)]
pub struct Property {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
    pub(super) allowed: &'static str,
    /// Sets the value; returns `None` if the kind does not allow the text.
    pub(super) read: fn(&mut Settings, &str) -> Option<()>,
    pub(super) show: fn(&Settings) -> String,
}

impl Property {
    /// Returns the full name of the property, such as `atlassian.pats.max.tokens.per.user`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the default of the property as text, which [`SettingsBuilder::set`](super::SettingsBuilder::set)
    /// accepts. Empty text stands for an absent value.
    #[must_use]
    pub fn default(&self) -> &'static str {
        self.default
    }

    /// Returns the meaning of the property as a phrase, such as `whether tokens may be created and used`.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Returns the allowed values of the property, in words that complete "give …", such as
    /// `a whole number from 1 to 255`.
    #[must_use]
    pub fn allowed(&self) -> String {
        self.allowed.to_owned()
    }

    /// Returns the value of the property in `settings` as text, which
    /// [`SettingsBuilder::set`](super::SettingsBuilder::set) accepts.
    #[must_use]
    pub fn value(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }

    /// Returns the name of the environment variable that sets the property
    /// ([`SettingsBuilder::from_env`](super::SettingsBuilder::from_env)): the property's name in upper case, with
    /// underscores for dots, such as `PAT_REALM`.
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
