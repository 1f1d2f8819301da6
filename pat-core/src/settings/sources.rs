//! Several sources of settings, read at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;

use super::builder::find;
use super::source::{entries, property_of};
use super::{Property, Settings, SettingsBuilder, SettingsError};

/// The sources from which a host reads its settings, in ascending order of precedence: a value replaces that of an
/// earlier source.
///
/// Unlike [`SettingsBuilder`], it reports every error at once, and from which source each value comes. A server that
/// reads its settings so, and the command `check-config`, always agree.
///
/// ```
/// use pat_core::settings::SettingsSources;
///
/// let sources = SettingsSources::new()
///     .properties("app.properties", "atlassian.pats.max.tokens.per.user = 20")
///     .env([("PAT_REALM", "Example")])
///     .options("-D", ["pat.realm=Acme"]);
/// let reading = sources.read();
/// for value in reading.values() {
///     println!("{}={} ({})", value.property().name(), value.value(), value.source().unwrap_or("default"));
/// }
/// let settings = reading.into_settings()?;
/// assert_eq!((settings.max_tokens_per_user(), settings.realm()), (20, "Acme"));
/// # Ok::<(), pat_core::settings::SettingsProblem>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SettingsSources {
    entries: Vec<(String, Result<Entry, SettingsError>)>,
    /// Sources of options, which may give a property twice.
    options: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    property: &'static Property,
    value: String,
    /// Number of the line, if the source has lines.
    line: Option<usize>,
}

impl SettingsSources {
    /// Creates an empty list, with which every property has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one property of the full name `name` from a source that reports show as `source`.
    pub fn value(self, source: &str, name: &str, value: &str) -> Self {
        let entry = find(name).map(|property| Entry::new(property, value));
        self.with(source, entry)
    }

    /// Adds the properties of a text, as [`SettingsBuilder::parse_properties`] reads it.
    pub fn properties(mut self, source: &str, text: &str) -> Self {
        for entry in entries(text) {
            let entry = entry.map(|(line, property, value)| Entry {
                line: Some(line),
                ..Entry::new(property, value)
            });
            self = self.with(source, entry);
        }
        self
    }

    /// Adds the properties in environment variables, as [`SettingsBuilder::from_env`] reads them. Reports show the
    /// variable as the source.
    pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (variable, value) in variables {
            let variable = variable.as_ref().to_string_lossy();
            let entry = property_of(&variable).transpose();
            let entry = entry.map(|property| {
                // Invalid Unicode becomes U+FFFD, which no property allows.
                property.map(|property| Entry::new(property, &value.as_ref().to_string_lossy()))
            });
            if let Some(entry) = entry {
                self = self.with(&format!("the variable {variable}"), entry);
            }
        }
        self
    }

    /// Adds options of the command line, each of the form `NAME=VALUE`. If a property is given twice, the later value
    /// counts, and [`SettingsReading::warnings`] names both.
    pub fn options<T: AsRef<str>>(
        mut self,
        source: &str,
        options: impl IntoIterator<Item = T>,
    ) -> Self {
        self.options.push(source.to_owned());
        for option in options {
            let option = option.as_ref();
            let entry = match option.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    find(name.trim()).map(|property| Entry::new(property, value))
                }
                _ => Err(SettingsError::NoAssignment {
                    text: option.to_owned(),
                }),
            };
            self = self.with(source, entry);
        }
        self
    }

    /// Reads all sources.
    #[must_use]
    pub fn read(&self) -> SettingsReading {
        let mut builder = Settings::builder();
        let mut values = BTreeMap::<_, (&str, &str)>::new();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for (source, entry) in &self.entries {
            let put = entry.clone().and_then(|entry| entry.put(&mut builder));
            if let Err(error) = put {
                problems.push(SettingsProblem {
                    source: Some(source.clone()),
                    error,
                });
            }
            let Ok(Entry {
                property, value, ..
            }) = entry
            else {
                continue;
            };
            let before = values.insert(property.name(), (source, value));
            if let Some((_, other)) = before.filter(|(before, _)| before == source) {
                if self.options.contains(source) {
                    let name = property.name();
                    warnings.push(format!(
                        "{source}: {name} is given twice, as {other:?} and as {value:?}; the last one counts"
                    ));
                }
            }
        }
        problems.extend(
            builder
                .contradictions()
                .into_iter()
                .map(|error| SettingsProblem {
                    source: None,
                    error,
                }),
        );
        let settings = builder.complete();
        let values = Settings::properties().iter().map(|property| SettingValue {
            property,
            value: property.value(&settings),
            source: values
                .get(property.name())
                .map(|(source, _)| (*source).to_owned()),
        });
        SettingsReading {
            values: values.collect(),
            settings,
            problems,
            warnings,
        }
    }

    fn with(mut self, source: &str, entry: Result<Entry, SettingsError>) -> Self {
        self.entries.push((source.to_owned(), entry));
        self
    }
}

