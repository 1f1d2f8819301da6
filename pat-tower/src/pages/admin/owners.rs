use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use pat_core::User;
use pat_core::text::isolate;
use serde::Serialize;

use super::administration;
use crate::pages::fields::Fields;
use crate::pages::page::Page;

/// How many users are suggested at a time.
const MAX_SUGGESTED: usize = 20;

/// A user whom the field of the owner suggests.
#[derive(Serialize)]
struct Suggestion {
    /// What goes into the field.
    key: String,
    /// What is shown.
    label: String,
}

/// Users that a text fits, for the script of the list.
pub(in crate::pages) async fn owners(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let fields = Fields::of_query(query.as_deref());
    let contains = fields.get("contains").trim();
    if contains.is_empty() {
        return Ok(Json::<[Suggestion; 0]>([]).into_response());
    }
    let found = admin.search_users(contains, MAX_SUGGESTED).await;
    let users = found.map_err(|error| page.not_administered(&error))?;
    let suggestion = |user: &User| Suggestion {
        key: user.owner.to_string(),
        label: known_as(user),
    };
    let suggestions: Vec<_> = users.iter().map(suggestion).collect();
    Ok(Json(suggestions).into_response())
}

/// All that a user is known by: browsers suggest only what has the typed text in it.
pub(super) fn known_as(user: &User) -> String {
    let mut names = vec![user.full_name.as_str()];
    let email = user.email.as_deref().unwrap_or_default();
    for name in [&user.username, user.owner.as_str(), email] {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let names: Vec<_> = names.into_iter().map(isolate).collect();
    names.join(" · ")
}
