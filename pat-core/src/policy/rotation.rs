//! The rules for replacing a token.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Lifetime, SECONDS_OF_DAY};
use crate::error::PolicyError;
use crate::settings::{CreateByToken, Settings};
use crate::store::IdempotencyKey;
use crate::token::Token;

/// A request to replace a token by a new one, its successor; see [`Pats::rotate`](crate::Pats::rotate). The default
/// has the overlap of the settings and the life span of the replaced token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RotationRequest {
    /// How long the replaced token stays valid beside its successor, unless it ends earlier: at most the setting
    /// `pat.rotate.overlap.max.seconds` (by default a week). `None` for the setting
    /// `pat.rotate.overlap.seconds` (by default an hour). Zero ends the token at once; only a user who signed in
    /// may ask for that, because a token that rotates itself and loses the answer needs its old secret for
    /// another attempt.
    pub overlap: Option<Duration>,
    /// Life span of the successor. `None` for the life span with which the replaced token was created, but at most
    /// the setting `atlassian.pats.max.tokens.expiry.days`. The successor of a token that never expires then
    /// never expires either, if the setting `atlassian.pats.eternal.tokens.enabled` is `true`; otherwise it gets
    /// the longest life span.
    pub lifetime: Option<Lifetime>,
    /// Key with which the client may repeat the request; see
    /// [`TokenRequest::idempotency`](crate::TokenRequest::idempotency).
    pub idempotency: Option<IdempotencyKey>,
}

impl RotationRequest {
    /// Sets the [overlap](RotationRequest::overlap).
    #[must_use]
    pub fn with_overlap(self, overlap: Duration) -> Self {
        Self {
            overlap: Some(overlap),
            ..self
        }
    }

    /// Sets the [life span](RotationRequest::lifetime) of the successor.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Lifetime) -> Self {
        Self {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// Sets the [key](RotationRequest::idempotency) of the request.
    #[must_use]
    pub fn with_idempotency_key(self, key: IdempotencyKey) -> Self {
        Self {
            idempotency: Some(key),
            ..self
        }
    }
}

/// What a request for a rotation amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) overlap: Duration,
    /// Life span of the successor; `None` if it never expires.
    pub(crate) lifetime: Option<SignedDuration>,
    /// Latest end of the successor, whatever its life span is.
    pub(crate) expires_by: Option<Timestamp>,
    /// Whether the successor is short-lived.
    pub(crate) is_transient: bool,
}

/// Returns the terms on which a token is replaced, or the first rule that the request breaks. `is_by_itself`: the
/// token authenticated the request.
pub(crate) fn terms(
    settings: &Settings,
    request: &RotationRequest,
    predecessor: &Token,
    is_by_itself: bool,
    now: Timestamp,
) -> Result<Terms, PolicyError> {
    if !settings.enabled() {
        return Err(PolicyError::Disabled);
    }
    if is_by_itself && !settings.may_rotate_itself() {
        return Err(PolicyError::RotationForbiddenByToken);
    }
    let is_capped = is_by_itself && settings.create_by_token() == CreateByToken::Capped;
    let expires_by = predecessor.own_expires_at().filter(|_| is_capped);
    let lifetime = match request.lifetime {
        Some(lifetime) => Some(requested(settings, lifetime, expires_by, now)?),
        None => own(settings, predecessor),
    };
    Ok(Terms {
        overlap: overlap(settings, request.overlap, is_by_itself)?,
        lifetime,
        expires_by,
        is_transient: lifetime.is_some_and(|lifetime| lifetime.as_secs() < SECONDS_OF_DAY),
    })
}

fn overlap(
    settings: &Settings,
    requested: Option<Duration>,
    is_by_itself: bool,
) -> Result<Duration, PolicyError> {
    let max = settings.rotate_overlap_max();
    match requested {
        None => Ok(settings.rotate_overlap()),
        Some(Duration::ZERO) if is_by_itself => Err(PolicyError::NoOverlap),
        Some(overlap) if overlap > max => Err(PolicyError::OverlapTooLong {
            max_seconds: max.as_secs(),
        }),
        Some(overlap) => Ok(overlap),
    }
}

