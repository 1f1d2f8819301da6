//! What goes over the wire: names, types and order of the members are part of the contract.

use std::time::Duration;

use pat_core::scope::{Scope, ScopeChoices, Scopes, WithoutScopes};
use pat_core::store::Ending;
use pat_core::{
    CreatedToken, Lifetime, Pats, PlainToken, RotationRequest, Successor, Token, TokenId,
    TokenRequest, TokenUpdate, User,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use utoipa::ToSchema;

use super::problems::{INVALID_DURATION, INVALID_OVERLAP};
use crate::http::date::wire_date;
use crate::http::problem::Problem;

/// A token that never expires carries this date, since clients expect one.
const NEVER: &str = "9999-12-31T00:00:00.000+00:00";

/// A token. Dates are UTC with exactly three fraction digits and `+00:00`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
pub(super) struct TokenJson {
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    id: i64,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Left out before the first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    last_accessed_at: Option<String>,
    /// `9999-12-31T00:00:00.000+00:00` for a token that never expires.
    #[schema(format = DateTime)]
    expiring_at: String,
    /// `REVOKED` only in searches with `includeRevoked`.
    #[schema(value_type = StatusName)]
    status: &'static str,
    /// The secret; only in the response that creates the token.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    #[schema(value_type = String, required = false)]
    raw_token: Option<PlainToken>,
    /// The owner; only for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UserJson, required = false)]
    user_profile_resource: Option<UserJson>,
    /// The names of the token's scopes, in alphabetical order; left out of an unrestricted token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    scopes: Option<Scopes>,
    /// What the token is for, in the words of its owner; left out without a description.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// The last four characters of the secret; only for administrators, and left out of a token that an older
    /// version created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<String>,
    /// The id of the token that this one replaced; left out if it replaced none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    rotated_from: Option<i64>,
    /// Of a token that is replaced: the id of the latest token that replaced it, directly or through others; left
    /// out if these are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    rotated_to: Option<i64>,
    /// Only in the response that replaces a token: when the replaced token ends, and those with which earlier
    /// requests replaced it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    ending: Vec<EndingJson>,
    /// When the token was disabled; left out while it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    disabled_at: Option<String>,
    /// Only of a revoked token, in searches with `includeRevoked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    revoked_at: Option<String>,
    /// The key of the user who revoked the token; only of a revoked token, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_by: Option<String>,
    /// Why the token was revoked; only of a revoked token, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoke_reason: Option<String>,
    /// Only in a response without `rawToken` to a request that was made before with the same `Idempotency-Key`: a
    /// sentence for people about what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<&'static str>,
}

/// When a replaced token ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ending)]
pub(super) struct EndingJson {
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    id: i64,
    #[schema(format = DateTime)]
    at: String,
}

impl From<Ending> for EndingJson {
    fn from(ending: Ending) -> Self {
        Self {
            id: ending.id.get(),
            at: wire_date(ending.at),
        }
    }
}

impl TokenJson {
    pub(super) fn new(pats: &Pats, token: Token) -> Self {
        Self {
            id: token.id.get(),
            status: pats.status(&token).as_str(),
            name: token.name,
            created_at: wire_date(token.created_at),
            last_accessed_at: token.last_used_at.map(wire_date),
            expiring_at: token.expires_at.map_or_else(|| NEVER.to_owned(), wire_date),
            raw_token: None,
            user_profile_resource: None,
            scopes: token.scopes,
            description: token.description,
            hint: None,
            rotated_from: token
                .line
                .and_then(|line| line.rotated_from)
                .map(TokenId::get),
            rotated_to: None,
            ending: Vec::new(),
            disabled_at: token.disabled.map(|disabled| wire_date(disabled.at)),
            revoked_at: token.revoked_at.map(wire_date),
            revoked_by: None,
            revoke_reason: None,
            note: None,
        }
    }

    /// As administrators see it.
    pub(super) fn for_administrator(pats: &Pats, mut token: Token, owner: Option<User>) -> Self {
        let (hint, revoke_reason) = (token.hint.take(), token.revoke_reason.take());
        let revoked_by = token.revoked_by.take();
        Self {
            user_profile_resource: owner.map(UserJson::from),
            hint,
            revoked_by: revoked_by.map(|by| by.to_string()),
            revoke_reason,
            ..Self::new(pats, token)
        }
    }

    pub(super) fn rotated(pats: &Pats, successor: Successor) -> Self {
        Self {
            raw_token: Some(successor.plain),
            ending: successor.ending.into_iter().map(EndingJson::from).collect(),
            ..Self::new(pats, successor.token)
        }
    }

    /// Adds the latest token that replaced this one, if any.
    pub(super) fn with_rotated_to(self, latest: Option<TokenId>) -> Self {
        Self {
            rotated_to: latest.map(TokenId::get),
            ..self
        }
    }

    /// Says why the secret is missing.
    pub(super) fn with_note(self, note: &'static str) -> Self {
        Self {
            note: Some(note),
            ..self
        }
    }

    pub(super) fn created(pats: &Pats, created: CreatedToken) -> Self {
        Self {
            raw_token: Some(created.plain),
            ..Self::new(pats, created.token)
        }
    }
}

/// The one place where a secret leaves the process.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn expose<S: Serializer>(plain: &Option<PlainToken>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&plain.as_ref().map(PlainToken::expose))
}

