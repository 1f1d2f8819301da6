//! The page about one token: for its owner, and for administrators.

mod deleted;
mod history;
mod reader;
mod users;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Relatives, Token, TokenId, User};

pub(super) use self::deleted::show_deleted;
use self::history::History;
pub(super) use self::reader::Reader;
use self::users::Users;
use super::fields::Fields;
use super::page::{Badge, Page, ScopeList, Time, show};
use super::text::Text;

/// How many tokens a list of the page shows at most.
const MAX_LISTED: usize = 20;

#[derive(Template)]
#[template(path = "token.html")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of the template"
)]
struct TokenPage<'a> {
    page: &'a Page,
    /// Whether an administrator reads it among the tokens of all users.
    is_administration: bool,
    /// The path of the pages about tokens, from where the router is mounted.
    base: &'static str,
    id: i64,
    name: &'a str,
    hint: Option<&'a str>,
    description: Option<&'a str>,
    badge: Badge,
    /// For administrators.
    owner: Option<OwnerNames>,
    scopes: Option<ScopeList>,
    created: Time,
    parent: Option<Link>,
    /// For administrators, the ID of the parent if that is deleted.
    deleted_parent: Option<i64>,
    last_used: Option<Time>,
    expires: Option<Time>,
    /// Whether it is replaced, and works until it expires.
    is_replaced: bool,
    /// What has happened to it since.
    moments: Vec<Moment>,
    is_unrevoked: bool,
    is_replaceable: bool,
    is_pausable: bool,
    is_disabled: bool,
    line: Vec<Link>,
    children: Listed,
    /// Of an unrevoked token.
    ending: Option<Ending>,
    history: Option<History>,
}

/// The owner of the token.
struct OwnerNames {
    full_name: String,
    /// If it is another one.
    username: Option<String>,
    /// The query of the list of the owner's tokens.
    query: String,
}

impl OwnerNames {
    fn new(user: &User) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("owner", user.owner.as_str());
        Self {
            full_name: user.full_name.clone(),
            username: (user.username != user.full_name).then(|| user.username.clone()),
            query: query.finish(),
        }
    }
}

/// A link to the page of another token.
struct Link {
    id: i64,
    name: String,
    badge: Badge,
    is_this: bool,
}

impl Link {
    fn new(page: &Page, token: &Token, this: &Token) -> Self {
        Self {
            id: token.id.get(),
            name: token.name.clone(),
            badge: page.badge_of(token),
            is_this: token.id == this.id,
        }
    }
}

/// The first tokens of a list.
#[derive(Default)]
struct Listed {
    links: Vec<Link>,
    /// How many others there are.
    more: Option<String>,
}

impl Listed {
    fn new(page: &Page, tokens: &[Token], this: &Token) -> Self {
        let links = tokens.iter().take(MAX_LISTED);
        let more = tokens.len().saturating_sub(MAX_LISTED) as u64;
        Self {
            links: links.map(|token| Link::new(page, token, this)).collect(),
            more: (more > 0).then(|| page.t(Text::AndMore(more)).into_owned()),
        }
    }
}

/// What ends if the token is revoked.
struct Ending {
    sentence: String,
    tokens: Listed,
    /// What ends too if the user chooses so.
    family: Option<(String, Listed)>,
}

impl Ending {
    fn new(page: &Page, token: &Token, relatives: &Relatives) -> Self {
        let count = relatives.ending.len() as u64;
        let sentence = match count {
            0 => Text::EndsAlone,
            count => Text::EndsToo(count),
        };
        let family = relatives.family.len() as u64;
        Self {
            sentence: page.t(sentence).into_owned(),
            tokens: Listed::new(page, &relatives.ending, token),
            family: (family > 0).then(|| {
                let sentence = page.t(Text::FamilyEnds(family)).into_owned();
                (sentence, Listed::new(page, &relatives.family, token))
            }),
        }
    }
}

/// A change of the token: what, when, by whom and why.
struct Moment {
    label: String,
    at: Time,
    by: Option<String>,
    reason: Option<String>,
}

