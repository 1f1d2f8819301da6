//! The notifications that could not be sent.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use http::StatusCode;
use pat_core::User;
use pat_core::notification::NotificationId;
use pat_core::store::{DeadNotification, StoreError};

use super::administration;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, Time, show};
use crate::pages::text::Text;

/// How many dead letters the page shows.
const MAX_SHOWN: u32 = 100;
/// The path of the page, from where the router is mounted.
const LIST: &str = "admin/notifications";

#[derive(Template)]
#[template(path = "notifications.html")]
struct NotificationsPage<'a> {
    page: &'a Page,
    done: Option<String>,
    note: Option<String>,
    count: String,
    rows: Vec<Row>,
}

/// Asks whether to send all again.
#[derive(Template)]
#[template(path = "send_all.html")]
struct SendAllPage<'a> {
    page: &'a Page,
    question: String,
}

struct Row {
    id: i64,
    notice: String,
    owner: User,
    queued: Time,
    attempts: u32,
    error: String,
    send_label: String,
}

impl Row {
    fn new(page: &Page, dead: DeadNotification, owner: User) -> Self {
        let notice = page.t(Text::Notice(dead.kind.as_str())).into_owned();
        let send_label = Text::SendAgainNamed {
            notice: &notice,
            name: &owner.full_name,
        };
        Self {
            id: dead.id.get(),
            send_label: page.t(send_label).into_owned(),
            notice,
            owner,
            queued: page.time(dead.queued_at),
            attempts: dead.attempts,
            error: dead.error,
        }
    }
}

pub(in crate::pages) async fn undelivered(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let unavailable = |error: StoreError| page.unavailable(&error.into());
    let dead = page.pats().dead_notifications(MAX_SHOWN).await;
    let dead = dead.map_err(unavailable)?;
    let outbox = page.pats().outbox().await.map_err(unavailable)?;
    let owners: Vec<_> = dead.iter().map(|dead| dead.owner.clone()).collect();
    let owners = admin.users(&owners).await;
    let owners = owners.map_err(|error| page.not_administered(&error))?;
    let shown = dead.len() as u64;
    let count = match outbox.dead {
        count if count > shown => Text::UndeliveredShown { count, shown },
        _ => Text::UndeliveredAll(shown),
    };
    let fields = Fields::of_query(query.as_deref());
    let said = |name, text| {
        let said = fields.find(name);
        said.map(|_| page.t(text).into_owned())
    };
    let queued = fields.get("queued").parse().ok();
    let queued = queued.map(|count| page.t(Text::SentAllAgain(count)).into_owned());
    let template = NotificationsPage {
        done: queued.or_else(|| said("sent", Text::SentAgain)),
        note: said("gone", Text::NotUndelivered),
        count: page.t(count).into_owned(),
        rows: dead
            .into_iter()
            .zip(owners)
            .map(|(dead, owner)| Row::new(&page, dead, owner))
            .collect(),
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
}

pub(in crate::pages) async fn ask_to_send_all(
    Extension(page): Extension<Page>,
) -> Result<Response, Response> {
    administration(&page)?;
    let outbox = page.pats().outbox().await;
    let outbox = outbox.map_err(|error| page.unavailable(&error.into()))?;
    if outbox.dead == 0 {
        return Ok(page.go_to(LIST));
    }
    let template = SendAllPage {
        question: page.t(Text::SendAllQuestion(outbox.dead)).into_owned(),
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
}

/// Queues all dead letters again.
pub(in crate::pages) async fn send_all_again(
    Extension(page): Extension<Page>,
) -> Result<Response, Response> {
    administration(&page)?;
    let queued = page.pats().requeue_all_notifications().await;
    let count = queued.map_err(|error| page.unavailable(&error.into()))?;
    Ok(page.go_to(&format!("{LIST}?queued={count}")))
}

/// Queues a dead letter again.
pub(in crate::pages) async fn send_again(
    Extension(page): Extension<Page>,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    administration(&page)?;
    let id = id.parse().ok().and_then(NotificationId::new);
    let id = id.ok_or_else(|| page.not_found())?;
    let queued = page.pats().requeue_notification(id).await;
    let is_queued = queued.map_err(|error| page.unavailable(&error.into()))?;
    Ok(page.go_to(if is_queued {
        "admin/notifications?sent"
    } else {
        "admin/notifications?gone"
    }))
}
