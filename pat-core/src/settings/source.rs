//! Property text and the environment.

use std::collections::HashMap;
use std::ffi::OsStr;

use super::builder::{find, unknown};
use super::table::PROPERTIES;
use super::{Property, SettingsBuilder, SettingsError};

/// A variable with this prefix must be a property.
const VARIABLE_PREFIX: &str = "ATLASSIAN_PATS_";

impl SettingsBuilder {
    /// Sets properties from text with one `name=value` on each line, such as `pat.realm = Example`. Skips
    /// blank lines and lines that begin with `#` or `!`; ignores white space around name and value, and a
    /// byte order mark (U+FEFF) at the start of the text.
    ///
    /// # Errors
    /// - [`SettingsError::NoProperty`]: a line is not of the form `name=value`.
    /// - [`SettingsError::Line`]: a line has an unknown name, or a value that is not allowed.
    /// - [`SettingsError::Twice`]: two lines set one property.
    pub fn parse_properties(mut self, text: &str) -> Result<Self, SettingsError> {
        let mut seen = HashMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with(['#', '!']) {
                continue;
            }
            let (name, value) =
                content
                    .split_once('=')
                    .ok_or_else(|| SettingsError::NoProperty {
                        line,
                        text: content.to_owned(),
                    })?;
            let at_line = |source| SettingsError::Line {
                line,
                source: Box::new(source),
            };
            let property = find(name.trim()).map_err(at_line)?;
            if let Some(first) = seen.insert(property.name(), line) {
                return Err(SettingsError::Twice {
                    name: property.name(),
                    first,
                    second: line,
                });
            }
            self.put(property, value.trim()).map_err(at_line)?;
        }
        Ok(self)
    }

    /// Sets properties from environment variables, such as those of [`std::env::vars_os`]. The variable of
    /// a property is its name in upper case, with underscores for dots: `PAT_REALM`. Other variables are
    /// ignored, unless their names begin with `ATLASSIAN_PATS_`.
    ///
    /// # Errors
    /// - [`SettingsError::Unknown`]: the name of a variable begins with `ATLASSIAN_PATS_`, and no property
    ///   has this variable.
    /// - [`SettingsError::NotAllowed`]: a property does not allow the value of its variable.
    pub fn from_env<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SettingsError> {
        for (variable, value) in variables {
            let variable = variable.as_ref().to_string_lossy();
            let property = PROPERTIES
                .iter()
                .find(|property| property.variable() == variable);
            match property {
                // Invalid Unicode becomes U+FFFD, which no property allows.
                Some(property) => self.put(property, &value.as_ref().to_string_lossy())?,
                None if variable.starts_with(VARIABLE_PREFIX) => {
                    return Err(unknown(
                        &variable,
                        PROPERTIES.iter().map(Property::variable),
                    ));
                }
                None => {}
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn property_text_is_read_line_by_line() {
        let text = "# limits\n! more\n\n atlassian.pats.max.tokens.per.user = 20 \r\n\
                    pat.realm=a=b\n";
        let settings = Settings::builder()
            .parse_properties(text)
            .and_then(SettingsBuilder::build);
        let settings = settings.expect("settings");
        assert_eq!(
            (settings.max_tokens_per_user(), settings.realm()),
            (20, "a=b")
        );
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_ignored() {
        for (text, is_good) in [
            ("\u{feff}pat.realm=x", true),
            ("\u{feff}# comment", true),
            ("\u{feff}\u{feff}pat.realm=x", false),
            ("\n\u{feff}pat.realm=x", false),
        ] {
            let read = Settings::builder().parse_properties(text);
            assert_eq!(read.is_ok(), is_good, "{text:?}");
        }
    }

    #[test]
    fn bad_property_text_names_the_line() {
        let message = |text| {
            let error = Settings::builder()
                .parse_properties(text)
                .expect_err("bad text");
            error.to_string()
        };
        assert_eq!(
            message("\nnonsense"),
            "line 2: \"nonsense\" is not allowed; give name=value"
        );
        let unknown = message("pat.rellm=x");
        assert!(
            unknown.starts_with("line 1: pat.rellm: there is no such property"),
            "{unknown}"
        );
        let value = message("pat.realm=x\natlassian.pats.enabled=maybe");
        assert!(
            value.starts_with("line 2: atlassian.pats.enabled: \"maybe\""),
            "{value}"
        );
        let twice = message("pat.realm=x\n\npat.realm=y");
        assert_eq!(
            twice,
            "pat.realm: given on line 1 and again on line 3; give it once"
        );
    }

    fn from_env(variable: &str, value: &str) -> Result<SettingsBuilder, SettingsError> {
        Settings::builder().from_env([(variable, value)])
    }

    #[test]
    fn the_environment_is_read() {
        let settings = |variable, value| {
            from_env(variable, value)
                .and_then(SettingsBuilder::build)
                .expect("settings")
        };
        assert_eq!(
            settings("ATLASSIAN_PATS_MAX_TOKENS_PER_USER", "7").max_tokens_per_user(),
            7
        );
        assert_eq!(
            settings("PAT_AUTH_MAX_STALENESS_MS", "0")
                .auth_max_staleness()
                .as_millis(),
            0
        );
        settings("PAT_LISTEN", "anything goes");
    }

    #[test]
    fn bad_variables_are_refused() {
        let unknown = from_env("ATLASSIAN_PATS_MAX_TOKEN_PER_USER", "7").expect_err("unknown");
        assert_eq!(
            unknown.to_string(),
            "ATLASSIAN_PATS_MAX_TOKEN_PER_USER: there is no such property; \
             did you mean ATLASSIAN_PATS_MAX_TOKENS_PER_USER?"
        );
        assert!(from_env("ATLASSIAN_PATS_ENABLED", "maybe").is_err());
        assert!(from_env("PAT_REALM", "").is_err());
    }
}
