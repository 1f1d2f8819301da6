//! Property text and the environment.

use std::collections::HashMap;
use std::ffi::OsStr;

use super::builder::{find, nearest};
use super::table::PROPERTIES;
use super::{Property, SettingsBuilder, SettingsError};

/// A variable with this prefix must be that of a property.
const ONLY_OURS: &str = "ATLASSIAN_PATS_";
/// A variable with this prefix may be another program's, or the host's own.
const ALSO_OTHERS: &str = "PAT_";

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
        for entry in entries(text) {
            let (line, property, value) = entry?;
            self.put(property, value)
                .map_err(|error| error.at_line(line))?;
        }
        Ok(self)
    }

    /// Sets properties from environment variables, such as those of [`std::env::vars_os`]. The variable of
    /// a property is its name in upper case, with underscores for dots: `PAT_REALM`.
    ///
    /// Other variables are ignored, except those that look like a mistake, since the property would then keep
    /// its default without a word. A variable that sets no property is refused if its name
    ///
    /// - begins with `ATLASSIAN_PATS_`, or differs from such a variable of a property in at most three
    ///   characters: `ATLASSIAN_PAT_ENABLED`;
    /// - begins with `PAT_`, and the rest differs from that of a property's variable in at most a quarter of
    ///   the characters, and at most three: `PAT_RELM`, but not `PAT_TEAM`;
    /// - is the name of a property, or of its variable in lower case: `pat.realm`, `pat_realm`.
    ///
    /// The variables that Kubernetes sets in each container for each service (`PAT_SERVICE_HOST`, `PAT_PORT`,
    /// `PAT_TOKEN_PORT_80_TCP`) are always ignored. A host with a variable of its own that is refused leaves
    /// it out of `variables`.
    ///
    /// # Errors
    /// - [`SettingsError::UnknownVariable`]: a variable looks like a mistake.
    /// - [`SettingsError::NotAllowed`]: a property does not allow the value of its variable.
    pub fn from_env<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SettingsError> {
        for (variable, value) in variables {
            let variable = variable.as_ref().to_string_lossy();
            if let Some(property) = property_of(&variable)? {
                // Invalid Unicode becomes U+FFFD, which no property allows.
                self.put(property, &value.as_ref().to_string_lossy())?;
            }
        }
        Ok(self)
    }
}

/// Returns the entries of a property text: the number of the line, the property and the value, or the error of
/// the line.
pub(super) fn entries(
    text: &str,
) -> impl Iterator<Item = Result<(usize, &'static Property, &str), SettingsError>> {
    let mut seen = HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']));
    lines.map(move |(line, content)| {
        let (name, value) = content
            .split_once('=')
            .ok_or_else(|| SettingsError::NoProperty {
                line,
                text: content.to_owned(),
            })?;
        let property = find(name.trim()).map_err(|error| error.at_line(line))?;
        match seen.insert(property.name(), line) {
            Some(first) => Err(SettingsError::Twice {
                name: property.name(),
                first,
                second: line,
            }),
            None => Ok((line, property, value.trim())),
        }
    })
}

/// Returns the property of an environment variable; `None` for a variable of another program.
pub(super) fn property_of(variable: &str) -> Result<Option<&'static Property>, SettingsError> {
    let property = PROPERTIES
        .iter()
        .find(|property| property.variable() == variable);
    if property.is_none() {
        refuse_mistake(variable)?;
    }
    Ok(property)
}

/// Refuses the name of a variable that sets no property if it looks as if it should. An error and not a
/// warning: settings are usually read before the host starts to log.
fn refuse_mistake(variable: &str) -> Result<(), SettingsError> {
    let name = variable.to_uppercase().replace('.', "_");
    let nearest = nearest(&name, PROPERTIES.iter().map(Property::variable));
    let is_mistake = name.starts_with(ONLY_OURS) || is_misspelt(&name, &nearest);
    if !is_mistake || is_service_of_kubernetes(&name) {
        return Ok(());
    }
    Err(SettingsError::UnknownVariable {
        name: variable.to_owned(),
        nearest,
    })
}

/// Whether a variable is probably this variable of a property, with a typing error.
fn is_misspelt(name: &str, known: &str) -> bool {
    // The shorter the name, the more likely is another program's variable that differs in few characters.
    let may_differ = match known.strip_prefix(ALSO_OTHERS) {
        Some(_) if !name.starts_with(ALSO_OTHERS) => return false,
        Some(rest) => (rest.len() / 4).min(3),
        None => 3,
    };
    strsim::levenshtein(name, known) <= may_differ
}

