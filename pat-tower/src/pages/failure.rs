//! Pages that say what went wrong.

use askama::Template;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::StatusCode;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use pat_core::scope::TOKENS_ADMIN;
use pat_core::{AccessError, AdminError, Unavailable, UpdateError};

use super::page::{Page, show};
use super::text::Text;

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    page: &'a Page,
    title: &'a str,
    hint: &'a str,
}

impl Page {
    fn fail(&self, status: StatusCode, title: Text<'_>, hint: Text<'_>) -> Response {
        let (title, hint) = (self.t(title), self.t(hint));
        let template = FailurePage {
            page: self,
            title: &title,
            hint: &hint,
        };
        show(status, &template)
    }

    pub(super) fn not_signed_in(&self) -> Response {
        let hint = Text::NotSignedInHint;
        self.fail(StatusCode::UNAUTHORIZED, Text::NotSignedIn, hint)
    }

    pub(super) fn not_found(&self) -> Response {
        self.fail(StatusCode::NOT_FOUND, Text::NotFound, Text::NotFoundHint)
    }

    pub(super) fn form_refused(&self) -> Response {
        let hint = Text::FormRefusedHint;
        self.fail(StatusCode::FORBIDDEN, Text::FormRefused, hint)
    }

    pub(super) fn bad_request(&self, status: StatusCode) -> Response {
        self.fail(status, Text::BadRequest, Text::BadRequestHint)
    }

    pub(super) fn unavailable(&self, error: &Unavailable) -> Response {
        // What is behind it has been told where it was asked, once for all requests.
        tracing::debug!(
            error = error as &dyn std::error::Error,
            "a page fails with 503"
        );
        self.busy()
    }

    /// It cannot be answered now, and may be done or not.
    pub(super) fn busy(&self) -> Response {
        let (status, title) = (StatusCode::SERVICE_UNAVAILABLE, Text::Unavailable);
        let mut response = self.fail(status, title, Text::UnavailableHint);
        let seconds = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, seconds);
        response
    }

    /// The caller's token lacks this scope.
    pub(super) fn insufficient_scope(&self, scope: &str) -> Response {
        let hint = Text::InsufficientScopeHint(scope);
        let mut response = self.fail(StatusCode::FORBIDDEN, Text::InsufficientScope, hint);
        let challenge = self.state.challenges.missing_scopes(&[scope.to_owned()]);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response
    }

    pub(super) fn not_administered(&self, error: &AdminError) -> Response {
        let (status, title, hint) = match error {
            AdminError::Unavailable(error) => return self.unavailable(error),
            AdminError::Disabled => return self.not_found(),
            AdminError::NotAdministrator => {
                (StatusCode::FORBIDDEN, Text::Forbidden, Text::ForbiddenHint)
            }
            AdminError::TokenInvalid(_) => return self.not_signed_in(),
            AdminError::InsufficientScope => return self.insufficient_scope(TOKENS_ADMIN),
            AdminError::NotSupported => (
                StatusCode::NOT_IMPLEMENTED,
                Text::NotSupported,
                Text::NotSupportedHint,
            ),
            AdminError::NoAudit
            | AdminError::UnknownEventNumber { .. }
            | AdminError::NoCriterion
            | AdminError::CountMismatch { .. } => {
                return self.bad_request(StatusCode::BAD_REQUEST);
            }
            _ => return self.bad_request(StatusCode::BAD_REQUEST),
        };
        self.fail(status, title, hint)
    }

    #[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
    pub(super) fn inaccessible(&self, error: &AccessError) -> Response {
        match error {
            AccessError::Unavailable(error) => self.unavailable(error),
            AccessError::NotFound => self.not_found(),
            _ => self.not_found(),
        }
    }
}

impl Page {
    /// A change that failed for another reason than the rules, which the page of the change names.
    pub(super) fn not_updated(&self, error: &UpdateError) -> Response {
        match error {
            UpdateError::Unavailable(error) => self.unavailable(error),
            UpdateError::NotFound => self.not_found(),
            UpdateError::DisabledByAdministrator | UpdateError::Refused(_) => {
                self.bad_request(StatusCode::BAD_REQUEST)
            }
            _ => self.bad_request(StatusCode::BAD_REQUEST),
        }
    }
}

pub(super) async fn method_not_allowed(page: Option<Extension<Page>>) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = page.map_or_else(
        || status.into_response(),
        |Extension(page)| page.bad_request(status),
    );
    let allowed = HeaderValue::from_static("GET, HEAD, POST");
    response.headers_mut().insert(ALLOW, allowed);
    response
}
