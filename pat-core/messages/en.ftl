### Every word of the pages (pat-tower) and the mails (pat-mail), in English. A translation is a file with the
### same messages in another language, in the format of Project Fluent: https://projectfluent.org/fluent/guide/
###
### A message has the arguments that its English text uses. The argument `$name` is a name that a user chose; the
### pages and mails keep it apart from the direction of the text around it. A text is not HTML.

## Dates and numbers

# What separates groups of three digits: one of , . ' ’ or a space, as { "\u00A0" } (no-break) or { "\u202F" }
# (narrow); nothing if it is { "" }.
digit-group = ,

# The name of the month with the number $month, in a date.
month =
    { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    }

# The same where there is little room.
month-short =
    { $month ->
        [1] Jan
        [2] Feb
        [3] Mar
        [4] Apr
        [5] May
        [6] Jun
        [7] Jul
        [8] Aug
        [9] Sep
        [10] Oct
        [11] Nov
       *[12] Dec
    }

# A date in a mail; the name of the month is the message `month`.
date = { $day } { month } { $year }

# A time in a mail.
date-time = { $day } { month } { $year }, { $hour }:{ $minute } { $zone }

# The short name of the day of the week with the number $weekday, from Monday on, in a time on a page.
weekday-short =
    { $weekday ->
        [1] Mon
        [2] Tue
        [3] Wed
        [4] Thu
        [5] Fri
        [6] Sat
       *[7] Sun
    }

# A date on a page, for browsers without JavaScript.
short-date = { $day }{ "\u00A0" }{ month-short } { $year }

# A time on a page, for browsers without JavaScript.
short-date-time = { weekday-short } { $day } { month-short } { $year }, { $hour }:{ $minute }{ "\u00A0" }{ $zone }

## All pages

# The first link of every page, which leads past the header to the content. It is visible only while it has
# the keyboard focus.
skip-to-content = Skip to content

# The title of the user's token list; on error pages, the text of a link to that list; on the
# administrators' revocation page, the name of the list of tokens, for screen readers.
tokens = Personal access tokens

# The title of the administrators' token list; on an administrator's own token list, the link to it.
administration = Administering personal access tokens

# The window title of a page that shows an error in a form; the argument is the usual title of that page,
# translated already.
error-title = Error: { $title }

# A number of days: the label of each life span that the creation form offers, and a part of `overlap` and
# `own-expiry`.
days =
    { $days ->
        [one] { $days } day
       *[other] { $days } days
    }

# A number of hours, as `days`.
hours =
    { $hours ->
        [one] { $hours } hour
       *[other] { $hours } hours
    }

# A number of minutes, as `days`.
minutes =
    { $minutes ->
        [one] { $minutes } minute
       *[other] { $minutes } minutes
    }

# A number of seconds, as `days`.
seconds =
    { $seconds ->
        [one] { $seconds } second
       *[other] { $seconds } seconds
    }

# A time in either token list, such as that of the last use of a token: less than a minute from now.
just-now = just now

# How long ago a time was, in minutes.
minutes-ago =
    { $minutes ->
        [one] { $minutes } minute ago
       *[other] { $minutes } minutes ago
    }

# How long ago a time was, in hours.
hours-ago =
    { $hours ->
        [one] { $hours } hour ago
       *[other] { $hours } hours ago
    }

# How long ago a time was, in days. For more than 400 days the pages show the date instead.
days-ago =
    { $days ->
        [one] { $days } day ago
       *[other] { $days } days ago
    }

# How far ahead a time is, such as that at which a token expires, in minutes.
in-minutes =
    { $minutes ->
        [one] in { $minutes } minute
       *[other] in { $minutes } minutes
    }

# How far ahead a time is, in hours.
in-hours =
    { $hours ->
        [one] in { $hours } hour
       *[other] in { $hours } hours
    }

# How far ahead a time is, in days. For more than 400 days the pages show the date instead.
in-days =
    { $days ->
        [one] in { $days } day
       *[other] in { $days } days
    }

# The sentence below each page with times; the argument is the name of their time zone, such as `Europe/Berlin`.
times-in = Times are in { $zone }.

# The note above a form that the pages show again, filled in: the user submitted it without being signed in, and has
# signed in since.
again-signed-out = You had been signed out when you sent this form, so nothing was done. Check what you entered, and send it again.

# The note above a form that the pages show again, filled in: the user submitted it with a CSRF token of another
# session, or without the cookie that belongs to it.
again-expired = This form had expired when you sent it, so nothing was done. Check what you entered, and send it again. If that does not help, allow cookies for this site.

# The note below the field for the name or the description of a token.
# $count: How many characters the field has.
# $max: How many characters it may have.
characters-used =
    { $max ->
        [one] { $count } of { $max } character
       *[other] { $count } of { $max } characters
    }

# The status of a token, in the token lists, on the revocation page and in the administrators' filter.
token-status =
    { $status ->
        [ACTIVE] Active
        [EXPIRES_SOON] Expires soon
        [DISABLED] Paused
        [EXPIRED] Expired
        [REVOKED] Revoked
       *[other] { $status }
    }

# The status of a token that was replaced and is still valid, in place of `token-status`.
replaced = Replaced

# The text before the date until which a replaced token is valid, on the user's token list.
works-until = Works until

# The label of the last four characters of the secret, on the pages about one token; in the token lists, for
# screen readers.
ends-in = Ends in

# The label of the owner's description of a token, on the pages about one token.
description = Description

# The text in place of a date of expiry, for a token that never expires.
never = Never

# The text in place of the date of the last use, for a token that was never used.
never-used = Never

# The label of a token's scopes in the creation form, on the new-token page, on the repeated-submission
# page, on the revocation page and in the administrators' filter; also in both token lists and on the
# administrators' revocation page, for screen readers. The pages show scopes if the host declares some
# (`PatsBuilder::scopes`), or if one of the tokens on the page has some.
scopes = Scopes

# The text in place of the scopes of a token without a restriction. Also an option for the scopes in the
# creation form and in the administrators' filter.
unrestricted = Unrestricted

# The text in place of the scopes of a restricted token that has an empty list of scopes, and so is
# permitted nothing that needs a scope.
no-scopes = None

# The text after the first scopes of a token that has many. The user opens it to see the others; the
# argument is their number.
more-scopes = +{ $count }

# The button or link that leaves the creation form or a question whether to revoke, without any change.
cancel = Cancel

## The user's tokens

# The paragraph below the title of the user's token list, which says what a personal access token is.
tokens-introduction = A personal access token lets a script or another program act as you without your password. Keep it as safe as a password.

# The link from the user's token list to the creation form, and the submit button of that form.
create-token = Create token

# The heading on the user's token list in place of the table, while the user has no tokens.
no-tokens = You have no tokens yet

# The advice on the user's token list while the user has no tokens, below `no-tokens`: create a token for
# each program.
no-tokens-hint = Create one for each script or program, so that you can see when it was last used and revoke it without touching the others.

# The caption of the table on the user's token list: how many tokens the user has, and how many a user may
# have.
# $count: How many unrevoked tokens the user has, expired ones included.
# $max: How many tokens a user may have (the setting `atlassian.pats.max.tokens.per.user`).
token-count =
    { $max ->
        [one] { $count } of { $max } token
       *[other] { $count } of { $max } tokens
    }

# The note on the user's token list and the creation form that the user has too many tokens to create
# another, and how many to revoke.
# $count: How many unrevoked tokens the user has, expired ones included; at least `max`.
# $max: How many tokens a user may have (the setting `atlassian.pats.max.tokens.per.user`).
limit-reached =
    You have { $count ->
        [one] { $count } token
       *[other] { $count } tokens
    }; at most { $max ->
        [one] { $max } is allowed
       *[other] { $max } are allowed
    }, expired ones included. Revoke { $revoke } to create another.

