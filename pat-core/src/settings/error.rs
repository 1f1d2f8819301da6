/// The reason that settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No property has the name that was set.
    #[error("{name}: there is no such property; did you mean {nearest}?")]
    Unknown {
        /// The unknown name.
        name: String,
        /// The property name that differs from `name` in the fewest characters, if `name` may leave out the
        /// beginning `atlassian.pats.` or `pat.`: a suggestion for the error text.
        nearest: String,
    },
    /// An environment variable sets no property, but its name looks as if it should;
    /// [`SettingsBuilder::from_env`](crate::settings::SettingsBuilder::from_env) has the rule.
    #[error("the environment variable {name} sets no property; did you mean {nearest}?")]
    #[non_exhaustive]
    UnknownVariable {
        /// The name of the variable.
        name: String,
        /// The variable of a property that differs from `name` in the fewest characters: a suggestion for
        /// the error text.
        nearest: String,
    },
    /// The property does not allow this value.
    #[error("{name}: {value:?} is not allowed; give {allowed}")]
    NotAllowed {
        /// Full name of the property.
        name: &'static str,
        /// The refused value as text. For a list, a table or a null value that serde reads, its type instead,
        /// such as `a table`.
        value: String,
        /// The values that the property allows; see [`Property::allowed`](crate::settings::Property::allowed).
        allowed: String,
    },
    /// The values of two properties contradict each other; [`SettingsBuilder::build`](crate::settings::SettingsBuilder::build)
    /// lists the rules.
    #[error("{name}: {value:?} contradicts {other}={other_value}; {remedy}")]
    Contradiction {
        /// Full name of the first property.
        name: &'static str,
        /// Value of the property `name`, as text.
        value: String,
        /// Full name of the second property.
        other: &'static str,
        /// Value of the property `other`, as text.
        other_value: String,
        /// What the operator can do about the contradiction, as a phrase for the error text.
        remedy: &'static str,
    },
    /// A line of property text is not of the form `name=value`.
    #[error("line {line}: {text:?} is not allowed; give name=value")]
    NoProperty {
        /// Number of the line in the property text, counted from 1.
        line: usize,
        /// Content of the line, without white space around it.
        text: String,
    },
    /// An option of the command line is not of the form `NAME=VALUE`
    /// ([`SettingsSources::options`](crate::settings::SettingsSources::options)).
    #[error("{text:?} is not allowed; give NAME=VALUE, such as pat.realm=Example")]
    #[non_exhaustive]
    NoAssignment {
        /// The text of the option.
        text: String,
    },
    /// A line of property text names an unknown property or has a value that is not allowed.
    #[error("line {line}: {source}")]
    Line {
        /// Number of the line in the property text, counted from 1.
        line: usize,
        /// The error of the line: [`SettingsError::Unknown`] or [`SettingsError::NotAllowed`].
        source: Box<SettingsError>,
    },
    /// A property text sets a property on two lines.
    #[error("{name}: given on line {first} and again on line {second}; give it once")]
    Twice {
        /// Full name of the property.
        name: &'static str,
        /// Number of the first line that sets the property, counted from 1.
        first: usize,
        /// Number of the second line that sets the property, counted from 1.
        second: usize,
    },
    /// A document that serde reads sets a property twice, for example once by its full name and once in a
    /// nested table.
    #[error("{name}: given twice; give it once")]
    Repeated {
        /// Full name of the property.
        name: &'static str,
    },
}

impl SettingsError {
    pub(super) fn at_line(self, line: usize) -> Self {
        Self::Line {
            line,
            source: Box::new(self),
        }
    }
}
