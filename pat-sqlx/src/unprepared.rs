//! Statements that are sent as a text with their values, since the server prepares no more.
//!
//! MySQL and MariaDB limit the number of prepared statements of all connections together
//! (`max_prepared_stmt_count`), so other programs can take the last one. That must not stop authentication.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pat_core::{Clock as _, SystemClock};
use sqlx::{Error, SqlStr};
use tracing::dispatcher::{Dispatch, get_default};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use crate::dialect::{Dialect, Value};
use crate::sql_dialect::hex;

/// How often a lack of prepared statements is logged, at most.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// Whether the server has refused to prepare a statement because there are too many.
pub(crate) fn is_out_of_statements<DB: Dialect>(error: &Error) -> bool {
    DB::LIMITS_PREPARED
        && matches!(error, Error::Database(error) if DB::is_out_of_statements(&**error))
}

/// A statement that the server may have to run without preparing it.
pub(crate) struct Unprepared {
    /// With a `?` for each value.
    text: SqlStr,
    values: Vec<Value>,
}

impl Unprepared {
    pub(crate) fn new(text: SqlStr, values: Vec<Value>) -> Self {
        Self { text, values }
    }

    /// Runs the statement as a text. Returns its rows, and how many rows it changed.
    pub(crate) async fn run<DB: Dialect>(
        self,
        connection: &mut DB::Connection,
    ) -> Result<(Vec<DB::Row>, u64), Error> {
        warn();
        let text = self.inline::<DB>()?;
        let running = DB::run_text(text, connection);
        // The driver logs texts, and this one has values, such as digests. (Where the process has no subscriber, one
        // that is set here would end the forwarding of all events to the crate `log`.)
        if get_default(Dispatch::is::<NoSubscriber>) {
            running.await
        } else {
            running.with_subscriber(NoSubscriber::default()).await
        }
    }

    /// Returns the text with the values in place of the placeholders.
    fn inline<DB: Dialect>(&self) -> Result<String, Error> {
        let mut parts = self.text.as_str().split('?');
        let mut text = parts.next().unwrap_or_default().to_owned();
        let mut values = self.values.iter();
        for part in parts {
            let value = values.next().ok_or_else(wrong_count)?;
            text.push_str(&literal::<DB>(value));
            text.push_str(part);
        }
        match values.next() {
            None => Ok(text),
            Some(_) => Err(wrong_count()),
        }
    }
}

fn wrong_count() -> Error {
    Error::Encode("a statement has another number of placeholders than of values".into())
}

/// Returns a literal for MySQL, whatever the value and the SQL mode are: texts and bytes have only hexadecimal digits.
fn literal<DB: Dialect>(value: &Value) -> String {
    match value {
        Value::Int(None) | Value::Text(None) => "NULL".into(),
        // Two minus signs in a row would begin a comment.
        Value::Int(Some(number)) if *number < 0 => format!("({number})"),
        Value::Int(Some(number)) => number.to_string(),
        Value::Text(Some(text)) => format!("_utf8mb4 {}", DB::bytes_literal(&hex(text.as_bytes()))),
        Value::Bytes(bytes) => DB::bytes_literal(&hex(bytes)),
        Value::Expression(text) => (*text).to_owned(),
    }
}

fn warn() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemClock.boot().as_secs();
    let next = NEXT.load(Ordering::Relaxed);
    if now < next {
        return;
    }
    let later = now + WARN_EVERY.as_secs();
    let is_first = NEXT.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed);
    if is_first.is_ok() {
        tracing::warn!(
            "the database server prepares no more statements, so that calls take longer; raise its \
             max_prepared_stmt_count"
        );
    }
}

#[cfg(feature = "mysql")]
#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, MySql, SqlSafeStr as _};

    use super::*;

    fn inline(text: &'static str, values: Vec<Value>) -> Result<String, Error> {
        Unprepared::new(AssertSqlSafe(text).into_sql_str(), values).inline::<MySql>()
    }

    #[test]
    fn no_character_of_a_value_ends_its_literal() {
        let values = vec![
            "'; DROP TABLE pat_token; -- \\ ?".into(),
            Value::Bytes(vec![0, 0x27, 0xff]),
            (-5_i64).into(),
            Value::Text(None),
        ];
        let text = inline("SELECT ? = ? OR 1 -? IS ?", values).expect("a text");
        let hex = "273b2044524f50205441424c45207061745f746f6b656e3b202d2d205c203f";
        let expected = format!("SELECT _utf8mb4 X'{hex}' = X'0027ff' OR 1 -(-5) IS NULL");
        assert_eq!(text, expected);
    }

    #[test]
    fn each_placeholder_has_a_value() {
        for values in [vec![], vec![1_i64.into(), 2_i64.into()]] {
            inline("SELECT ?", values).expect_err("another number");
        }
    }
}
