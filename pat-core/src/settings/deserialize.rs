//! Settings from any format that serde reads.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::builder::find;
use super::table::PROPERTIES;
use super::{Settings, SettingsBuilder, SettingsError};

/// Reads properties by full name (`"atlassian.pats.enabled": true`) or from nested tables (TOML's
/// `[atlassian.pats]`). Values are text, booleans and whole numbers; `pat.token.accepted` and `pat.scopes.default` also take a
/// list of text, `pat.expiry.reminder.days` a list of numbers. Fails with the text of a [`SettingsError`], also if a property is set twice.
impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::Table(table) = deserializer.deserialize_map(ValueVisitor)? else {
            return Err(D::Error::custom("give a table of properties"));
        };
        let mut builder = Settings::builder();
        take_table(&mut builder, &mut HashSet::new(), "", table).map_err(D::Error::custom)?;
        builder.build().map_err(D::Error::custom)
    }
}

fn take_table(
    builder: &mut SettingsBuilder,
    seen: &mut HashSet<&'static str>,
    path: &str,
    table: Vec<(String, Value)>,
) -> Result<(), SettingsError> {
    for (key, value) in table {
        let name = match path {
            "" => key,
            path => format!("{path}.{key}"),
        };
        let value = match value {
            Value::Table(table) if is_group(&name) => {
                take_table(builder, seen, &name, table)?;
                continue;
            }
            value => value,
        };
        let property = find(&name)?;
        if !seen.insert(property.name()) {
            return Err(SettingsError::Repeated {
                name: property.name(),
            });
        }
        let refuse = |shown: &str| {
            Err(SettingsError::NotAllowed {
                name: property.name(),
                value: shown.to_owned(),
                allowed: property.allowed(),
            })
        };
        match value {
            Value::Text(text) => builder.put(property, &text)?,
            Value::List(texts)
                if ["pat.token.accepted", "pat.expiry.reminder.days"]
                    .contains(&property.name()) =>
            {
                builder.put(property, &texts.join(","))?;
            }
            Value::List(names) if property.name() == "pat.scopes.default" => {
                builder.put(property, &names.join(" "))?;
            }
            Value::List(_) => return refuse("a list"),
            Value::Table(_) => return refuse("a table"),
            Value::Other(shown) => return refuse(&shown),
        }
    }
    Ok(())
}

/// Returns whether this name is the beginning of property names.
fn is_group(path: &str) -> bool {
    let mut rests = PROPERTIES
        .iter()
        .filter_map(|property| property.name().strip_prefix(path));
    rests.any(|rest| rest.starts_with('.'))
}

/// An unchecked value, so that the property is known when it is checked.
enum Value {
    Text(String),
    List(Vec<String>),
    /// In the order of the document, with duplicates.
    Table(Vec<(String, Value)>),
    /// Never allowed; holds the text for the error.
    Other(String),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties with texts, booleans and whole numbers")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Other(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other("null".to_owned()))
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut texts = Some(Vec::new());
        while let Some(item) = items.next_element()? {
            match (item, &mut texts) {
                (Value::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        let other = || Value::Other("a list of other than texts".to_owned());
        Ok(texts.map_or_else(other, Value::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Value::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> String {
        let error = serde_json::from_str::<Settings>(json).expect_err("bad settings");
        error.to_string()
    }

    #[test]
    fn whole_names_and_nested_tables_are_read() {
        for json in [
            r#"{"atlassian.pats.max.tokens.per.user": 20, "pat.token.accepted": ["atlassian"]}"#,
            r#"{"atlassian": {"pats": {"max.tokens.per.user": "20"}},
                "pat": {"token": {"accepted": "atlassian"}}}"#,
            r#"{"atlassian.pats": {"max": {"tokens": {"per.user": 20}}, "token": {}},
                "pat.token": {"accepted": ["atlassian"]}}"#,
        ] {
            let settings: Settings = serde_json::from_str(json).expect("settings");
            assert_eq!(settings.max_tokens_per_user(), 20);
            assert_eq!(settings.accepted_formats().len(), 2);
        }
    }

    #[test]
    fn whatever_is_not_allowed_is_named() {
        for (name, given, shown) in [
            ("atlassian.pats.max.tokens.per.user", "1.5", "1.5"),
            ("atlassian.pats.max.tokens.per.user", "-1", "-1"),
            (
                "atlassian.pats.max.tokens.per.user",
                "18446744073709551615",
                "18446744073709551615",
            ),
            (
                "atlassian.pats.max.tokens.per.user",
                "99999999999999999999",
                "100000000000000000000",
            ),
            ("atlassian.pats.max.tokens.per.user", "null", "null"),
            ("atlassian.pats.max.tokens.per.user", "[\"20\"]", "a list"),
            ("atlassian.pats.enabled", "1", "1"),
            ("pat.realm", "[\"a\", \"b\"]", "a list"),
            ("pat.realm", "1.5", "1.5"),
            ("pat.realm", "{}", "a table"),
            ("pat.realm", "{\"x\": 1}", "a table"),
            (
                "pat.token.accepted",
                "[\"atlassian\", null]",
                "a list of other than texts",
            ),
        ] {
            let property = find(name).expect("a property");
            let expected = format!(
                "{name}: {shown:?} is not allowed; give {}",
                property.allowed()
            );
            let message = message(&format!("{{\"{name}\": {given}}}"));
            assert!(message.starts_with(&expected), "{message}");
        }
    }

    #[test]
    fn unknown_names_are_refused_even_for_empty_tables() {
        for json in [
            r#"{"pat.rellm": "x"}"#,
            r#"{"pat.rellm": {}}"#,
            r#"{"pat": {"rellm": {}}}"#,
        ] {
            let message = message(json);
            let expected = "pat.rellm: there is no such property; did you mean pat.realm?";
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn a_property_given_twice_is_refused() {
        for json in [
            r#"{"pat.realm": "a", "pat.realm": "b"}"#,
            r#"{"pat.realm": "a", "pat": {"realm": "b"}}"#,
        ] {
            let message = message(json);
            assert!(
                message.starts_with("pat.realm: given twice; give it once"),
                "{message}"
            );
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let message = message(r#"{"pat.auth.max.staleness.ms": 100}"#);
        assert!(message.contains("contradicts"), "{message}");
    }
}