# The note on the user's token list and the creation form that tokens can be neither created nor used,
# because the setting `atlassian.pats.enabled` is off.
switched-off = Personal access tokens are switched off. None can be created, and existing ones are refused until they are switched on again.

# The heading of the column of token names; also the label of the name in the administrators' filter, and on
# the new-token page and the repeated-submission page.
name = Name

# The heading of the column of statuses; also the label of the status in the administrators' filter and on
# the revocation page.
status = Status

# The heading of the column of creation times; also the label of the creation time in the administrators'
# filter, on both revocation pages and on the repeated-submission page.
created = Created

# The heading of the column of last uses; also the label of the last use in the administrators' filter and
# on the revocation page.
last-used = Last used

# The heading of the column of expiry times; also the label of the expiry in the administrators' filter, on
# the new-token page, on the revocation page and on the repeated-submission page.
expires = Expires

# The heading of the column of buttons in both token lists, for screen readers.
actions = Actions

# The link beside a token that leads to the replacement form.
replace = Replace…

# The name, for screen readers, of the link `replace`; the argument is the token's name.
replace-named = Replace { $name }

# The link beside a token that leads to the pause page.
pause = Pause…

# The name, for screen readers, of the link `pause`; the argument is the token's name.
pause-named = Pause { $name }

# The link beside a disabled token that leads to the resume page.
resume = Resume…

# The name, for screen readers, of the link `resume`; the argument is the token's name.
resume-named = Resume { $name }

# The link beside a token that leads to the edit form.
edit = Edit…

# The name, for screen readers, of the link `edit`; the argument is the token's name.
edit-named = Edit { $name }

# The button beside a token that shows the links `edit` and `pause`.
more = More

# The name, for screen readers, of the button `more`; the argument is the token's name.
more-named = More for { $name }

# The link beside a token that leads to the question whether to revoke that token, and the button that
# confirms the revocation.
revoke = Revoke

# The name, for screen readers, of the link beside a token that leads to the question whether to revoke that
# token (`revoke`); the argument is the token's name.
revoke-named = Revoke { $name }

# The title of the revocation page: the question whether to revoke a token; the argument is the token's
# name.
revoke-question = Revoke “{ $name }”?

# The warning on the revocation page, below `revoke-question`, that programs with the token are refused from
# now on, and that a revocation is final.
revoke-consequence = Whatever uses this token is refused from now on. This cannot be undone.

# The same, in place of `revoke-consequence`, for a token that has expired.
revoke-expired = This token has expired, so it is refused already. Revoking it removes it from the list. This cannot be undone.

# The same, in place of `revoke-consequence`, for a token that is paused.
revoke-paused = This token is paused, so it is refused already. Once it is revoked, it cannot be resumed.

# The sentence after `revoke-consequence` on the revocation page of a token that replaced another one, which
# is revoked too.
revoke-predecessors = What this token replaced is revoked, too.

# The sentence after `revoke-consequence` on the revocation page of a token that another one has replaced:
# the other one stays valid.
revoke-successor = The token that replaced it goes on working.

# The note on the user's token list after the user has revoked a token.
revoked = “{ $name }” was revoked.

# The note on the user's token list after the user wanted to revoke a token that was revoked before.
already-revoked = “{ $name }” was already revoked.

# The label of the check box, on both revocation pages, to revoke also the tokens that replaced the tokens
# to revoke, and all that were created with any of these.
revoke-family = Also revoke replacements, and every token that was created with one of these

# The warning on either token list after a revocation: tokens that were created with the revoked ones are
# still valid; the argument is the number of these valid tokens, at least 1.
live-children =
    { $count ->
        [one] Still valid: { $count } token created with what was revoked.
       *[other] Still valid: { $count } tokens created with what was revoked.
    }

## Lists with pages

# The text above and below the table of a token list that has several pages: the numbers of the first and the
# last token on this page, and how many tokens there are on all pages together.
range = { $first }–{ $last } of { $total }

# The same on the administrators' token list, if there are too many tokens to count. `least` is a number that is
# exceeded.
range-of-many = { $first }–{ $last } of more than { $least }

# The link or button to the previous page of a token list.
previous-page = Previous page

# The label of the field on the user's token list that searches for a part of a name or description.
search-label = Search names and descriptions

# The button that searches on the user's token list.
search = Search

# The link on the user's token list that lists revoked tokens too.
show-revoked = Show revoked tokens

# The link on the user's token list, while it has revoked tokens, that leads to the list without them.
hide-revoked = Hide revoked tokens

# The text on the user's token list in place of the table, if the search finds no token.
no-token-found = None of your tokens matches.

# The text after the date on which a token was revoked, on its owner's token list, if an administrator revoked
# it.
by-administrator = by an administrator

## Changes of a token

# The title of the pause page: the question whether to disable a token; the argument is the token's name.
pause-question = Pause “{ $name }”?

# The explanation on the pause page, below `pause-question`: programs with the token are refused until it is
# resumed, and its expiry goes on.
pause-consequence = Whatever uses this token is refused until you resume it. Meanwhile it expires as before.

# The same, in place of `pause-consequence`, for a token that has expired.
pause-expired = This token has expired, so it is refused already. Pausing it changes nothing.

# The sentence after `pause-consequence` for a token that replaced another one, which is disabled too.
pause-predecessors = What this token replaced is paused, too.

# The sentence after `pause-consequence` for a token with which others were created: they stay valid; the
# argument is their number.
pause-children =
    { $count ->
        [one] { $count } token that was created with it goes on working.
       *[other] { $count } tokens that were created with it go on working.
    }

# The button that confirms on the pause page.
pause-token = Pause

# The note on the user's token list after the user has disabled a token.
paused = “{ $name }” is paused.

# The warning on the user's token list after the user has disabled a token: tokens that were created with it
# are still valid; the argument is their number, at least 1.
paused-children =
    { $count ->
        [one] Still valid: { $count } token created with what was paused.
       *[other] Still valid: { $count } tokens created with what was paused.
    }

# The title of the resume page: the question whether to enable a token again; the argument is the token's
# name.
resume-question = Resume “{ $name }”?

# The explanation on the resume page, below `resume-question`: programs with the token are accepted again.
resume-consequence = Whatever uses this token is accepted again.

# The same, in place of `resume-consequence`, for a token that has expired.
resume-expired = This token has expired, so it stays refused.

# The note on the resume page that an administrator has disabled the token, so that only an administrator
# can enable it.
resume-refused = An administrator has paused this token. Only an administrator can resume it.

# The button that confirms on the resume page.
resume-token = Resume

# The note on the user's token list after the user has enabled a token.
resumed = “{ $name }” is no longer paused.

# The title of the edit form.
edit-token = Edit token

# The submit button of the edit form.
save = Save

# The note on the user's token list after the user has changed a token's name or description.
changed = “{ $name }” was changed.

## The replacement of a token

# The title of the replacement form; the argument is the token's name.
replace-question = Replace “{ $name }”

# The explanation on the replacement form: the user gets a new token with the same name, description and
# scopes, and puts it wherever the old one is used.
replace-explanation = You get a new token with the same name, description and scopes. Put it wherever the old one is used.

# The note on the replacement form of a token that was replaced before, before the date until which it is
# valid: a new replacement makes the token that replaced it before end then, too. The page puts a full stop
# after the date.
replaced-before = This token was replaced before. Replace it again only if the new token was lost: both then work until

# The note on the replacement form of a token that has expired, and so cannot be replaced.
replace-expired = This token has expired and can no longer be replaced. Create a new one.

# The note on the replacement form of a token that cannot be replaced because it is disabled, or a token
# that it replaced or that replaced it is.
replace-paused = This token, or one that it replaced or that replaced it, is paused. It can be replaced when it is resumed.

# An error on the replacement form: the request was made with another token, which can replace only itself.
replace-itself-only = A token can replace only itself. Sign in to replace another one.

# The label of the options on the replacement form for the time until which the old token is valid.
overlap-label = The old token works

# An option for `overlap-label`: the old token is refused at once.
no-overlap = No longer: it is refused at once

