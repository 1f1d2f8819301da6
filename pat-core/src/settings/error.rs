/// The reason that a property is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There is no property of this name.
    #[error("{name}: there is no such property; did you mean {nearest}?")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The property whose name is most like it.
        nearest: String,
    },
    /// The property cannot have this value.
    #[error("{name}: {value:?} is not allowed; give {allowed}")]
    NotAllowed {
        /// The property.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The allowed values, in words.
        allowed: String,
    },
    /// Two properties contradict each other.
    #[error("{name}: {value:?} contradicts {other}={other_value}; {remedy}")]
    Contradiction {
        /// One property.
        name: &'static str,
        /// Its value.
        value: String,
        /// The other property.
        other: &'static str,
        /// Its value.
        other_value: String,
        /// The remedy, in words.
        remedy: &'static str,
    },
    /// A line of property text is not of the form `name=value`.
    #[error("line {line}: {text:?} is not allowed; give name=value")]
    NoProperty {
        /// The line, counted from 1.
        line: usize,
        /// The text of the line.
        text: String,
    },
    /// A line of property text names an unknown property or has a value that is not allowed.
    #[error("line {line}: {source}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The reason.
        source: Box<SettingsError>,
    },
    /// A property is given twice in one property text.
    #[error("{name}: given on line {first} and again on line {second}; give it once")]
    Twice {
        /// The property.
        name: &'static str,
        /// The first line, counted from 1.
        first: usize,
        /// The second line.
        second: usize,
    },
    /// A property is given twice in one document, for example once by its full name and once nested.
    #[error("{name}: given twice; give it once")]
    Repeated {
        /// The property.
        name: &'static str,
    },
}