/// Shows the page about a token, which the reader may see.
pub(super) async fn show_token(
    page: &Page,
    reader: Reader<'_>,
    token: &Token,
    fields: &Fields,
) -> Result<Response, Response> {
    let relatives = page.pats().relatives(token).await;
    let relatives = relatives.map_err(|error| page.unavailable(&error))?;
    let before = history::position(fields);
    let events = history::read(page, reader, token.id, before).await?;
    let users = Users::find(page, reader, token, events.as_ref()).await?;
    let now = page.pats().now();
    let is_unrevoked = token.revoked_at.is_none();
    let is_valid = token.validity(now).is_ok();
    let is_replaced = token.replaced.is_some();
    let is_administration = matches!(reader, Reader::Administrator(_));
    let history = events.map(|events| History::new(page, &users, token.id, &events, before));
    let line = relatives.line.iter();
    let template = TokenPage {
        page,
        is_administration,
        base: if is_administration {
            "admin/tokens"
        } else {
            "tokens"
        },
        id: token.id.get(),
        name: &token.name,
        hint: token.hint.as_deref(),
        description: token.description.as_deref(),
        badge: page.badge_of(token),
        owner: users.owner().map(OwnerNames::new),
        scopes: page.scopes_of(token),
        created: page.time(token.created_at),
        parent: relatives
            .parent
            .as_ref()
            .map(|parent| Link::new(page, parent, token)),
        deleted_parent: (is_administration && relatives.parent.is_none())
            .then(|| token.parent.map(TokenId::get))
            .flatten(),
        last_used: token.last_used_at.map(|at| page.time(at)),
        expires: token.expires_at.map(|at| page.time(at)),
        is_replaced: is_valid && is_replaced,
        moments: moments(page, reader, token, &users),
        is_unrevoked,
        is_replaceable: is_valid && !is_administration,
        is_pausable: is_valid,
        is_disabled: is_unrevoked && token.disabled.is_some(),
        line: line.map(|other| Link::new(page, other, token)).collect(),
        children: Listed::new(page, &relatives.children, token),
        ending: is_unrevoked.then(|| Ending::new(page, token, &relatives)),
        history,
    };
    Ok(show(StatusCode::OK, &template))
}

/// What has changed the state of the token, and is still so.
fn moments(page: &Page, reader: Reader<'_>, token: &Token, users: &Users) -> Vec<Moment> {
    let moment = |label, at, by, reason: Option<&str>| Moment {
        label: page.t(label).into_owned(),
        at: page.time(at),
        by,
        reason: reason.map(str::to_owned),
    };
    let mut moments = Vec::new();
    if let Some(at) = token.imported_at {
        moments.push(moment(Text::ImportedLabel, at, None, None));
    }
    if let Some(replaced) = token.replaced {
        moments.push(moment(Text::ReplacedLabel, replaced.at, None, None));
    }
    if let Some(disabled) = &token.disabled {
        let by = Some(users.name(page, disabled.by.as_ref()));
        moments.push(moment(Text::PausedLabel, disabled.at, by, None));
    }
    if let Some(at) = token.revoked_at {
        let by = Some(users.name(page, token.revoked_by.as_ref()));
        let reason = token.revoke_reason.as_deref();
        let reason = reason.filter(|_| may_read_reason(page, reader, token));
        moments.push(moment(Text::RevokedLabel, at, by, reason));
    }
    moments
}

/// Whether the reader may see why the token was revoked.
fn may_read_reason(page: &Page, reader: Reader<'_>, token: &Token) -> bool {
    matches!(reader, Reader::Administrator(_)) || may_owner_read_reason(page, token)
}

/// Whether the owner may see why the token was revoked. What an administrator writes is for the owner if owners are
/// notified; otherwise it stays among administrators.
pub(super) fn may_owner_read_reason(page: &Page, token: &Token) -> bool {
    let settings = page.pats().settings();
    let by_another = token
        .revoked_by
        .as_ref()
        .is_some_and(|by| *by != token.owner);
    !by_another || (settings.mail_notifications_enabled() && settings.notice_revoked_by_admin())
}
