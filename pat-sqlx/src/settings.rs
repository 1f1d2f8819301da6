//! The settings of connections: their values, and which the store refuses.

use crate::error::ConnectError;

/// A setting of a database connection, such as `sql_mode`, that can change what SQL statements mean, or how
/// durable a commit is.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name of the setting in the database, such as `sql_mode`.
    pub name: &'static str,
    /// The value that [`prepare_connection`](crate::prepare_connection) sets; `None` for a setting
    /// that is only checked, or set to a value that depends on the connection.
    pub value: Option<&'static str>,
    /// The values that a connection of the host may have.
    pub allowed: Allowed,
    /// What the host can do if a connection has another value than the allowed ones.
    pub remedy: &'static str,
}

/// What the host can do about a value that [`prepare_connection`](crate::prepare_connection) sets.
const PREPARE: &str = "call pat_sqlx::prepare_connection in the after_connect of the pool";
/// What the host can do about a value that was set in vain.
const IGNORED: &str = "find out what has kept the database from accepting this value, such as the \
                       server's configuration, a proxy, or the file system of a SQLite file";

/// The values of a [`Setting`] that a connection of the host may have.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Allowed {
    /// Every value is allowed: a bad value makes calls fail, but never changes what they do.
    Any,
    /// Only the values in this list are allowed.
    OneOf(&'static [&'static str]),
    /// Every value is allowed except those in this list.
    NoneOf(&'static [&'static str]),
    /// The value is a comma-separated list, which must contain at least one of the first values and
    /// none of the second values.
    List(&'static [&'static str], &'static [&'static str]),
    /// The value must be a number, at least this one.
    AtLeast(u64),
}

impl Setting {
    pub(crate) const fn new(name: &'static str, value: &'static str, allowed: Allowed) -> Self {
        Self {
            name,
            value: Some(value),
            allowed,
            remedy: PREPARE,
        }
    }

    /// A setting that is set too, but not to one value.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) const fn adjusted(name: &'static str, allowed: Allowed) -> Self {
        Self::only_read(name, allowed, PREPARE)
    }

    pub(crate) const fn only_read(
        name: &'static str,
        allowed: Allowed,
        remedy: &'static str,
    ) -> Self {
        Self {
            name,
            value: None,
            allowed,
            remedy,
        }
    }

    /// Refuses a value that changes the meaning of statements.
    pub(crate) fn check(&self, found: &str) -> Result<(), ConnectError> {
        if self.allowed.holds(found) {
            return Ok(());
        }
        Err(self.error(found, self.allowed.to_string(), self.remedy))
    }

    /// Refuses any value but the one that was set.
    pub(crate) fn check_applied(&self, found: &str) -> Result<(), ConnectError> {
        match self.value {
            Some(value) if !is_same(found, value) => {
                Err(self.error(found, format!("it was set to {value:?}"), IGNORED))
            }
            _ => self.check(found),
        }
    }

    fn error(&self, found: &str, needed: String, remedy: &'static str) -> ConnectError {
        ConnectError::Setting {
            name: self.name,
            found: found.to_owned(),
            needed,
            remedy,
        }
    }
}

impl Allowed {
    fn holds(self, found: &str) -> bool {
        let has = |one: &&str| found.split(',').any(|mode| is_same(mode, one));
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|value| is_same(found, value)),
            Self::NoneOf(values) => !values.iter().any(|value| is_same(found, value)),
            Self::List(one_of, none_of) => one_of.iter().any(has) && !none_of.iter().any(has),
            Self::AtLeast(least) => found.parse().is_ok_and(|found: u64| found >= least),
        }
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any value will do"),
            Self::OneOf(values) => write!(f, "it must be {}", values.join(" or ")),
            Self::NoneOf(values) => write!(f, "it must not be {}", values.join(" or ")),
            Self::List(one_of, none_of) => write!(
                f,
                "it must have {} and none of {}",
                one_of.join(" or "),
                none_of.join(", ")
            ),
            Self::AtLeast(least) => write!(f, "it must be at least {least}"),
        }
    }
}

/// Compares without regard to case, and numbers by value: databases write them with or without a
/// fraction.
fn is_same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    one.eq_ignore_ascii_case(other)
        || number(one)
            .is_some_and(|one| number(other).is_some_and(|other| one.total_cmp(&other).is_eq()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_values_are_told_from_others() {
        assert!(Allowed::OneOf(&["ON"]).holds("on"));
        assert!(Allowed::OneOf(&["0"]).holds("0.000000"));
        assert!(!Allowed::OneOf(&["ON"]).holds("OFF"));
        assert!(!Allowed::NoneOf(&["off"]).holds("OFF"));
        assert!(Allowed::AtLeast(10).holds("18446744073709551615"));
        for found in ["9", "", "-1", "x"] {
            assert!(!Allowed::AtLeast(10).holds(found), "{found}");
        }
        let list = Allowed::List(&["A", "B"], &["C"]);
        assert!(list.holds("X,b"));
        for found in ["", "X", "A,c", "AB"] {
            assert!(!list.holds(found), "{found}");
        }
    }

    #[test]
    fn an_error_says_what_was_wrong_and_what_is_allowed() {
        let setting = Setting::new("sql_select_limit", "100", Allowed::AtLeast(100));
        let error = setting.check("5").expect_err("too little");
        assert_eq!(
            error.to_string(),
            "the database's setting sql_select_limit is \"5\": it must be at least 100; \
             call pat_sqlx::prepare_connection in the after_connect of the pool"
        );
        let error = setting
            .check_applied("101")
            .expect_err("another value than was set");
        let text = error.to_string();
        assert!(text.contains("\"101\": it was set to \"100\""), "{text}");
        assert!(text.contains("what has kept the database"), "{text}");
        let setting =
            Setting::only_read("encoding", Allowed::OneOf(&["UTF-8"]), "use another file");
        let error = setting.check("UTF-16le").expect_err("another encoding");
        let text = error.to_string();
        assert!(
            text.ends_with("it must be UTF-8; use another file"),
            "{text}"
        );
    }
}
