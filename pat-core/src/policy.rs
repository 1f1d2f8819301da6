//! The rules for creating and replacing a token: pure, and the same for the API, the pages and direct calls.

mod names;
mod rotation;

use jiff::{SignedDuration, Timestamp};

pub(crate) use self::names::{LONGEST_NAME, check_description, check_name, check_name_within};
pub use self::rotation::RotationRequest;
pub(crate) use self::rotation::terms;
use crate::error::PolicyError;
use crate::principal::Principal;
use crate::scope::{InvalidScopes, MAX_SCOPES, ScopeCatalog, Scopes};
use crate::settings::{CreateByToken, Settings};
use crate::store::IdempotencyKey;
use crate::token::Token;

const SECONDS_OF_DAY: i64 = 24 * 60 * 60;

/// A request for a new token; see [`Pats::create`](crate::Pats::create).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRequest {
    /// Name of the token: at most as many Unicode scalar values as the setting
    /// `atlassian.pats.token.name.length` allows (by default 40), of which at least one is visible. White
    /// space, control characters, format characters such as U+200B, and characters with a blank glyph are
    /// not visible ([`text::is_invisible`](crate::text::is_invisible)). The name must not have a character
    /// that breaks a line or controls the direction of text; [`PolicyError`] lists these rules. White space
    /// around the name is kept.
    pub name: String,
    /// Life span of the token. `None` for a token that never expires. If the setting `pat.create.by.token` is
    /// `capped`, and the request is authenticated by a token that expires, `None` instead asks for a token that
    /// expires at the same time as that token.
    pub lifetime: Option<Lifetime>,
    /// Names of the scopes of the token, each declared and given once. `None` for the scopes of the token that
    /// authenticates the request, if that is restricted; otherwise for those in the setting
    /// `pat.scopes.default`; without these, for an unrestricted token, unless the setting
    /// `pat.scopes.required` is `true`.
    pub scopes: Option<Vec<String>>,
    /// Text that says what the token is for: at most [`TokenRequest::MAX_DESCRIPTION`] Unicode scalar values,
    /// without a character that breaks a line or controls the direction of text. `None` or an empty text for
    /// no description.
    pub description: Option<String>,
    /// Key with which the client may repeat the request for a day; `None` for no key. If the same request with
    /// this key has created a token, the result is [`CreateError::Repeated`](crate::CreateError::Repeated), and
    /// no other token is created. Owners have separate keys.
    pub idempotency: Option<IdempotencyKey>,
}

/// The requested life span of a token, in days or in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// Days of 24 hours, from 1 to the setting `atlassian.pats.max.tokens.expiry.days` (by default 365).
    Days(i64),
    /// Seconds, from 60 ([`Lifetime::MIN_SECONDS`]) to as many as the days of that setting have. With less than a
    /// day, the token is short-lived ([`Token::is_transient`](crate::Token::is_transient)).
    Seconds(i64),
}

impl Lifetime {
    /// The shortest life span in [seconds](Lifetime::Seconds).
    pub const MIN_SECONDS: i64 = 60;

    /// Returns whether a token that is created for so long is short-lived.
    pub(crate) fn is_short(self) -> bool {
        match self {
            Self::Days(_) => false,
            Self::Seconds(seconds) => seconds < SECONDS_OF_DAY,
        }
    }

    /// Returns the life span as a duration, or the rule that it breaks.
    fn check(self, settings: &Settings) -> Result<SignedDuration, PolicyError> {
        let max = settings.max_tokens_expiry_days();
        let seconds = match self {
            Self::Days(..=0) => return Err(PolicyError::DurationNotPositive),
            Self::Seconds(..Self::MIN_SECONDS) => return Err(PolicyError::DurationTooShort),
            Self::Days(days) => days.saturating_mul(SECONDS_OF_DAY),
            Self::Seconds(seconds) => seconds,
        };
        if seconds > i64::from(max) * SECONDS_OF_DAY {
            return Err(PolicyError::DurationTooLong { max });
        }
        Ok(SignedDuration::from_secs(seconds))
    }
}

impl TokenRequest {
    /// The greatest length of a [description](TokenRequest::description), in Unicode scalar values.
    pub const MAX_DESCRIPTION: usize = 200;

