//! A small API in the shape that clients of Jira and Confluence expect, to try tokens on. Its content is
//! kept in memory: a project with three issues, which take comments, and a space with a page.

mod confluence;
mod content;
mod jira;
mod session;

use axum::extract::Extension;
use pat_core::User;
use pat_tower::scope::ScopedRouter;
use serde::Deserialize;
use serde_json::{Value, json};

use self::content::Content;
use crate::app::{READ, WRITE};
use crate::users::DemoUsers;

pub(crate) fn router() -> ScopedRouter<DemoUsers> {
    let mut router = ScopedRouter::new().merge(confluence::router());
    for version in ["2", "latest"] {
        router = router.nest(&format!("/rest/api/{version}"), jira::router());
    }
    for version in ["1", "latest"] {
        let path = format!("/rest/auth/{version}/session");
        router = router
            .get(&path, READ, session::show)
            .post(&path, WRITE, session::open)
            .delete(&path, WRITE, session::close);
    }
    router.map_router(|router| router.layer(Extension(Content::default())))
}

/// Where this server is reached.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

fn user_json(user: &User, base_url: &BaseUrl) -> Value {
    json!({
        "self": user_url(user, base_url),
        "key": user.owner.as_str(),
        "name": user.username,
        "emailAddress": user.email,
        "displayName": user.full_name,
        "active": user.is_active,
    })
}

fn user_url(user: &User, base_url: &BaseUrl) -> String {
    format!("{}/rest/api/2/user?username={}", base_url.0, user.username)
}

/// Which part of a list is wanted: Jira's names, and Confluence's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "startAt", alias = "start")]
    start: usize,
    #[serde(rename = "maxResults", alias = "limit")]
    limit: Option<usize>,
}

/// The most that one answer has.
const MAX_PART_LEN: usize = 1_000;

impl Part {
    fn limit(&self, default: usize) -> usize {
        self.limit.unwrap_or(default).min(MAX_PART_LEN)
    }

    fn of<T>(&self, all: impl IntoIterator<Item = T>, default: usize) -> Vec<T> {
        let rest = all.into_iter().skip(self.start);
        rest.take(self.limit(default)).collect()
    }
}
