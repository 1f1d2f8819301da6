use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use pat_core::User;
use serde::Serialize;

use super::administration;
use crate::pages::fields::Fields;
use crate::pages::messages::Text;
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
        label: page.t(Text::OwnerSuggestion(user)).into_owned(),
    };
    let suggestions: Vec<_> = users.iter().map(suggestion).collect();
    Ok(Json(suggestions).into_response())
}
