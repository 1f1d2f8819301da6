//! Queries without what says nothing.

/// The query without its empty fields, and without a time zone that no date is in; `None` if it has no such fields.
/// Browsers send all fields of a form, also those that were left empty.
pub(super) fn cleaned(query: &str) -> Option<String> {
    let is_date = |part: &&str| {
        let (name, value) = part.split_once('=').unwrap_or_default();
        (name.ends_with("_from") || name.ends_with("_to") || name == "date") && !value.is_empty()
    };
    let has_dates = query.split('&').any(|part| is_date(&part));
    let is_empty = |part: &&str| {
        part.is_empty() || part.ends_with('=') || (part.starts_with("zone=") && !has_dates)
    };
    let parts = || query.split('&');
    let kept: Vec<_> = parts().filter(|part| !is_empty(part)).collect();
    (kept.len() < parts().count()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_left_out() {
        for (query, expected) in [
            ("name=&owner=&status=EXPIRED", Some("status=EXPIRED")),
            ("name=a&owner=b", None),
            ("revoked=5&children=2", None),
            ("leaked", None),
            ("name=&zone=Europe%2FBerlin", Some("")),
            ("created_from=2026-01-01&zone=UTC", None),
            ("created_from=&zone=UTC&name=a", Some("name=a")),
            ("cursor=AA%3D%3D", None),
            ("", Some("")),
        ] {
            assert_eq!(cleaned(query).as_deref(), expected, "{query}");
        }
    }
}