fn requested(
    settings: &Settings,
    lifetime: Lifetime,
    expires_by: Option<Timestamp>,
    now: Timestamp,
) -> Result<SignedDuration, PolicyError> {
    let end = super::end_of_life(settings, lifetime, now)?;
    if expires_by.is_some_and(|latest| end > latest) {
        return Err(PolicyError::OutlivesParent);
    }
    Ok(end.duration_since(now))
}

/// The life span with which the token was created, as far as it is still allowed.
fn own(settings: &Settings, token: &Token) -> Option<SignedDuration> {
    let max = SignedDuration::from_hours(i64::from(settings.max_tokens_expiry_days()) * 24);
    match token.own_expires_at() {
        Some(end) => Some(end.duration_since(token.created_at).min(max)),
        None if settings.eternal_tokens_enabled() => None,
        None => Some(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsBuilder;
    use crate::token::{Owner, Replaced, TokenId};

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;

    fn created() -> Timestamp {
        "2026-02-28T12:00:00Z".parse().expect("date")
    }

    fn after(seconds: i64) -> Timestamp {
        created() + SignedDuration::from_secs(seconds)
    }

    /// A token that expires so many seconds after its creation.
    fn token(lifetime: Option<i64>) -> Token {
        let id = TokenId::new(1).expect("an ID");
        let owner = Owner::new("alice").expect("an owner");
        Token {
            expires_at: lifetime.map(after),
            ..Token::new(id, owner, "ci", created())
        }
    }

    fn settings(builder: SettingsBuilder) -> Settings {
        builder.build().expect("settings")
    }

    /// The seconds that the successor of such a token lives, which was created by a request without a life span.
    fn lives(settings: &Settings, token: &Token) -> Option<i64> {
        let request = RotationRequest::default();
        let terms = terms(settings, &request, token, false, after(HOUR)).expect("terms");
        terms.lifetime.map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn a_successor_lives_as_long_as_its_predecessor_was_to_live() {
        let usual = Settings::default();
        assert_eq!(lives(&usual, &token(Some(90 * DAY))), Some(90 * DAY));
        assert_eq!(lives(&usual, &token(Some(300))), Some(300));
        assert_eq!(lives(&usual, &token(None)), None);
        let mut replaced = token(Some(HOUR + 1));
        for (own, expected) in [(Some(30 * DAY), Some(30 * DAY)), (None, None)] {
            replaced.replaced = Some(Replaced::new(after(1), own.map(after)));
            assert_eq!(lives(&usual, &replaced), expected, "not the overlap");
        }
    }

    #[test]
    fn a_successor_lives_no_longer_than_is_allowed_now() {
        let lowered = settings(
            Settings::builder()
                .max_tokens_expiry_days(30)
                .eternal_tokens_enabled(false),
        );
        for before in [Some(29 * DAY), Some(90 * DAY), None] {
            let expected = before.unwrap_or(i64::MAX).min(30 * DAY);
            assert_eq!(lives(&lowered, &token(before)), Some(expected));
        }
    }

    #[test]
    fn a_request_may_choose_the_life_span_by_the_rules_for_new_tokens() {
        let usual = Settings::default();
        let ask = |lifetime, is_by_itself, settings: &Settings| {
            let request = RotationRequest::default().with_lifetime(lifetime);
            let predecessor = token(Some(30 * DAY));
            let terms = terms(settings, &request, &predecessor, is_by_itself, after(DAY));
            terms.map(|terms| terms.lifetime.expect("an end").as_secs())
        };
        assert_eq!(ask(Lifetime::Days(365), true, &usual), Ok(365 * DAY));
        assert_eq!(ask(Lifetime::Seconds(60), true, &usual), Ok(60));
        assert_eq!(
            ask(Lifetime::Seconds(59), false, &usual),
            Err(PolicyError::DurationTooShort)
        );
        assert_eq!(
            ask(Lifetime::Days(366), false, &usual),
            Err(PolicyError::DurationTooLong { max: 365 })
        );
        let capped = settings(Settings::builder().create_by_token(CreateByToken::Capped));
        assert_eq!(ask(Lifetime::Days(29), true, &capped), Ok(29 * DAY));
        assert_eq!(
            ask(Lifetime::Days(30), true, &capped),
            Err(PolicyError::OutlivesParent)
        );
        assert_eq!(ask(Lifetime::Days(30), false, &capped), Ok(30 * DAY));
    }

    #[test]
    fn a_token_that_rotates_itself_is_bound_by_the_rules_for_tokens() {
        let request = RotationRequest::default();
        let ask = |builder: SettingsBuilder, is_by_itself| {
            let mut replaced = token(Some(HOUR));
            replaced.replaced = Some(Replaced::new(after(0), Some(after(30 * DAY))));
            let settings = settings(builder);
            let terms = terms(&settings, &request, &replaced, is_by_itself, after(1));
            terms.map(|terms| terms.expires_by)
        };
        let by_token = |rule| Settings::builder().create_by_token(rule);
        let forbidden = Err(PolicyError::RotationForbiddenByToken);
        for (builder, expected) in [
            (by_token(CreateByToken::Allowed), Ok(None)),
            (by_token(CreateByToken::Capped), Ok(Some(after(30 * DAY)))),
            (by_token(CreateByToken::Forbidden), forbidden.clone()),
            (Settings::builder().rotate_by_token(false), forbidden),
        ] {
            assert_eq!(ask(builder.clone(), true), expected, "{builder:?}");
            assert_eq!(ask(builder, false), Ok(None), "the user signed in");
        }
        let off = Settings::builder().enabled(false);
        assert_eq!(ask(off, false), Err(PolicyError::Disabled));
    }

    #[test]
    fn the_overlap_has_a_default_and_a_maximum_and_is_zero_only_for_users() {
        let settings = settings(
            Settings::builder()
                .rotate_overlap_seconds(60)
                .rotate_overlap_max_seconds(120),
        );
        let ask = |seconds: Option<u64>, is_by_itself| {
            let request = RotationRequest {
                overlap: seconds.map(Duration::from_secs),
                ..RotationRequest::default()
            };
            let terms = terms(&settings, &request, &token(None), is_by_itself, created());
            terms.map(|terms| terms.overlap.as_secs())
        };
        let too_long = Err(PolicyError::OverlapTooLong { max_seconds: 120 });
        for (seconds, by_itself, by_user) in [
            (None, Ok(60), Ok(60)),
            (Some(0), Err(PolicyError::NoOverlap), Ok(0)),
            (Some(1), Ok(1), Ok(1)),
            (Some(120), Ok(120), Ok(120)),
            (Some(121), too_long.clone(), too_long.clone()),
            (Some(u64::MAX), too_long.clone(), too_long),
        ] {
            assert_eq!(ask(seconds, true), by_itself, "{seconds:?}");
            assert_eq!(ask(seconds, false), by_user, "{seconds:?}");
        }
    }

    #[test]
    fn a_request_keeps_all_that_was_chosen() {
        let key = IdempotencyKey::new("key", [1; 32]);
        let request = RotationRequest::default()
            .with_overlap(Duration::from_secs(5))
            .with_lifetime(Lifetime::Days(1))
            .with_idempotency_key(key.clone())
            .with_overlap(Duration::from_secs(6));
        let expected = RotationRequest {
            overlap: Some(Duration::from_secs(6)),
            lifetime: Some(Lifetime::Days(1)),
            idempotency: Some(key),
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn a_successor_for_less_than_a_day_is_short_lived() {
        let is_transient = |lifetime| {
            let (settings, request) = (Settings::default(), RotationRequest::default());
            let terms = terms(&settings, &request, &token(lifetime), false, created());
            terms.expect("terms").is_transient
        };
        assert!(is_transient(Some(DAY - 1)));
        assert!(!is_transient(Some(DAY)));
        assert!(!is_transient(None));
    }
}
