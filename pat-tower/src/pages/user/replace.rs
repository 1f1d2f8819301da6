//! Replacing a token by a new one.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use pat_core::store::IdempotencyKey;
use pat_core::{Lifetime, PolicyError, RotateError, RotationRequest, Token, TokenId};
use sha2::{Digest as _, Sha256};

use super::create::{Old, show_created, status};
use super::expiry::{Expiry, ExpiryField, OWN};
use super::facts::{Facts, own_token};
use super::origin::SHEET;
use crate::http::path_id::PathId;
use crate::pages::csrf_token::{FORM_TOKEN, SubmissionId};
use crate::pages::fields::Fields;
use crate::pages::page::{Page, SECONDS_OF_DAY, Time, show};
use crate::pages::text::Text;

/// The overlaps that are offered, in seconds, as far as they are allowed.
const OFFERED: [u64; 4] = [0, 60 * 60, SECONDS_OF_DAY, 7 * SECONDS_OF_DAY];
/// The name of the field with the overlap, in seconds.
const OVERLAP: &str = "overlap";

#[derive(Template)]
#[template(path = "replace.html")]
struct ReplacePage<'a> {
    page: &'a Page,
    question: String,
    facts: Facts,
    /// Why it cannot be replaced.
    obstacle: Option<Obstacle>,
    sheet: String,
    /// What is wrong with no field in particular.
    error: Option<String>,
    /// Until when the old token works, if that is to be chosen; it is not if it was replaced before.
    overlaps: Vec<Overlap>,
    overlap_error: Option<String>,
    /// The end that the old token keeps, if it was replaced before.
    kept: Option<Time>,
    expiry: ExpiryField,
}

impl ReplacePage<'_> {
    fn is_any_wrong(&self) -> bool {
        self.error.is_some() || self.overlap_error.is_some() || self.expiry.error.is_some()
    }
}

/// A choice of how long the old token works.
struct Overlap {
    seconds: String,
    label: String,
    until: Option<Time>,
    is_chosen: bool,
}

/// The answer to a form that was sent again.
#[derive(Template)]
#[template(path = "replaced.html")]
struct ReplacedPage<'a> {
    page: &'a Page,
    name: &'a str,
    /// The new token, unless it is revoked.
    successor: Option<(i64, Facts)>,
}

/// Why a token cannot be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    SwitchedOff,
    Expired,
    Disabled,
}

impl Obstacle {
    fn of(page: &Page, token: &Token) -> Option<Self> {
        use pat_core::InvalidToken;

        if !page.pats().settings().enabled() {
            return Some(Self::SwitchedOff);
        }
        match token.validity(page.pats().now()).err()? {
            InvalidToken::Disabled => Some(Self::Disabled),
            InvalidToken::Revoked | InvalidToken::Expired | _ => Some(Self::Expired),
        }
    }

    fn text(self) -> Text<'static> {
        match self {
            Self::SwitchedOff => Text::SwitchedOff,
            Self::Expired => Text::ReplaceExpired,
            Self::Disabled => Text::ReplacePaused,
        }
    }

    fn is_expired(self) -> bool {
        self == Self::Expired
    }
}

/// What is wrong with a form.
#[derive(Debug, Default)]
struct Errors {
    form: Option<String>,
    overlap: Option<String>,
    expiry: Option<String>,
}

pub(in crate::pages) async fn replace_form(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let form = if page.again.is_some() {
        Form::of_fields(&page, &token, &Fields::of_query(query.as_deref()))
    } else {
        Form::opened(&page, &token)
    };
    Ok(form.show(StatusCode::OK, None, Errors::default()))
}

/// Replaces the token and answers with the new one: it is in this one answer and nowhere else. The store knows
/// the form by the ID of its submission, so one that is sent again replaces nothing.
pub(in crate::pages) async fn replace(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let sheet = fields.find(SHEET).map(SubmissionId::decode);
    if sheet == Some(None) {
        return Err(page.bad_request(StatusCode::BAD_REQUEST));
    }
    let form = Form::of_fields(&page, &token, &fields);
    let mut request = form
        .request()
        .map_err(|errors| form.show(StatusCode::BAD_REQUEST, None, errors))?;
    request.idempotency = sheet.flatten().map(|sheet| key(sheet, token.id));
    let result = page.pats().rotate(page.caller(), token.id, request).await;
    match result {
        Ok(successor) => {
            let now = page.pats().now();
            let end = successor.ending.iter().find(|end| end.id == token.id);
            let until = end.map(|end| end.at).filter(|at| *at > now);
            let old = Old {
                id: token.id.get(),
                until: until.map(|at| page.time(at)),
            };
            Ok(show_created(
                &page,
                &successor.token,
                &successor.plain,
                Some(old),
                false,
            ))
        }
        Err(error) => Err(form.refused(error)),
    }
}

