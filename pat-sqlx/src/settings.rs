//! What a connection has to be set to, and what it is set to.

use sqlx::{Connection, Error, Pool};

use crate::{ConnectError, Dialect, Portable};

/// A setting of a connection that can change what statements mean, or what a commit is worth.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the database.
    pub name: &'static str,
    /// What [`prepare_connection`] sets it to; `None` for one that can only be looked at.
    pub pinned: Option<&'static str>,
    /// What it has to be on a pool of the host's.
    pub needed: Needed,
}

/// Which values of a [`Setting`] a pool of the host's may have.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Needed {
    /// Any: the worst one makes calls fail, and makes none do something else than it should.
    Any,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Any but these.
    NoneOf(&'static [&'static str]),
    /// A list, separated by commas, with one of the first and none of the second.
    List(&'static [&'static str], &'static [&'static str]),
    /// A number that is at least so great.
    AtLeast(u64),
}

impl Setting {
    pub(crate) const fn new(name: &'static str, pinned: &'static str, needed: Needed) -> Self {
        Self {
            name,
            pinned: Some(pinned),
            needed,
        }
    }

    pub(crate) const fn only_read(name: &'static str, needed: Needed) -> Self {
        Self {
            name,
            pinned: None,
            needed,
        }
    }

    /// Refuses what changes the meaning of statements.
    fn check(&self, found: &str) -> Result<(), ConnectError> {
        if self.needed.holds(found) {
            return Ok(());
        }
        Err(self.error(found, self.needed.to_string()))
    }

    /// Refuses all but what was set.
    fn check_pinned(&self, found: &str) -> Result<(), ConnectError> {
        match self.pinned {
            Some(pinned) if !is_same(found, pinned) => {
                Err(self.error(found, format!("it was set to {pinned:?}")))
            }
            _ => self.check(found),
        }
    }

    fn error(&self, found: &str, needed: String) -> ConnectError {
        ConnectError::Setting {
            name: self.name,
            found: found.to_owned(),
            needed,
        }
    }
}

impl Needed {
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

impl std::fmt::Display for Needed {
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

/// Numbers are written with and without a fraction.
fn is_same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    one.eq_ignore_ascii_case(other)
        || number(one)
            .is_some_and(|one| number(other).is_some_and(|other| one.total_cmp(&other).is_eq()))
}

/// Sets a connection as a store's own are set, and reads back that it is: for the `after_connect` of
/// a pool of the host's. What is set is in the crate's documentation, for each database.
///
/// ```
/// use pat_sqlx::sqlx::sqlite::SqlitePoolOptions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}?mode=rwc", folder.path().join("app.db").display());
/// let pool = SqlitePoolOptions::new()
///     .after_connect(|connection, _| Box::pin(pat_sqlx::prepare_connection(connection)))
///     .connect(&url)
///     .await?;
/// let store = pat_sqlx::SqlxStore::new(pool.clone(), pool);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The database refuses, or a setting has another value afterwards: then the cause is a
/// [`ConnectError`] that has its name.
pub async fn prepare_connection<C>(connection: &mut C) -> Result<(), Error>
where
    C: Connection,
    C::Database: Dialect<Connection = C>,
{
    <C::Database as Dialect>::pin(connection).await?;
    verify::<C::Database>(connection).await
}

/// Refuses a connection that is not as it was set.
pub(crate) async fn verify<DB: Dialect>(connection: &mut DB::Connection) -> Result<(), Error> {
    for (setting, found) in DB::read_settings(connection).await? {
        let checked = setting.check_pinned(&found);
        checked.map_err(|error| Error::Configuration(error.into()))?;
    }
    Ok(())
}

/// Refuses a pool whose connections are set to something that changes the meaning of statements.
pub(crate) async fn check<DB: Portable>(pool: &Pool<DB>) -> Result<(), ConnectError> {
    let connection = pool.acquire().await;
    let mut connection = connection.map_err(ConnectError::open)?;
    let settings = DB::read_settings(&mut connection).await;
    for (setting, found) in settings.map_err(ConnectError::open)? {
        setting.check(&found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        assert!(Needed::OneOf(&["ON"]).holds("on"));
        assert!(Needed::OneOf(&["0"]).holds("0.000000"));
        assert!(!Needed::OneOf(&["ON"]).holds("OFF"));
        assert!(!Needed::NoneOf(&["off"]).holds("OFF"));
        assert!(Needed::AtLeast(10).holds("18446744073709551615"));
        for found in ["9", "", "-1", "x"] {
            assert!(!Needed::AtLeast(10).holds(found), "{found}");
        }
        let list = Needed::List(&["A", "B"], &["C"]);
        assert!(list.holds("X,b"));
        for found in ["", "X", "A,c", "AB"] {
            assert!(!list.holds(found), "{found}");
        }
    }

    #[test]
    fn an_error_says_what_was_wrong_and_what_is_allowed() {
        let setting = Setting::new("sql_select_limit", "100", Needed::AtLeast(100));
        let error = setting.check("5").expect_err("too little");
        assert_eq!(
            error.to_string(),
            "the database's setting sql_select_limit is \"5\": it must be at least 100"
        );
        let error = setting.check_pinned("101").expect_err("not what was set");
        assert!(
            error
                .to_string()
                .ends_with("\"101\": it was set to \"100\"")
        );
    }
}