    /// Creates a request for a token with this [name](TokenRequest::name) and this
    /// [life span](TokenRequest::lifetime) in [days](Lifetime::Days), which [`Pats::create`](crate::Pats::create)
    /// checks. A life span of `None` asks for a token that never expires. The request names no
    /// [scopes](TokenRequest::scopes).
    #[must_use]
    pub fn new(name: impl Into<String>, lifetime_days: Option<i64>) -> Self {
        Self {
            name: name.into(),
            lifetime: lifetime_days.map(Lifetime::Days),
            scopes: None,
            description: None,
            idempotency: None,
        }
    }

    /// Sets the [life span](TokenRequest::lifetime) of the token.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Lifetime) -> Self {
        Self {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// Sets the [description](TokenRequest::description) of the token.
    #[must_use]
    pub fn with_description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }

    /// Sets the [key](TokenRequest::idempotency) of the request.
    #[must_use]
    pub fn with_idempotency_key(self, key: IdempotencyKey) -> Self {
        Self {
            idempotency: Some(key),
            ..self
        }
    }

    /// Sets the [scopes](TokenRequest::scopes) of the token, by their names.
    #[must_use]
    pub fn with_scopes<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            scopes: Some(names.into_iter().map(Into::into).collect()),
            ..self
        }
    }
}

/// Returns when the requested token expires, or the first rule that the request breaks.
///
/// The store checks the limit per user afterwards, since only it can count exactly.
pub(crate) fn expiry(
    settings: &Settings,
    request: &TokenRequest,
    parent: Option<&Principal>,
    now: Timestamp,
) -> Result<Option<Timestamp>, PolicyError> {
    if !settings.enabled() {
        return Err(PolicyError::Disabled);
    }
    if parent.is_some() && settings.create_by_token() == CreateByToken::Forbidden {
        return Err(PolicyError::ForbiddenByToken);
    }
    check_name(settings, &request.name)?;
    check_description(request.description.as_deref().unwrap_or_default())?;
    end(settings, request.lifetime, parent, now)
}

/// Returns when a token of this life span expires, or the rule that it breaks.
pub(crate) fn end(
    settings: &Settings,
    lifetime: Option<Lifetime>,
    parent: Option<&Principal>,
    now: Timestamp,
) -> Result<Option<Timestamp>, PolicyError> {
    let cap = cap(settings, parent);
    let Some(lifetime) = lifetime else {
        return match cap {
            Some(cap) => Ok(Some(cap)),
            None if settings.eternal_tokens_enabled() => Ok(None),
            None => Err(PolicyError::EternalNotAllowed),
        };
    };
    let expires_at = end_of_life(settings, lifetime, now)?;
    if cap.is_some_and(|cap| expires_at > cap) {
        return Err(PolicyError::OutlivesParent);
    }
    Ok(Some(expires_at))
}

/// Returns the scopes of a new token, `None` for an unrestricted one, or the rule that the requested ones
/// break.
pub(crate) fn scopes(
    catalog: &ScopeCatalog,
    settings: &Settings,
    requested: Option<&[String]>,
    parent: Option<&Principal>,
) -> Result<Option<Scopes>, PolicyError> {
    let Some(names) = requested else {
        return scopes_by_default(settings, parent);
    };
    let scopes = declared_scopes(catalog, names)?;
    let permitted = catalog.permitted_by(&scopes);
    if parent.is_some_and(|parent| !parent.permitted().contains(permitted)) {
        return Err(PolicyError::ScopeExceedsParent);
    }
    Ok(Some(scopes))
}

/// Returns the scopes of a token that is requested without any.
fn scopes_by_default(
    settings: &Settings,
    parent: Option<&Principal>,
) -> Result<Option<Scopes>, PolicyError> {
    let inherited = parent.and_then(Principal::scopes);
    match inherited.or(settings.scopes_default()) {
        None if settings.scopes_required() => Err(PolicyError::ScopesRequired),
        scopes => Ok(scopes.cloned()),
    }
}

