//! What describes the router to machines: an OpenAPI document, made from its handlers and types.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, OriginalUri};
use pat_core::Settings;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Schema, Server};
use utoipa::{IntoParams, PartialSchema as _, ToSchema as _};

use crate::problem::ProblemJson;

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
pub(super) const NO_SUCH_TOKEN: &str = "There is no such token, or it is somebody else's";

const BEARER: &str = "bearer";

/// Adds what all operations have in common, and the limits in force.
pub(super) fn complete(mut document: OpenApi, settings: &Settings) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Personal access tokens")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "How users manage the tokens by which their scripts sign in, and administrators those \
             of all users. Callers sign in as the application has them do, or with a token.",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    let mut schemas = Vec::new();
    ProblemJson::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components
        .schemas
        .insert("Problem".into(), ProblemJson::schema());
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
    );
    if let Some(RefOr::T(Schema::Object(new))) = components.schemas.get_mut("NewToken") {
        limit(new, settings);
    }
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            add_common(operation);
        }
    }
    document
}

/// What may be created is a matter of the settings.
fn limit(new: &mut utoipa::openapi::Object, settings: &Settings) {
    if let Some(RefOr::T(Schema::Object(name))) = new.properties.get_mut("name") {
        name.max_length = usize::try_from(settings.token_name_length()).ok();
        // No control character, and not white space alone.
        name.pattern =
            Some(r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$".into());
    }
    if let Some(RefOr::T(Schema::Object(days))) = new.properties.get_mut("expirationDuration") {
        days.maximum = Some(settings.max_tokens_expiry_days().into());
    }
    if !settings.eternal_tokens_enabled() {
        new.required.push("expirationDuration".into());
    }
}

fn add_common(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]);
    let mut common = vec![
        ("401", "Nobody is signed in, or the token is not valid"),
        ("403", "The caller may not do this"),
        ("503", "The database does not answer; try again"),
    ];
    if operation.request_body.is_some() {
        common.extend([
            ("400", "The body is not as it should be"),
            ("413", "The body is too large"),
            ("415", "The body is not application/json"),
        ]);
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in common {
        let response = ResponseBuilder::new().description(description).build();
        responses.insert(status.into(), RefOr::T(response));
    }
    // Every error is a problem.
    let errors = responses
        .iter_mut()
        .filter(|(status, _)| status.as_str() >= "4");
    for (_, response) in errors {
        if let RefOr::T(response) = response {
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
    let mount = uri.path().trim_end_matches("/openapi.json");
    let mut document = OpenApi::clone(&document);
    document.servers = Some(vec![Server::new(if mount.is_empty() {
        "/"
    } else {
        mount
    })]);
    Json(document)
}
