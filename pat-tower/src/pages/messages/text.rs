use pat_core::scope::Scope;
use pat_core::{PolicyError, TokenStatus, User};

/// A text of the pages, with the values to put into it. [`Messages::text`](super::Messages::text)
/// translates it.
///
/// The variants name the pages as follows:
///
/// | page | path below the router's mount point |
/// |---|---|
/// | user's token list | `tokens` |
/// | creation form | `tokens/new` |
/// | new-token page, the response to the creation form and to the replacement form | `tokens/new`, `tokens/{id}/replace` |
/// | repeated-submission page, the response to a creation form that was submitted before | `tokens/new` |
/// | replacement form | `tokens/{id}/replace` |
/// | repeated-replacement page, the response to a replacement form that was submitted before | `tokens/{id}/replace` |
/// | edit form | `tokens/{id}/edit` |
/// | pause page, resume page | `tokens/{id}/pause`, `tokens/{id}/resume` |
/// | revocation page | `tokens/{id}/revoke`; with JavaScript, most often a dialog on the user's token list |
/// | administrators' token list | `admin/tokens` |
/// | administrators' revocation page | `admin/tokens/revoke` |
/// | error page | any path |
///
/// The administrators' filter is the form above the administrators' token list.
///
/// More variants may be added, so an implementation of [`Messages::text`](super::Messages::text) needs a
/// catch-all arm that returns [`english(text)`](super::english).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Text<'a> {
    // All pages
    /// The first link of every page, which leads past the header to the content. It is visible only
    /// while it has the keyboard focus.
    SkipToContent,
    /// The title of the user's token list; on error pages, the text of a link to that list; on the
    /// administrators' revocation page, the name of the list of tokens, for screen readers.
    Tokens,
    /// The title of the administrators' token list; on an administrator's own token list, the link to it.
    Administration,
    /// The window title of a page that shows an error in a form; the argument is the usual title of that
    /// page, translated already.
    ErrorTitle(&'a str),
    /// A number of days: the label of each life span that the creation form offers, and a part of
    /// [`Text::Overlap`] and [`Text::OwnExpiry`].
    Days(u32),
    /// A number of hours, as [`Text::Days`].
    Hours(u32),
    /// A number of minutes, as [`Text::Days`].
    Minutes(u32),
    /// A number of seconds, as [`Text::Days`].
    Seconds(u32),
    /// How long ago a token was last used: less than a minute.
    JustNow,
    /// How long ago a token was last used, in minutes.
    MinutesAgo(u32),
    /// How long ago a token was last used, in hours.
    HoursAgo(u32),
    /// How long ago a token was last used, in days. For more than 30 days the pages show the date instead.
    DaysAgo(u32),
    /// The status of a token, in the token lists, on the revocation page and in the administrators'
    /// filter.
    Status(TokenStatus),
    /// The status of a token that was replaced and is still valid, in place of [`Text::Status`].
    Replaced,
    /// The text before the date until which a replaced token is valid, on the user's token list.
    WorksUntil,
    /// The label of the last four characters of the secret, on the pages about one token; in the token lists,
    /// for screen readers.
    EndsIn,
    /// The label of the owner's description of a token, on the pages about one token.
    Description,
    /// The text in place of a date of expiry, for a token that never expires.
    Never,
    /// The text in place of the date of the last use, for a token that was never used.
    NeverUsed,
    /// The label of a token's scopes in the creation form, on the new-token page, on the repeated-submission
    /// page, on the revocation page and in the administrators' filter; also in both token lists and on the
    /// administrators' revocation page, for screen readers. The pages show scopes if the host declares some
    /// ([`PatsBuilder::scopes`](pat_core::PatsBuilder::scopes)), or if one of the tokens on the page has some.
    Scopes,
    /// The text in place of the scopes of a token without a restriction. Also an option for the scopes in the
    /// creation form and in the administrators' filter.
    Unrestricted,
    /// The text in place of the scopes of a restricted token that has an empty list of scopes, and so is
    /// permitted nothing that needs a scope.
    NoScopes,
    /// The text after the first scopes of a token that has many. The user opens it to see the others; the
    /// argument is their number.
    MoreScopes(u32),
    /// The button or link that leaves the creation form or a question whether to revoke, without
    /// any change.
    Cancel,

    // The user's tokens
    /// The paragraph below the title of the user's token list, which says what a personal access token
    /// is.
    TokensIntroduction,
    /// The link from the user's token list to the creation form, and the submit button of that form.
    CreateToken,
    /// The heading on the user's token list in place of the table, while the user has no tokens.
    NoTokens,
    /// The advice on the user's token list while the user has no tokens, below [`Text::NoTokens`]: create
    /// a token for each program.
    NoTokensHint,
    /// The caption of the table on the user's token list: how many tokens the user has, and how many a
    /// user may have.
    TokenCount {
        /// How many unrevoked tokens the user has, expired ones included.
        count: u32,
        /// How many tokens a user may have (the setting `atlassian.pats.max.tokens.per.user`).
        max: u32,
    },
    /// The note on the user's token list and the creation form that the user has too many tokens to
    /// create another, and how many to revoke.
    LimitReached {
        /// How many unrevoked tokens the user has, expired ones included; at least `max`.
        count: u32,
        /// How many tokens a user may have (the setting `atlassian.pats.max.tokens.per.user`).
        max: u32,
    },
    /// The note on the user's token list and the creation form that tokens can be neither created nor
    /// used, because the setting `atlassian.pats.enabled` is off.
    SwitchedOff,
    /// The heading of the column of token names; also the label of the name in the administrators'
    /// filter, and on the new-token page and the repeated-submission page.
    Name,
    /// The heading of the column of statuses; also the label of the status in the administrators'
    /// filter and on the revocation page.
    StatusHead,
    /// The heading of the column of creation times; also the label of the creation time in the
    /// administrators' filter, on both revocation pages and on the repeated-submission page.
    Created,
    /// The heading of the column of last uses; also the label of the last use in the administrators'
    /// filter and on the revocation page.
    LastUsed,
    /// The heading of the column of expiry times; also the label of the expiry in the administrators'
    /// filter, on the new-token page, on the revocation page and on the repeated-submission page.
    Expires,
    /// The heading of the column of buttons in both token lists, for screen readers.
    Actions,
    /// The link beside a token that leads to the replacement form.
    Replace,
    /// The name, for screen readers, of the link [`Text::Replace`]; the argument is the token's name.
    ReplaceNamed(&'a str),
    /// The link beside a token that leads to the pause page.
    Pause,
    /// The name, for screen readers, of the link [`Text::Pause`]; the argument is the token's name.
    PauseNamed(&'a str),
    /// The link beside a disabled token that leads to the resume page.
    Resume,
    /// The name, for screen readers, of the link [`Text::Resume`]; the argument is the token's name.
    ResumeNamed(&'a str),
    /// The link beside a token that leads to the edit form.
    Edit,
    /// The name, for screen readers, of the link [`Text::Edit`]; the argument is the token's name.
    EditNamed(&'a str),
    /// The button beside a token that shows the links [`Text::Edit`] and [`Text::Pause`].
    More,
    /// The name, for screen readers, of the button [`Text::More`]; the argument is the token's name.
    MoreNamed(&'a str),
    /// The link beside a token that leads to the question whether to revoke that token, and the button
    /// that confirms the revocation.
    Revoke,
    /// The name, for screen readers, of the link beside a token that leads to the question whether to
    /// revoke that token ([`Text::Revoke`]); the argument is the token's name.
    RevokeNamed(&'a str),
    /// The title of the revocation page: the question whether to revoke a token; the argument is the
    /// token's name.
    RevokeQuestion(&'a str),
    /// The warning on the revocation page, below [`Text::RevokeQuestion`], that programs with the token
    /// are refused from now on, and that a revocation is final.
    RevokeConsequence,
    /// The sentence after [`Text::RevokeConsequence`] on the revocation page of a token that replaced another one,
    /// which is revoked too.
    RevokePredecessors,
    /// The sentence after [`Text::RevokeConsequence`] on the revocation page of a token that another one has
    /// replaced: the other one stays valid.
    RevokeSuccessor,
    /// The note on the user's token list after the user has revoked a token.
    Revoked,
    /// The label of the check box, on both revocation pages, to revoke also the tokens that replaced the tokens to
    /// revoke, and all that were created with any of these.
    RevokeFamily,
    /// The warning on either token list after a revocation: tokens that were created with the revoked
    /// ones are still valid; the argument is the number of these valid tokens, at least 1.
    LiveChildren(u64),

    // Lists with pages
    /// The text above and below the table of a token list that has several pages: which tokens are on this page,
    /// and how many there are on all pages together.
    Range {
        /// The number of the first token on the page, counted from 1.
        first: u64,
        /// The number of the last token on the page.
        last: u64,
        /// How many tokens there are.
        total: u64,
    },
    /// The button or link to the previous page of a token list.
    PreviousPage,
    /// The label of the search field on the user's token list, for a part of a name or description.
    SearchLabel,
    /// The button that searches on the user's token list.
    Search,
    /// The link on the user's token list that lists revoked tokens too.
    ShowRevoked,
    /// The link on the user's token list that leads back to the list without revoked tokens.
    HideRevoked,
    /// The text on the user's token list in place of the table, if the search finds no token.
    NoTokenFound,
    /// The text after the date on which a token was revoked, on its owner's token list: an administrator revoked it.
    ByAdministrator,

    // Changes of a token
    /// The title of the pause page: the question whether to disable a token; the argument is the token's name.
    PauseQuestion(&'a str),
    /// The explanation on the pause page, below [`Text::PauseQuestion`]: programs with the token are refused until
    /// it is resumed, and its expiry goes on.
    PauseConsequence,
    /// The sentence after [`Text::PauseConsequence`] for a token that replaced another one, which is disabled too.
    PausePredecessors,
    /// The sentence after [`Text::PauseConsequence`] for a token with which others were created: they stay valid;
    /// the argument is their number.
    PauseChildren(u64),
    /// The button that confirms on the pause page.
    PauseToken,
    /// The note on the user's token list after the user has disabled a token.
    Paused,
    /// The warning on the user's token list after the user has disabled a token: tokens that were created with it
    /// are still valid; the argument is their number, at least 1.
    PausedChildren(u64),
    /// The title of the resume page: the question whether to enable a token again; the argument is the token's
    /// name.
    ResumeQuestion(&'a str),
    /// The explanation on the resume page, below [`Text::ResumeQuestion`]: programs with the token are accepted
    /// again.
    ResumeConsequence,
    /// The note on the resume page that an administrator has disabled the token, so that only an administrator can
    /// enable it.
    ResumeRefused,
    /// The button that confirms on the resume page.
    ResumeToken,
    /// The note on the user's token list after the user has enabled a token.
    Resumed,
    /// The title of the edit form.
    EditToken,
    /// The submit button of the edit form.
    Save,
    /// The note on the user's token list after the user has changed a token's name or description.
    Changed,

    // The replacement of a token
    /// The title of the replacement form; the argument is the token's name.
    ReplaceQuestion(&'a str),
    /// The explanation on the replacement form: the user gets a new token with the same name, description and
    /// scopes, and puts it wherever the old one is used.
    ReplaceExplanation,
    /// The note on the replacement form of a token that was replaced before, before the date until which it is
    /// valid: a new replacement makes the token that replaced it before end then, too. The page puts a full stop
    /// after the date.
    ReplacedBefore,
    /// The note on the replacement form of a token that has expired, and so cannot be replaced.
    ReplaceExpired,
    /// The note on the replacement form of a token that cannot be replaced because it is disabled, or a token that
    /// it replaced or that replaced it is.
    ReplacePaused,
    /// An error on the replacement form: the request was made with another token, which can replace only itself.
    ReplaceItselfOnly,
    /// The label of the options on the replacement form for the time until which the old token is valid.
    OverlapLabel,
    /// An option for [`Text::OverlapLabel`]: the old token is refused at once.
    NoOverlap,
    /// An option for [`Text::OverlapLabel`], before the date until which the old token is valid; the argument is
    /// the time until then, such as [`Text::Hours`].
    Overlap(&'a str),
    /// An option for [`Text::OverlapLabel`], before the date on which the old token expires anyway.
    OverlapUntilExpiry,
    /// An error on the replacement form, at [`Text::OverlapLabel`]: the user has chosen no option.
    OverlapMissing,
    /// The label of the options on the replacement form for the time after which the new token expires.
    NewExpiryLabel,
    /// An option for [`Text::NewExpiryLabel`]: the life span of the old token; the argument is this life span, such
    /// as [`Text::Days`].
    OwnExpiry(&'a str),
    /// An option for [`Text::NewExpiryLabel`]: the new token never expires, like the old one.
    OwnExpiryNever,
    /// The submit button of the replacement form.
    ReplaceToken,
    /// The text on the new-token page before the date until which the old token is valid. The page puts a full
    /// stop after the date.
    OldWorksUntil,
    /// The sentence on the new-token page that the old token is no longer valid.
    OldEnded,
    /// The sentence on the new-token page after [`Text::OldWorksUntil`] or [`Text::OldEnded`]: put the new token
    /// wherever the old one is used.
    UseNew,
    /// The link on the new-token page to the question whether to revoke the old token.
    RevokeOld,
    /// The title of the repeated-replacement page: the replacement form was submitted before, and has replaced the
    /// token then.
    ReplacedAlready,
    /// The explanation on the repeated-replacement page, below [`Text::ReplacedAlready`]: the second submission
    /// changed nothing, and a user without the secret should replace the new token.
    ReplacedAlreadyHint,
    /// The heading on the repeated-replacement page above what is known of the new token; the argument is its name.
    NewTokenNamed(&'a str),

    // A new token
    /// The title of the creation form.
    NewToken,
    /// The label of the field for the token's name in the creation form and the edit form.
    NameLabel,
    /// The advice in the creation form and the edit form on the token's name, below [`Text::NameLabel`]; the argument is
    /// the greatest length of a name in characters (the setting `atlassian.pats.token.name.length`).
    NameHint(u32),
    /// The label of the field for the token's description in the creation form and the edit form.
    DescriptionLabel,
    /// The advice on the token's description, below [`Text::DescriptionLabel`]; the argument is the greatest
    /// length of a description in characters.
    DescriptionHint(u32),
    /// The label of the options in the creation form for the time after which the token expires.
    ExpiryLabel,
    /// The advice in the creation form on the token's expiry, below [`Text::ExpiryLabel`]: which life
    /// spans are allowed.
    ExpiryHint {
        /// The longest life span in days (the setting `atlassian.pats.max.tokens.expiry.days`).
        max_days: u32,
        /// Whether the user may choose that the token never expires (the setting
        /// `atlassian.pats.eternal.tokens.enabled`).
        may_be_eternal: bool,
        /// Whether the owner gets a notification before the token expires (the setting
        /// `atlassian.pats.mail.notifications.enabled`).
        is_announced: bool,
    },
    /// An option in the creation form for the token's expiry ([`Text::ExpiryLabel`]): the user types a
    /// number of days.
    OtherDays,
    /// The label of the field in the creation form for a number of days, beside the option
    /// [`Text::OtherDays`]; the argument is the greatest allowed number.
    DaysLabel(u32),
    /// An option in the creation form for the token's expiry ([`Text::ExpiryLabel`]): the user types a
    /// date.
    OnDate,
    /// The label of the field in the creation form for the date of expiry, beside the option
    /// [`Text::OnDate`].
    DateLabel,
    /// An option in the creation form for the token's expiry ([`Text::ExpiryLabel`]): the token never
    /// expires.
    NoExpiry,
    /// The warning in the creation form, below the option [`Text::NoExpiry`], that a token which never
    /// expires works until it is revoked.
    NoExpiryWarning,
    /// An error in the creation form: the argument is the rule for new tokens that the request breaks.
    /// The error is shown at the name, the expiry or the scopes if the rule is about one of these, else above
    /// all fields.
    Refused(&'a PolicyError),
    /// An error in the creation form, at the choice of the expiry: the user has chosen no option.
    ExpiryMissing,
    /// An error in the creation form, at the choice of the expiry: the number of days is not a whole
    /// number; the argument is the greatest allowed number of days.
    DaysUnreadable(u32),
    /// An error in the creation form, at the choice of the expiry: the typed text is not a date.
    DateUnreadable,
    /// An error in the creation form, at the choice of the expiry: the date is today or in the past.
    DateNotFuture,
    /// An error in the creation form, at the choice of the expiry: the date is too late; the argument is
    /// the greatest allowed number of days from today.
    DateTooFar(u32),
    /// The advice in the creation form on the token's scopes, below [`Text::Scopes`]: scopes restrict what
    /// the token may do, and never add to what the user may.
    ScopesHint,
    /// The explanation of the option [`Text::Unrestricted`] in the creation form.
    UnrestrictedHint,
    /// An option for the scopes in the creation form: the scopes that a token gets without a choice, which are
    /// listed below the option. They are those of the setting `pat.scopes.default`, or those of the token
    /// that authenticates the request.
    DefaultScopes,
    /// An option for the scopes in the creation form: the scope `read` alone, whose description is below the
    /// option.
    ReadOnly,
    /// An option for the scopes in the creation form: those that the user checks below the option.
    ChosenScopes,
    /// The description of a scope in the creation form: by default the one that the host declares
    /// ([`Scope::description`]). A translation should contain the
    /// [reserved scopes](pat_core::scope#reserved-scopes), whose descriptions are in English.
    ScopeDescription(Scope<'a>),
    /// The note in the creation form at a scope that implies others; the argument is the names of all that it
    /// implies, with commas between them.
    ScopeIncludes(&'a str),
    /// An error in the creation form, at the scopes: the user has chosen [`Text::ChosenScopes`], and checked
    /// none.
    ScopesMissing,
    /// An error in the creation form, at the scopes: the user has checked some, and chosen another option than
    /// [`Text::ChosenScopes`]. Scripts of the pages prevent this error.
    ScopesAmbiguous,
    /// The note in the creation form that the host allows the user no scope, and no token without a
    /// restriction.
    NoScopeAllowed,
    /// The title of the repeated-submission page: the creation form was submitted before, and created
    /// its token then.
    CreatedAlready,
    /// The explanation on the repeated-submission page, below [`Text::CreatedAlready`]: the second
    /// submission created no token, and a user without the secret should revoke the token and create
    /// another.
    CreatedAlreadyHint,
    /// The text of a link to the creation form, filled in with the values that the user submitted. The link
    /// is on the page that says that a form was submitted twice and has created one token.
    CreateAnother,

    // The created token
    /// The title of the new-token page.
    TokenCreated,
    /// The note on the new-token page that the token is shown only once.
    ShownOnce,
    /// The label of the token itself on the new-token page; the argument is the token's name.
    PlainToken(&'a str),
    /// The button on the new-token page that copies the token, or the example command
    /// ([`Text::TryIt`]).
    Copy,
    /// The text of the copy button ([`Text::Copy`]) on the new-token page for a few seconds after the
    /// browser has copied.
    Copied,
    /// The text of the copy button ([`Text::Copy`]) on the new-token page for a few seconds if the
    /// browser does not allow copying: the token or command is selected instead, for the user to copy.
    CopyFailed,
    /// The label of a command that uses the new token, on the new-token page. The command is shown if
    /// [`Pages::with_example_url`](crate::pages::Pages::with_example_url) was called.
    TryIt,
    /// The link from the new-token page, the repeated-submission page and the administrators' token list to
    /// the user's token list.
    BackToTokens,
    /// The text in place of the token on the new-token page, when the user returns to that page by the
    /// browser's "back".
    PlainTokenGone,

    // The tokens of all users
    /// The paragraph below the title of the administrators' token list, which says what an administrator
    /// can do there.
    AdministrationIntroduction,
    /// The heading of the column of owners on the administrators' token list, and the label of the owner
    /// field in the administrators' filter.
    Owner,
    /// The heading of the administrators' filter.
    Filter,
    /// The placeholder of the owner field in the administrators' filter: what can be typed there.
    OwnerHint,
    /// A user whom the owner field of the administrators' filter suggests while an administrator types,
    /// or whom the administrators' revocation page names because the typed text matches. Browsers show
    /// a suggestion only if it contains the typed text, so the text should have the user's full name,
    /// user name, key and mail address.
    OwnerSuggestion(&'a User),
    /// An error in the administrators' filter, at the owner: the text matches no user and cannot be an
    /// owner's key.
    OwnerUnreadable,
    /// An error in the administrators' filter, at the status: the URL of the request names a status that
    /// does not exist.
    StatusUnreadable,
    /// An error in the administrators' filter, at a range of days: the last day is before the first.
    DayBeforeStart,
    /// The first option of the status field in the administrators' filter, which is chosen at first. It
    /// matches tokens of every status except revoked ones: active, soon expiring and expired tokens.
    AnyStatus,
    /// An error in the administrators' filter, at the scopes: the URL of the request contains a name that no
    /// scope can have.
    ScopeUnreadable,
    /// The first option of the scopes in the administrators' filter, which is chosen at first. It matches
    /// restricted and unrestricted tokens.
    AnyScope,
    /// The visible label of the first day of a range in the administrators' filter.
    From,
    /// The visible label of the last day of a range in the administrators' filter.
    To,
    /// The label of the first day of a range, for screen readers and on the administrators' revocation
    /// page; the argument is the label of the range, such as [`Text::Created`].
    FromNamed(&'a str),
    /// The label of the last day of a range, for screen readers and on the administrators' revocation
    /// page; the argument is the label of the range, such as [`Text::Created`].
    ToNamed(&'a str),
    /// The advice below the administrators' filter: the time zone of its days; the argument is the name
    /// of the zone, such as `Europe/Berlin`.
    DatesIn(&'a str),
    /// The button that applies the administrators' filter.
    Apply,
    /// The link that clears the administrators' filter.
    ClearFilter,
    /// The text above the table on the administrators' token list: how many tokens match the filter, on
    /// all pages of the list together.
    Found(u64),
    /// The text on the administrators' token list in place of the table, if no token matches the filter.
    NothingFound,
    /// The label before the column headings of the administrators' token list on narrow screens, where
    /// the headings are no more than links to sort by.
    SortBy,
    /// The label of the check box that selects all tokens on the current page of the administrators'
    /// token list.
    SelectPage,
    /// The label of the check box that selects a token on the administrators' token list, for screen
    /// readers; the argument is the token's name.
    SelectNamed(&'a str),
    /// The label before the number of selected tokens on the administrators' token list, such as
    /// `Selected:`.
    Selected,
    /// The text before the name of the user who revoked a token, on the administrators' token list.
    RevokedBy,
    /// The text after the number of selected tokens ([`Text::Selected`]) on the administrators' token list: how many
    /// of them are on other pages of the list.
    SelectedElsewhere(u64),
    /// The note on the administrators' token list that too many tokens were selected one by one; the argument is the
    /// greatest number.
    TooManySelected(u32),
    /// The heading of the administrators' filter where it is folded; the argument is the number of criteria that are
    /// set, at least 1.
    FilterCount(usize),
    /// The name, for screen readers, of the list of links above the administrators' filter that each set one
    /// criterion.
    QuickFilters,
    /// A criterion of the administrators' filter: tokens that were never used.
    QuickNeverUsed,
    /// A criterion of the administrators' filter: valid tokens that have not been used for this number of days.
    QuickUnused(u32),
    /// A criterion of the administrators' filter: tokens that never expire.
    QuickNeverExpires,
    /// A criterion of the administrators' filter: valid tokens that expire within this number of days.
    QuickExpiresWithin(u32),
    /// A criterion of the administrators' filter: tokens whose owner is not active or no longer exists.
    QuickOwnerInactive,
    /// An error in the administrators' filter: the URL of the request has a criterion that does not exist.
    QuickUnreadable,
    /// The note on the administrators' pages with the criterion [`Text::QuickOwnerInactive`]: there are more owners
    /// than were looked up, so there may be more tokens.
    OwnersIncomplete,
    /// The label beside an owner on the administrators' token list: the user is disabled or locked.
    OwnerInactive,
    /// The label beside an owner on the administrators' token list: the user no longer exists.
    OwnerMissing,
    /// The button that confirms on the administrators' revocation page; the argument is the number of tokens.
    RevokeCount(u64),
    /// The label of the field on the administrators' revocation page into which an administrator types the number of
    /// tokens, if there are many; the argument is the number.
    TypeCount(u64),
    /// The error on the administrators' revocation page at the field [`Text::TypeCount`]: another number was typed;
    /// the argument is the right number.
    CountMistyped(u64),
    /// The button on the administrators' token list that leads to the question whether to revoke the
    /// selected tokens.
    RevokeSelected,
    /// The button on the administrators' token list, without JavaScript, that leads to the question
    /// whether to revoke all tokens that match the filter; the argument is the number of these tokens.
    RevokeFound(u64),
    /// The note on the administrators' token list that all tokens on the current page are selected, while
    /// other pages of the list have more; the argument is the number of tokens on the page.
    PageSelected(u64),
    /// The button on the administrators' token list, beside [`Text::PageSelected`], that selects all
    /// tokens that match the filter on all pages of the list; the argument is the number of these tokens.
    SelectFound(u64),
    /// The note on the administrators' token list that all tokens that match the filter are selected, in
    /// place of [`Text::PageSelected`]; the argument is the number of these tokens.
    FoundSelected(u64),
    /// The button on the administrators' token list, beside [`Text::FoundSelected`], that deselects all
    /// tokens.
    ClearSelection,
    /// The advice on the administrators' token list to set a filter first. The list shows this text while
    /// all tokens on the current page are selected ([`Text::PageSelected`]) and no filter is set: then an
    /// administrator cannot select the tokens on all pages, and the button [`Text::SelectFound`] is
    /// missing.
    RevokeFoundHint,
    /// The link to the next page of the administrators' token list.
    NextPage,
    /// The link to the first page of the administrators' token list, on every other page of that list.
    FirstPage,
    /// The link on the administrators' token list that downloads all tokens that match the filter as a
    /// CSV file.
    Export,
    /// The name of the table on the administrators' token list, for screen readers.
    TableLabel,
    /// The note on the administrators' token list after the button "revoke the selected tokens"
    /// ([`Text::RevokeSelected`]) was pressed while no unrevoked token was selected.
    NothingSelected,
    /// The title of the administrators' revocation page: the question whether to revoke tokens; the
    /// argument is the number of these tokens.
    RevokeManyQuestion(u64),
    /// The warning on the administrators' revocation page, below [`Text::RevokeManyQuestion`], that
    /// programs with the tokens are refused from now on, and that a revocation is final; the argument is
    /// `true` if the owners get a notification.
    RevokeManyConsequence(bool),
    /// The label of the field for the reason on the administrators' revocation page.
    ReasonLabel,
    /// The advice on the administrators' revocation page, below the field for the reason
    /// ([`Text::ReasonLabel`]): where the reason can be read, and its greatest length.
    ReasonHint {
        /// `true` if the owners read the reason in a notification, `false` if only the audit event
        /// contains it.
        is_notified: bool,
        /// The greatest length of a reason, in characters.
        max: u32,
    },
    /// The error on the administrators' revocation page, below the field for the reason
    /// ([`Text::ReasonLabel`]): the reason is too long; the argument is its greatest length in
    /// characters.
    ReasonTooLong(u32),
    /// The note on the administrators' revocation page after the administrator confirmed, but the filter
    /// matched another number of tokens by then, and none was revoked; the argument is the number of
    /// tokens that match now.
    CountChanged(u64),
    /// The note on the administrators' token list after a revocation; the argument is the number of
    /// tokens that were revoked.
    RevokedMany(u64),
    /// The note on the administrators' token list if the URL of the request names a page of the list
    /// that does not exist; the first page is shown instead.
    CursorUnreadable,

    // Errors: a title, and the advice below it
    /// The title of the error page with status 401: no user is signed in. Browsers are redirected
    /// instead if the host has set [a sign-in URL](crate::pages::Pages::with_sign_in_url).
    NotSignedIn,
    /// The advice on the error page with status 401, below [`Text::NotSignedIn`]: sign in, and open the
    /// page again.
    NotSignedInHint,
    /// The title of the error page with status 404: the page or token does not exist, the token is
    /// revoked or another user's, or the setting `pat.admin.enabled` is off.
    NotFound,
    /// The explanation on the error page with status 404, below [`Text::NotFound`]: the token may have
    /// been revoked or deleted.
    NotFoundHint,
    /// The title of the error page with status 403 on an administrators' page: the user is not an
    /// administrator.
    Forbidden,
    /// The advice on the error page with status 403 for a user who is not an administrator, below
    /// [`Text::Forbidden`]: ask an administrator.
    ForbiddenHint,
    /// The title of the error page with status 403 for a request with a token that has scopes, and lacks the one that
    /// the page needs.
    InsufficientScope,
    /// The explanation on the error page for a token that lacks a scope, below [`Text::InsufficientScope`]; the
    /// argument is the name of the scope.
    InsufficientScopeHint(&'a str),
    /// The title of the error page with status 403 after a form was submitted: the form came from
    /// another site, or from another user or browser session.
    FormRefused,
    /// The explanation on the error page for a form from another site, user or browser session, below
    /// [`Text::FormRefused`]: nothing was changed, and the user should open the page again.
    FormRefusedHint,
    /// The title of the error page for a malformed request, which no page sends by itself; the status
    /// is 400, 405, 413 or 415.
    BadRequest,
    /// The explanation on the error page for a malformed request, below [`Text::BadRequest`]: nothing was
    /// changed, and the user should open the page again.
    BadRequestHint,
    /// The title of the error page with status 501 on an administrators' page: the host's store cannot
    /// be searched.
    NotSupported,
    /// The explanation on the error page with status 501, below [`Text::NotSupported`]: the host keeps its
    /// tokens where they cannot be searched.
    NotSupportedHint,
    /// The title of the error page with status 503: the database or the user directory does not answer
    /// in time, or the user has submitted too many creation forms at once.
    Unavailable,
    /// The advice on the error page with status 503, below [`Text::Unavailable`]: try again, and check
    /// whether a change was made.
    UnavailableHint,
}
