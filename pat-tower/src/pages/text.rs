//! The texts of the pages, typed: which message each is, and with which arguments.

use pat_core::messages::Value;
use pat_core::scope::Scope;
use pat_core::text::isolate;
use pat_core::{PolicyError, TokenStatus};

/// Declares [`Text`]: each variant with its values, and the ID of its message in `pat-core/messages/en.ftl`. The
/// arguments of the message have the names of the values. A variant that no page uses is a warning of the compiler,
/// and a test compares all of them with the English file.
macro_rules! texts {
    ($(
        $variant:ident
        $(( $value:ident: $type:ty ))?
        $({ $($field:ident: $field_type:ty),+ })?
        = $id:literal
    ),* $(,)?) => {
        /// A text of the pages, with the values to put into it. The comments in `pat-core/messages/en.ftl` say
        /// where it is.
        #[derive(Debug, Clone, Copy)]
        pub(in crate::pages) enum Text<'a> {
            $($variant $(($type))? $({ $($field: $field_type),+ })?,)*
            /// The rule for tokens that a form breaks.
            Refused(&'a PolicyError),
            /// That a user has too many tokens.
            LimitReached { count: u32, max: u32 },
            /// What a scope permits.
            ScopeDescription(Scope<'a>),
        }

        impl<'a> Text<'a> {
            /// Returns the ID and the arguments of the message.
            pub(super) fn message(self) -> (&'static str, Vec<(&'static str, Value<'a>)>) {
                match self {
                    $(Self::$variant $(($value))? $({ $($field),+ })? => ($id, vec![
                        $((stringify!($value), argument(stringify!($value), $value)),)?
                        $($((stringify!($field), argument(stringify!($field), $field)),)+)?
                    ]),)*
                    Self::Refused(error) => refusal(error),
                    Self::LimitReached { count, max } => limit_reached(count, max),
                    Self::ScopeDescription(scope) => {
                        let key = scope.name().replace([':', '.'], "-");
                        let arguments = vec![("scope", key.into()), ("description", scope.description().into())];
                        ("scope-description", arguments)
                    }
                }
            }
        }

        /// The messages of the variants, with the names of their arguments.
        #[cfg(test)]
        const DECLARED: &[(&str, &[&str])] = &[
            $(($id, &[$(stringify!($value),)? $($(stringify!($field),)+)?]),)*
        ];
    };
}

texts! {
// All pages
SkipToContent = "skip-to-content",
Tokens = "tokens",
Administration = "administration",
ErrorTitle(title: &'a str) = "error-title",
Days(days: u32) = "days",
Hours(hours: u32) = "hours",
Minutes(minutes: u32) = "minutes",
Seconds(seconds: u32) = "seconds",
JustNow = "just-now",
MinutesAgo(minutes: u32) = "minutes-ago",
HoursAgo(hours: u32) = "hours-ago",
DaysAgo(days: u32) = "days-ago",
InMinutes(minutes: u32) = "in-minutes",
InHours(hours: u32) = "in-hours",
InDays(days: u32) = "in-days",
TimesIn(zone: &'a str) = "times-in",
AgainSignedOut = "again-signed-out",
AgainExpired = "again-expired",
CharactersUsed { count: &'a str, max: u32 } = "characters-used",
Status(status: TokenStatus) = "token-status",
Replaced = "replaced",
WorksUntil = "works-until",
EndsIn = "ends-in",
Description = "description",
Never = "never",
NeverUsed = "never-used",
Scopes = "scopes",
Unrestricted = "unrestricted",
NoScopes = "no-scopes",
MoreScopes(count: u32) = "more-scopes",
Cancel = "cancel",

// The user's tokens
TokensIntroduction = "tokens-introduction",
CreateToken = "create-token",
NoTokens = "no-tokens",
NoTokensHint = "no-tokens-hint",
TokenCount { count: u32, max: u32 } = "token-count",
SwitchedOff = "switched-off",
Name = "name",
StatusHead = "status",
Created = "created",
LastUsed = "last-used",
Expires = "expires",
Actions = "actions",
Replace = "replace",
ReplaceNamed(name: &'a str) = "replace-named",
Pause = "pause",
PauseNamed(name: &'a str) = "pause-named",
Resume = "resume",
ResumeNamed(name: &'a str) = "resume-named",
Edit = "edit",
EditNamed(name: &'a str) = "edit-named",
More = "more",
MoreNamed(name: &'a str) = "more-named",
Revoke = "revoke",
RevokeNamed(name: &'a str) = "revoke-named",
RevokeQuestion(name: &'a str) = "revoke-question",
RevokeConsequence = "revoke-consequence",
RevokePredecessors = "revoke-predecessors",
RevokeSuccessor = "revoke-successor",
RevokeExpired = "revoke-expired",
RevokePaused = "revoke-paused",
Revoked(name: &'a str) = "revoked",
AlreadyRevoked(name: &'a str) = "already-revoked",
RevokeFamily = "revoke-family",
LiveChildren(count: u64) = "live-children",

// Lists with pages
Range { first: u64, last: u64, total: u64 } = "range",
RangeOfMany { first: u64, last: u64, least: u64 } = "range-of-many",
PreviousPage = "previous-page",
SearchLabel = "search-label",
Search = "search",
ShowRevoked = "show-revoked",
HideRevoked = "hide-revoked",
NoTokenFound = "no-token-found",
ByAdministrator = "by-administrator",

// Changes of a token
PauseQuestion(name: &'a str) = "pause-question",
PauseConsequence = "pause-consequence",
PausePredecessors = "pause-predecessors",
PauseChildren(count: u64) = "pause-children",
PauseToken = "pause-token",
PauseExpired = "pause-expired",
Paused(name: &'a str) = "paused",
PausedChildren(count: u64) = "paused-children",
ResumeQuestion(name: &'a str) = "resume-question",
ResumeConsequence = "resume-consequence",
ResumeRefused = "resume-refused",
ResumeToken = "resume-token",
ResumeExpired = "resume-expired",
Resumed(name: &'a str) = "resumed",
EditToken = "edit-token",
Save = "save",
Changed(name: &'a str) = "changed",

// The replacement of a token
ReplaceQuestion(name: &'a str) = "replace-question",
ReplaceExplanation = "replace-explanation",
ReplacedBefore = "replaced-before",
ReplaceExpired = "replace-expired",
ReplacePaused = "replace-paused",
ReplaceItselfOnly = "replace-itself-only",
OverlapLabel = "overlap-label",
NoOverlap = "no-overlap",
Overlap(span: &'a str) = "overlap",
OverlapUntilExpiry = "overlap-until-expiry",
OverlapMissing = "overlap-missing",
NewExpiryLabel = "new-expiry-label",
OwnExpiry(span: &'a str) = "own-expiry",
OwnExpiryNever = "own-expiry-never",
ReplaceToken = "replace-token",
OldWorksUntil = "old-works-until",
OldEnded = "old-ended",
UseNew = "use-new",
RevokeOld = "revoke-old",
ReplacedAlready = "replaced-already",
ReplacedAlreadyHint = "replaced-already-hint",
NewTokenNamed(name: &'a str) = "new-token-named",

// A new token
NewToken = "new-token",
NameLabel = "name-label",
NameHint(max: u32) = "name-hint",
NameTaken = "name-taken",
OpenFormAgain = "open-form-again",
DescriptionLabel = "description-label",
DescriptionHint(max: u32) = "description-hint",
ExpiryLabel = "expiry-label",
ExpiryHint { max_days: u32, may_be_eternal: bool, is_announced: bool } = "expiry-hint",
OtherDays = "other-days",
DaysLabel(max: u32) = "days-label",
OnDate = "on-date",
DateLabel = "date-label",
NoExpiry = "no-expiry",
NoExpiryWarning = "no-expiry-warning",
WillExpire(time: &'a str) = "will-expire",
WillNotExpire = "will-not-expire",
ExpiryMissing = "expiry-missing",
DaysUnreadable(max: u32) = "days-unreadable",
DateUnreadable = "date-unreadable",
DateNotFuture = "date-not-future",
DateTooFar(max: u32) = "date-too-far",
ScopesHint = "scopes-hint",
UnrestrictedHint = "unrestricted-hint",
DefaultScopes = "default-scopes",
ReadOnly = "read-only",
ChosenScopes = "chosen-scopes",
ScopeIncludes(scopes: &'a str) = "scope-includes",
ScopesMissing = "scopes-missing",
ScopesAmbiguous = "scopes-ambiguous",
NoScopeAllowed = "no-scope-allowed",
CreatedAlready = "created-already",
CreatedAlreadyHint = "created-already-hint",
CreateAnother = "create-another",

// The created token
TokenCreated = "token-created",
ShownOnce = "shown-once",
PlainToken(name: &'a str) = "plain-token",
Copy = "copy",
Copied = "copied",
CopyFailed = "copy-failed",
NotPrinted = "not-printed",
Namesake = "namesake",
ExamplesTitle = "examples-title",
ExampleShellHint = "example-shell-hint",
ExamplePythonHint = "example-python-hint",
ExampleCi = "example-ci",
ExampleCiHint(variable: &'a str) = "example-ci-hint",
BackToTokens = "back-to-tokens",
PlainTokenGone = "plain-token-gone",

// The tokens of all users
AdministrationIntroduction = "administration-introduction",
Owner = "owner",
Filter = "filter",
OwnerHint = "owner-hint",
OwnerUnreadable = "owner-unreadable",
StatusUnreadable = "status-unreadable",
DayBeforeStart = "day-before-start",
AnyStatus = "any-status",
ScopeUnreadable = "scope-unreadable",
AnyScope = "any-scope",
From = "from",
To = "to",
FromNamed(what: &'a str) = "from-named",
ToNamed(what: &'a str) = "to-named",
DatesIn(zone: &'a str) = "dates-in",
Apply = "apply",
ClearFilter = "clear-filter",
Found(count: u64) = "found",
NothingFound = "nothing-found",
SortBy = "sort-by",
SelectPage = "select-page",
SelectNamed(name: &'a str) = "select-named",
Selected = "selected",
RevokedBy = "revoked-by",
SelectedElsewhere(count: u64) = "selected-elsewhere",
TooManySelected(max: u32) = "too-many-selected",
FilterCount(count: u32) = "filter-count",
QuickFilters = "quick-filters",
QuickNeverUsed = "quick-never-used",
QuickUnused(days: u32) = "quick-unused",
QuickNeverExpires = "quick-never-expires",
QuickExpiresWithin(days: u32) = "quick-expires-within",
QuickOwnerInactive = "quick-owner-inactive",
QuickUnreadable = "quick-unreadable",
OwnersIncomplete = "owners-incomplete",
OwnerInactive = "owner-inactive",
OwnerMissing = "owner-missing",
RevokeCount(count: u64) = "revoke-count",
TypeCount(count: u64) = "type-count",
CountMistyped(count: u64) = "count-mistyped",
RevokeSelected = "revoke-selected",
RevokeFound(count: u64) = "revoke-found",
RevokeAllFound = "revoke-all-found",
PageSelected(count: u64) = "page-selected",
SelectFound(count: u64) = "select-found",
SelectAllFound = "select-all-found",
FoundSelected(count: u64) = "found-selected",
AllFoundSelected = "all-found-selected",
ClearSelection = "clear-selection",
RevokeFoundHint = "revoke-found-hint",
NextPage = "next-page",
FirstPage = "first-page",
Export = "export",
TableLabel = "table-label",
NothingSelected = "nothing-selected",
RevokeManyQuestion(count: u64) = "revoke-many-question",
RevokeManyConsequence(is_notified: bool) = "revoke-many-consequence",
ReasonLabel = "reason-label",
ReasonHint { is_notified: bool, max: u32 } = "reason-hint",
ReasonTooLong(max: u32) = "reason-too-long",
CountChanged(count: u64) = "count-changed",
RevokedMany(count: u64) = "revoked-many",
CursorUnreadable = "cursor-unreadable",

// The administrators' pages
AdministrationPages = "administration-pages",
Overview = "overview",
AllTokens = "all-tokens",
Identify = "identify",
UnusedTokens = "unused-tokens",
Undelivered = "undelivered",

// The page about a token
History = "history",
When = "when",
Happened = "happened",
DoneBy = "done-by",
Client = "client",
You = "you",
AnAdministrator = "an-administrator",
Automatically = "automatically",
CreatedWith = "created-with",
ImportedLabel = "imported-label",
ReplacedLabel = "replaced-label",
PausedLabel = "paused-label",
RevokedLabel = "revoked-label",
Reason = "reason",
Replacements = "replacements",
ThisToken = "this-token",
Children = "children",
IfRevoked = "if-revoked",
EndsAlone = "ends-alone",
EndsToo(count: u64) = "ends-too",
FamilyEnds(count: u64) = "family-ends",
AndMore(count: u64) = "and-more",
EarlierEvents = "earlier-events",
LatestEvents = "latest-events",
NoEvents = "no-events",
NoHistory = "no-history",
DeletedToken(id: &'a str) = "deleted-token",
DeletedNote = "deleted-note",
DeletedLabel = "deleted-label",
Event(kind: &'a str) = "event",
EventRefused { reason: &'a str, count: u64 } = "event-refused",
Refusal(reason: &'a str) = "refusal",
EventNotified(notice: &'a str) = "event-notified",
Notice(kind: &'a str) = "notice",
RevokeAsk = "revoke-ask",
AdminPauseConsequence = "admin-pause-consequence",

// Whose token a secret is
IdentifyIntroduction = "identify-introduction",
Secret = "secret",
Find = "find",
SecretMissing = "secret-missing",
SecretMalformed = "secret-malformed",
SecretUnknown = "secret-unknown",
SecretOf(name: &'a str) = "secret-of",
SecretValid = "secret-valid",
SecretExpired = "secret-expired",
SecretRevoked = "secret-revoked",
SecretPaused = "secret-paused",

// The administrators' overview
LiveTokens = "live-tokens",
RevokedWithin(days: u32) = "revoked-within",
Offenders = "offenders",
NoOffenders = "no-offenders",
OffendingEternal = "offending-eternal",
OffendingLife(days: u32) = "offending-life",
OffendingScopes = "offending-scopes",
ExpiriesAhead = "expiries-ahead",
ExpiriesSummary { count: u64, weeks: u32 } = "expiries-summary",
WeekFrom = "week-from",
TokensHead = "tokens-head",
AsTable = "as-table",
Upkeep = "upkeep",
UnusedOff = "unused-off",
UnusedOn(days: u32) = "unused-on",
UndeliveredCount(count: u64) = "undelivered-count",

// Unused tokens
UnusedIntroduction = "unused-introduction",
UnusedDays = "unused-days",
UnusedDaysWrong(max: u32) = "unused-days-wrong",
ShowUnused = "show-unused",
UnusedCount { count: u64, live: u64 } = "unused-count",
UnusedTooMany = "unused-too-many",

// Undelivered mails
UndeliveredIntroduction = "undelivered-introduction",
NoUndelivered = "no-undelivered",
UndeliveredShown { count: u64, shown: u64 } = "undelivered-shown",
UndeliveredAll(count: u64) = "undelivered-all",
NoticeHead = "notice-head",
Attempts = "attempts",
LastError = "last-error",
Queued = "queued",
SendAgain = "send-again",
SendAgainNamed { notice: &'a str, name: &'a str } = "send-again-named",
SentAgain = "sent-again",
SendAll = "send-all",
SendAllQuestion(count: u64) = "send-all-question",
SendAllConsequence = "send-all-consequence",
SentAllAgain(count: u64) = "sent-all-again",
NotUndelivered = "not-undelivered",

// Errors: a title, and the advice below it
NotSignedIn = "not-signed-in",
NotSignedInHint = "not-signed-in-hint",
NotFound = "not-found",
NotFoundHint = "not-found-hint",
Forbidden = "forbidden",
ForbiddenHint = "forbidden-hint",
InsufficientScope = "insufficient-scope",
InsufficientScopeHint(scope: &'a str) = "insufficient-scope-hint",
FormRefused = "form-refused",
FormRefusedHint = "form-refused-hint",
BadRequest = "bad-request",
BadRequestHint = "bad-request-hint",
NotSupported = "not-supported",
NotSupportedHint = "not-supported-hint",
Unavailable = "unavailable",
UnavailableHint = "unavailable-hint",
}

/// A user chooses a name, which must not change the direction of the text around it.
fn argument<'a>(name: &str, value: impl Into<Value<'a>>) -> Value<'a> {
    let value = value.into();
    if let (Value::Text(text), "name") = (&value, name) {
        return isolate(text).into();
    }
    value
}

fn limit_reached<'a>(count: u32, max: u32) -> (&'static str, Vec<(&'static str, Value<'a>)>) {
    let revoke = count.saturating_sub(max).saturating_add(1);
    let arguments = [("count", count), ("max", max), ("revoke", revoke)];
    let arguments = arguments.map(|(name, number)| (name, number.into()));
    ("limit-reached", arguments.into())
}

/// The message of a rule for tokens.
fn refusal<'a>(error: &PolicyError) -> (&'static str, Vec<(&'static str, Value<'a>)>) {
    let id = match *error {
        PolicyError::NameTooLong { max } => {
            return ("refused-name-too-long", vec![("max", max.into())]);
        }
        PolicyError::DescriptionTooLong { max } => {
            let max = u64::try_from(max).unwrap_or(u64::MAX);
            return ("refused-description-too-long", vec![("max", max.into())]);
        }
        PolicyError::DurationTooLong { max } => {
            return ("refused-duration-too-long", vec![("max", max.into())]);
        }
        PolicyError::OverlapTooLong { max_seconds } => {
            return (
                "refused-overlap-too-long",
                vec![("max", max_seconds.into())],
            );
        }
        PolicyError::TooManyRows { max, days } => {
            let arguments = vec![("max", max.into()), ("days", days.into())];
            return ("refused-too-many-rows", arguments);
        }
        PolicyError::LimitReached { count, max } => return limit_reached(count, max),
        PolicyError::Disabled => "refused-disabled",
        PolicyError::ForbiddenByToken => "refused-forbidden-by-token",
        PolicyError::RotationForbiddenByToken => "refused-rotation-forbidden-by-token",
        PolicyError::NameBlank => "refused-name-blank",
        PolicyError::NameHasControlCharacter => "refused-name-has-control-character",
        PolicyError::NameHasBidiControl => "refused-name-has-bidi-control",
        PolicyError::DescriptionHasControlCharacter => "refused-description-has-control-character",
        PolicyError::DescriptionHasBidiControl => "refused-description-has-bidi-control",
        PolicyError::DurationNotPositive => "refused-duration-not-positive",
        PolicyError::DurationTooShort => "refused-duration-too-short",
        PolicyError::EternalNotAllowed => "refused-eternal-not-allowed",
        PolicyError::NoOverlap => "refused-no-overlap",
        PolicyError::OutlivesParent => "refused-outlives-parent",
        PolicyError::NoScope => "refused-no-scope",
        PolicyError::UnknownScope { .. } => "refused-unknown-scope",
        PolicyError::DuplicateScope { .. } => "refused-duplicate-scope",
        PolicyError::ScopesRequired => "refused-scopes-required",
        PolicyError::ScopeExceedsParent => "refused-scope-exceeds-parent",
        PolicyError::ScopeNotAllowed => "refused-scope-not-allowed",
        PolicyError::OlderNodes { .. } => "refused-older-nodes",
        PolicyError::ParentInvalid => "refused-parent-invalid",
        PolicyError::EnableByToken => "refused-enable-by-token",
        _ => "refused-other",
    };
    (id, Vec::new())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use pat_core::messages::Messages;

    use super::*;

    /// All messages that the pages use, with the names of their arguments.
    fn used() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        let declared = DECLARED
            .iter()
            .map(|(id, arguments)| (*id, arguments.iter().copied().collect()));
        let errors = [
            PolicyError::Disabled,
            PolicyError::ForbiddenByToken,
            PolicyError::RotationForbiddenByToken,
            PolicyError::NameBlank,
            PolicyError::NameTooLong { max: 1 },
            PolicyError::NameHasControlCharacter,
            PolicyError::NameHasBidiControl,
            PolicyError::DescriptionTooLong { max: 1 },
            PolicyError::DescriptionHasControlCharacter,
            PolicyError::DescriptionHasBidiControl,
            PolicyError::DurationNotPositive,
            PolicyError::DurationTooShort,
            PolicyError::DurationTooLong { max: 1 },
            PolicyError::EternalNotAllowed,
            PolicyError::NoOverlap,
            PolicyError::OverlapTooLong { max_seconds: 1 },
            PolicyError::OutlivesParent,
            PolicyError::NoScope,
            PolicyError::UnknownScope { index: 0 },
            PolicyError::DuplicateScope { index: 0 },
            PolicyError::ScopesRequired,
            PolicyError::ScopeExceedsParent,
            PolicyError::ScopeNotAllowed,
            PolicyError::LimitReached { count: 1, max: 1 },
            PolicyError::OlderNodes {
                feature: "rotation",
            },
            PolicyError::TooManyRows { max: 1, days: 1 },
            PolicyError::ParentInvalid,
            PolicyError::EnableByToken,
        ];
        let refusals = errors.iter().map(refusal);
        let others = [
            ("refused-other", vec![]),
            (
                "scope-description",
                vec![("scope", "".into()), ("description", "".into())],
            ),
        ];
        let others = refusals.chain(others).map(|(id, arguments)| {
            let names: BTreeSet<_> = arguments.iter().map(|(name, _)| *name).collect();
            (id, names)
        });
        declared.chain(others).collect()
    }

    #[test]
    fn texts_and_english_messages_are_the_same_with_the_same_arguments() {
        let used = used();
        for (id, arguments) in &used {
            let needed = Messages::arguments(id);
            let needed = needed.unwrap_or_else(|| panic!("{id} is not in en.ftl"));
            let needed: BTreeSet<_> = needed.collect();
            assert_eq!(*arguments, needed, "{id}");
        }
        let in_file: BTreeSet<_> = Messages::ids()
            .filter(|id| !id.starts_with("mail-"))
            .collect();
        let used: BTreeSet<_> = used.into_keys().chain(SHARED).collect();
        assert_eq!(in_file, used, "en.ftl and the texts of the pages");
    }

    /// What formats dates and numbers.
    const SHARED: [&str; 8] = [
        "digit-group",
        "month",
        "month-short",
        "date",
        "date-time",
        "weekday-short",
        "short-date",
        "short-date-time",
    ];

    #[test]
    fn a_name_stays_apart_from_the_direction_of_the_text_around_it() {
        let (id, arguments) = Text::RevokeNamed("\u{202e}gnp").message();
        let text = Messages::english()
            .format(id, arguments)
            .expect("a message")
            .into_owned();
        assert_eq!(text, "Revoke \u{2068}gnp\u{2069}");
    }
}