/// The state of a token. `EXPIRES_SOON`: active, and expires within the warning days.
#[derive(ToSchema)]
#[schema(as = Status)]
#[expect(
    dead_code,
    reason = "the names come from pat-core; this describes them"
)]
#[expect(
    non_camel_case_types,
    clippy::upper_case_acronyms,
    reason = "as on the wire"
)]
pub(super) enum StatusName {
    ACTIVE,
    EXPIRES_SOON,
    DISABLED,
    EXPIRED,
    REVOKED,
}

/// A user of the host.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(super) struct UserJson {
    user_key: String,
    username: String,
    full_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
}

impl From<User> for UserJson {
    fn from(user: User) -> Self {
        Self {
            user_key: user.owner.to_string(),
            username: user.username,
            full_name: user.full_name,
            email: user.email,
        }
    }
}

/// The limits in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Policy)]
pub(super) struct PolicyJson {
    enabled: bool,
    eternal_tokens_enabled: bool,
    max_tokens_expiry_days: u32,
    max_tokens_per_user: u32,
    token_name_length: u32,
    expiry_warning_days: u32,
    /// How many days before its expiry the owner of a token is reminded, in descending order, if the server
    /// sends notifications. A number that is not less than the life span of a token does not apply to it.
    expiry_reminder_days: Vec<u32>,
    /// The shortest life span in seconds.
    min_expiration_seconds: i64,
    /// Whether a token may rotate itself.
    rotate_by_token: bool,
    /// The usual overlap of a rotation, in seconds.
    rotate_overlap_seconds: u64,
    /// The longest overlap of a rotation, in seconds.
    rotate_overlap_max_seconds: u64,
    /// The scopes that the caller may give a new token; left out if the server declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<ScopeJson>, required = false)]
    scopes: Option<Vec<ScopeJson>>,
    /// Whether a token cannot be created without scopes; left out if the server declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    scopes_required: Option<bool>,
    /// The scopes of a token that is created without scopes; left out if such a token is unrestricted, or
    /// scopes are required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    default_scopes: Option<Scopes>,
}

/// A scope, which permits a token something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scope)]
struct ScopeJson {
    name: String,
    /// What the scope permits, for people.
    description: String,
    /// The names of the scopes that this one implies.
    implies: Vec<String>,
}

impl From<Scope<'_>> for ScopeJson {
    fn from(scope: Scope<'_>) -> Self {
        Self {
            name: scope.name().to_owned(),
            description: scope.description().to_owned(),
            implies: scope.implies().map(str::to_owned).collect(),
        }
    }
}

impl PolicyJson {
    pub(super) fn new(pats: &Pats, choices: ScopeChoices<'_>) -> Self {
        let declares_any = !pats.scope_catalog().is_empty();
        let is_refused = choices.without_scopes == WithoutScopes::Refused;
        let settings = pats.settings();
        Self {
            enabled: settings.enabled(),
            eternal_tokens_enabled: settings.eternal_tokens_enabled(),
            max_tokens_expiry_days: settings.max_tokens_expiry_days(),
            max_tokens_per_user: settings.max_tokens_per_user(),
            token_name_length: settings.token_name_length(),
            expiry_warning_days: settings.expiry_warning_days(),
            expiry_reminder_days: settings.expiry_reminder_days().to_vec(),
            min_expiration_seconds: Lifetime::MIN_SECONDS,
            rotate_by_token: settings.may_rotate_itself(),
            rotate_overlap_seconds: settings.rotate_overlap().as_secs(),
            rotate_overlap_max_seconds: settings.rotate_overlap_max().as_secs(),
            scopes: declares_any.then(|| choices.scopes.into_iter().map(ScopeJson::from).collect()),
            scopes_required: declares_any.then_some(is_refused),
            default_scopes: match choices.without_scopes {
                WithoutScopes::Restricted(scopes) => Some(scopes),
                WithoutScopes::Unrestricted | WithoutScopes::Refused | _ => None,
            },
        }
    }
}

