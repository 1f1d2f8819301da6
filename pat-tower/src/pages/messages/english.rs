use std::borrow::Cow;

use pat_core::text::isolate;
use pat_core::{PolicyError, TokenStatus, User};

use super::text::Text;

/// Returns a text of the pages in English; the text is not HTML. A translation calls this function for
/// the texts that it does not translate.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a list of texts")]
pub fn english<'a>(text: &Text<'a>) -> Cow<'a, str> {
    let words = match *text {
        Text::SkipToContent => "Skip to content",
        Text::Tokens => "Personal access tokens",
        Text::Administration => "Administering personal access tokens",
        Text::ErrorTitle(title) => return format!("Error: {title}").into(),
        Text::Days(days) => return counted(days, "day", "days"),
        Text::Hours(hours) => return counted(hours, "hour", "hours"),
        Text::Minutes(minutes) => return counted(minutes, "minute", "minutes"),
        Text::Seconds(seconds) => return counted(seconds, "second", "seconds"),
        Text::JustNow => "just now",
        Text::MinutesAgo(minutes) => return ago(minutes, "minute", "minutes"),
        Text::HoursAgo(hours) => return ago(hours, "hour", "hours"),
        Text::DaysAgo(days) => return ago(days, "day", "days"),
        Text::Status(TokenStatus::Active) => "Active",
        Text::Status(TokenStatus::ExpiresSoon) => "Expires soon",
        Text::Status(TokenStatus::Disabled) => "Paused",
        Text::Status(TokenStatus::Expired) => "Expired",
        Text::Status(TokenStatus::Revoked) => "Revoked",
        Text::Status(status) => status.as_str(),
        Text::Replaced => "Replaced",
        Text::WorksUntil => "Works until",
        Text::EndsIn => "Ends in",
        Text::Description => "Description",
        Text::Never | Text::NeverUsed | Text::NoExpiry => "Never",
        Text::Scopes => "Scopes",
        Text::Unrestricted => "Unrestricted",
        Text::NoScopes => "None",
        Text::MoreScopes(count) => return format!("+{count}").into(),
        Text::Cancel => "Cancel",

        Text::TokensIntroduction => {
            "A personal access token lets a script or another program act as you without your \
             password. Keep it as safe as a password."
        }
        Text::CreateToken => "Create token",
        Text::NoTokens => "You have no tokens yet",
        Text::NoTokensHint => {
            "Create one for each script or program, so that you can see when it was last used and \
             revoke it without touching the others."
        }
        Text::TokenCount { count, max } => {
            let max = counted(max, "token", "tokens");
            return format!("{} of {max}", grouped(count)).into();
        }
        Text::LimitReached { count, max } => {
            return refused(&PolicyError::LimitReached { count, max }).into();
        }
        Text::SwitchedOff => {
            "Personal access tokens are switched off. None can be created, and existing ones are \
             refused until they are switched on again."
        }
        Text::Name | Text::NameLabel => "Name",
        Text::StatusHead => "Status",
        Text::Created => "Created",
        Text::LastUsed => "Last used",
        Text::Expires => "Expires",
        Text::Actions => "Actions",
        Text::Replace => "Replace…",
        Text::ReplaceNamed(name) => return format!("Replace {}", isolate(name)).into(),
        Text::Pause => "Pause…",
        Text::PauseNamed(name) => return format!("Pause {}", isolate(name)).into(),
        Text::Resume => "Resume…",
        Text::ResumeNamed(name) => return format!("Resume {}", isolate(name)).into(),
        Text::Edit => "Edit…",
        Text::EditNamed(name) => return format!("Edit {}", isolate(name)).into(),
        Text::More => "More",
        Text::MoreNamed(name) => return format!("More for {}", isolate(name)).into(),
        Text::Revoke => "Revoke",
        Text::RevokeNamed(name) => return format!("Revoke {}", isolate(name)).into(),
        Text::RevokeQuestion(name) => return format!("Revoke “{}”?", isolate(name)).into(),
        Text::RevokeConsequence => {
            "Whatever uses this token is refused from now on. This cannot be undone."
        }
        Text::RevokePredecessors => "What this token replaced is revoked, too.",
        Text::RevokeSuccessor => "The token that replaced it goes on working.",
        Text::Revoked => "The token was revoked.",
        Text::RevokeFamily => {
            "Also revoke replacements, and every token that was created with one of these"
        }
        Text::LiveChildren(count) => {
            let tokens = counted(count, "token", "tokens");
            return format!("Still valid: {tokens} created with what was revoked.").into();
        }

        Text::PauseQuestion(name) => return format!("Pause “{}”?", isolate(name)).into(),
        Text::PauseConsequence => {
            "Whatever uses this token is refused until you resume it. Meanwhile it expires as before."
        }
        Text::PausePredecessors => "What this token replaced is paused, too.",
        Text::PauseChildren(1) => "1 token that was created with it goes on working.",
        Text::PauseChildren(count) => {
            return format!("{count} tokens that were created with it go on working.").into();
        }
        Text::PauseToken => "Pause",
        Text::Paused => "The token is paused.",
        Text::PausedChildren(count) => {
            let tokens = counted(count, "token", "tokens");
            return format!("Still valid: {tokens} created with what was paused.").into();
        }
        Text::ResumeQuestion(name) => return format!("Resume “{}”?", isolate(name)).into(),
        Text::ResumeConsequence => "Whatever uses this token is accepted again.",
        Text::ResumeRefused => {
            "An administrator has paused this token. Only an administrator can resume it."
        }
        Text::ResumeToken => "Resume",
        Text::Resumed => "The token works again.",
        Text::EditToken => "Edit token",
        Text::Save => "Save",
        Text::Changed => "The token was changed.",

        Text::ReplaceQuestion(name) => return format!("Replace “{}”", isolate(name)).into(),
        Text::ReplaceExplanation => {
            "You get a new token with the same name, description and scopes. Put it wherever the old \
             one is used."
        }
        Text::ReplacedBefore => {
            "This token was replaced before. Replace it again only if the new token was lost: both \
             then work until"
        }
        Text::ReplaceExpired => {
            "This token has expired and can no longer be replaced. Create a new one."
        }
        Text::ReplacePaused => {
            "This token, or one that it replaced or that replaced it, is paused. It can be replaced \
             when it is resumed."
        }
        Text::ReplaceItselfOnly => {
            "A token can replace only itself. Sign in to replace another one."
        }
        Text::OverlapLabel => "The old token works",
        Text::NoOverlap => "No longer: it is refused at once",
        Text::Overlap(span) => return format!("For {span}, until").into(),
        Text::OverlapUntilExpiry => "Until it expires,",
        Text::OverlapMissing => "Choose how long the old token works.",
        Text::NewExpiryLabel => "The new token expires after",
        Text::OwnExpiry(span) => return format!("{span}, like the old one").into(),
        Text::OwnExpiryNever => "Never, like the old one",
        Text::ReplaceToken => "Replace token",
        Text::OldWorksUntil => "The old token works until",
        Text::OldEnded => "The old token is refused from now on.",
        Text::UseNew => "Put the new one wherever the old one is used.",
        Text::RevokeOld => "Revoke the old token",
        Text::ReplacedAlready => "This token was replaced already",
        Text::ReplacedAlreadyHint => {
            "The form was sent twice, and the second time nothing was done. The secret was shown \
             once, in the first answer. If you do not have it, replace the new token."
        }
        Text::NewTokenNamed(name) => {
            return format!("The new token “{}”", isolate(name)).into();
        }

        Text::NewToken => "Create a token",
        Text::NameHint(max) => {
            return format!(
                "Say what will use it, such as “backup script”. At most {}.",
                counted(max, "character", "characters")
            )
            .into();
        }
        Text::DescriptionLabel => "Description (optional)",
        Text::DescriptionHint(max) => {
            let most = counted(max, "character", "characters");
            return format!("What you want to remember about it. At most {most}.").into();
        }
        Text::ExpiryLabel => "Expires after",
        Text::ExpiryHint {
            max_days,
            may_be_eternal,
            is_announced,
        } => {
            let longest = counted(max_days, "day", "days");
            let or_never = if may_be_eternal { ", or never" } else { "" };
            let announced = if is_announced {
                " You are told before it expires."
            } else {
                ""
            };
            return format!("At most {longest}{or_never}.{announced}").into();
        }
        Text::OtherDays => "Another number of days",
        Text::DaysLabel(max) => return format!("Days, 1 to {max}").into(),
        Text::OnDate => "A date",
        Text::DateLabel => "Date on which it expires, at the time of day it was created",
        Text::NoExpiryWarning => {
            "A token that never expires works until you revoke it, also if it gets lost."
        }
        Text::Refused(error) => return refused(error).into(),
        Text::ExpiryMissing => "Choose when the token expires.",
        Text::DaysUnreadable(max) => {
            return format!("Enter a whole number of days, from 1 to {max}.").into();
        }
        Text::DateUnreadable => "Enter a date, such as 2030-12-31.",
        Text::DateNotFuture => "Choose a date after today.",
        Text::DateTooFar(max) => {
            let longest = counted(max, "day", "days");
            return format!("Choose a date that is at most {longest} away.").into();
        }
        Text::ScopesHint => "What the token may do, as far as you may do it yourself.",
        Text::UnrestrictedHint => "The token may do everything that you may.",
        Text::DefaultScopes => "Default",
        Text::ReadOnly => "Read only",
        Text::ChosenScopes => "Only the scopes that you choose",
        Text::ScopeDescription(scope) => scope.description(),
        Text::ScopeIncludes(names) => return format!("Includes {names}.").into(),
        Text::ScopesMissing => "Choose at least one scope.",
        Text::ScopesAmbiguous => {
            "You chose another option, but some scopes are checked. Keep only these, or uncheck them."
        }
        Text::NoScopeAllowed => {
            "You may not give a token any scope, so you cannot create one. Ask an administrator if you \
             need one."
        }
        Text::CreatedAlready => "This token was created already",
        Text::CreatedAlreadyHint => {
            "The form was sent twice, and the second time nothing was created. The secret was \
             shown once, in the first answer. If you do not have it, revoke the token and create \
             another."
        }
        Text::CreateAnother => "Create another",

        Text::TokenCreated => "Your new token",
        Text::ShownOnce => {
            "Copy the token now. It is shown only this once and cannot be looked up later."
        }
        Text::PlainToken(name) => return format!("Token “{}”", isolate(name)).into(),
        Text::Copy => "Copy",
        Text::Copied => "Copied",
        Text::CopyFailed => "Marked; press Ctrl+C or ⌘C",
        Text::TryIt => "Use it like this:",
        Text::BackToTokens => "Back to your tokens",
        Text::PlainTokenGone => "(no longer shown)",

        Text::AdministrationIntroduction => {
            "See and revoke the tokens of all users. Nobody, administrators included, can see the \
             tokens themselves or use them."
        }
        Text::Range { first, last, total } => {
            let [first, last, total] = [first, last, total].map(grouped);
            return format!("{first}–{last} of {total}").into();
        }
        Text::PreviousPage => "Previous page",
        Text::SearchLabel => "Search names and descriptions",
        Text::Search => "Search",
        Text::ShowRevoked => "Show revoked tokens",
        Text::HideRevoked => "Hide revoked tokens",
        Text::NoTokenFound => "None of your tokens matches.",
        Text::ByAdministrator => "by an administrator",
        Text::SelectedElsewhere(count) => {
            return format!("({} on other pages)", grouped(count)).into();
        }
        Text::TooManySelected(max) => {
            return format!(
                "Select at most {} one by one. To revoke more, set a filter that matches them.",
                counted(max, "token", "tokens")
            )
            .into();
        }
        Text::FilterCount(count) => return format!("Filter ({count})").into(),
        Text::QuickFilters => "Quick filters",
        Text::QuickNeverUsed => "Never used",
        Text::QuickUnused(days) => {
            return format!("Unused for {}", counted(days, "day", "days")).into();
        }
        Text::QuickNeverExpires => "Never expires",
        Text::QuickExpiresWithin(days) => {
            return format!("Expires within {}", counted(days, "day", "days")).into();
        }
        Text::QuickOwnerInactive => "Owner not active",
        Text::QuickUnreadable => "There is no such quick filter.",
        Text::OwnersIncomplete => {
            "There are more owners than were looked up, so tokens of other inactive owners may be missing."
        }
        Text::OwnerInactive => "Not active",
        Text::OwnerMissing => "No longer a user",
        Text::RevokeCount(count) => {
            return format!("Revoke {}", counted(count, "token", "tokens")).into();
        }
        Text::TypeCount(count) => {
            return format!("To confirm, type the number of tokens: {}", grouped(count)).into();
        }
        Text::CountMistyped(count) => {
            return format!("Type {}, the number of tokens to revoke.", grouped(count)).into();
        }
        Text::Owner => "Owner",
        Text::Filter => "Filter",
        Text::OwnerHint => "Name or mail address",
        Text::OwnerSuggestion(user) => return known_as(user).into(),
        Text::OwnerUnreadable => "No user can be called that.",
        Text::StatusUnreadable | Text::ScopeUnreadable => "Choose one of these.",
        Text::DayBeforeStart => "The end is before the start.",
        Text::AnyStatus => "Any but revoked",
        Text::AnyScope => "Any",
        Text::From => "From",
        Text::To => "To",
        Text::FromNamed(what) => return format!("{what}, from").into(),
        Text::ToNamed(what) => return format!("{what}, to").into(),
        Text::DatesIn(zone) => return format!("Days in {zone}, both included.").into(),
        Text::Apply => "Apply",
        Text::ClearFilter => "Clear",
        Text::Found(count) => return counted(count, "token", "tokens"),
        Text::NothingFound => "No token matches the filter.",
        Text::SortBy => "Sort by:",
        Text::SelectPage => "Select all on this page",
        Text::SelectNamed(name) => return format!("Select {}", isolate(name)).into(),
        Text::Selected => "Selected:",
        Text::RevokedBy => "by",
        Text::RevokeSelected => "Revoke selected…",
        Text::RevokeFound(count) => {
            return format!("Revoke all {} that match…", grouped(count)).into();
        }
        Text::PageSelected(count) => {
            return format!("All {count} on this page are selected.").into();
        }
        Text::SelectFound(count) => {
            return format!("Select all {} that match", grouped(count)).into();
        }
        Text::FoundSelected(count) => {
            return format!("All {} that match are selected.", grouped(count)).into();
        }
        Text::ClearSelection => "Clear selection",
        Text::RevokeFoundHint => "To revoke all that match, set a filter first.",
        Text::NextPage => "Next page",
        Text::FirstPage => "First page",
        Text::Export => "Export CSV",
        Text::TableLabel => "Tokens of all users",
        Text::NothingSelected => "Select at least one token that is not revoked already.",
        Text::RevokeManyQuestion(count) => {
            return format!("Revoke {}?", counted(count, "token", "tokens")).into();
        }
        Text::RevokeManyConsequence(true) => {
            "Whatever uses them is refused from now on, and their owners are told. This cannot be \
             undone."
        }
        Text::RevokeManyConsequence(false) => {
            "Whatever uses them is refused from now on. This cannot be undone."
        }
        Text::ReasonLabel => "Reason (optional)",
        Text::ReasonHint { is_notified, max } => {
            let readers = if is_notified {
                "The owners read it in the notification."
            } else {
                "It is kept with the event."
            };
            let most = counted(max, "character", "characters");
            return format!("{readers} At most {most}.").into();
        }
        Text::ReasonTooLong(max) => {
            let most = counted(max, "character", "characters");
            return format!("Shorten the reason to {most}.").into();
        }
        Text::CountChanged(found) => {
            let tokens = counted(found, "token", "tokens");
            return format!(
                "Nothing was revoked: meanwhile another number of tokens matches the filter, \
                 which is {tokens} now. Check and confirm again."
            )
            .into();
        }
        Text::RevokedMany(count) => {
            return format!("Revoked: {}.", counted(count, "token", "tokens")).into();
        }
        Text::CursorUnreadable => "This page of the list is not there. Here is the first one.",

        Text::NotSignedIn => "You are not signed in",
        Text::NotSignedInHint => "Sign in, and open this page again.",
        Text::NotFound => "Not found",
        Text::NotFoundHint => {
            "There is no such page or token. It may have been revoked or deleted meanwhile."
        }
        Text::Forbidden => "For administrators only",
        Text::ForbiddenHint => "Ask an administrator if you need this.",
        Text::InsufficientScope => "The access token does not permit this",
        Text::InsufficientScopeHint(scope) => {
            return format!("Use a token with the scope {scope}.").into();
        }
        Text::FormRefused => "This form can no longer be sent",
        Text::FormRefusedHint => {
            "Nothing was done. You may have signed in anew since the form was opened, or it came \
             from another web site. Open the page again and repeat what you did."
        }
        Text::BadRequest => "That did not work",
        Text::BadRequestHint => {
            "What the browser sent cannot be understood. Nothing was done. Open the page again."
        }
        Text::NotSupported => "Not available here",
        Text::NotSupportedHint => {
            "This installation keeps its tokens where they cannot be searched."
        }
        Text::Unavailable => "Temporarily unavailable",
        Text::UnavailableHint => {
            "This cannot be answered now. Try again in a moment. If you were changing something, \
             look first whether it was done."
        }
    };
    words.into()
}

fn counted(count: impl Into<u64>, one: &str, many: &str) -> Cow<'static, str> {
    let count = count.into();
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", grouped(count)).into()
}

/// A number with its digits in groups of three.
fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn ago(count: u32, one: &str, many: &str) -> Cow<'static, str> {
    format!("{} ago", counted(count, one, many)).into()
}

/// All that a user is known by: browsers suggest only what has the typed text in it.
fn known_as(user: &User) -> String {
    let mut names = vec![user.full_name.as_str()];
    let email = user.email.as_deref().unwrap_or_default();
    for name in [&user.username, user.owner.as_str(), email] {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let names: Vec<_> = names.into_iter().map(isolate).collect();
    names.join(" · ")
}

/// Why a token is not created, for a person.
fn refused(error: &PolicyError) -> String {
    if let PolicyError::UnknownScope { .. } = error {
        return "One of the scopes is no longer offered. Choose again.".to_owned();
    }
    crate::http::problem::sentence(&error.to_string())
}
