//! What describes the router to machines: an OpenAPI document, made from its handlers and types.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, OriginalUri};
use http::Method;
use pat_core::Settings;
use utoipa::openapi::Paths;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::info::{ContactBuilder, Info, License};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{
    Content, InfoBuilder, Object, OpenApi, Ref, RefOr, ResponseBuilder, Schema, Server, Type,
};
use utoipa::{IntoParams, PartialSchema as _, ToSchema as _};

use super::scopes::PathScopes;
use crate::http::problem::ProblemJson;

/// What users do.
pub(super) const TOKENS: &str = "Tokens";
/// What administrators do.
pub(super) const ADMINISTRATION: &str = "Administration";

/// The token in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "the handlers take it as a text; this describes it"
)]
pub(super) struct Id {
    /// The id of a token.
    #[param(minimum = 0)]
    id: i64,
}

/// Why there is a 404.
pub(super) const NO_SUCH_TOKEN: &str = "There is no such token, or it is another user's";

const BEARER: &str = "bearer";

/// A way to sign in that is the host's own.
#[derive(Debug, Clone)]
pub(super) enum SignIn {
    Basic,
    /// A session, in the cookie of this name.
    Session(String),
}

impl SignIn {
    fn scheme(&self) -> (&'static str, SecurityScheme) {
        match self {
            Self::Basic => (
                "basic",
                SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
            ),
            Self::Session(cookie) => {
                let description = "The session of the application's own sign-in.";
                let cookie = ApiKeyValue::with_description(cookie.as_str(), description);
                ("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
            }
        }
    }
}

/// Adds what all operations have in common, and tells of the limits in force. They are in
/// descriptions alone, since clients that are made from the document of one host talk to others too.
pub(super) fn complete(
    mut document: OpenApi,
    settings: &Settings,
    sign_ins: &[SignIn],
    scopes: &[(Paths, PathScopes)],
) -> OpenApi {
    document.info = info(settings);
    document.tags = Some(tags());
    let components = document.components.get_or_insert_default();
    let mut schemas = Vec::new();
    ProblemJson::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components
        .schemas
        .insert("Problem".into(), ProblemJson::schema());
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some("A personal access token.".into());
    let ways = [(BEARER, SecurityScheme::Http(bearer))];
    let ways: Vec<_> = ways
        .into_iter()
        .chain(sign_ins.iter().map(SignIn::scheme))
        .collect();
    let names: Vec<_> = ways.iter().map(|(name, _)| *name).collect();
    for (name, scheme) in ways {
        components.add_security_scheme(name, scheme);
    }
    for body in ["NewToken", "TokenUpdate"] {
        if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(body) {
            describe_texts(body);
            describe_limits(body, settings);
        }
    }
    if let Some(RefOr::T(Schema::Object(rotation))) = components.schemas.get_mut("Rotation") {
        describe_overlap(rotation, settings);
    }
    for (path, item) in &mut document.paths.paths {
        let mut scopes = scopes
            .iter()
            .filter(|(paths, _)| paths.paths.contains_key(path));
        let scopes = scopes
            .next()
            .map_or(PathScopes::NONE, |(_, scopes)| *scopes);
        let operations = [
            (&mut item.get, Method::GET),
            (&mut item.post, Method::POST),
            (&mut item.patch, Method::PATCH),
            (&mut item.delete, Method::DELETE),
        ];
        for (operation, method) in operations {
            let Some(operation) = operation else {
                continue;
            };
            let ways = names.iter();
            let ways = ways.map(|name| SecurityRequirement::new::<_, _, String>(*name, []));
            operation.security = Some(ways.collect());
            add_common(operation, scopes.of(&method));
        }
    }
    document
}

fn info(settings: &Settings) -> Info {
    let contact = ContactBuilder::new()
        .name(Some("The administrators of this application"))
        .url(settings.base_url())
        .build();
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".into());
    InfoBuilder::new()
        .title("Personal access tokens")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Users create, list, disable and revoke the tokens with which their scripts sign in; \
             administrators manage the tokens of all users. Callers authenticate as the \
             application requires, or with a token.",
        ))
        .contact(Some(contact))
        .license(Some(license))
        .build()
}

fn tags() -> Vec<Tag> {
    let tags = [
        (TOKENS, "The caller's own tokens."),
        (
            ADMINISTRATION,
            "The tokens of all users, for administrators.",
        ),
    ];
    let tags = tags.into_iter();
    tags.map(|(name, description)| {
        TagBuilder::new()
            .name(name)
            .description(Some(description))
            .build()
    })
    .collect()
}

/// What names may not have, as in a regular expression: see `pat_core::text`.
const REFUSED: &str = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069";
/// What is not seen alone, of the characters up to U+FFFF: readers of patterns do not agree on how the
/// others are written, and those are refused all the same.
const INVISIBLE: &str = concat!(
    r"\x00-\x20\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f\u1160",
    r"\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164",
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb",
);

/// What a name and a description may be, on every instance.
fn describe_texts(new: &mut Object) {
    if let Some(RefOr::T(Schema::Object(description))) = new.properties.get_mut("description") {
        description.pattern = Some(format!("^[^{REFUSED}]*$"));
        description.examples = vec!["nightly builds".into()];
    }
    if let Some(RefOr::T(Schema::Object(name))) = new.properties.get_mut("name") {
        // No control character, separator or bidi control, and something that can be seen.
        name.pattern = Some(format!("^[^{REFUSED}]*[^{INVISIBLE}][^{REFUSED}]*$"));
        // Programs that show the document make one up from the pattern otherwise.
        name.examples = vec!["ci".into()];
    }
}