/// A token to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewToken)]
pub(super) struct CreateJson {
    /// Text with at least one visible character and without control characters, line separators and
    /// bidi controls. Names need not be unique.
    // Missing is the same as blank.
    #[serde(default)]
    #[schema(required = true, min_length = 1)]
    name: String,
    /// Whole days until the token expires.
    #[schema(value_type = Option<i64>, required = false, minimum = 1)]
    expiration_duration: Option<Number>,
    /// Whole seconds until the token expires, instead of `expirationDuration`. A token that is created for less
    /// than a day is no longer listed or counted when it has expired.
    #[schema(value_type = Option<i64>, required = false, minimum = 60)]
    expiration_seconds: Option<Number>,
    /// Names of scopes, each at most once. Without scopes, the token gets those of the token that
    /// authenticates the request, or the server's default, or is unrestricted.
    #[schema(value_type = Option<Vec<String>>, required = false, min_items = 1)]
    scopes: Option<Vec<String>>,
    /// What the token is for: at most 200 characters, without control characters, line separators and bidi controls.
    /// An empty text is no description.
    #[schema(required = false, max_length = 200)]
    description: Option<String>,
}

impl CreateJson {
    pub(super) fn into_request(self) -> Result<TokenRequest, Problem> {
        let mut request = TokenRequest::new(self.name, None);
        request.lifetime = lifetime(self.expiration_duration, self.expiration_seconds)?;
        request.description = self.description;
        Ok(match self.scopes {
            Some(scopes) => request.with_scopes(scopes),
            None => request,
        })
    }
}

/// How a token is to be replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Rotation)]
pub(super) struct RotateJson {
    /// For how many whole seconds the replaced token stays valid, unless it ends earlier. 0 only if a user signed
    /// in.
    #[schema(value_type = Option<i64>, required = false, minimum = 0)]
    overlap_seconds: Option<Number>,
    /// Whole days until the new token expires. Without a life span, it lives as long as the replaced token was to
    /// live.
    #[schema(value_type = Option<i64>, required = false, minimum = 1)]
    expiration_duration: Option<Number>,
    /// Whole seconds until the new token expires, instead of `expirationDuration`.
    #[schema(value_type = Option<i64>, required = false, minimum = 60)]
    expiration_seconds: Option<Number>,
}

impl RotateJson {
    pub(super) fn into_request(self) -> Result<RotationRequest, Problem> {
        let mut request = RotationRequest::default();
        request.overlap = self.overlap_seconds.as_ref().map(overlap).transpose()?;
        request.lifetime = lifetime(self.expiration_duration, self.expiration_seconds)?;
        Ok(request)
    }
}

fn overlap(seconds: &Number) -> Result<Duration, Problem> {
    let seconds = whole(seconds).and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let detail = "overlapSeconds must be a whole number of seconds, 0 or more.";
        Problem::new(INVALID_OVERLAP, detail)
    })
}

/// The life span that a body asks for, in days or in seconds.
fn lifetime(days: Option<Number>, seconds: Option<Number>) -> Result<Option<Lifetime>, Problem> {
    let (lifetime, detail) = match (days, seconds) {
        (None, None) => return Ok(None),
        (Some(days), None) => (
            whole(&days).map(Lifetime::Days),
            "expirationDuration must be a whole number of days.",
        ),
        (None, Some(seconds)) => (
            whole(&seconds).map(Lifetime::Seconds),
            "expirationSeconds must be a whole number of seconds.",
        ),
        (Some(_), Some(_)) => (None, "Give either expirationDuration or expirationSeconds."),
    };
    let refused = || Problem::new(INVALID_DURATION, detail);
    lifetime.map(Some).ok_or_else(refused)
}

/// The whole number; one that is too large for the type is as large as the type allows, which is over every
/// limit.
fn whole(number: &Number) -> Option<i64> {
    let large = || number.as_u64().map(|_| i64::MAX);
    number.as_i64().or_else(large)
}

/// Changes of a token; at least one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TokenUpdate, min_properties = 1)]
pub(super) struct UpdateJson {
    /// Whether the token is enabled; a disabled one does not authenticate.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    enabled: Option<bool>,
    /// The new name, by the rules of `POST /tokens`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1)]
    name: Option<String>,
    /// The new description, by the rules of `POST /tokens`; an empty text or `null` removes it.
    #[serde(default, deserialize_with = "present_or_null")]
    #[schema(value_type = Option<String>, required = false, max_length = 200)]
    description: Option<String>,
}

/// Reads a member that is there: `null` must not count as absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a text that is there; `null` counts as an empty one.
fn present_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
        .map(Option::unwrap_or_default)
        .map(Some)
}

impl UpdateJson {
    /// What is to be changed, if anything is.
    pub(super) fn into_update(self) -> Option<TokenUpdate> {
        let mut update = TokenUpdate::default();
        update.is_enabled = self.enabled;
        update.name = self.name;
        update.description = self.description;
        (update != TokenUpdate::default()).then_some(update)
    }
}
