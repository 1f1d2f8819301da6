use pat_core::{PolicyError, TokenStatus, User};

/// A text of the pages. More may be added: a translation falls back to [`english`](super::english).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Text<'a> {
    // All pages
    /// A link for the keyboard that leads past the navigation.
    SkipToContent,
    /// The name of the navigation, for screen readers.
    Navigation,
    /// The title of the page with one's own tokens.
    Tokens,
    /// The title of the administrators' page.
    Administration,
    /// What is put before the title of a page that shows an error.
    ErrorTitle(&'a str),
    /// How many days.
    Days(u32),
    /// A state.
    Status(TokenStatus),
    /// That a token never expires.
    Never,
    /// That a token was never used.
    NeverUsed,
    /// A button or link that leaves things as they are.
    Cancel,

    // One's own tokens
    /// What tokens are for.
    TokensIntroduction,
    /// A link to the form for a new token.
    CreateToken,
    /// That there are no tokens yet.
    NoTokens,
    /// What to do then.
    NoTokensHint,
    /// How many tokens one has, and may have.
    TokenCount {
        /// How many there are.
        count: u32,
        /// How many there may be.
        max: u32,
    },
    /// That one has as many tokens as allowed, or more, and what to do.
    LimitReached {
        /// How many there are.
        count: u32,
        /// How many are allowed.
        max: u32,
    },
    /// That tokens are switched off.
    SwitchedOff,
    /// The head of a column: names.
    Name,
    /// The head of a column: states.
    StatusHead,
    /// The head of a column: dates of creation.
    Created,
    /// The head of a column: last uses.
    LastUsed,
    /// The head of a column: dates of expiry.
    Expires,
    /// The head of a column: what can be done.
    Actions,
    /// A button or link that revokes.
    Revoke,
    /// The same with the token's name, for screen readers.
    RevokeNamed(&'a str),
    /// The question whether to revoke a token.
    RevokeQuestion(&'a str),
    /// What that leads to.
    RevokeConsequence,
    /// That a token was revoked.
    Revoked,
    /// The label of a box: to revoke tokens too that were created with the one, or with these.
    RevokeFamily,
    /// That so many tokens go on working that were created with those that were revoked.
    LiveChildren(u64),

    // A new token
    /// The title of the form.
    NewToken,
    /// The label of the name.
    NameLabel,
    /// What names are for, and how long they may be.
    NameHint(u32),
    /// The label of the choice of a life span.
    ExpiryLabel,
    /// How long a token may live.
    ExpiryHint {
        /// The longest, in days.
        max_days: u32,
        /// Whether a token may live for ever.
        may_be_eternal: bool,
        /// Whether its owner is told beforehand.
        is_announced: bool,
    },
    /// The choice of another number of days.
    OtherDays,
    /// The label of that number.
    DaysLabel(u32),
    /// The choice of a date.
    OnDate,
    /// The label of that date.
    DateLabel,
    /// The choice of no end.
    NoExpiry,
    /// What is wrong with that.
    NoExpiryWarning,
    /// That a rule forbids what was asked for.
    Refused(&'a PolicyError),
    /// That no life span was chosen.
    ExpiryMissing,
    /// That the number of days is none.
    DaysUnreadable(u32),
    /// That the date is none.
    DateUnreadable,
    /// That the date is not in the future.
    DateNotFuture,
    /// That the date is too far away.
    DateTooFar(u32),
    /// The title of the answer to a form that was sent again: its token exists.
    CreatedAlready,
    /// That nothing was created this time, and what to do without the secret.
    CreatedAlreadyHint,
    /// A link to a form for another token.
    CreateAnother,

    // The token that was created
    /// The title.
    TokenCreated,
    /// That the token is shown only now.
    ShownOnce,
    /// The label of the token itself.
    PlainToken(&'a str),
    /// A button that copies.
    Copy,
    /// That it was copied.
    Copied,
    /// That it could not be copied, and is marked instead.
    CopyFailed,
    /// What the line is that uses the token.
    TryIt,
    /// A link back to the list.
    BackToTokens,
    /// What stands in the token's place when one comes back to the page.
    PlainTokenGone,

    // The tokens of all users
    /// What administrators can do.
    AdministrationIntroduction,
    /// The head of a column: whose tokens they are.
    Owner,
    /// The title of the filter.
    Filter,
    /// What can be typed for the owner.
    OwnerHint,
    /// A user as the owner field suggests it; the field then holds the user's key.
    OwnerSuggestion(&'a User),
    /// That no user can have the name that was typed for the owner.
    OwnerUnreadable,
    /// That there is no such status.
    StatusUnreadable,
    /// That a range of dates ends before it begins.
    DayBeforeStart,
    /// The choice of no status in particular.
    AnyStatus,
    /// The start of a range of dates.
    From,
    /// The end of a range of dates.
    To,
    /// The same with what the range is about, for screen readers.
    FromNamed(&'a str),
    /// The same with what the range is about, for screen readers.
    ToNamed(&'a str),
    /// The time zone that typed dates are in.
    DatesIn(&'a str),
    /// A button that filters.
    Apply,
    /// A link that shows all.
    ClearFilter,
    /// How many tokens the filter finds.
    Found(u64),
    /// That it finds none.
    NothingFound,
    /// What stands before the names of columns on narrow screens, where they only sort.
    SortBy,
    /// A box that selects all tokens of the page.
    SelectPage,
    /// A box that selects this token.
    SelectNamed(&'a str),
    /// What stands before the number of selected tokens.
    Selected,
    /// A button that revokes what is selected.
    RevokeSelected,
    /// A button that revokes all that the filter finds.
    RevokeFound(u64),
    /// That all of the page are selected, so many.
    PageSelected(u64),
    /// A button that selects all that the filter finds.
    SelectFound(u64),
    /// That these are selected.
    FoundSelected(u64),
    /// A button that selects none.
    ClearSelection,
    /// That for revoking all that is found, the filter must be set.
    RevokeFoundHint,
    /// A link to the next page.
    NextPage,
    /// A link to the first page.
    FirstPage,
    /// A link to the list as a CSV file.
    Export,
    /// The name of the part of the page with the table, for screen readers.
    TableLabel,
    /// That no token was selected.
    NothingSelected,
    /// The question whether to revoke so many tokens.
    RevokeManyQuestion(u64),
    /// What that leads to; and whether the owners are told.
    RevokeManyConsequence(bool),
    /// The label of the reason.
    ReasonLabel,
    /// Who reads it, and how long it may be.
    ReasonHint {
        /// Whether the owners are told.
        is_notified: bool,
        /// How many characters it may have.
        max: u32,
    },
    /// That the reason is too long.
    ReasonTooLong(u32),
    /// That the filter finds another number of tokens now.
    CountChanged(u64),
    /// How many tokens were revoked.
    RevokedMany(u64),
    /// That the link to a page is no longer good.
    CursorUnreadable,

    // What went wrong
    /// The title of the page for a request without a signed-in user.
    NotSignedIn,
    /// What to do then.
    NotSignedInHint,
    /// The title: there is no such page or token.
    NotFound,
    /// What that may come from.
    NotFoundHint,
    /// The title: for administrators only.
    Forbidden,
    /// What to do then.
    ForbiddenHint,
    /// The title: the form came from another site or another session.
    FormRefused,
    /// What to do then.
    FormRefusedHint,
    /// The title: the request cannot be understood.
    BadRequest,
    /// What to do then.
    BadRequestHint,
    /// The title: the host's store cannot be searched.
    NotSupported,
    /// What that means.
    NotSupportedHint,
    /// The title: the database does not answer.
    Unavailable,
    /// What to do then.
    UnavailableHint,
}
