use http::HeaderValue;

/// The `WWW-Authenticate` values of one realm (RFC 6750 section 3), made once.
#[derive(Debug, Clone)]
pub(crate) struct Challenges {
    /// For a request without credentials: it says which scheme to use, and no error.
    pub(crate) missing: HeaderValue,
    /// For a header that is not of the right form.
    pub(crate) invalid_request: HeaderValue,
    /// For a token that does not authenticate, whatever the reason.
    pub(crate) invalid_token: HeaderValue,
    /// For a token whose scopes do not permit the request.
    pub(crate) insufficient_scope: HeaderValue,
}

impl Challenges {
    /// The settings let only printable ASCII without `"` and `\` into a realm.
    pub(crate) fn new(realm: &str) -> Self {
        let value = |error: &str| {
            HeaderValue::from_str(&format!("Bearer realm=\"{realm}\"{error}"))
                .unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
        };
        Self {
            missing: value(""),
            invalid_request: value(", error=\"invalid_request\""),
            invalid_token: value(", error=\"invalid_token\""),
            insufficient_scope: value(", error=\"insufficient_scope\""),
        }
    }

    /// Returns the challenge for a token that lacks some of these scopes, which the request needs. Names of scopes
    /// have no `"` and `\`.
    pub(crate) fn missing_scopes(&self, required: &[String]) -> HeaderValue {
        let scope = format!(", scope=\"{}\"", required.join(" "));
        let challenge = [self.insufficient_scope.as_bytes(), scope.as_bytes()].concat();
        HeaderValue::from_bytes(&challenge).unwrap_or_else(|_| self.insufficient_scope.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        let challenges = Challenges::new("PAT");
        assert_eq!(challenges.missing, "Bearer realm=\"PAT\"");
        assert_eq!(
            challenges.invalid_request,
            "Bearer realm=\"PAT\", error=\"invalid_request\""
        );
        assert_eq!(
            challenges.invalid_token,
            "Bearer realm=\"PAT\", error=\"invalid_token\""
        );
        assert_eq!(
            challenges.insufficient_scope,
            "Bearer realm=\"PAT\", error=\"insufficient_scope\""
        );
        assert_eq!(
            challenges.missing_scopes(&["read".into(), "tokens:admin".into()]),
            "Bearer realm=\"PAT\", error=\"insufficient_scope\", scope=\"read tokens:admin\""
        );
    }
}
