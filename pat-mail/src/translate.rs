//! The function `t` of templates, which returns the text of a message in the language of the mail.

use std::fmt;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use pat_core::messages::{Languages, Messages, Value as Argument};
use pat_core::text::isolate;

/// The argument of a message that holds a name, which a user has chosen.
const NAME: &str = "name";

/// Returns the function. An argument of the message that is not among `arguments` is the field of that name.
pub(crate) fn function(
    languages: Languages,
) -> impl Fn(&State<'_, '_>, &str, Kwargs) -> Result<String, Error> + Send + Sync + 'static {
    move |state, id, arguments| {
        let language = state.lookup("language").unwrap_or_default();
        let messages = languages.accepted(language.as_str().unwrap_or_default());
        let needed =
            Messages::arguments(id).ok_or_else(|| failure(format!("there is no message {id}")))?;
        let mut given = Vec::new();
        for name in needed {
            let value = match arguments.get::<Option<Value>>(name)? {
                Some(value) => Some(value),
                None => state.lookup(name),
            };
            let value = value.and_then(|value| argument(name, &value));
            let value = value.ok_or_else(|| failure(format!("the message {id} needs {name}")))?;
            given.push((name, value));
        }
        arguments.assert_all_used()?;
        let text = messages.format(id, given);
        text.map(Into::into).map_err(failure)
    }
}

fn argument(name: &str, value: &Value) -> Option<Argument<'static>> {
    match value.kind() {
        ValueKind::Bool => Some(value.is_true().into()),
        ValueKind::Number => u64::try_from(value.clone()).ok().map(Into::into),
        ValueKind::String if name == NAME => Some(isolate(value.as_str()?).into()),
        ValueKind::String => Some(value.as_str()?.to_owned().into()),
        _ => None,
    }
}

fn failure(problem: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.to_string())
}

/// Appends spaces to a label until it has this many characters.
pub(crate) fn pad(label: &str, width: usize) -> String {
    format!("{label:width$}")
}