/// Says what this instance allows; `/policy` tells it too.
fn describe_limits(new: &mut Object, settings: &Settings) {
    let never = if settings.eternal_tokens_enabled() {
        "left out, it never expires"
    } else {
        "it must be given"
    };
    let limits = [
        (
            "name",
            format!("here {} characters at most", settings.token_name_length()),
        ),
        (
            "expirationDuration",
            format!(
                "here {} at most, and {never}",
                settings.max_tokens_expiry_days()
            ),
        ),
        (
            "expirationSeconds",
            format!("here {} days at most", settings.max_tokens_expiry_days()),
        ),
    ];
    for (member, limit) in limits {
        add_limit(new, member, &limit);
    }
}

fn describe_overlap(rotation: &mut Object, settings: &Settings) {
    let limit = format!(
        "here {} at most, and {} without it",
        settings.rotate_overlap_max().as_secs(),
        settings.rotate_overlap().as_secs()
    );
    add_limit(rotation, "overlapSeconds", &limit);
}

fn add_limit(schema: &mut Object, member: &str, limit: &str) {
    if let Some(RefOr::T(Schema::Object(member))) = schema.properties.get_mut(member) {
        let text = member.description.take().unwrap_or_default();
        member.description = Some(format!("{} ({limit}).", text.trim_end_matches('.')));
    }
}

fn header(description: &str) -> RefOr<Header> {
    let text = Object::with_type(Type::String);
    RefOr::T(
        HeaderBuilder::new()
            .schema(Some(text))
            .description(Some(description))
            .build(),
    )
}

/// The headers of an answer of this status.
fn headers_of(status: &str) -> Option<(&'static str, RefOr<Header>)> {
    Some(match status {
        "401" => (
            "WWW-Authenticate",
            header("The ways to authenticate: `Bearer`, and those of the application."),
        ),
        "403" => (
            "WWW-Authenticate",
            header("The scopes that the request needs, if the token lacks one."),
        ),
        "503" => (
            "Retry-After",
            header("The number of seconds after which to try again."),
        ),
        success if success.starts_with('2') => (
            "PAT-Expires-At",
            header(
                "When the token of this request expires; absent if it never does, or without a token.",
            ),
        ),
        _ => return None,
    })
}

fn add_common(operation: &mut Operation, scope: Option<&str>) {
    let forbidden = match scope {
        Some(scope) => {
            format!("The caller may not do this, or the token has scopes and lacks `{scope}`")
        }
        None => "The caller may not do this".into(),
    };
    let mut common = vec![
        ("401", "No user is signed in, or the token is not valid"),
        ("403", &forbidden),
        ("503", "The database does not answer; try again"),
    ];
    if operation.request_body.is_some() {
        common.extend([
            ("400", "Malformed body"),
            ("413", "Body too large"),
            ("415", "The body is not application/json"),
        ]);
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in common {
        let response = ResponseBuilder::new().description(description).build();
        responses.insert(status.into(), RefOr::T(response));
    }
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        response
            .headers
            .extend(headers_of(status).map(|(name, header)| (name.to_owned(), header)));
        // Every error is a problem.
        if status.as_str() >= "4" {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let media_type = "application/problem+json".to_owned();
            response.content.insert(media_type, problem.into());
        }
    }
}

/// The document, with the place where this router is mounted as the server.
pub(super) async fn serve(
    OriginalUri(uri): OriginalUri,
    Extension(document): Extension<Arc<OpenApi>>,
) -> Json<OpenApi> {
    let mount = uri
        .path()
        .trim_end_matches('/')
        .trim_end_matches("/openapi.json");
    let mut document = OpenApi::clone(&document);
    document.servers = Some(vec![Server::new(if mount.is_empty() {
        "/"
    } else {
        mount
    })]);
    Json(document)
}

#[cfg(test)]
mod tests {
    use pat_core::text::{breaks_line, is_bidi_control, is_invisible};

    use super::*;

    /// The characters of such a class, as ranges.
    fn ranges(class: &str) -> Vec<(u32, u32)> {
        let mut found: Vec<(u32, u32)> = Vec::new();
        for escape in class.split('\\').skip(1) {
            let (digits, is_start) = match escape.strip_suffix('-') {
                Some(digits) => (digits, true),
                None => (escape, false),
            };
            let digits = digits.trim_start_matches(['x', 'u']);
            let c = u32::from_str_radix(digits, 16).expect("hexadecimal digits");
            match found.last_mut() {
                Some((_, end @ u32::MAX)) => *end = c,
                _ => found.push((c, if is_start { u32::MAX } else { c })),
            }
        }
        found
    }

    #[test]
    fn the_pattern_of_names_is_what_the_policy_says() {
        let (refused, invisible) = (ranges(REFUSED), ranges(INVISIBLE));
        for c in '\0'..='\u{ffff}' {
            let is_in = |ranges: &[(u32, u32)]| {
                ranges
                    .iter()
                    .any(|(start, end)| (*start..=*end).contains(&u32::from(c)))
            };
            let breaks = breaks_line(c) || is_bidi_control(c);
            assert_eq!(is_in(&refused), breaks, "{c:?}");
            assert_eq!(is_in(&invisible), is_invisible(c) || breaks, "{c:?}");
        }
    }
}
