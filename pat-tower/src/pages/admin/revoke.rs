use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::settings::CreateByToken;
use pat_core::{AdminError, Administration, Token, TokenId, User};

use super::administration;
use super::filter::{Completed, FilterForm};
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, ScopeList, Time, show};
use crate::pages::text::Text;
use crate::pages::user::family;

/// The longest reason, in Unicode scalar values: it goes into a mail.
const MAX_REASON_LEN: u32 = 1_000;
/// How many tokens can be selected one by one, on several pages of the list: their IDs are in the address.
pub(super) const MAX_SELECTED: u32 = 200;
/// Up to how many tokens can be revoked without typing the number.
const FEW: u64 = 50;
/// The name of the field for the typed number.
const TYPED: &str = "typed";

#[derive(Template)]
#[template(path = "admin_revoke.html")]
struct RevokeManyPage<'a> {
    page: &'a Page,
    form: &'a FilterForm,
    question: String,
    consequence: String,
    /// That there may be more than the filter finds.
    note: Option<String>,
    tokens: Vec<Selected>,
    /// What the filter says, if that is what is to be revoked.
    criteria: Vec<(String, Vec<String>)>,
    /// How many the filter finds, if that is what is to be revoked.
    expected: Option<u64>,
    reason: &'a str,
    reason_hint: String,
    errors: Errors,
    /// Asks for the number of tokens, if they are many.
    type_count: Option<String>,
    confirm: String,
    /// Whether to ask if tokens that were created with these are to be revoked too.
    asks_for_family: bool,
    /// Whether the secret has become known to others, so the family is to be revoked unless the administrator says no.
    is_leaked: bool,
}

/// What is wrong with the form.
#[derive(Default)]
struct Errors {
    reason: Option<String>,
    typed: Option<String>,
    /// That the filter finds another number of tokens than before.
    changed: Option<String>,
}

struct Selected {
    id: i64,
    name: String,
    owner: User,
    created: Time,
    scopes: Option<ScopeList>,
}

/// What is to be revoked.
enum Target {
    Tokens(Vec<Token>),
    Found,
}

pub(in crate::pages) async fn ask(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let request = Request::new(&page, admin, Fields::of_query(query.as_deref())).await?;
    request.ask(StatusCode::OK, Errors::default()).await
}

pub(in crate::pages) async fn revoke(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let request = Request::new(&page, admin, fields).await?;
    let reason = request.fields.get("reason").trim();
    let mut errors = Errors::default();
    if reason.chars().count() > MAX_REASON_LEN as usize {
        errors.reason = Some(page.t(Text::ReasonTooLong(MAX_REASON_LEN)).into_owned());
    }
    let Some(expected) = request.expected() else {
        return Err(page.bad_request(StatusCode::BAD_REQUEST));
    };
    if expected > FEW && typed_number(request.fields.get(TYPED)) != Some(expected) {
        errors.typed = Some(page.t(Text::CountMistyped(expected)).into_owned());
    }
    if errors.reason.is_some() || errors.typed.is_some() {
        return request.ask(StatusCode::BAD_REQUEST, errors).await;
    }
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    let family = family(&request.fields);
    let revoked = match &request.target {
        Target::Tokens(tokens) => {
            let ids = tokens.iter().map(|token| token.id).collect();
            admin.revoke_with(ids, reason, family).await
        }
        Target::Found => {
            let filter = request.filter().await?.filter;
            let revoked = admin.revoke_matching_with(&filter, expected, reason, family);
            revoked.await
        }
    };
    match revoked {
        Ok(revoked) => {
            let [count, children] = [revoked.revoked, revoked.live_children].map(|n| n.to_string());
            let mut said = vec![("revoked", count.as_str())];
            if revoked.live_children > 0 {
                said.push(("children", &children));
            }
            let query = request.form.query(&said);
            Ok(page.go_to(&format!("admin/tokens?{query}")))
        }
        Err(AdminError::CountMismatch { found, .. }) => {
            errors.changed = Some(page.t(Text::CountChanged(found)).into_owned());
            request.ask(StatusCode::CONFLICT, errors).await
        }
        Err(error) => Err(page.not_administered(&error)),
    }
}

/// A wish to revoke, confirmed or not.
struct Request<'a> {
    page: &'a Page,
    admin: &'a Administration<'a>,
    fields: Fields,
    form: FilterForm,
    target: Target,
}