# An option for `overlap-label`, before the date until which the old token is valid; the argument is the
# time until then, such as `hours`.
overlap = For { $span }, until

# An option for `overlap-label`, before the date on which the old token expires anyway.
overlap-until-expiry = Until it expires,

# An error on the replacement form, at `overlap-label`: the user has chosen no option.
overlap-missing = Choose how long the old token works.

# The label of the options on the replacement form for the time after which the new token expires.
new-expiry-label = The new token expires after

# An option for `new-expiry-label`: the life span of the old token; the argument is this life span, such as
# `days`.
own-expiry = { $span }, like the old one

# An option for `new-expiry-label`: the new token never expires, like the old one.
own-expiry-never = Never, like the old one

# The submit button of the replacement form.
replace-token = Replace token

# The text on the new-token page before the date until which the old token is valid. The page puts a full
# stop after the date.
old-works-until = The old token works until

# The sentence on the new-token page that the old token is no longer valid.
old-ended = The old token is refused from now on.

# The sentence on the new-token page after `old-works-until` or `old-ended`: put the new token wherever the
# old one is used.
use-new = Put the new one wherever the old one is used.

# The link on the new-token page to the question whether to revoke the old token.
revoke-old = Revoke the old token

# The title of the repeated-replacement page: the replacement form was submitted before, and has replaced
# the token then.
replaced-already = This token was replaced already

# The explanation on the repeated-replacement page, below `replaced-already`: the second submission changed
# nothing, and a user without the secret should replace the new token.
replaced-already-hint = The form was sent twice, and the second time nothing was done. The secret was shown once, in the first answer. If you do not have it, replace the new token.

# The heading on the repeated-replacement page above what is known of the new token; the argument is its
# name.
new-token-named = The new token “{ $name }”

## A new token

# The title of the creation form.
new-token = Create a token

# The label of the field for the token's name in the creation form and the edit form.
name-label = Name

# The advice in the creation form and the edit form on the token's name, below `name-label`; the argument is
# the greatest length of a name in characters (the setting `atlassian.pats.token.name.length`).
name-hint =
    { $max ->
        [one] Say what will use it, such as “backup script”. At most { $max } character.
       *[other] Say what will use it, such as “backup script”. At most { $max } characters.
    }

# The note in the creation form, at the name, that the user has another token of this name.
name-taken = You already have a token with this name.

# The link to the creation form, filled in as the user submitted it, on the page that says why no token can be created.
open-form-again = Back to the form

# The label of the field for the token's description in the creation form and the edit form.
description-label = Description (optional)

# The advice on the token's description, below `description-label`; the argument is the greatest length of a
# description in characters.
description-hint =
    { $max ->
        [one] What you want to remember about it. At most { $max } character.
       *[other] What you want to remember about it. At most { $max } characters.
    }

# The label of the options in the creation form for the time after which the token expires.
expiry-label = Expires after

# The advice in the creation form on the token's expiry, below `expiry-label`: which life spans are allowed.
# $max_days: The longest life span in days (the setting `atlassian.pats.max.tokens.expiry.days`).
# $may_be_eternal: Whether the user may choose that the token never expires (the setting
# `atlassian.pats.eternal.tokens.enabled`).
# $is_announced: Whether the owner gets a notification before the token expires (the setting
# `atlassian.pats.mail.notifications.enabled`).
expiry-hint =
    { $may_be_eternal ->
        [yes] At most { $max_days ->
            [one] { $max_days } day
           *[other] { $max_days } days
        }, or never.
       *[no] At most { $max_days ->
            [one] { $max_days } day
           *[other] { $max_days } days
        }.
    }{ $is_announced ->
        [yes] { " " }We’ll email you before it expires.
       *[no] { "" }
    }

# An option in the creation form for the token's expiry (`expiry-label`): the user types a number of days.
other-days = Custom…

# The label of the field in the creation form for a number of days, beside the option `other-days`; the
# argument is the greatest allowed number.
days-label = Days, 1 to { $max }

# An option in the creation form for the token's expiry (`expiry-label`): the user types a date.
on-date = A date

# The label of the field in the creation form for the date of expiry, beside the option `on-date`.
date-label = Date on which it expires, at the time of day it was created

# An option in the creation form for the token's expiry (`expiry-label`): the token never expires.
no-expiry = Never

# The warning in the creation form, below the option `no-expiry`, that a token which never expires works
# until it is revoked.
no-expiry-warning = A token that never expires works until you revoke it, also if it gets lost.

# The sentence below the options for the token's expiry: when a token with the chosen one expires; the argument is a
# time such as `short-date-time`. Only browsers with JavaScript show it.
will-expire = The token will expire on { $time }.

# The same for the option `no-expiry`.
will-not-expire = The token will never expire.

# An error in the creation form, at the choice of the expiry: the user has chosen no option.
expiry-missing = Choose when the token expires.

# An error in the creation form, at the choice of the expiry: the number of days is not a whole number; the
# argument is the greatest allowed number of days.
days-unreadable = Enter a whole number of days, from 1 to { $max }.

# An error in the creation form, at the choice of the expiry: the typed text is not a date.
date-unreadable = Enter a date, such as 2030-12-31.

# An error in the creation form, at the choice of the expiry: the date is today or in the past.
date-not-future = Choose a date after today.

# An error in the creation form, at the choice of the expiry: the date is too late; the argument is the
# greatest allowed number of days from today.
date-too-far =
    { $max ->
        [one] Choose a date that is at most { $max } day away.
       *[other] Choose a date that is at most { $max } days away.
    }

# The advice in the creation form on the token's scopes, below `scopes`: scopes restrict what the token may
# do, and never add to what the user may.
scopes-hint = What the token may do, as far as you may do it yourself.

# The explanation of the option `unrestricted` in the creation form.
unrestricted-hint = The token may do everything that you may.

# An option for the scopes in the creation form: the scopes that a token gets without a choice, which are
# listed below the option. They are those of the setting `pat.scopes.default`, or those of the token that
# authenticates the request.
default-scopes = Default

# An option for the scopes in the creation form: the scope `read` alone, whose description is below the
# option.
read-only = Read only

# An option for the scopes in the creation form: those that the user checks below the option.
chosen-scopes = Only the scopes that you choose

# The description of the scope $scope in the creation form: $description, which the host declares. A translation
# has a variant for each scope, with `-` in place of a colon or a full stop in its name, such as [tokens-read].
scope-description =
    { $scope ->
       *[other] { $description }
    }

# The note in the creation form at a scope that implies others; the argument is the names of all that it
# implies, with commas between them.
scope-includes = Includes { $scopes }.

# An error in the creation form, at the scopes: the user has chosen `chosen-scopes`, and checked none.
scopes-missing = Choose at least one scope.

# An error in the creation form, at the scopes: the user has checked some, and chosen another option than
# `chosen-scopes`. Scripts of the pages prevent this error.
scopes-ambiguous = You chose another option, but some scopes are checked. Keep only these, or uncheck them.

# The note in the creation form that the host allows the user no scope, and no token without a restriction.
no-scope-allowed = You may not give a token any scope, so you cannot create one. Ask an administrator if you need one.

# The title of the repeated-submission page: the creation form was submitted before, and created its token
# then.
created-already = This token was created already

# The explanation on the repeated-submission page, below `created-already`: the second submission created no
# token, and a user without the secret should revoke the token and create another.
created-already-hint = The form was sent twice, and the second time nothing was created. The secret was shown once, in the first answer. If you do not have it, revoke the token and create another.

# The text of a link to the creation form, filled in with the values that the user submitted. The link is on
# the page that says that a form was submitted twice and has created one token.
create-another = Create another

## The created token

# The title of the new-token page.
token-created = Your new token

# The note on the new-token page that the token is shown only once.
shown-once = Copy the token now. It is shown only this once and cannot be looked up later.

# The label of the token itself on the new-token page; the argument is the token's name.
plain-token = Token “{ $name }”

