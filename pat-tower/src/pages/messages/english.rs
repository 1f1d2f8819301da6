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
            return format!("{count} of {}", counted(max, "token", "tokens")).into();
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
            return format!("Revoke all {count} that match…").into();
        }
        Text::PageSelected(count) => {
            return format!("All {count} on this page are selected.").into();
        }
        Text::SelectFound(count) => return format!("Select all {count} that match").into(),
        Text::FoundSelected(count) => {
            return format!("All {count} that match are selected.").into();
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

        Text::AdministrationPages => "Administration",
        Text::Overview => "Overview",
        Text::AllTokens => "All tokens",
        Text::Identify => "Whose token is this?",
        Text::UnusedTokens => "Unused tokens",
        Text::Undelivered => "Undelivered mails",

        Text::History => "History",
        Text::When => "When",
        Text::Happened => "Event",
        Text::DoneBy => "By",
        Text::You => "You",
        Text::AnAdministrator => "An administrator",
        Text::Automatically => "Automatically",
        Text::CreatedWith => "Created with",
        Text::ImportedLabel => "Imported",
        Text::ReplacedLabel => "Replaced",
        Text::PausedLabel => "Paused",
        Text::RevokedLabel => "Revoked",
        Text::Reason => "Reason",
        Text::Replacements => "Replacements",
        Text::ThisToken => "this token",
        Text::Children => "Created with this token",
        Text::IfRevoked => "If this token is revoked",
        Text::EndsAlone => "No other token is revoked with it.",
        Text::EndsToo(1) => "1 other token is revoked with it:",
        Text::EndsToo(count) => {
            return format!("{count} other tokens are revoked with it:").into();
        }
        Text::FamilyEnds(1) => "1 related token goes on working, unless it is revoked, too:",
        Text::FamilyEnds(count) => {
            return format!("{count} related tokens go on working, unless they are revoked, too:")
                .into();
        }
        Text::AndMore(count) => return format!("and {count} more").into(),
        Text::EarlierEvents => "Earlier events",
        Text::LatestEvents => "Latest events",
        Text::NoEvents => "No event is recorded.",
        Text::NoHistory => "This installation keeps no history.",
        Text::Event(kind) => return happened(kind).into(),
        Text::EventRefused { reason, count } => {
            let reason = refusal(reason);
            return match count {
                1 => format!("Refused: {reason}"),
                count => format!("Refused {count} times: {reason}"),
            }
            .into();
        }
        Text::EventNotified(notice) => return format!("Owner notified: {notice}").into(),
        Text::Notice(kind) => notice(kind),
        Text::RevokeAsk => "Revoke…",
        Text::AdminPauseConsequence => {
            "Whatever uses this token is refused until an administrator resumes it. Meanwhile it expires \
             as before."
        }

        Text::IdentifyIntroduction => {
            "Paste a token that was found, for example in a log or a repository. It is looked up and then \
             forgotten: neither stored nor logged."
        }
        Text::Secret => "Token",
        Text::Find => "Find",
        Text::SecretMissing => "Paste the token.",
        Text::SecretMalformed => {
            "This is no token of this service. Check that it was copied as a whole, without anything around \
             it."
        }
        Text::SecretUnknown => {
            "There is no such token. It may have been deleted, which happens some time after it expired or \
             was revoked, or it belongs to another installation."
        }
        Text::SecretOf(name) => return format!("This token belongs to {}.", isolate(name)).into(),
        Text::SecretValid => "It is valid. If others have seen it, revoke it.",
        Text::SecretExpired => "It has expired, so it is refused.",
        Text::SecretRevoked => "It is revoked, so it is refused.",
        Text::SecretPaused => {
            "It is paused, so it is refused until it is resumed. If others have seen it, revoke it."
        }

        Text::LiveTokens => "Live tokens",
        Text::ExpireWithin(days) => {
            return format!("Expire within {}", counted(days, "day", "days")).into();
        }
        Text::NeverExpire => "Never expire",
        Text::NeverUsedTokens => "Never used",
        Text::UnusedFor(days) => {
            return format!("Not used for {}", counted(days, "day", "days")).into();
        }
        Text::RevokedWithin(days) => {
            return format!("Revoked in the last {}", counted(days, "day", "days")).into();
        }
        Text::Offenders => "Not allowed by today’s rules",
        Text::NoOffenders => "Today’s rules would allow every live token.",
        Text::OffendingEternal => "Never expire, although new tokens must",
        Text::OffendingLife(days) => {
            return format!("Live longer than {}", counted(days, "day", "days")).into();
        }
        Text::OffendingScopes => "Unrestricted, although new tokens need scopes",
        Text::ExpiriesAhead => "Expiries ahead",
        Text::ExpiriesSummary { count, weeks } => {
            let tokens = if count == 1 {
                "token expires"
            } else {
                "tokens expire"
            };
            let weeks = counted(weeks, "week", "weeks");
            return format!("{count} {tokens} within {weeks}.").into();
        }
        Text::WeekFrom => "Week from",
        Text::TokensHead => "Tokens",
        Text::AsTable => "As a table",
        Text::Upkeep => "Upkeep",
        Text::UnusedOff => "Tokens that are not used are never revoked for that.",
        Text::UnusedOn(days) => {
            let days = counted(days, "day", "days");
            return format!("Tokens that are not used for {days} are revoked, after a warning.")
                .into();
        }
        Text::UndeliveredCount(0) => "Every mail was delivered, or is on its way.",
        Text::UndeliveredCount(1) => "1 mail could not be delivered.",
        Text::UndeliveredCount(count) => {
            return format!("{count} mails could not be delivered.").into();
        }

        Text::UnusedIntroduction => {
            "Live tokens that nothing has used for some days, those that were unused longest first. A token \
             that was never used counts from its creation. Tokens that end soon by themselves are left out."
        }
        Text::UnusedDays => "Not used for so many days",
        Text::UnusedDaysWrong(max) => {
            return format!("Enter a whole number of days, from 1 to {max}.").into();
        }
        Text::ShowUnused => "Show",
        Text::UnusedCount { count, live } => {
            return format!("{count} of {}", counted(live, "live token", "live tokens")).into();
        }
        Text::UnusedTooMany => {
            "These are more than half of all live tokens. As long as that is so, none of them is revoked by \
             itself."
        }

        Text::UndeliveredIntroduction => {
            "Mails to owners that could not be delivered and are not tried again by themselves. Mend the \
             cause, then send them again."
        }
        Text::NoUndelivered => "Every mail was delivered, or is on its way.",
        Text::UndeliveredShown { count, shown } if count > shown => {
            return format!(
                "{}, the latest {shown} of them",
                counted(count, "mail", "mails")
            )
            .into();
        }
        Text::UndeliveredShown { count, .. } => return counted(count, "mail", "mails"),
        Text::NoticeHead => "About",
        Text::Attempts => "Attempts",
        Text::LastError => "Last error",
        Text::Queued => "Since",
        Text::SendAgain => "Send again",
        Text::SendAgainNamed { notice, name } => {
            return format!("Send again to {}: {notice}", isolate(name)).into();
        }
        Text::SentAgain => "The mail is queued again.",
        Text::NotUndelivered => "This mail is already queued again, or deleted.",

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
    format!("{count} {noun}").into()
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

/// What an event did, by the name of its kind; the name of one that only newer versions know.
fn happened(kind: &str) -> &str {
    match kind {
        "created" => "Created",
        "created-with" => "Created with another token",
        "imported" => "Imported",
        "rotated" => "Created to replace another token",
        "replaced" => "Replaced by a new token",
        "first-used" => "First used",
        "revoked" => "Revoked",
        "disabled" => "Paused",
        "enabled" => "Resumed",
        "changed" => "Name or description changed",
        "pruned" => "Deleted",
        other => other,
    }
}

/// Why a token was refused, by the name of the reason.
fn refusal(reason: &str) -> &str {
    match reason {
        "expired" => "it had expired",
        "revoked" => "it was revoked",
        "token_disabled" => "it was paused",
        "owner_inactive" => "the owner was not active",
        "owner_gone" => "the owner was not known",
        "owner_absent" => "the owner had been absent for too long",
        other => other,
    }
}

/// What a notification is about, by the name of its kind.
fn notice(kind: &str) -> &str {
    match kind {
        "created" => "token created",
        "expires-soon" => "expires soon",
        "expired" => "expired",
        "pruned" => "deleted",
        "revoked-by-admin" => "revoked by an administrator",
        "rotated-again" => "replaced again",
        "replaced-in-use" => "replaced, but still in use",
        "unused-warning" => "unused, will be revoked",
        "unused-revoked" => "revoked because it was not used",
        other => other,
    }
}
