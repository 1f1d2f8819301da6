//! What people see: the host's own pages, and its head and navigation around the token pages.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::response::{Html, IntoResponse, Response};
use pat_core::{Caller, Owner, User};
use pat_tower::pages::{Layout, PageContext, Section};

use crate::languages::Navigation;

/// The same as around the token pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// Where in the site a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    SignIn,
    Home,
    Tokens,
    Administration,
}

#[derive(Template)]
#[template(path = "header.html")]
struct Header<'a> {
    username: Option<&'a str>,
    may_administer: bool,
    place: Place,
    words: &'static Navigation,
}

/// The navigation in the language with this tag.
fn header(language: &str, username: Option<&str>, may_administer: bool, place: Place) -> String {
    let header = Header {
        words: Navigation::of(language),
        username,
        may_administer,
        place,
    };
    header.render().unwrap_or_default()
}

/// The host's look around the token pages.
#[derive(Debug)]
pub(crate) struct Site;

impl Layout for Site {
    fn title(&self) -> String {
        "PAT example".to_owned()
    }

    fn header(&self, visit: &PageContext) -> String {
        // In this demo the key is the name to sign in with.
        let username = visit.caller().map(Caller::owner).map(Owner::as_str);
        let place = match visit.section() {
            Some(Section::Administration) => Place::Administration,
            _ => Place::Tokens,
        };
        header(visit.language(), username, visit.may_administer(), place)
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    header: String,
    user: &'a User,
    may_administer: bool,
}

pub(crate) fn home(user: &User, may_administer: bool) -> Response {
    let template = Home {
        header: header("en", Some(&user.username), may_administer, Place::Home),
        user,
        may_administer,
    };
    show(StatusCode::OK, &template)
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    header: String,
    username: &'a str,
    return_to: &'a str,
    has_failed: bool,
}

/// The sign-in form; with a user name if that one has just failed.
pub(crate) fn sign_in(return_to: &str, failed: Option<&str>) -> Response {
    let template = SignIn {
        header: header("en", None, false, Place::SignIn),
        username: failed.unwrap_or_default(),
        return_to,
        has_failed: failed.is_some(),
    };
    // Not 401, which is for credentials in headers.
    let status = failed.map_or(StatusCode::OK, |_| StatusCode::FORBIDDEN);
    show(status, &template)
}

fn show(status: StatusCode, template: &impl Template) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html)).into_response()
}