/// Two forms about one token differ in the sheet, and a form about another token has another digest.
fn key(sheet: SubmissionId, id: TokenId) -> IdempotencyKey {
    let request = format!("replace {id}");
    IdempotencyKey::new(
        format!("form.{}", sheet.encode()),
        Sha256::digest(request).into(),
    )
}

/// The form, as it is opened or was sent.
struct Form<'a> {
    page: &'a Page,
    token: &'a Token,
    overlap: String,
    expiry: Expiry,
}

impl<'a> Form<'a> {
    fn opened(page: &'a Page, token: &'a Token) -> Self {
        Self {
            page,
            token,
            overlap: page
                .pats()
                .settings()
                .rotate_overlap()
                .as_secs()
                .to_string(),
            expiry: Expiry {
                choice: OWN.to_owned(),
                ..Expiry::default()
            },
        }
    }

    fn of_fields(page: &'a Page, token: &'a Token, fields: &Fields) -> Self {
        Self {
            page,
            token,
            overlap: fields.get(OVERLAP).trim().to_owned(),
            expiry: Expiry::of_form(fields),
        }
    }

    /// What is asked for, or what is wrong with it.
    fn request(&self) -> Result<RotationRequest, Errors> {
        let page = self.page;
        let said = |text: Text<'static>| page.t(text).into_owned();
        let overlap = match self.overlap.parse().map(Duration::from_secs) {
            _ if self.token.replaced.is_some() => Ok(None),
            Ok(overlap) => Ok(Some(overlap)),
            Err(_) => Err(said(Text::OverlapMissing)),
        };
        let lifetime = match self.expiry.choice.as_str() {
            OWN => Ok(None),
            // Not offered, since it is what `OWN` amounts to where it is allowed.
            "never" => Err(said(Text::ExpiryMissing)),
            _ => self.expiry.lifetime(page).map_err(said),
        };
        let lifetime = lifetime.and_then(|days| {
            let Some(lifetime) = days.map(Lifetime::Days) else {
                return Ok(None);
            };
            let checked = page.pats().check_lifetime(page.caller(), Some(lifetime));
            let refused = |error| page.t(Text::Refused(&error)).into_owned();
            checked.map(|()| Some(lifetime)).map_err(refused)
        });
        match (overlap, lifetime) {
            (Ok(overlap), Ok(lifetime)) => {
                let mut request = RotationRequest::default();
                (request.overlap, request.lifetime) = (overlap, lifetime);
                Ok(request)
            }
            (overlap, lifetime) => Err(Errors {
                form: None,
                overlap: overlap.err(),
                expiry: lifetime.err(),
            }),
        }
    }

    fn refused(&self, error: RotateError) -> Response {
        let page = self.page;
        let conflict = StatusCode::CONFLICT;
        match error {
            RotateError::Refused(error) => {
                let text = Some(page.t(Text::Refused(&error)).into_owned());
                let is_overlap = matches!(
                    error,
                    PolicyError::NoOverlap | PolicyError::OverlapTooLong { .. }
                );
                let mut errors = Errors::default();
                if is_overlap {
                    errors.overlap = text;
                } else {
                    errors.form = text;
                }
                self.show(status(&error), None, errors)
            }
            RotateError::OnlyItself => {
                let errors = Errors {
                    form: Some(page.t(Text::ReplaceItselfOnly).into_owned()),
                    ..Errors::default()
                };
                self.show(StatusCode::FORBIDDEN, None, errors)
            }
            RotateError::Expired(_) => {
                self.show(conflict, Some(Obstacle::Expired), Errors::default())
            }
            RotateError::Disabled(_) => {
                self.show(conflict, Some(Obstacle::Disabled), Errors::default())
            }
            RotateError::Repeated(successor) => self.show_replaced(&successor),
            RotateError::TokenInvalid => page.not_signed_in(),
            RotateError::NotFound => page.not_found(),
            RotateError::Unavailable(error) => page.unavailable(&error),
            RotateError::KeyConflict | _ => page.bad_request(StatusCode::BAD_REQUEST),
        }
    }

    fn show_replaced(&self, successor: &Token) -> Response {
        let is_there = successor.revoked_at.is_none();
        let template = ReplacedPage {
            page: self.page,
            name: &self.token.name,
            successor: is_there.then(|| (successor.id.get(), Facts::new(self.page, successor))),
        };
        show(StatusCode::CONFLICT, &template)
    }