impl<'a> Request<'a> {
    async fn new(
        page: &'a Page,
        admin: &'a Administration<'a>,
        fields: Fields,
    ) -> Result<Self, Response> {
        let form = FilterForm::new(fields.clone());
        let target = if fields.get("what") == "found" {
            Target::Found
        } else {
            if fields.all("id").count() > MAX_SELECTED as usize {
                let query = form.query(&[("selected", "too-many")]);
                return Err(page.go_to(&format!("admin/tokens?{query}")));
            }
            let tokens = selected(page, admin, &fields).await?;
            if tokens.is_empty() {
                let query = form.query(&[("nothing", "selected")]);
                return Err(page.go_to(&format!("admin/tokens?{query}")));
            }
            Target::Tokens(tokens)
        };
        Ok(Self {
            page,
            admin,
            fields,
            form,
            target,
        })
    }

    /// How many tokens the form says are to be revoked.
    fn expected(&self) -> Option<u64> {
        match &self.target {
            Target::Tokens(tokens) => Some(tokens.len() as u64),
            Target::Found => self.fields.get("expected").parse().ok(),
        }
    }

    async fn filter(&self) -> Result<Completed, Response> {
        let filter = self.form.complete(self.page, self.admin).await?;
        filter.map_err(|_| self.page.bad_request(StatusCode::BAD_REQUEST))
    }

    async fn ask(&self, status: StatusCode, errors: Errors) -> Result<Response, Response> {
        let page = self.page;
        let fail = |error| page.not_administered(&error);
        let mut note = None;
        let (count, tokens, expected) = match &self.target {
            Target::Found => {
                let Completed {
                    filter,
                    lacks_owners,
                } = self.filter().await?;
                note = lacks_owners.then(|| page.t(Text::OwnersIncomplete).into_owned());
                let count = self.admin.count_revocable(&filter).await.map_err(fail)?;
                (count, Vec::new(), Some(count))
            }
            Target::Tokens(tokens) => {
                let owners = self.admin.owners_of(tokens).await.map_err(fail)?;
                let selected = tokens.iter().zip(owners).map(|(token, owner)| Selected {
                    id: token.id.get(),
                    name: token.name.clone(),
                    owner,
                    created: page.time(token.created_at),
                    scopes: page.scopes_of(token),
                });
                (tokens.len() as u64, selected.collect(), None)
            }
        };
        let criteria = match &self.target {
            Target::Found => self.form.criteria(page, self.admin).await?,
            Target::Tokens(_) => Vec::new(),
        };
        // Or the box was checked in a form that is shown again.
        let is_leaked = ["leaked", "family"]
            .into_iter()
            .any(|name| self.fields.find(name).is_some());
        let settings = page.pats().settings();
        let is_notified =
            settings.mail_notifications_enabled() && settings.notice_revoked_by_admin();
        let reason_hint = Text::ReasonHint {
            is_notified,
            max: MAX_REASON_LEN,
        };
        let template = RevokeManyPage {
            page,
            criteria,
            form: &self.form,
            question: page.t(Text::RevokeManyQuestion(count)).into_owned(),
            tokens,
            expected,
            reason: self.fields.get("reason"),
            consequence: page
                .t(Text::RevokeManyConsequence(is_notified))
                .into_owned(),
            reason_hint: page.t(reason_hint).into_owned(),
            note,
            errors,
            type_count: (count > FEW).then(|| page.t(Text::TypeCount(count)).into_owned()),
            confirm: page.t(Text::RevokeCount(count)).into_owned(),
            asks_for_family: is_leaked || settings.create_by_token() != CreateByToken::Capped,
            is_leaked,
        };
        Ok(show(status, &template))
    }
}

/// Returns the selected tokens, without those that are unknown or revoked already.
async fn selected(
    page: &Page,
    admin: &Administration<'_>,
    fields: &Fields,
) -> Result<Vec<Token>, Response> {
    let ids: Vec<_> = fields
        .all("id")
        .filter_map(|id| id.parse().ok().and_then(TokenId::new))
        .collect();
    let found = admin.find(&ids).await;
    let mut tokens = found.map_err(|error| page.not_administered(&error))?;
    tokens.retain(|token| token.revoked_at.is_none());
    Ok(tokens)
}

/// Reads a number as it is typed or copied, with or without separators between its groups of digits.
fn typed_number(text: &str) -> Option<u64> {
    let is_separator =
        |character: char| character.is_whitespace() || [',', '.', '\'', '’'].contains(&character);
    let digits: String = text.chars().filter(|it| !is_separator(*it)).collect();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_and_without_separators() {
        for text in ["1081", "1,081", " 1.081 ", "1’081", "1\u{202f}081"] {
            assert_eq!(typed_number(text), Some(1_081), "{text}");
        }
        for text in ["", "-1081", "+1081", "1081 tokens", "1e3", "١٠٨١"] {
            assert_eq!(typed_number(text), None, "{text}");
        }
    }
}
