//! What the environment says about a run.

use std::str::FromStr;

/// The number in a variable of the environment, or this one where it is not set.
#[must_use]
pub fn number<T: FromStr>(variable: &str, default: T) -> T {
    let Ok(text) = std::env::var(variable) else {
        return default;
    };
    let number = text.parse().ok();
    number.unwrap_or_else(|| panic!("{variable} is no number: {text:?}"))
}

/// Whether `PAT_TEST_REQUIRE` lists this need.
#[must_use]
pub fn is_required(need: &str) -> bool {
    let required = std::env::var("PAT_TEST_REQUIRE").unwrap_or_default();
    required.split(',').any(|required| required.trim() == need)
}