/// Returns the scopes with these names, or the rule that they break.
pub(crate) fn declared_scopes(
    catalog: &ScopeCatalog,
    names: &[String],
) -> Result<Scopes, PolicyError> {
    if names.is_empty() {
        return Err(PolicyError::NoScope);
    }
    if let Some(index) = names.iter().position(|name| catalog.set([name]).is_err()) {
        return Err(PolicyError::UnknownScope { index });
    }
    // A declared name is valid, and there are not too many of them.
    Scopes::new(names).map_err(|error| match error {
        InvalidScopes::Duplicate { index } => PolicyError::DuplicateScope { index },
        InvalidScopes::Name { index } => PolicyError::UnknownScope { index },
        InvalidScopes::TooMany => PolicyError::DuplicateScope { index: MAX_SCOPES },
    })
}

/// Returns the latest allowed expiry: that of the creating token, if `pat.create.by.token` is `capped`.
pub(crate) fn cap(settings: &Settings, parent: Option<&Principal>) -> Option<Timestamp> {
    parent
        .filter(|_| settings.create_by_token() == CreateByToken::Capped)
        .and_then(Principal::expires_at)
}

/// Checks that a token with which the caller authenticated may enable this other token of its owner: that it could
/// create such a token.
pub(crate) fn check_enabling(
    catalog: &ScopeCatalog,
    settings: &Settings,
    token: &Token,
    presented: &Principal,
) -> Result<(), PolicyError> {
    let permits = match &token.scopes {
        None => !presented.is_restricted(),
        Some(scopes) => presented.permitted().contains(catalog.permitted_by(scopes)),
    };
    let outlives = cap(settings, Some(presented))
        .is_some_and(|cap| token.expires_at.is_none_or(|at| at > cap));
    if settings.create_by_token() == CreateByToken::Forbidden || !permits || outlives {
        return Err(PolicyError::EnableByToken);
    }
    Ok(())
}

