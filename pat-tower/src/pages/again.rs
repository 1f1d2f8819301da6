//! Forms that are shown again, filled in, since they could not be accepted when they were sent.
//!
//! The values go through the address, from which every form can be filled in anyway: so there is nothing that another
//! site could gain by sending a form. What the form would do is done only if its user sends it again.

use super::fields::Fields;
use super::text::Text;

/// The name of the parameter that says why a form is shown again.
const AGAIN: &str = "again";

/// The fields that are filled in again. Others may be secret, or have had their time.
const KEPT: [&str; 24] = [
    "name",
    "description",
    "expires",
    "days",
    "date",
    "access",
    "scope",
    "overlap",
    "family",
    "leaked",
    "zone",
    // Of the administrators' filter, and of what they revoke.
    "owner",
    "status",
    "created_from",
    "created_to",
    "used_from",
    "used_to",
    "expires_from",
    "expires_to",
    "what",
    "id",
    "reason",
    "sort",
    "order",
];

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
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(AGAIN, self.as_str());
        for name in KEPT {
            for value in fields.all(name).filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        (is_form && query.len() <= MAX_LEN).then_some(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_what_was_typed_and_no_secret() {
        let fields = Fields::parse(
            b"form_token=x&sheet=y&seen=z&name=a+%26+b&scope=read&scope=write&days=&token=secret",
        );
        let query = |path: &str| Again::Expired.query(path, &fields);
        let expected = "again=expired&name=a+%26+b&scope=read&scope=write";
        for path in ["/tokens/new", "/tokens/5/edit", "/admin/tokens/revoke"] {
            assert_eq!(query(path).as_deref(), Some(expected), "{path}");
        }
        for path in ["/tokens", "/tokens/5", "/admin/identify", ""] {
            assert_eq!(query(path), None, "{path}");
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