    fn show(&self, status: StatusCode, obstacle: Option<Obstacle>, errors: Errors) -> Response {
        let Ok(sheet) = SubmissionId::generate() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let (page, token) = (self.page, self.token);
        let kept = token.expires_at.filter(|_| token.replaced.is_some());
        let own_seconds = own_lifetime(page, token);
        let own = own_seconds.map(|seconds| page.span(seconds));
        let own = own.as_deref().map_or(Text::OwnExpiryNever, Text::OwnExpiry);
        let own = page.t(own).into_owned();
        let mut expiry =
            ExpiryField::of_successor(page, self.expiry.clone(), own, own_seconds, errors.expiry);
        expiry.has_focus = expiry.error.is_some() && errors.overlap.is_none();
        let template = ReplacePage {
            page,
            question: page.t(Text::ReplaceQuestion(&token.name)).into_owned(),
            facts: Facts::new(page, token),
            obstacle: obstacle.or_else(|| Obstacle::of(page, token)),
            sheet: sheet.encode(),
            error: errors.form,
            overlaps: if kept.is_none() {
                self.overlaps()
            } else {
                Vec::new()
            },
            overlap_error: errors.overlap,
            kept: kept.map(|at| page.time(at)),
            expiry,
        };
        show(status, &template)
    }

    /// The choices of how long the old token works, up to the end that it has anyway.
    fn overlaps(&self) -> Vec<Overlap> {
        let (page, settings) = (self.page, self.page.pats().settings());
        let may_end_at_once = page.caller().token().is_none();
        let offered = offered(
            settings.rotate_overlap().as_secs(),
            settings.rotate_overlap_max().as_secs(),
        );
        let offered = offered
            .into_iter()
            .filter(|seconds| may_end_at_once || *seconds > 0);
        let now = page.pats().now();
        let chosen = self.overlap.parse().ok();
        let mut overlaps: Vec<Overlap> = Vec::new();
        for seconds in offered {
            let until = now
                .checked_add(Duration::from_secs(seconds))
                .unwrap_or(Timestamp::MAX);
            let end = self.token.expires_at.filter(|end| *end <= until);
            let span = page.span(seconds);
            let label = match (seconds, end) {
                (0, _) => page.t(Text::NoOverlap),
                (_, Some(_)) => page.t(Text::OverlapUntilExpiry),
                (_, None) => page.t(Text::Overlap(&span)),
            };
            overlaps.push(Overlap {
                seconds: seconds.to_string(),
                label: label.into_owned(),
                until: (seconds > 0).then(|| page.time(end.unwrap_or(until))),
                is_chosen: chosen == Some(seconds),
            });
            if end.is_some() {
                break;
            }
        }
        // What is longer than the token works anyway is the last choice.
        if let Some(last) = overlaps.last_mut() {
            let last_seconds = last.seconds.parse().ok();
            last.is_chosen |= chosen > last_seconds;
        }
        overlaps
    }
}

/// The overlaps to choose from, in seconds.
fn offered(usual: u64, max: u64) -> Vec<u64> {
    let mut offered: Vec<_> = OFFERED
        .into_iter()
        .filter(|seconds| *seconds <= max)
        .collect();
    offered.push(usual);
    offered.sort_unstable();
    offered.dedup();
    offered
}

/// The life span that the new token has if no other is chosen, in seconds without odd ones; `None` if it never
/// expires.
fn own_lifetime(page: &Page, token: &Token) -> Option<u64> {
    let settings = page.pats().settings();
    let max = u64::from(settings.max_tokens_expiry_days()) * SECONDS_OF_DAY;
    match token.own_expires_at() {
        Some(end) => {
            let seconds = end.duration_since(token.created_at).as_secs();
            Some(rounded(u64::try_from(seconds).unwrap_or_default().min(max)))
        }
        None if settings.eternal_tokens_enabled() => None,
        None => Some(max),
    }
}

/// Rounds to days, hours or minutes if that makes no difference to a person.
fn rounded(seconds: u64) -> u64 {
    let units = [SECONDS_OF_DAY, 60 * 60, 60];
    let unit = units.into_iter().find(|unit| seconds >= 2 * unit);
    let unit = unit.unwrap_or(1);
    (seconds + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;

    #[test]
    fn the_usual_overlap_is_offered_and_none_over_the_limit() {
        let day = SECONDS_OF_DAY;
        for (usual, max, expected) in [
            (HOUR, 7 * day, vec![0, HOUR, day, 7 * day]),
            (90, day, vec![0, 90, HOUR, day]),
            (90, 90, vec![0, 90]),
            (30 * day, 60 * day, vec![0, HOUR, day, 7 * day, 30 * day]),
        ] {
            assert_eq!(offered(usual, max), expected, "{usual} {max}");
        }
    }

    #[test]
    fn life_spans_are_told_without_odd_seconds() {
        for (seconds, expected) in [
            (90 * SECONDS_OF_DAY, 90 * SECONDS_OF_DAY),
            (90 * SECONDS_OF_DAY - 1, 90 * SECONDS_OF_DAY),
            (SECONDS_OF_DAY, SECONDS_OF_DAY),
            (2 * HOUR + 5, 2 * HOUR),
            (61, 61),
        ] {
            assert_eq!(rounded(seconds), expected, "{seconds}");
        }
    }
}