# The button on the new-token page that copies the token, or an example (`examples-title`).
copy = Copy

# The text of the copy button (`copy`) on the new-token page for a few seconds after the browser has copied.
copied = Copied

# The text of the copy button (`copy`) on the new-token page for a few seconds if the browser does not allow
# copying: the token or command is selected instead, for the user to copy.
copy-failed = Selected; press Ctrl+C or ⌘C

# The text in place of the token on a print of the new-token page.
not-printed = The token is not printed. Keep it in a password manager or a secret store.

# The note on the new-token page that the user has another token of the same name.
namesake = You have another token with this name.

# The heading of the examples on the new-token page: each says how to use the token with another tool. They are shown
# if `Pages::with_example_url` or `Pages::with_git_example_url` was called.
examples-title = How to use it

# What to do with an example for a shell, which reads the token without showing it.
example-shell-hint = Run this in bash or zsh. When it waits, paste the token, which is not shown, and press Enter. The token stays out of the shell’s history and the list of processes.

# What to do with the example for Python, which reads the token without showing it.
example-python-hint = Run this with Python 3. It asks for the token, and does not show it.

# The name of the example for a job of continuous integration.
example-ci = CI variable

# What to do with the example for a job of continuous integration; the argument is the name of the variable.
example-ci-hint = Save the token in your CI’s settings, as a secret variable with the name { $variable }, which logs mask. Then a job can use it:

# The link from the new-token page, the repeated-submission page and the administrators' token list to the
# user's token list.
back-to-tokens = Back to your tokens

# The text in place of the token on the new-token page, when the user returns to that page by the browser's
# "back".
plain-token-gone = (no longer shown)

## The tokens of all users

# The paragraph below the title of the administrators' token list, which says what an administrator can do
# there.
administration-introduction = See and revoke the tokens of all users. Nobody, administrators included, can see the tokens themselves or use them.

# The heading of the column of owners on the administrators' token list, and the label of the owner field in
# the administrators' filter.
owner = Owner

# The heading of the administrators' filter.
filter = Filter

# The placeholder of the owner field in the administrators' filter: what can be typed there.
owner-hint = Name or mail address

# An error in the administrators' filter, at the owner: the text matches no user and cannot be an owner's
# key.
owner-unreadable = No user can be called that.

# An error in the administrators' filter, at the status: the URL of the request names a status that does not
# exist.
status-unreadable = Choose one of these.

# An error in the administrators' filter, at a range of days: the last day is before the first.
day-before-start = The end is before the start.

# The first option of the status field in the administrators' filter, which is chosen at first. It matches
# tokens of every status except revoked ones: active, soon expiring and expired tokens.
any-status = All except revoked

# An error in the administrators' filter, at the scopes: the URL of the request contains a name that no
# scope can have.
scope-unreadable = Choose one of these.

# The first option of the scopes in the administrators' filter, which is chosen at first. It matches
# restricted and unrestricted tokens.
any-scope = Any

# The visible label of the first day of a range in the administrators' filter.
from = From

# The visible label of the last day of a range in the administrators' filter.
to = To

# The label of the first day of a range, for screen readers and on the administrators' revocation page; the
# argument is the label of the range, such as `created`.
from-named = { $what }, from

# The label of the last day of a range, for screen readers and on the administrators' revocation page; the
# argument is the label of the range, such as `created`.
to-named = { $what }, to

# The advice below the administrators' filter: the time zone of its days; the argument is the name of the
# zone, such as `Europe/Berlin`.
dates-in = Days in { $zone }, both included.

# The button that applies the administrators' filter.
apply = Apply

# The link that clears the administrators' filter.
clear-filter = Clear

# The text above the table on the administrators' token list: how many tokens match the filter, on all pages
# of the list together.
found =
    { $count ->
        [one] { $count } token
       *[other] { $count } tokens
    }

# The text on the administrators' token list in place of the table, if no token matches the filter.
nothing-found = No token matches the filter.

# The label before the column headings of the administrators' token list on narrow screens, where the
# headings are no more than links to sort by.
sort-by = Sort by:

# The label of the check box that selects all tokens on the current page of the administrators' token list.
select-page = Select all on this page

# The label of the check box that selects a token on the administrators' token list, for screen readers; the
# argument is the token's name.
select-named = Select { $name }

# The label before the number of selected tokens on the administrators' token list, such as `Selected:`.
selected = Selected:

# The text before the name of the user who revoked a token, on the administrators' token list.
revoked-by = by

# The text after the number of selected tokens (`selected`) on the administrators' token list: how many of them
# are not on this page of the list, or do not match its filter.
selected-elsewhere = ({ $count } not on this page)

# The note on the administrators' token list that too many tokens were selected one by one; the argument is the
# greatest number.
too-many-selected = Select at most { $max } tokens one by one. To revoke more, set a filter that matches them.

# The heading of the administrators' filter while criteria are set in it; the argument is their number.
filter-count = { filter } ({ $count })

# The name, for screen readers, of the links above the administrators' filter that each set one criterion.
quick-filters = Quick filters

# A criterion of the administrators' filter: tokens that were never used.
quick-never-used = Never used

# A criterion of the administrators' filter: valid tokens that have not been used for this number of days.
quick-unused =
    { $days ->
        [one] Unused for { $days } day
       *[other] Unused for { $days } days
    }

# A criterion of the administrators' filter: tokens that never expire.
quick-never-expires = Never expires

# A criterion of the administrators' filter: valid tokens that expire within this number of days.
quick-expires-within =
    { $days ->
        [one] Expires within { $days } day
       *[other] Expires within { $days } days
    }

# A criterion of the administrators' filter: tokens whose owner is not active or no longer exists.
quick-owner-inactive = Owner not active

# An error at the links above the administrators' filter: the URL of the request has a criterion that does not
# exist.
quick-unreadable = There is no such quick filter.

# The note on the administrators' pages with the criterion `quick-owner-inactive`: there are more owners than
# were looked up.
owners-incomplete =
    There are more owners than were looked up, so tokens of other inactive owners may be missing.

# The label beside an owner on the administrators' token list: the user is disabled or locked.
owner-inactive = Not active

# The label beside an owner on the administrators' token list: the user no longer exists.
owner-missing = No longer a user

# The button that confirms on the administrators' revocation page; the argument is the number of tokens.
revoke-count =
    { $count ->
        [one] Revoke { $count } token
       *[other] Revoke { $count } tokens
    }

# The label of the field on the administrators' revocation page into which an administrator types the number of
# tokens, if there are many; the argument is the number.
type-count = To confirm, type the number of tokens: { $count }

# The error on the administrators' revocation page at the field `type-count`: another number was typed; the
# argument is the right number.
count-mistyped = Type { $count }, the number of tokens to revoke.

# The button on the administrators' token list that leads to the question whether to revoke the selected
# tokens.
revoke-selected = Revoke selected…

# The button on the administrators' token list, without JavaScript, that leads to the question whether to
# revoke all tokens that match the filter; the argument is the number of these tokens.
revoke-found = Revoke all { $count } that match…

# The same, if there are too many tokens to count.
revoke-all-found = Revoke all that match…

# The note on the administrators' token list that all tokens on the current page are selected, while other
# pages of the list have more; the argument is the number of tokens on the page.
page-selected = All { $count } on this page are selected.

# The button on the administrators' token list, beside `page-selected`, that selects all tokens that match
# the filter on all pages of the list; the argument is the number of these tokens.
select-found = Select all { $count } that match

# The same, if there are too many tokens to count.
select-all-found = Select all that match

# The note on the administrators' token list that all tokens that match the filter are selected, in place of
# `page-selected`; the argument is the number of these tokens.
found-selected = All { $count } that match are selected.

# The same, if there are too many tokens to count.
all-found-selected = All that match are selected.

# The button on the administrators' token list, beside `found-selected`, that deselects all tokens.
clear-selection = Clear selection

