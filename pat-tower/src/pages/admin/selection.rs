//! The selected tokens of the list, which it keeps from page to page, and when it is sorted or filtered.

use std::collections::BTreeSet;

use pat_core::TokenId;

use super::filter::FilterForm;
use super::revoke::MAX_SELECTED;
use crate::pages::fields::Fields;
use crate::pages::paging;

/// The field with the query of the list to go to, behind a `?`. The buttons that sort and filter have it, and their
/// form sends what is selected with it.
const TARGET: &str = "to";

/// What is selected on this page and others, as the address says.
pub(super) struct Selection {
    pub(super) ids: BTreeSet<TokenId>,
    /// All that the filter finds.
    pub(super) is_all: bool,
    pub(super) is_too_large: bool,
}

impl Selection {
    pub(super) fn new(fields: &Fields) -> Self {
        let ids = fields.all("id");
        let ids = ids.filter_map(|id| id.parse().ok().and_then(TokenId::new));
        let ids: BTreeSet<_> = ids.collect();
        let max = MAX_SELECTED as usize;
        Self {
            is_too_large: ids.len() > max || fields.get("selected") == "too-many",
            ids: ids.into_iter().take(max).collect(),
            is_all: fields.get("select") == "found",
        }
    }
}

/// Returns the path of the list that a button leads to, with what is selected; `None` if the query is of no such
/// button. `form` is the filter of the list with the button.
pub(super) fn target(form: &FilterForm, fields: &Fields) -> Option<String> {
    let query = fields.find(TARGET)?;
    let wanted = Fields::of_query(query.strip_prefix('?'));
    let wanted_form = FilterForm::new(wanted.clone());
    let selection = Selection::new(fields);
    let ids: Vec<_> = selection.ids.iter().map(ToString::to_string).collect();
    let mut more = paging::fields_of(paging::order(&wanted));
    more.extend(ids.iter().map(|id| ("id", id.as_str())));
    // All that one filter finds is not what another one finds.
    let is_same = wanted_form.query_of_filter() == form.query_of_filter();
    more.extend((selection.is_all && is_same).then_some(("select", "found")));
    more.extend(selection.is_too_large.then_some(("selected", "too-many")));
    let query = wanted_form.query(&more);
    Some(if query.is_empty() {
        "admin/tokens".to_owned()
    } else {
        format!("admin/tokens?{query}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_leads_to_its_list_with_the_selection() {
        for (query, expected) in [
            ("name=n&id=7", None),
            ("to=?", Some("admin/tokens")),
            (
                "name=n&to=%3Fname%3Dm&select=found",
                Some("admin/tokens?name=m"),
            ),
            (
                "name=n&sort=used&order=asc&id=8&id=7&select=found&to=%3Fname%3Dn%26sort%3Dname%26order%3Dasc",
                Some("admin/tokens?name=n&sort=name&order=asc&id=7&id=8&select=found"),
            ),
            // Nothing else than what a list has.
            (
                "to=https://example.org/%3Frevoked%3D5%26unused%3D90%26id%3Dx&id=x&after=1.x",
                Some("admin/tokens"),
            ),
        ] {
            let fields = Fields::of_query(Some(query));
            let form = FilterForm::new(fields.clone());
            assert_eq!(target(&form, &fields).as_deref(), expected, "{query}");
        }
    }
}
