use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::settings::CreateByToken;
use pat_core::{AdminError, Administration, Token, TokenId, User};

use super::administration;
use super::filter::FilterForm;
use crate::pages::fields::Fields;
use crate::pages::page::{FORM_TOKEN, Page, ScopeList, Time, show};
use crate::pages::text::Text;
use crate::pages::user::family;

/// The longest reason, in Unicode scalar values: it goes into a mail.
const MAX_REASON_LEN: u32 = 1_000;
/// How many tokens can be selected one by one: more than a page of the list has.
const MAX_SELECTED: usize = 200;

#[derive(Template)]
#[template(path = "admin_revoke.html")]
struct RevokeManyPage<'a> {
    page: &'a Page,
    form: &'a FilterForm,
    question: String,
    consequence: String,
    tokens: Vec<Selected>,
    /// What the filter says, if that is what is to be revoked.
    criteria: Vec<(String, Vec<String>)>,
    /// How many the filter finds, if that is what is to be revoked.
    expected: Option<u64>,
    reason: &'a str,
    reason_hint: String,
    reason_error: Option<String>,
    changed: Option<String>,
    /// Whether to ask if tokens that were created with these are to be revoked too.
    asks_for_family: bool,
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
    request.ask(StatusCode::OK, None, None).await
}

pub(in crate::pages) async fn revoke(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let request = Request::new(&page, admin, fields).await?;
    let reason = request.fields.get("reason").trim();
    if reason.chars().count() > MAX_REASON_LEN as usize {
        let error = page.t(Text::ReasonTooLong(MAX_REASON_LEN)).into_owned();
        return request
            .ask(StatusCode::BAD_REQUEST, Some(error), None)
            .await;
    }
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    let family = family(&request.fields);
    let revoked = match &request.target {
        Target::Tokens(tokens) => {
            let ids = tokens.iter().map(|token| token.id).collect();
            admin.revoke_with(ids, reason, family).await
        }
        Target::Found => {
            let expected = request.fields.get("expected").parse();
            let expected = expected.map_err(|_| page.bad_request(StatusCode::BAD_REQUEST))?;
            let filter = request.filter().await?;
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
            let changed = page.t(Text::CountChanged(found)).into_owned();
            request.ask(StatusCode::CONFLICT, None, Some(changed)).await
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

    async fn filter(&self) -> Result<pat_core::search::Filter, Response> {
        let filter = self.form.complete(self.page, self.admin).await?;
        filter.map_err(|_| self.page.bad_request(StatusCode::BAD_REQUEST))
    }

    async fn ask(
        &self,
        status: StatusCode,
        reason_error: Option<String>,
        changed: Option<String>,
    ) -> Result<Response, Response> {
        let page = self.page;
        let fail = |error| page.not_administered(&error);
        let (count, tokens, expected) = match &self.target {
            Target::Found => {
                let filter = self.filter().await?;
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
            reason_error,
            changed,
            asks_for_family: settings.create_by_token() != CreateByToken::Capped,
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
    let ids = fields.all("id").take(MAX_SELECTED);
    let ids: Vec<_> = ids
        .filter_map(|id| id.parse().ok().and_then(TokenId::new))
        .collect();
    let found = admin.find(&ids).await;
    let mut tokens = found.map_err(|error| page.not_administered(&error))?;
    tokens.retain(|token| token.revoked_at.is_none());
    Ok(tokens)
}