/// Whether Kubernetes sets such a variable for a service of the namespace, such as `PAT_TOKEN_PORT` for the
/// service `pat-token`. No property has such a variable.
fn is_service_of_kubernetes(name: &str) -> bool {
    let parts = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"];
    name.ends_with("_PORT") || parts.iter().any(|part| name.contains(part))
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
    fn misspelt_variables_are_refused_with_the_right_name() {
        for (variable, meant) in [
            ("PAT_RELM", "PAT_REALM"),
            ("PAT_REALMS", "PAT_REALM"),
            ("PAT_BASE_URI", "PAT_BASE_URL"),
            ("PAT_BASEURL", "PAT_BASE_URL"),
            ("PAT_TIMEZONE", "PAT_TIME_ZONE"),
            ("PAT_CREATE_BY_TOKENS", "PAT_CREATE_BY_TOKEN"),
            ("PAT_CRAETE_BY_TOKEN", "PAT_CREATE_BY_TOKEN"),
            ("PAT_AUTH_MAX_STALENESS", "PAT_AUTH_MAX_STALENESS_MS"),
            ("PAT_REVOCATION_WAITS", "PAT_REVOCATION_WAIT"),
            ("PAT_NOTICE__CREATED", "PAT_NOTICE_CREATED"),
            ("pat_realm", "PAT_REALM"),
            ("pat.realm", "PAT_REALM"),
            ("atlassian.pats.enabled", "ATLASSIAN_PATS_ENABLED"),
            ("ATLASSIAN_PAT_ENABLED", "ATLASSIAN_PATS_ENABLED"),
            ("ATLASIAN_PATS_ENABLED", "ATLASSIAN_PATS_ENABLED"),
            ("ATLASSIAN_PATS_WHATEVER", "ATLASSIAN_PATS_ENABLED"),
        ] {
            match from_env(variable, "true") {
                Err(SettingsError::UnknownVariable { name, nearest }) => {
                    assert_eq!((&*name, &*nearest), (variable, meant));
                }
                other => panic!("{variable}: {other:?}"),
            }
        }
        // Each property has such names.
        for property in PROPERTIES {
            let variable = property.variable();
            for misspelt in [format!("{variable}S"), variable.replacen('_', "__", 1)] {
                assert!(from_env(&misspelt, "true").is_err(), "{misspelt}");
            }
        }
    }

    #[test]
    fn variables_of_others_are_ignored() {
        for variable in [
            // Of the host and its tools.
            "PAT",
            "PAT_",
            "PAT_DATABASE_URL",
            "PAT_DATABASE_TIMEOUT",
            "PAT_LISTEN",
            "PAT_LOG",
            "PAT_TEST_REQUIRE",
            "PAT_TEST_SETTINGS",
            "PAT_TOKEN",
            "PAT_TOKEN_FILE",
            "PAT_ADMIN_EMAIL",
            "PAT_TEAM",
            "PAT_HELM",
            "PAT_API_URL",
            "APP_BASE_URL",
            "APP_REALM",
            "APP_TOKEN_FORMAT",
            "BASE_URL",
            "TIME_ZONE",
            "ATLASSIAN_URL",
            "ATLASSIAN_TOKEN",
        ] {
            assert!(from_env(variable, "anything").is_ok(), "{variable}");
        }
    }

    #[test]
    fn variables_of_kubernetes_are_ignored() {
        // As if a service had the name of each property, or a part of it.
        let parts = |variable: String| {
            let ends = variable.match_indices('_').map(|(end, _)| end);
            let ends: Vec<_> = ends.chain([variable.len()]).collect();
            ends.into_iter().map(move |end| variable[..end].to_owned())
        };
        for service in PROPERTIES.iter().flat_map(|one| parts(one.variable())) {
            for of_service in [
                "SERVICE_HOST",
                "SERVICE_PORT",
                "SERVICE_PORT_HTTP",
                "PORT",
                "PORT_80_TCP",
                "PORT_80_TCP_PROTO",
                "PORT_80_TCP_PORT",
                "PORT_80_TCP_ADDR",
            ] {
                let variable = format!("{service}_{of_service}");
                assert!(
                    from_env(&variable, "tcp://10.0.0.1:80").is_ok(),
                    "{variable}"
                );
            }
        }
    }

    #[test]
    fn bad_variables_are_refused() {
        let unknown = from_env("ATLASSIAN_PATS_MAX_TOKEN_PER_USER", "7").expect_err("unknown");
        assert_eq!(
            unknown.to_string(),
            "the environment variable ATLASSIAN_PATS_MAX_TOKEN_PER_USER sets no property; \
             did you mean ATLASSIAN_PATS_MAX_TOKENS_PER_USER?"
        );
        assert!(from_env("ATLASSIAN_PATS_ENABLED", "maybe").is_err());
        assert!(from_env("PAT_REALM", "").is_err());
    }
}