# The advice on the administrators' token list to set a filter first. The list shows this text while all
# tokens on the current page are selected (`page-selected`) and no filter is set: then an administrator
# cannot select the tokens on all pages, and the button `select-found` is missing.
revoke-found-hint = To revoke all that match, set a filter first.

# The link or button to the next page of a token list.
next-page = Next page

# The button to the first page of the administrators' token list, on every other page of that list.
first-page = First page

# The link on the administrators' token list that downloads all tokens that match the filter as a CSV file.
export = Export CSV

# The name of the table on the administrators' token list, for screen readers.
table-label = Tokens of all users

# The note on the administrators' token list after the button "revoke the selected tokens"
# (`revoke-selected`) was pressed while no unrevoked token was selected.
nothing-selected = Select at least one token that is not revoked already.

# The title of the administrators' revocation page: the question whether to revoke tokens; the argument is
# the number of these tokens.
revoke-many-question =
    { $count ->
        [one] Revoke { $count } token?
       *[other] Revoke { $count } tokens?
    }

# The warning on the administrators' revocation page, below `revoke-many-question`, that programs with the
# tokens are refused from now on, and that a revocation is final; the argument is `true` if the owners get a
# notification.
revoke-many-consequence =
    { $is_notified ->
        [yes] Whatever uses them is refused from now on, and their owners are told. This cannot be undone.
       *[no] Whatever uses them is refused from now on. This cannot be undone.
    }

# The label of the field for the reason on the administrators' revocation page.
reason-label = Reason (optional)

# The advice on the administrators' revocation page, below the field for the reason (`reason-label`): where
# the reason can be read, and its greatest length.
# $is_notified: `true` if the owners read the reason in a notification, `false` if only the audit event
# contains it.
# $max: The greatest length of a reason, in characters.
reason-hint =
    { $is_notified ->
        [yes] The owners read it in the notification.
       *[no] It is kept with the event.
    } { $max ->
        [one] At most { $max } character.
       *[other] At most { $max } characters.
    }

# The error on the administrators' revocation page, below the field for the reason (`reason-label`): the
# reason is too long; the argument is its greatest length in characters.
reason-too-long =
    { $max ->
        [one] Shorten the reason to { $max } character.
       *[other] Shorten the reason to { $max } characters.
    }

# The note on the administrators' revocation page after the administrator confirmed, but the filter matched
# another number of tokens by then, and none was revoked; the argument is the number of tokens that match
# now.
count-changed =
    { $count ->
        [one] Nothing was revoked: meanwhile another number of tokens matches the filter, which is { $count } token now. Check and confirm again.
       *[other] Nothing was revoked: meanwhile another number of tokens matches the filter, which is { $count } tokens now. Check and confirm again.
    }

# The note on the administrators' token list after a revocation; the argument is the number of tokens that
# were revoked.
revoked-many =
    { $count ->
        [one] Revoked: { $count } token.
       *[other] Revoked: { $count } tokens.
    }

# The note on the administrators' token list if the URL of the request names a page of the list that does
# not exist; the first page is shown instead.
cursor-unreadable = This page of the list is not there. Here is the first one.

## The administrators' pages

# The name of the navigation between the administrators' pages, for screen readers.
administration-pages = Administration

# The title of the administrators' overview, and the link to it.
overview = Overview

# The link to the administrators' token list in the navigation.
all-tokens = All tokens

# The title of the page on which an administrator finds the owner of a secret, and the link to it.
identify = Whose token is this?

# The title of the administrators' list of unused tokens, and the link to it.
unused-tokens = Unused tokens

# The title of the administrators' list of mails that could not be delivered, and the link to it.
undelivered = Undelivered mails

## The page about a token

# The heading of the history of a token.
history = History

# The head of the column with the times of events.
when = When

# The head of the column that says what happened.
happened = Event

# The head of the column that says which user did it; also before the name of the user who paused or revoked
# the token.
done-by = By

# The head of the column with the client of an event, for administrators: its network address, and how it names itself.
client = Client

# In that column, the user who reads the page.
you = You

# In that column on an owner's page, another user.
an-administrator = An administrator

# In that column, for what no user did.
automatically = Automatically

# The label before the name of the token with which this one was created.
created-with = Created with

# The label of the time at which a token was imported from another table.
imported-label = Imported

# The label of the time at which a token was replaced.
replaced-label = Replaced

# The label of the time at which a token was paused.
paused-label = Paused

# The label of the time at which a token was revoked.
revoked-label = Revoked

# The label of the reason of a revocation.
reason = Reason

# The heading of the tokens that replaced each other, oldest first.
replacements = Replacements

# The mark of the token that the page is about, among these.
this-token = this token

# The heading of the tokens that were created with the token.
children = Created with this token

# The heading of what ends with the token.
if-revoked = If this token is revoked

# The sentence that no other token ends with it.
ends-alone = No other token is revoked with it.

# The sentence before the tokens that end with it; the argument is their number.
ends-too =
    { $count ->
        [one] { $count } other token is revoked with it:
       *[other] { $count } other tokens are revoked with it:
    }

# The sentence before the tokens that end with it only if the user chooses so (`revoke-family`); the
# argument is their number.
family-ends =
    { $count ->
        [one] { $count } related token goes on working, unless it is revoked, too:
       *[other] { $count } related tokens go on working, unless they are revoked, too:
    }

# The last line of a list, with the number of tokens that it leaves out.
and-more = and { $count } more

# The link to the next page of a history.
earlier-events = Earlier events

# The link to the first page of a history.
latest-events = Latest events

# The sentence in place of a history without events.
no-events = No event is recorded.

# The sentence in place of the history if the host's store keeps no events.
no-history = This installation keeps no history.

# The title of the page about a token that is deleted, for administrators, and the text of a link to it; the argument
# is the token's ID.
deleted-token = Deleted token { $id }

# The sentence below that title.
deleted-note = This token is deleted. Its events are all that is left of it.

# The label of the time at which a token was deleted.
deleted-label = Deleted

# What happened, in the history of a token. A newer version may have recorded other kinds.
event =
    { $kind ->
        [created] Created
        [created-with] Created with another token
        [imported] Imported
        [rotated] Created to replace another token
        [replaced] Replaced by a new token
        [first-used] First used
        [revoked] Revoked
        [disabled] Paused
        [enabled] Resumed
        [changed] Name or description changed
        [pruned] Deleted
       *[other] { $kind }
    }

# What happened: the token was refused once, or $count times, for the reason `refusal`.
event-refused =
    { $count ->
        [one] Refused: { $reason }
       *[other] Refused { $count } times: { $reason }
    }

# Why a token was refused, after `event-refused`.
refusal =
    { $reason ->
        [expired] it had expired
        [revoked] it was revoked
        [token_disabled] it was paused
        [owner_inactive] the owner was not active
        [owner_gone] the owner was not known
        [owner_absent] the owner had been absent for too long
       *[other] { $reason }
    }

# What happened: the owner was notified; the argument is `notice`.
event-notified = Owner notified: { $notice }

# What a mail to an owner is about.
notice =
    { $kind ->
        [created] token created
        [expires-soon] expires soon
        [expired] expired
        [pruned] deleted
        [revoked-by-admin] revoked by an administrator
        [rotated-again] replaced again
        [replaced-in-use] replaced, but still in use
        [unused-warning] unused, will be revoked
        [unused-revoked] revoked because it was not used
       *[other] { $kind }
    }

# The link on the page about a token to the question whether to revoke it.
revoke-ask = Revoke…

# What happens to whatever uses a token that an administrator pauses, in place of `pause-consequence`.
admin-pause-consequence = Whatever uses this token is refused until an administrator resumes it. Meanwhile it expires as before.

## Whose token a secret is

# The advice at the field for the secret: what to enter, and what happens to it.
identify-introduction = Paste a token that was found, for example in a log or a repository. It is looked up and then forgotten: neither stored nor logged.

