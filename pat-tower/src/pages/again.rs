//! Forms that are shown again, filled in, since they could not be accepted when they were sent.
//!
//! The values go through the address, from which every form can be filled in anyway: so there is nothing that another
//! site could gain by sending a form. What the form would do is done only if its user sends it again.

use super::csrf_token::FORM_TOKEN;
use super::fields::Fields;
use super::filter_names::NAMES as FILTER_NAMES;
use super::text::Text;

/// The name of the parameter that says why a form is shown again.
const AGAIN: &str = "again";

/// The fields that are filled in again, besides those of the administrators' filter. A form with another field is not
/// shown again: the field may be secret, and without it the form may say something else.
const KEPT: [&str; 15] = [
    "description",
    "expires",
    "days",
    "date",
    "access",
    "overlap",
    "family",
    "leaked",
    "what",
    "id",
    "select",
    "reason",
    "sort",
    "order",
    "page",
];
/// The fields that have had their time: the form that is shown again has its own.
const LEFT_OUT: [&str; 5] = [FORM_TOKEN, "sheet", "seen", "expected", "typed"];

/// The last segments of the paths of forms that can be shown again.
const FORMS: [&str; 6] = ["new", "replace", "edit", "pause", "resume", "revoke"];

/// The longest query, in bytes: many servers accept no longer address. The sign-in gets it encoded once more.
const MAX_LEN: usize = 2_500;

/// Why a form is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Its user had to sign in first.
    SignedOut,
    /// Its CSRF token is missing, or is of another session.
    Expired,
}

impl Again {
    pub(super) fn of(fields: &Fields) -> Option<Self> {
        [Self::SignedOut, Self::Expired]
            .into_iter()
            .find(|again| fields.get(AGAIN) == again.as_str())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Expired => "expired",
        }
    }

    pub(super) fn text(self) -> Text<'static> {
        match self {
            Self::SignedOut => Text::AgainSignedOut,
            Self::Expired => Text::AgainExpired,
        }
    }

    /// The query that shows the form at this path again; `None` if there is no form, or it is too long.
    pub(super) fn query(self, path: &str, fields: &Fields) -> Option<String> {
        let is_form = FORMS.contains(&path.rsplit('/').next().unwrap_or_default());
        let kept = || KEPT.into_iter().chain(FILTER_NAMES);
        let is_known = |name: &str| kept().any(|kept| kept == name) || LEFT_OUT.contains(&name);
        if !is_form || !fields.names().all(is_known) {
            return None;
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(AGAIN, self.as_str());
        for name in kept() {
            for value in fields.all(name).filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        (query.len() <= MAX_LEN).then_some(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_what_was_typed_and_no_secret() {
        let typed = "form_token=x&sheet=y&seen=z&name=a+%26+b&scope=read&scope=write&days=";
        let query =
            |path: &str, typed: &str| Again::Expired.query(path, &Fields::parse(typed.as_bytes()));
        let expected = "again=expired&name=a+%26+b&scope=read&scope=write";
        for path in ["/tokens/new", "/tokens/5/edit", "/admin/tokens/revoke"] {
            assert_eq!(query(path, typed).as_deref(), Some(expected), "{path}");
            // What is not known may be a secret, or narrow down what is to be done.
            for unknown in ["token", "secret", "owner_group"] {
                assert_eq!(
                    query(path, &format!("{typed}&{unknown}=x")),
                    None,
                    "{unknown}"
                );
            }
        }
        for name in FILTER_NAMES {
            let query = query("/admin/tokens/revoke", &format!("{name}=x"));
            assert_eq!(query, Some(format!("again=expired&{name}=x")));
        }
        for path in ["/tokens", "/tokens/5", "/admin/identify", ""] {
            assert_eq!(query(path, typed), None, "{path}");
        }
        let again = Again::of(&Fields::parse(expected.as_bytes()));
        assert_eq!(again, Some(Again::Expired));
        assert_eq!(Again::of(&Fields::parse(b"again=x")), None);
    }

    #[test]
    fn what_is_too_long_for_an_address_is_not_put_there() {
        let fields = Fields::parse(format!("reason={}", "x".repeat(MAX_LEN)).as_bytes());
        assert_eq!(
            Again::SignedOut.query("/admin/tokens/revoke", &fields),
            None
        );
    }
}
