use axum::body::Bytes;
use axum::extract::{OriginalUri, Request, State as AxumState};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, ACCEPT_LANGUAGE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode};
use jiff::tz::TimeZone;
use pat_core::{Caller, Principal};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::again::Again;
use super::csrf_token::{CsrfSecret, FORM_TOKEN};
use super::fields::Fields;
use super::layout::{PageContext, Section};
use super::page::{Page, see_other};
use super::query::cleaned;
use super::state::State;
use crate::client::client_of;
use crate::http::csrf::head;
use crate::http::request_body::{BodyError, is_encoded, read_whole};
use crate::scope::{RequestHead, note};
use crate::signed_in::SignedIn;

/// The largest form that is read, in bytes.
const MAX_FORM_LEN: usize = 64 * 1024;

/// What may stand in the return path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// Stands before every page, so that none can be added without it. Lets a request through that has
/// a caller, was not forged by another site, and whose form, if it is one, holds the token that
/// this caller's forms hold. Handlers find the [`Page`] and the [`Fields`] in the extensions.
///
/// A caller that is not cookie-authenticated (a script with a token) needs no form token: another site
/// cannot make it send a request. If the token has scopes, the page of a token without `scope` says so.
pub(super) async fn guard(
    AxumState((state, scope)): AxumState<(State, &'static str)>,
    mut request: Request,
    next: Next,
) -> Response {
    let key = CsrfSecret::of(request.headers(), state.transport);
    let is_new = key.is_none();
    let Ok(key) = key.map_or_else(CsrfSecret::generate, Ok) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let Some(SignedIn(caller)) = SignedIn::of(request.extensions()) else {
        let visit = visit(&state, &request, None);
        let page = Page::new(state, visit, key);
        return sign_in(&page, request).await;
    };
    if let Some(clean) = clean_address(&request) {
        return see_other(&clean);
    }
    let checked = if state.pats.permits(&caller, scope) {
        let key = Some(&key).filter(|_| !is_new);
        check(&state, &caller, &mut request, key).await
    } else {
        let token = caller.token().map(Principal::token_id);
        note(&state.pats, token, RequestHead::of(&request), &[scope]);
        Err(Refusal::InsufficientScope(scope))
    };
    // After the body, which may have taken its time.
    let visit = visit(&state, &request, Some(caller.clone()));
    let page = Page::new(state, visit, key);
    let mut page = page.with_administration().await;
    if let Err(refusal) = checked {
        return refusal.show(&page, &request);
    }
    let fields = request.extensions().get::<Fields>();
    let query = Fields::of_query(request.uri().query());
    if let Some(zone) = zone(fields.unwrap_or(&query), &page) {
        page = page.in_zone(zone);
    }
    page.again = Again::of(&query);
    let cookie = page.form_key.set_cookie(page.state.transport);
    let pats = page.state.pats.clone();
    request.extensions_mut().insert(page);
    let client = client_of(&request);
    let mut response = pats.on_behalf_of(client, next.run(request)).await;
    // Nothing but a cookie of the host's own sign-in is left by a token.
    if let Some(cookie) = cookie.filter(|_| is_new && caller.is_cookie_authenticated()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Why a request is refused that has a caller.
enum Refusal {
    /// It is another site's.
    Forged,
    /// Its form has no CSRF token of this user and this session: a session ended, a cookie got lost, or another site
    /// sent it by a browser that does not say so. These are its fields.
    Expired(Fields),
    /// Its form cannot be read.
    Unreadable(StatusCode),
    /// Its token lacks this scope.
    InsufficientScope(&'static str),
}

impl Refusal {
    fn show(self, page: &Page, request: &Request) -> Response {
        match self {
            Self::Forged => page.form_refused(),
            Self::Expired(fields) => {
                let path = request.uri().path();
                let again = Again::Expired.query(path, &fields);
                match again.filter(|_| is_for_person(request.headers())) {
                    Some(query) => see_other(&relative(path, &query)),
                    None => page.form_refused(),
                }
            }
            Self::Unreadable(status) => page.bad_request(status),
            Self::InsufficientScope(scope) => page.insufficient_scope(scope),
        }
    }
}

/// Checks where a request comes from, and puts its form, if it is one, into the extensions. `key` is that of
/// the browser's cookie.
async fn check(
    state: &State,
    caller: &Caller,
    request: &mut Request,
    key: Option<&CsrfSecret>,
) -> Result<(), Refusal> {
    if caller.is_cookie_authenticated() && state.cross_site.made(head(request)).await {
        return Err(Refusal::Forged);
    }
    if is_read_only(request.method()) {
        return Ok(());
    }
    let body = std::mem::take(request.body_mut());
    let body = read_whole(body, MAX_FORM_LEN).await;
    let body = body.map_err(|error| {
        Refusal::Unreadable(match error {
            BodyError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Broken => StatusCode::BAD_REQUEST,
        })
    })?;
    if is_encoded(request.headers()) && !body.is_empty() {
        return Err(Refusal::Unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let fields = Fields::parse(&body);
    let is_ours = || key.is_some_and(|key| key.is_token(caller.owner(), fields.get(FORM_TOKEN)));
    if caller.is_cookie_authenticated() && !is_ours() {
        if key.is_none() {
            tracing::warn!(
                "refused a form without the cookie of its page: browsers keep that cookie over TLS alone, unless \
                 the router is made with `Pages::dangerous_plain_http`, for development"
            );
        }
        return Err(Refusal::Expired(fields));
    }
    request.extensions_mut().insert(fields);
    *request.body_mut() = Bytes::new().into();
    Ok(())
}

fn is_read_only(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn visit(state: &State, request: &Request, caller: Option<Caller>) -> PageContext {
    let path = request.uri().path();
    let section = if path == "/admin" || path.starts_with("/admin/") {
        Section::Administration
    } else {
        Section::Tokens
    };
    // From a path of n segments, the mount point is n − 1 segments up.
    let depth = path.matches('/').count().saturating_sub(1);
    let accepted = request.headers().get_all(ACCEPT_LANGUAGE).iter();
    let accepted: Vec<_> = accepted.filter_map(|value| value.to_str().ok()).collect();
    PageContext {
        caller,
        messages: state.languages.accepted(&accepted.join(",")).clone(),
        may_administer: false,
        root: "../".repeat(depth),
        section: Some(section),
        extensions: request.extensions().clone(),
    }
}

/// The zone that the form or the filter was shown in. Dates that are sent without one are in the zone of the pages.
fn zone(fields: &Fields, page: &Page) -> Option<TimeZone> {
    /// The longest name of a zone, in bytes.
    const MAX_LEN: usize = 64;

    let name = fields.find("zone").filter(|name| name.len() <= MAX_LEN);
    let named = name.and_then(|name| TimeZone::get(name).ok());
    let has_dates = || {
        fields
            .names()
            .any(|name| name.ends_with("_from") || name.ends_with("_to"))
    };
    named.or_else(|| has_dates().then(|| page.zone.clone()))
}

/// The address of the same page without the fields that a form sent empty.
fn clean_address(request: &Request) -> Option<String> {
    let is_visit = is_read_only(request.method()) && is_for_person(request.headers());
    let query = request.uri().query().filter(|_| is_visit)?;
    let query = cleaned(query)?;
    Some(relative(request.uri().path(), &query))
}

/// An address that leads from this path to the same path, with this query. It is right behind a proxy that removes a
/// prefix.
fn relative(path: &str, query: &str) -> String {
    let page = path.rsplit('/').next().unwrap_or_default();
    if query.is_empty() {
        page.to_owned()
    } else {
        format!("{page}?{query}")
    }
}

/// A browser is sent to the sign-in, and comes back to where it wanted to go: to a form that was sent, filled in.
async fn sign_in(page: &Page, mut request: Request) -> Response {
    let address = page.state.sign_in.clone();
    if let Some(address) = address.filter(|_| is_for_person(request.headers())) {
        let is_from_elsewhere = page.state.cross_site.made(head(&request)).await;
        let fields = if is_read_only(request.method()) || is_from_elsewhere {
            None
        } else {
            let body = std::mem::take(request.body_mut());
            let body = read_whole(body, MAX_FORM_LEN).await;
            body.ok().map(|body| Fields::parse(&body))
        };
        let wanted = wanted(&request, fields.as_ref());
        let wanted = format!("{}{wanted}", page.state.stripped_prefix);
        let wanted = utf8_percent_encode(&wanted, PLAIN);
        return see_other(&format!(
            "{}{address}{wanted}",
            page.state.prefix_of(&address)
        ));
    }
    let mut response = page.not_signed_in();
    let challenge = page.state.challenges.missing.clone();
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// Browsers ask for HTML by name where a person is to see the answer; scripts do not.
fn is_for_person(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT).iter();
    let ranges = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    ranges
        .filter_map(|range| range.split(|byte| *byte == b';').next())
        .any(|range| range.trim_ascii().eq_ignore_ascii_case(b"text/html"))
}

/// Where a browser should be after the sign-in, as the browser sees it. A form that was sent is shown again, since
/// what it would do is for its user to decide anew. If it is another site's or too long, it is the list.
fn wanted(request: &Request, fields: Option<&Fields>) -> String {
    let original = request.extensions().get::<OriginalUri>();
    let uri = original.map_or(request.uri(), |OriginalUri(uri)| uri);
    if is_read_only(request.method()) {
        return uri
            .path_and_query()
            .map_or("/", |wanted| wanted.as_str())
            .to_owned();
    }
    let inner = request.uri().path();
    let again = fields.and_then(|fields| Again::SignedOut.query(inner, fields));
    if let Some(query) = again {
        return format!("{}?{query}", uri.path());
    }
    let mount = uri.path().strip_suffix(inner).unwrap_or_default();
    let list = if inner.starts_with("/admin/") {
        "/admin/tokens"
    } else {
        "/tokens"
    };
    format!("{mount}{list}")
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn what_was_wanted_is_as_the_browser_sees_it() {
        for (method, original, inner, expected) in [
            (
                "GET",
                "/a/tokens/new?name=x",
                "/tokens/new?name=x",
                "/a/tokens/new?name=x",
            ),
            (
                "POST",
                "/a/tokens/5/revoke",
                "/tokens/5/revoke",
                "/a/tokens/5/revoke?again=signed-out&name=x",
            ),
            ("POST", "/a/tokens/5", "/tokens/5", "/a/tokens"),
            (
                "POST",
                "/a/b/admin/tokens",
                "/admin/tokens",
                "/a/b/admin/tokens",
            ),
        ] {
            let mut request = Request::new(axum::body::Body::empty());
            *request.method_mut() = method.parse().expect("a method");
            *request.uri_mut() = inner.parse().expect("a URI");
            let original: Uri = original.parse().expect("a URI");
            request.extensions_mut().insert(OriginalUri(original));
            let fields = Fields::parse(b"name=x&form_token=y");
            assert_eq!(wanted(&request, Some(&fields)), expected);
        }
    }
}