# The label of the field for the secret.
secret = Token

# The button that looks the secret up.
find = Find

# The error at the field if it is empty.
secret-missing = Paste the token.

# The answer for a text that cannot be a token of this service.
secret-malformed = This is no token of this service. Check that it was copied as a whole, without anything around it.

# The answer for a text that could be a token, and is none.
secret-unknown = There is no such token. It may have been deleted, which happens some time after it expired or was revoked, or it belongs to another installation.

# The answer for a token; the argument is the owner's full name.
secret-of = This token belongs to { $name }.

# What follows for a valid token.
secret-valid = It is valid. If others have seen it, revoke it.

# What follows for a token that has expired.
secret-expired = It has expired, so it is refused.

# What follows for a revoked token.
secret-revoked = It is revoked, so it is refused.

# What follows for a paused token.
secret-paused = It is paused, so it is refused until it is resumed. If others have seen it, revoke it.

## The administrators' overview

# How many tokens are neither revoked nor expired; below the number, as for the next ones and the criteria
# that begin with `quick`. Each is a link to the list with these tokens, and a criterion there.
live-tokens = Live tokens

# How many tokens were revoked within so many days.
revoked-within =
    { $days ->
        [one] Revoked in the last day
       *[other] Revoked in the last { $days } days
    }

# The heading of the tokens that could not be created by today's settings.
offenders = Not allowed by today’s rules

# The sentence if there are none.
no-offenders = Today’s rules would allow every live token.

# How many tokens never expire although new ones must.
offending-eternal = Never expire, although new tokens must

# How many tokens live longer than new ones may, which is so many days.
offending-life =
    { $days ->
        [one] Live longer than { $days } day
       *[other] Live longer than { $days } days
    }

# How many tokens have no scopes although new ones need some.
offending-scopes = Unrestricted, although new tokens need scopes

# The heading of the plot of the expiries of the next weeks.
expiries-ahead = Expiries ahead

# What the plot shows: $count tokens expire within $weeks weeks.
expiries-summary =
    { $count ->
        [one] { $count } token expires within { $weeks } weeks.
       *[other] { $count } tokens expire within { $weeks } weeks.
    }

# The head of the column with the first day of a week, in the table of the plot.
week-from = Week from

# The head of the column with the number of tokens, in the table of the plot.
tokens-head = Tokens

# The button that shows the plot as a table.
as-table = As a table

# The heading of the unused tokens and the undelivered mails.
upkeep = Upkeep

# The sentence that unused tokens stay (the setting `pat.unused.revoke.days` is 0).
unused-off = Tokens that are not used are never revoked for that.

# The sentence that unused tokens are revoked after so many days.
unused-on =
    { $days ->
        [one] Tokens that are not used for { $days } day are revoked, after a warning.
       *[other] Tokens that are not used for { $days } days are revoked, after a warning.
    }

# How many mails could not be delivered, if any could not.
undelivered-count =
    { $count ->
        [one] { $count } mail could not be delivered.
       *[other] { $count } mails could not be delivered.
    }

## Unused tokens

# The paragraph below the title: which tokens the list has.
unused-introduction = Live tokens that nothing has used for some days, those that were unused longest first. A token that was never used counts from its creation. Tokens that end soon by themselves are left out.

# The label of the field for the number of days.
unused-days = Not used for so many days

# The error at this field.
unused-days-wrong = Enter a whole number of days, from 1 to { $max }.

# The button that shows the list for the entered days.
show-unused = Show

# How many tokens are unused, of how many that could be on the list.
unused-count =
    { $live ->
        [one] { $count } of { $live } token
       *[other] { $count } of { $live } tokens
    }

# The note if these are more than half of the live ones.
unused-too-many = These are more than half of them. As long as that is so, none of them is revoked by itself.

## Undelivered mails

# The paragraph below the title: what the list has.
undelivered-introduction = Mails to owners that could not be delivered and are not tried again by themselves. Fix the cause, then send them again.

# The sentence if there are none.
no-undelivered = Every mail was delivered, or is on its way.

# How many mails could not be delivered, of which the list has the latest ones.
undelivered-shown =
    { $count ->
        [one] { $count } mail
       *[other] { $count } mails, the latest { $shown } of them
    }

# How many mails could not be delivered, if the list has all.
undelivered-all =
    { $count ->
        [one] { $count } mail
       *[other] { $count } mails
    }

# The head of the column that says what a mail is about (`notice`).
notice-head = About

# The head of the column with the number of attempts to deliver it.
attempts = Attempts

# The head of the column with the last error.
last-error = Last error

# The head of the column with the time since when it is to be delivered.
queued = Since

# The button that has a mail sent again.
send-again = Send again

# The name of this button for screen readers: what the mail is about, and the recipient's full name.
send-again-named = Send again to { $name }: { $notice }

# The note that a mail is queued again.
sent-again = The mail is queued again.

# The link to the page that asks whether to have all mails sent again that could not be delivered.
send-all = Send all again…

# The title of that page; the argument is how many mails they are, at least 1.
send-all-question =
    { $count ->
        [one] Send { $count } mail again?
       *[other] Send { $count } mails again?
    }

# The explanation below that title.
send-all-consequence = All mails that could not be delivered are sent again at once. First correct what kept them from being delivered.

# The note that all mails are queued again; the argument is how many they are.
sent-all-again =
    { $count ->
        [one] { $count } mail is queued again.
       *[other] { $count } mails are queued again.
    }

# The note that a mail was queued again before, or is deleted.
not-undelivered = This mail is already queued again, or deleted.

## Errors: a title, and the advice below it

# The title of the error page with status 401: no user is signed in. Browsers are redirected instead if the
# host has set a sign-in URL.
not-signed-in = You are not signed in

# The advice on the error page with status 401, below `not-signed-in`: sign in, and open the page again.
not-signed-in-hint = Sign in, and open this page again.

# The title of the error page with status 404: the page or token does not exist, the token is revoked or
# another user's, or the setting `pat.admin.enabled` is off.
not-found = Not found

# The explanation on the error page with status 404, below `not-found`: the token may have been revoked or
# deleted.
not-found-hint = There is no such page or token. It may have been revoked or deleted meanwhile.

# The title of the error page with status 403 on an administrators' page: the user is not an administrator.
forbidden = For administrators only

# The advice on the error page with status 403 for a user who is not an administrator, below `forbidden`:
# ask an administrator.
forbidden-hint = Ask an administrator if you need this.

# The title of the error page with status 403 for a request with a token that has scopes, and lacks the one
# that the page needs.
insufficient-scope = The access token does not permit this

# The explanation on the error page for a token that lacks a scope, below `insufficient-scope`; the argument
# is the name of the scope.
insufficient-scope-hint = Use a token with the scope { $scope }.

# The title of the error page with status 403 after a form was submitted: the form came from another site,
# or from another user or browser session.
form-refused = This form can no longer be sent

# The explanation on the error page for a form from another site, user or browser session, below
# `form-refused`: nothing was changed, and the user should open the page again.
form-refused-hint = Nothing was done. You may have signed in anew since the form was opened, or it came from another web site. Open the page again and repeat what you did.

# The title of the error page for a malformed request, which no page sends by itself; the status is 400,
# 405, 413 or 415.
bad-request = That did not work

# The explanation on the error page for a malformed request, below `bad-request`: nothing was changed, and
# the user should open the page again.
bad-request-hint = What the browser sent cannot be understood. Nothing was done. Open the page again.

# The title of the error page with status 501 on an administrators' page: the host's store cannot be
# searched.
not-supported = Not available here

# The explanation on the error page with status 501, below `not-supported`: the host keeps its tokens where
# they cannot be searched.
not-supported-hint = This installation keeps its tokens where they cannot be searched.

# The title of the error page with status 503: the database or the user directory does not answer in time,
# or the user has submitted too many creation forms at once.
unavailable = Temporarily unavailable