impl Entry {
    fn new(property: &'static Property, value: &str) -> Self {
        Self {
            property,
            value: value.to_owned(),
            line: None,
        }
    }

    fn put(self, builder: &mut SettingsBuilder) -> Result<(), SettingsError> {
        let put = builder.put(self.property, &self.value);
        put.map_err(|error| match self.line {
            Some(line) => error.at_line(line),
            None => error,
        })
    }
}

/// What [`SettingsSources::read`] has read.
#[derive(Debug, Clone)]
pub struct SettingsReading {
    values: Vec<SettingValue>,
    settings: Settings,
    problems: Vec<SettingsProblem>,
    warnings: Vec<String>,
}

impl SettingsReading {
    /// Returns the effective value of every property, in the order of [`Settings::properties`]. A property whose
    /// value is not allowed has the value that it would have without it.
    #[must_use]
    pub fn values(&self) -> &[SettingValue] {
        &self.values
    }

    /// Returns every error: first those of the sources, in their order, then the values that contradict each other.
    #[must_use]
    pub fn problems(&self) -> &[SettingsProblem] {
        &self.problems
    }

    /// Returns a sentence for each option that another one of the same source replaces.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the settings.
    ///
    /// # Errors
    /// The first of [`SettingsReading::problems`], if there is one.
    pub fn into_settings(self) -> Result<Settings, SettingsProblem> {
        match self.problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(self.settings),
        }
    }
}

/// The effective value of a property, and its source.
#[derive(Debug, Clone)]
pub struct SettingValue {
    property: &'static Property,
    value: String,
    source: Option<String>,
}

impl SettingValue {
    /// Returns the property.
    #[must_use]
    pub fn property(&self) -> &'static Property {
        self.property
    }

    /// Returns the value as text ([`Property::value`]).
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the last source that sets the property; `None` if it has its default.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

/// An error of a source of settings. Its `Display` is one line with the source and the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsProblem {
    source: Option<String>,
    error: SettingsError,
}

impl SettingsProblem {
    /// Returns the source with the error; `None` for values that contradict each other, which may come from two
    /// sources.
    #[must_use]
    pub fn source_name(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Returns the error.
    #[must_use]
    pub fn error(&self) -> &SettingsError {
        &self.error
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, &self.error) {
            // It names the variable itself.
            (Some(_), SettingsError::UnknownVariable { .. }) | (None, _) => self.error.fmt(f),
            (Some(source), error) => write!(f, "{source}: {error}"),
        }
    }
}

