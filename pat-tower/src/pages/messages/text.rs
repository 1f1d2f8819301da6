use pat_core::{PolicyError, TokenStatus, User};

/// A text of the pages. More may be added: a translation falls back to [`english`](super::english).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Text<'a> {
    // All pages
    /// A link that skips the navigation, for keyboards.
    SkipToContent,
    /// The name of the navigation, for screen readers.
    Navigation,
    /// The title of the page with the user's tokens.
    Tokens,
    /// The title of the administrators' page.
    Administration,
    /// The window title of a page that shows an error, from the page's title.
    ErrorTitle(&'a str),
    /// A number of days.
    Days(u32),
    /// A token's status.
    Status(TokenStatus),
    /// The expiry of a token that never expires.
    Never,
    /// The last use of a token that was never used.
    NeverUsed,
    /// A button or link that cancels.
    Cancel,

    // The user's tokens
    /// An explanation of tokens.
    TokensIntroduction,
    /// A link to the form for a new token.
    CreateToken,
    /// The user has no tokens.
    NoTokens,
    /// Advice below [`Text::NoTokens`].
    NoTokensHint,
    /// The number of the user's tokens.
    TokenCount {
        /// The number of tokens.
        count: u32,
        /// The allowed number.
        max: u32,
    },
    /// The user has as many tokens as allowed, or more, with advice.
    LimitReached {
        /// The number of tokens.
        count: u32,
        /// The allowed number.
        max: u32,
    },
    /// Tokens are switched off.
    SwitchedOff,
    /// A column heading: names.
    Name,
    /// A column heading: statuses.
    StatusHead,
    /// A column heading: times of creation.
    Created,
    /// A column heading: times of the last use.
    LastUsed,
    /// A column heading: times of expiry.
    Expires,
    /// A column heading: actions.
    Actions,
    /// A button or link that revokes.
    Revoke,
    /// The label of that button for screen readers, with the token's name.
    RevokeNamed(&'a str),
    /// The question whether to revoke a token.
    RevokeQuestion(&'a str),
    /// The consequences of revoking a token.
    RevokeConsequence,
    /// A token was revoked.
    Revoked,
    /// The label of a box that also revokes the tokens created with the selected ones.
    RevokeFamily,
    /// This many tokens that were created with the revoked ones still work.
    LiveChildren(u64),

    // A new token
    /// The title of the form.
    NewToken,
    /// The label of the name.
    NameLabel,
    /// Advice on names, with their allowed length in characters.
    NameHint(u32),
    /// The label of the choice of a life span.
    ExpiryLabel,
    /// The allowed life span of a token.
    ExpiryHint {
        /// The longest, in days.
        max_days: u32,
        /// Whether a token may never expire.
        may_be_eternal: bool,
        /// Whether the owner is notified before the expiry.
        is_announced: bool,
    },
    /// The choice of another number of days.
    OtherDays,
    /// The label of the number of days, with the largest allowed one.
    DaysLabel(u32),
    /// The choice of a date.
    OnDate,
    /// The label of the date.
    DateLabel,
    /// The choice of no expiry.
    NoExpiry,
    /// A warning about tokens that never expire.
    NoExpiryWarning,
    /// The request breaks this rule.
    Refused(&'a PolicyError),
    /// No life span was chosen.
    ExpiryMissing,
    /// The number of days is not valid; with the largest allowed one.
    DaysUnreadable(u32),
    /// The date is not valid.
    DateUnreadable,
    /// The date is not in the future.
    DateNotFuture,
    /// The date is too late; with the largest allowed number of days.
    DateTooFar(u32),
    /// The title for a form that was submitted again: its token exists.
    CreatedAlready,
    /// No token was created this time, with advice for a lost secret.
    CreatedAlreadyHint,
    /// A link to a form for another token.
    CreateAnother,

    // The created token
    /// The title of the page with the created token.
    TokenCreated,
    /// The token is shown only once.
    ShownOnce,
    /// The label of the token string, with the token's name.
    PlainToken(&'a str),
    /// A button that copies the token string.
    Copy,
    /// The token string was copied.
    Copied,
    /// The token string could not be copied, and is selected instead.
    CopyFailed,
    /// The label of a command that uses the token.
    TryIt,
    /// A link back to the list.
    BackToTokens,
    /// The replacement of the token string when the user returns to the page.
    PlainTokenGone,

    // The tokens of all users
    /// An explanation of the administrators' page.
    AdministrationIntroduction,
    /// A column heading: owners.
    Owner,
    /// The title of the filter.
    Filter,
    /// Advice on the owner field.
    OwnerHint,
    /// A user as the owner field suggests it; the field then holds the user's key.
    OwnerSuggestion(&'a User),
    /// The content of the owner field is not a valid owner.
    OwnerUnreadable,
    /// The status does not exist.
    StatusUnreadable,
    /// A range of dates ends before it begins.
    DayBeforeStart,
    /// The choice of any status.
    AnyStatus,
    /// The start of a range of dates.
    From,
    /// The end of a range of dates.
    To,
    /// [`Text::From`] with the name of the range, for screen readers.
    FromNamed(&'a str),
    /// [`Text::To`] with the name of the range, for screen readers.
    ToNamed(&'a str),
    /// The time zone of dates in the filter.
    DatesIn(&'a str),
    /// A button that filters.
    Apply,
    /// A link that clears the filter.
    ClearFilter,
    /// The number of tokens that match.
    Found(u64),
    /// No token matches.
    NothingFound,
    /// The label before the column headings on narrow screens, where they only sort.
    SortBy,
    /// A box that selects all tokens of the page.
    SelectPage,
    /// A box that selects this token.
    SelectNamed(&'a str),
    /// The label before the number of selected tokens.
    Selected,
    /// A button that revokes the selected tokens.
    RevokeSelected,
    /// A button that revokes all matching tokens, with their number.
    RevokeFound(u64),
    /// All tokens of the page are selected, this many.
    PageSelected(u64),
    /// A button that selects all matching tokens, with their number.
    SelectFound(u64),
    /// All matching tokens are selected, this many.
    FoundSelected(u64),
    /// A button that clears the selection.
    ClearSelection,
    /// To revoke all matching tokens, set the filter.
    RevokeFoundHint,
    /// A link to the next page.
    NextPage,
    /// A link to the first page.
    FirstPage,
    /// A link to the list as a CSV file.
    Export,
    /// The name of the table, for screen readers.
    TableLabel,
    /// No token is selected.
    NothingSelected,
    /// The question whether to revoke this many tokens.
    RevokeManyQuestion(u64),
    /// The consequences of revoking them; `true` if the owners are notified.
    RevokeManyConsequence(bool),
    /// The label of the reason.
    ReasonLabel,
    /// The readers of the reason, and its allowed length.
    ReasonHint {
        /// Whether the owners are notified.
        is_notified: bool,
        /// The allowed length, in characters.
        max: u32,
    },
    /// The reason is too long; with the allowed length, in characters.
    ReasonTooLong(u32),
    /// The filter now matches this other number of tokens.
    CountChanged(u64),
    /// This many tokens were revoked.
    RevokedMany(u64),
    /// The link to a page is not valid.
    CursorUnreadable,

    // Errors: a title, and the advice below it
    /// The user is not signed in.
    NotSignedIn,
    /// Advice below [`Text::NotSignedIn`].
    NotSignedInHint,
    /// The page or token does not exist.
    NotFound,
    /// The possible causes of [`Text::NotFound`].
    NotFoundHint,
    /// The page is for administrators only.
    Forbidden,
    /// Advice below [`Text::Forbidden`].
    ForbiddenHint,
    /// The form came from another site or another session.
    FormRefused,
    /// Advice below [`Text::FormRefused`].
    FormRefusedHint,
    /// The request is malformed.
    BadRequest,
    /// Advice below [`Text::BadRequest`].
    BadRequestHint,
    /// The host's store cannot be searched.
    NotSupported,
    /// An explanation of [`Text::NotSupported`].
    NotSupportedHint,
    /// The database does not answer.
    Unavailable,
    /// Advice below [`Text::Unavailable`].
    UnavailableHint,
}