# The advice on the error page with status 503, below `unavailable`: try again, and check whether a change
# was made.
unavailable-hint = This cannot be answered now. Try again in a moment. If you were changing something, look first whether it was done.

## Rules for tokens that a form breaks: the error is shown at the field that the rule is about, or above the form

refused-disabled = Personal access tokens are switched off.

refused-forbidden-by-token = A token cannot be created with a token. Sign in instead.

refused-rotation-forbidden-by-token = A token cannot rotate itself. Sign in instead.

refused-name-blank = The name is blank. Give the token a name with a visible character.

refused-name-too-long =
    { $max ->
        [one] The name is longer than { $max } character.
       *[other] The name is longer than { $max } characters.
    }

refused-name-has-control-character = The name has a control character or a line break. Write it on one line.

refused-name-has-bidi-control = The name has an invisible character that turns the direction of text, such as U+202E. Leave it out.

refused-description-too-long =
    { $max ->
        [one] The description is longer than { $max } character.
       *[other] The description is longer than { $max } characters.
    }

refused-description-has-control-character = The description has a control character or a line break. Write it on one line.

refused-description-has-bidi-control = The description has an invisible character that turns the direction of text, such as U+202E. Leave it out.

refused-duration-not-positive = The token must work for at least one day.

refused-duration-too-short = The token must work for at least 60 seconds.

refused-duration-too-long =
    { $max ->
        [one] The token may work for { $max } day at most.
       *[other] The token may work for { $max } days at most.
    }

refused-eternal-not-allowed = Tokens that never expire are not allowed. Choose when it expires.

refused-no-overlap = A token that rotates itself must work on for at least one second, for another attempt if the answer is lost.

refused-overlap-too-long =
    { $max ->
        [one] The old token may work for { $max } second at most.
       *[other] The old token may work for { $max } seconds at most.
    }

refused-outlives-parent = The token would expire later than the token that creates it. Choose a shorter time.

refused-no-scope = Choose at least one scope.

refused-unknown-scope = One of the scopes is no longer offered. Choose again.

refused-duplicate-scope = A scope occurs twice. Choose each scope once.

refused-scopes-required = Tokens without a restriction are not allowed. Choose at least one scope.

refused-scope-exceeds-parent = The token used for this request does not permit all of these scopes. A token cannot create a token that may do more.

refused-scope-not-allowed = You may not create a token with these scopes, or without scopes. Choose among those listed.

refused-older-nodes = This cannot be used while an older version of this service runs. Try again later.

# $max: How many tokens of a user are kept at most, revoked and expired ones included.
# $days: How many days a token is kept after its end.
refused-too-many-rows =
    { $days ->
        [0] You have created too many tokens: at most { $max } are kept, revoked and expired ones included. Each is deleted soon after it ends, and then you can create another.
        [one] You have created too many tokens: at most { $max } are kept, revoked and expired ones included. Each is deleted { $days } day after it ends, and then you can create another.
       *[other] You have created too many tokens: at most { $max } are kept, revoked and expired ones included. Each is deleted { $days } days after it ends, and then you can create another.
    }

refused-parent-invalid = The token used for this request is no longer valid.

refused-enable-by-token = A token enables only tokens that it could create, and it cannot create this one. Sign in instead.

# A rule that has no sentence of its own yet.
refused-other = The token cannot be created or changed like this.

## Mails: what several kinds have
##
## In the messages of mails, $count is the number of tokens that the mail is about. A variant [1] can speak of "your
## token"; other variants are about several tokens.

# How the mail begins; $name is the recipient's.
mail-greeting = Hello { $name },

# How the mail begins if the recipient's name is unknown.
mail-greeting-nameless = Hello,

# The name of a token in the plain text.
mail-quoted = “{ $name }”

# A label before a value, where they are on one line.
mail-labelled = { $label }:

# The label of the time at which a token has expired.
mail-expired-label = Expired

# The label of the time until which a replaced token works.
mail-ends-label = Old one ends

# In place of a time: a token never expires, or was never used.
mail-never = never

# In place of the names of scopes: the token has none.
mail-no-scopes = none

# After the first tokens, if the mail is about many; $more is the number of the others.
mail-more = and { $more } more

# In how many days a token expires; $days is `soon` if that is unknown.
mail-when =
    { $days ->
        [soon] soon
        [0] today
        [1] tomorrow
       *[other] in { $days } days
    }

# The button that leads to the user's token list.
mail-review = Review your tokens

# The same in the plain text, before the address.
mail-review-line = Your tokens:

# The button that leads to the replacement form.
mail-replace = Replace this token…

# The same in the plain text, before the address.
mail-replace-line = Replace it:

# The button that leads to the creation form.
mail-create = Create a new token

# The same in the plain text, before the address.
mail-create-line = Create a new one:

# Before the address to which the button leads.
mail-address = Or open this address:

# The end of the mail; $product is the name of the host.
mail-footer = { $product } sent this mail automatically, because it is about your personal access tokens. It holds no secret, and we never ask for your tokens or your password by mail.

# The question above the advice for a token that expires or has expired.
mail-still-needed =
    { $count ->
        [1] Do you still need it?
       *[other] Do you still need them?
    }

mail-not-needed =
    { $count ->
        [1] If you no longer need it, there is nothing to do.
       *[other] If you no longer need them, there is nothing to do.
    }

mail-final =
    { $count ->
        [1] It no longer works, and that cannot be undone.
       *[other] They no longer work, and that cannot be undone.
    }

## Mails: each kind. The subject is in the list of mails, with the preheader after it where the program shows one; the
## heading is at the top of the mail, and the text below the greeting.

mail-created-subject =
    { $count ->
        [1] A token “{ $name }” was created for your account
       *[other] { $count } tokens were created for your account
    }

mail-created-heading =
    { $count ->
        [1] A token was created for your account
       *[other] { $count } tokens were created for your account
    }

mail-created-preheader =
    { $count ->
        [1] If this was not you, revoke it at once.
       *[other] If this was not you, revoke them at once.
    }

# $scoped: whether it is one token, with scopes.
mail-created-text =
    { $count ->
        [1] { $scoped ->
            [yes] A personal access token was created. Whoever holds it can act in your name, as far as its scopes permit, until it expires or is revoked.
           *[no] A personal access token was created. Whoever holds it can act in your name, until it expires or is revoked.
        }
       *[other] { $count } personal access tokens were created. Whoever holds one of them can act in your name, until it expires or is revoked.
    }

mail-created-done = If this was you, there is nothing to do.

mail-created-question = Was this not you?

mail-created-answer =
    { $count ->
        [1] Revoke the token at once, change your password and tell your administrator.
       *[other] Revoke the tokens at once, change your password and tell your administrator.
    }

# $date: the day on which the token expires, or `none`.
mail-expires-soon-subject =
    { $count ->
        [1] { $date ->
            [none] Your token “{ $name }” expires soon
           *[other] Your token “{ $name }” expires on { $date }
        }
       *[other] { $count } of your tokens expire soon
    }

mail-expires-soon-heading =
    { $count ->
        [1] Your token expires { mail-when }
       *[other] { $count } of your tokens expire soon
    }

mail-expires-soon-preheader =
    { $count ->
        [1] After that, scripts and programs that use it stop working.
       *[other] After that, scripts and programs that use them stop working.
    }

mail-expires-soon-text =
    { $count ->
        [1] One of your personal access tokens expires { mail-when }. After that, scripts and programs that use it stop working.
       *[other] { $count } of your personal access tokens expire soon. After that, scripts and programs that use them stop working.
    }

# The advice of a host that has no page on which a token is replaced.
mail-expires-soon-create =
    { $count ->
        [1] A token cannot be extended. Create a new one, put it wherever the old one is used, and then revoke the old one.
       *[other] A token cannot be extended. Create new ones, put them wherever the old ones are used, and then revoke the old ones.
    }