impl std::error::Error for SettingsProblem {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(sources: &SettingsSources) -> Vec<String> {
        let reading = sources.read();
        reading.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn later_sources_win_and_are_named() {
        let sources = SettingsSources::new()
            .value("the server", "pat.base.url", "http://localhost")
            .properties("file", "pat.realm=a\natlassian.pats.max.tokens.per.user=7")
            .env([("PAT_REALM", "b"), ("HOME", "/")])
            .options("-D", ["pat.realm=c"]);
        let reading = sources.read();
        let value = |name: &str| {
            let mut values = reading.values().iter();
            let found = values.find(|value| value.property().name() == name);
            let found = found.expect("a property");
            (found.value().to_owned(), found.source().map(str::to_owned))
        };
        for (name, expected, source) in [
            ("pat.base.url", "http://localhost", Some("the server")),
            ("pat.realm", "c", Some("-D")),
            ("atlassian.pats.max.tokens.per.user", "7", Some("file")),
            ("atlassian.pats.enabled", "true", None),
            // It follows from another one.
            ("pat.max.rows.per.user", "10000", None),
        ] {
            let expected = (expected.to_owned(), source.map(str::to_owned));
            assert_eq!(value(name), expected, "{name}");
        }
        assert_eq!(reading.values().len(), Settings::properties().len());
        assert_eq!(reading.into_settings().expect("settings").realm(), "c");
        let of_env = SettingsSources::new().env([("PAT_REALM", "b")]).read();
        let sources = of_env.values().iter().filter_map(SettingValue::source);
        assert_eq!(sources.collect::<Vec<_>>(), ["the variable PAT_REALM"]);
    }

    #[test]
    fn every_error_is_reported_with_its_source() {
        let sources = SettingsSources::new()
            .properties(
                "file",
                "pat.rellm=x\nnonsense\natlassian.pats.enabled=maybe\npat.realm=x\npat.realm=y",
            )
            .env([("PAT_RELM", "x"), ("ATLASSIAN_PATS_ENABLED", "2")])
            .options(
                "-D",
                [
                    "x",
                    "=5",
                    "max.tokens.per.user=5",
                    "pat.cluster.poll.interval.ms=2000",
                ],
            )
            .value("the server", "pat.rotate.overlap.max.seconds", "60");
        let found = problems(&sources);
        let expected = [
            "file: line 1: pat.rellm: there is no such property; did you mean pat.realm?",
            "file: line 2: \"nonsense\" is not allowed; give name=value",
            "file: line 3: atlassian.pats.enabled: \"maybe\" is not allowed; give",
            "file: pat.realm: given on line 4 and again on line 5; give it once",
            "the environment variable PAT_RELM sets no property; did you mean PAT_REALM?",
            "the variable ATLASSIAN_PATS_ENABLED: atlassian.pats.enabled: \"2\" is not allowed; give",
            "-D: \"x\" is not allowed; give NAME=VALUE, such as pat.realm=Example",
            "-D: \"=5\" is not allowed; give NAME=VALUE, such as pat.realm=Example",
            "-D: max.tokens.per.user: there is no such property; did you mean atlassian.pats.max.tokens.per.user?",
            "pat.cluster.poll.interval.ms: \"2000\" contradicts",
            "pat.rotate.overlap.seconds: \"3600\" contradicts",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\n{expected}");
        }
        let first = sources.read().into_settings().expect_err("a problem");
        assert_eq!(first.to_string(), found[0]);
        assert_eq!(first.source_name(), Some("file"));
        assert!(matches!(first.error(), SettingsError::Line { line: 1, .. }));
    }

    #[test]
    fn an_option_that_is_given_twice_is_warned_of() {
        let sources = SettingsSources::new()
            .options(
                "-D",
                ["pat.realm=a", "atlassian.pats.enabled=true", "pat.realm=b"],
            )
            .value("the server", "pat.base.url", "http://a")
            .value("the server", "pat.base.url", "http://b");
        let reading = sources.read();
        assert_eq!(
            reading.warnings(),
            ["-D: pat.realm is given twice, as \"a\" and as \"b\"; the last one counts"]
        );
        assert_eq!(reading.into_settings().expect("settings").realm(), "b");
    }
}