/// Returns the end of a life span, or the rule that it breaks.
fn end_of_life(
    settings: &Settings,
    lifetime: Lifetime,
    now: Timestamp,
) -> Result<Timestamp, PolicyError> {
    let max = settings.max_tokens_expiry_days();
    // Fails past the year 9999; such a token must not become eternal.
    now.checked_add(lifetime.check(settings)?)
        .map_err(|_| PolicyError::DurationTooLong { max })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::auth::cached_token::CachedToken;
    use crate::scope::read_and_write;
    use crate::token::{Owner, Token, TokenId};

    fn now() -> Timestamp {
        "2026-02-28T12:00:00Z".parse().expect("date")
    }

    fn ask(
        settings: &Settings,
        name: &str,
        days: Option<i64>,
    ) -> Result<Option<Timestamp>, PolicyError> {
        let request = TokenRequest::new(name, days);
        expiry(settings, &request, None, now())
    }

    #[test]
    fn days_are_24_hours_each() {
        let settings = Settings::default();
        let expected = now() + SignedDuration::from_hours(90 * 24);
        assert_eq!(ask(&settings, "ci", Some(90)), Ok(Some(expected)));
        assert_eq!(ask(&settings, "ci", None), Ok(None));
    }

    fn token(expires_at: Option<Timestamp>) -> Token {
        let id = TokenId::new(1).expect("an ID");
        let owner = Owner::new("alice").expect("an owner");
        Token {
            expires_at,
            ..Token::new(id, owner, "ci", now())
        }
    }

    /// Returns the principal of a token that expires then.
    fn principal(expires_at: Option<Timestamp>) -> Principal {
        Principal(CachedToken::of(&token(expires_at)))
    }

    fn catalog() -> ScopeCatalog {
        read_and_write().build().expect("a catalog")
    }

    /// Returns the principal of a token with these scopes, which need not be declared.
    fn restricted(names: &str) -> Principal {
        let mut token = token(None);
        token.scopes = Some(names.parse().expect("scopes"));
        let mut cached = CachedToken::of(&token);
        let unique = Arc::get_mut(&mut cached).expect("nobody else has it");
        unique.permitted = catalog().permitted(token.scopes.as_ref());
        Principal(cached)
    }

    /// Returns the scopes of a new token as text; `*` for an unrestricted token.
    fn given(
        settings: &Settings,
        requested: Option<&[&str]>,
        parent: Option<&Principal>,
    ) -> Result<String, PolicyError> {
        let requested: Option<Vec<_>> =
            requested.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let scopes = scopes(&catalog(), settings, requested.as_deref(), parent)?;
        Ok(scopes.map_or_else(|| "*".to_owned(), |scopes| scopes.to_string()))
    }

    #[test]
    fn requested_scopes_are_declared_and_given_once() {
        let ask = |names: &[&str]| given(&Settings::default(), Some(names), None);
        assert_eq!(
            ask(&["write", "tokens:read"]),
            Ok("tokens:read write".into())
        );
        assert_eq!(ask(&[]), Err(PolicyError::NoScope));
        for unknown in ["delete", "Read", "", "read ", "read write"] {
            let error = PolicyError::UnknownScope { index: 1 };
            assert_eq!(ask(&["read", unknown]), Err(error), "{unknown:?}");
        }
        let twice = PolicyError::DuplicateScope { index: 2 };
        assert_eq!(ask(&["read", "write", "read"]), Err(twice));
        assert!(ask(&["read"; 70]).is_err());
    }

    #[test]
    fn a_token_cannot_create_one_that_may_do_more() {
        let settings = Settings::default();
        let too_much = Err(PolicyError::ScopeExceedsParent);
        for (parent, requested, expected) in [
            ("write", "write", Ok("write".into())),
            ("write", "read", Ok("read".into())),
            ("read", "write", too_much.clone()),
            ("tokens:write", "tokens:read", Ok("tokens:read".into())),
            ("tokens:write", "read", too_much.clone()),
            // Scopes that are no longer declared permit nothing.
            ("gone", "read", too_much.clone()),
            ("", "read", too_much),
        ] {
            let found = given(&settings, Some(&[requested]), Some(&restricted(parent)));
            assert_eq!(found, expected, "{parent} {requested}");
        }
        let unrestricted = principal(None);
        let found = given(&settings, Some(&["write"]), Some(&unrestricted));
        assert_eq!(found, Ok("write".into()));
    }

    #[test]
    fn without_scopes_a_request_gets_the_parents_then_the_default() {
        let with = |default: &str, required| {
            let builder = Settings::builder().scopes_required(required);
            let builder = builder.scopes_default(&default.parse().expect("scopes"));
            builder.build().expect("settings")
        };
        let (parent, unrestricted) = (restricted("gone write"), principal(None));
        let refused = || Err(PolicyError::ScopesRequired);
        for (default, required, by_user) in [
            ("", false, Ok("*".to_owned())),
            ("", true, refused()),
            ("read", false, Ok("read".into())),
            ("read", true, Ok("read".into())),
        ] {
            let settings = with(default, required);
            assert_eq!(given(&settings, None, None), by_user);
            assert_eq!(given(&settings, None, Some(&unrestricted)), by_user);
            let inherited = given(&settings, None, Some(&parent));
            assert_eq!(inherited, Ok("gone write".into()));
            let given = given(&settings, Some(&["write"]), None);
            assert_eq!(given, Ok("write".into()));
        }
    }

    #[test]
    fn a_life_span_has_from_one_day_to_the_maximum() {
        let settings = Settings::default();
        let max = settings.max_tokens_expiry_days();
        let ask = |days| ask(&settings, "ci", Some(days));
        assert!(ask(1).is_ok() && ask(i64::from(max)).is_ok());
        assert_eq!(ask(0), Err(PolicyError::DurationNotPositive));
        for days in [i64::from(max) + 1, i64::MAX] {
            assert_eq!(ask(days), Err(PolicyError::DurationTooLong { max }));
        }
    }

    #[test]
    fn a_life_span_in_seconds_has_from_a_minute_to_the_maximum() {
        let settings = Settings::default();
        let max = settings.max_tokens_expiry_days();
        let ask = |seconds| {
            let request = TokenRequest::new("ci", None).with_lifetime(Lifetime::Seconds(seconds));
            expiry(&settings, &request, None, now())
        };
        let last = i64::from(max) * SECONDS_OF_DAY;
        for seconds in [60, 61, SECONDS_OF_DAY - 1, last] {
            let end = now() + SignedDuration::from_secs(seconds);
            assert_eq!(ask(seconds), Ok(Some(end)));
        }
        for seconds in [59, 0, -60, i64::MIN] {
            assert_eq!(ask(seconds), Err(PolicyError::DurationTooShort));
        }
        for seconds in [last + 1, i64::MAX] {
            assert_eq!(ask(seconds), Err(PolicyError::DurationTooLong { max }));
        }
    }

    #[test]
    fn a_token_is_short_lived_if_it_is_made_for_fewer_seconds_than_a_day_has() {
        assert!(Lifetime::Seconds(SECONDS_OF_DAY - 1).is_short());
        assert!(!Lifetime::Seconds(SECONDS_OF_DAY).is_short());
        assert!(!Lifetime::Days(1).is_short());
    }

    #[test]
    fn a_capped_token_ends_with_its_parent_at_the_latest() {
        let day = |days: i64| now() + SignedDuration::from_hours(24 * days);
        let parents = [principal(Some(day(30))), principal(None)];
        let late = Err(PolicyError::OutlivesParent);
        let at_will = [Ok(Some(day(31))), Ok(Some(day(30))), Ok(None)];
        let capped = [late, Ok(Some(day(30))), Ok(Some(day(30)))];
        for (rule, by_mortal) in [
            (CreateByToken::Capped, &capped),
            (CreateByToken::Allowed, &at_will),
        ] {
            let settings = Settings::builder().create_by_token(rule).build();
            let settings = settings.expect("settings");
            for (parent, expected) in parents.iter().zip([by_mortal, &at_will]) {
                let ends = [Some(31), Some(30), None]
                    .map(|days| end(&settings, days.map(Lifetime::Days), Some(parent), now()));
                assert_eq!(ends, *expected, "{rule:?} {parent:?}");
            }
        }
    }

    #[test]
    fn checks_come_in_the_documented_order() {
        let long = "x".repeat(41);
        let off = Settings::builder()
            .enabled(false)
            .build()
            .expect("settings");
        assert_eq!(ask(&off, "", Some(0)), Err(PolicyError::Disabled));
        let on = Settings::builder()
            .eternal_tokens_enabled(false)
            .build()
            .expect("settings");
        assert_eq!(ask(&on, " \t", Some(0)), Err(PolicyError::NameBlank));
        assert_eq!(
            ask(&on, &long, Some(0)),
            Err(PolicyError::NameTooLong { max: 40 })
        );
        assert_eq!(
            ask(&on, "a\nb", Some(0)),
            Err(PolicyError::NameHasControlCharacter)
        );
        assert_eq!(
            ask(&on, "ci", Some(0)),
            Err(PolicyError::DurationNotPositive)
        );
        assert_eq!(
            ask(&on, "ci", Some(366)),
            Err(PolicyError::DurationTooLong { max: 365 })
        );
        assert_eq!(ask(&on, "ci", None), Err(PolicyError::EternalNotAllowed));
    }

    #[test]
    fn names_count_unicode_scalar_values_and_are_not_trimmed() {
        let settings = Settings::default();
        assert!(ask(&settings, &"ä".repeat(40), None).is_ok());
        assert!(ask(&settings, &"ä".repeat(41), None).is_err());
        assert!(ask(&settings, " jira-cli / work ", None).is_ok());
    }

    proptest! {
        #[test]
        fn fields_are_checked_as_the_whole_is(name in "[ a\\n]{0,50}", days: Option<i16>) {
            let settings = Settings::default();
            let days = days.map(i64::from);
            let whole = ask(&settings, &name, days);
            let fields = check_name(&settings, &name).and_then(|()| {
                end(&settings, days.map(Lifetime::Days), None, now())
            });
            prop_assert_eq!(whole, fields);
        }

        #[test]
        fn a_duration_never_yields_an_unlimited_token(days: i64) {
            let settings = Settings::default();
            match ask(&settings, "ci", Some(days)) {
                Ok(expires_at) => {
                    prop_assert!((1..=365).contains(&days));
                    prop_assert_eq!(expires_at, Some(now() + SignedDuration::from_hours(24 * days)));
                }
                Err(_) => prop_assert!(!(1..=365).contains(&days)),
            }
        }
    }
}