mail-expires-soon-replace =
    { $count ->
        [1] A token cannot be extended. Replace it, and put the new one wherever the old one is used. The old one works on for a while, until the time that you choose.
       *[other] A token cannot be extended. Replace each of them on the page with your tokens, and put the new ones wherever the old ones are used. The old ones work on for a while, until the time that you choose.
    }

mail-expired-subject =
    { $count ->
        [1] Your token “{ $name }” has expired
       *[other] { $count } of your tokens have expired
    }

mail-expired-heading =
    { $count ->
        [1] Your token has expired
       *[other] { $count } of your tokens have expired
    }

mail-expired-preheader =
    { $count ->
        [1] Scripts and programs that use it no longer work.
       *[other] Scripts and programs that use them no longer work.
    }

mail-expired-text =
    { $count ->
        [1] One of your personal access tokens has expired. Scripts and programs that use it no longer work.
       *[other] { $count } of your personal access tokens have expired. Scripts and programs that use them no longer work.
    }

mail-expired-answer =
    { $count ->
        [1] A token cannot be extended. Create a new one, and put it wherever the old one is used.
       *[other] A token cannot be extended. Create new ones, and put them wherever the old ones are used.
    }

mail-pruned-subject =
    { $count ->
        [1] Your expired token “{ $name }” was deleted
       *[other] { $count } of your expired tokens were deleted
    }

mail-pruned-heading =
    { $count ->
        [1] Your expired token was deleted
       *[other] { $count } of your expired tokens were deleted
    }

mail-pruned-preheader = There is nothing to do.

mail-pruned-text =
    { $count ->
        [1] One of your personal access tokens was deleted, because it expired some time ago.
       *[other] { $count } of your personal access tokens were deleted, because they expired some time ago.
    }

mail-pruned-consequence =
    { $count ->
        [1] It had stopped working when it expired, so nothing changes now. It is no longer in the list of your tokens. There is nothing to do.
       *[other] They had stopped working when they expired, so nothing changes now. They are no longer in the list of your tokens. There is nothing to do.
    }

mail-revoked-by-admin-subject =
    { $count ->
        [1] Your token “{ $name }” was revoked by an administrator
       *[other] { $count } of your tokens were revoked by an administrator
    }

mail-revoked-by-admin-heading =
    { $count ->
        [1] Your token was revoked by an administrator
       *[other] { $count } of your tokens were revoked by an administrator
    }

mail-revoked-by-admin-text =
    { $count ->
        [1] An administrator revoked one of your personal access tokens.
       *[other] An administrator revoked { $count } of your personal access tokens.
    }

# The same with the name of the administrator.
mail-revoked-by-admin-text-named =
    { $count ->
        [1] The administrator { $name } revoked one of your personal access tokens.
       *[other] The administrator { $name } revoked { $count } of your personal access tokens.
    }

mail-revoked-by-admin-reason = The reason given:

mail-revoked-by-admin-need =
    { $count ->
        [1] Scripts and programs that use it need a new token.
       *[other] Scripts and programs that use them need new tokens.
    }

mail-revoked-by-admin-ask = If you do not know why, ask your administrator before you create a new one.

# How many tokens that were created with the revoked ones still work.
mail-revoked-by-admin-live =
    { $live_children ->
        [one] { $count ->
            [1] { $live_children } token that was created with the revoked one still works.
           *[other] { $live_children } token that was created with the revoked ones still works.
        }
       *[other] { $count ->
            [1] { $live_children } tokens that were created with the revoked one still work.
           *[other] { $live_children } tokens that were created with the revoked ones still work.
        }
    }

mail-revoked-by-admin-revoke =
    { $live_children ->
        [1] Revoke it too unless you know what it is for.
       *[other] Revoke them too unless you know what they are for.
    }

mail-rotated-again-subject =
    { $count ->
        [1] Your token “{ $name }” was replaced twice
       *[other] { $count } of your tokens were replaced twice
    }

mail-rotated-again-heading =
    { $count ->
        [1] Your token was replaced twice
       *[other] { $count } of your tokens were replaced twice
    }

mail-rotated-again-preheader = Usually a program tried again. If you do not know of one, someone else may have the token.

mail-rotated-again-text =
    { $count ->
        [1] One of your personal access tokens was replaced, although it had been replaced before. This is the new token.
       *[other] { $count } of your personal access tokens were replaced, although they had been replaced before. These are the new tokens.
    }

# $client_address: from where the token was replaced.
mail-rotated-again-address = The request came from the network address { $client_address }.

mail-rotated-again-harmless =
    { $count ->
        [1] Usually the program that replaces the token did not receive the first answer and tried again. Then there is nothing to do: the token in the first answer ends with the old one.
       *[other] Usually the program that replaces a token did not receive the first answer and tried again. Then there is nothing to do: the tokens in the first answers end with the old ones.
    }

mail-rotated-again-question = Do you not know of such a program?

mail-rotated-again-answer =
    { $count ->
        [1] Then someone else may have the token. Revoke the new token, with all that goes with it, and create another one.
       *[other] Then someone else may have the tokens. Revoke the new tokens, with all that goes with them, and create others.
    }

mail-replaced-in-use-subject =
    { $count ->
        [1] Your replaced token “{ $name }” is still in use
       *[other] { $count } of your replaced tokens are still in use
    }

mail-replaced-in-use-heading =
    { $count ->
        [1] Your replaced token is still in use
       *[other] { $count } of your replaced tokens are still in use
    }

mail-replaced-in-use-text =
    { $count ->
        [1] You replaced one of your personal access tokens, but the old one was still in use shortly before its end.
       *[other] You replaced { $count } of your personal access tokens, but the old ones were still in use shortly before their end.
    }

mail-replaced-in-use-refused =
    { $count ->
        [1] After that time, scripts and programs that use the old one are refused.
       *[other] After these times, scripts and programs that use the old ones are refused.
    }

# Also the preheader.
mail-replaced-in-use-answer =
    { $count ->
        [1] Put the new token wherever the old one is used.
       *[other] Put the new tokens wherever the old ones are used.
    }

mail-unused-warning-subject =
    { $count ->
        [1] Your token “{ $name }” will be revoked because it is not used
       *[other] { $count } of your tokens will be revoked because they are not used
    }

mail-unused-warning-heading =
    { $count ->
        [1] Your token will be revoked because it is not used
       *[other] { $count } of your tokens will be revoked because they are not used
    }

# $revoked_from: the day from which on the tokens are revoked.
mail-unused-warning-text =
    { $count ->
        [1] You have not used one of your personal access tokens for a long time. It will be revoked on { $revoked_from } or later.
       *[other] You have not used { $count } of your personal access tokens for a long time. They will be revoked on { $revoked_from } or later.
    }

# Also the preheader.
mail-unused-warning-answer =
    { $count ->
        [1] If you still need it, use it before { $revoked_from }.
       *[other] If you still need them, use each of them before { $revoked_from }.
    }

mail-unused-revoked-subject =
    { $count ->
        [1] Your token “{ $name }” was revoked because it was not used
       *[other] { $count } of your tokens were revoked because they were not used
    }

mail-unused-revoked-heading =
    { $count ->
        [1] Your token was revoked because it was not used
       *[other] { $count } of your tokens were revoked because they were not used
    }

# $unused_days: for how many days the tokens were not used, or 0 if that is unknown.
mail-unused-revoked-text =
    { $count ->
        [1] { $unused_days ->
            [0] One of your personal access tokens was revoked, because you had not used it for a long time.
            [one] One of your personal access tokens was revoked, because it was not used for { $unused_days } day.
           *[other] One of your personal access tokens was revoked, because it was not used for { $unused_days } days.
        }
       *[other] { $unused_days ->
            [0] { $count } of your personal access tokens were revoked, because you had not used them for a long time.
            [one] { $count } of your personal access tokens were revoked, because they were not used for { $unused_days } day.
           *[other] { $count } of your personal access tokens were revoked, because they were not used for { $unused_days } days.
        }
    }

mail-unused-revoked-answer = If you need a token again, create a new one.
