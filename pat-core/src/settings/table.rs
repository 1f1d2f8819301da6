//! The table of properties, from which getters, setters and documentation are generated.

use std::time::Duration;

use super::kind::{
    BaseUrl, Boolean, Count, Days, Formats, Kind, Millis, Minutes, Parsed, Realm, ReminderDays,
    ScopeNames, Seconds, allowed,
};
use super::{CreateByToken, Property, RevocationWait, SettingsBuilder, TokenLayout};
use crate::schedule::{Schedule, Zone};
use crate::scope::Scopes;
use crate::token::{FormatName, TokenPrefix};

/// Returns the type of a kind in brackets, which are there so that docs can have its parts.
macro_rules! kind {
    ($kind:ty) => {
        $kind
    };
}

/// Returns the sentence about a property's default, and its range where its type has other values too. The
/// property with the default 10000 has a computed one, which its meaning describes.
macro_rules! default_and_range {
    ("10000", $kind:tt) => {
        "From 100 to 100000000."
    };
    ("", [ScopeNames]) => {
        "Not set by default; empty text removes a value. The value is a list of names of scopes, separated by \
         spaces."
    };
    ("", [BaseUrl]) => {
        concat!(
            "Not set by default; empty text removes a value. Allowed is ",
            allowed!(BaseUrl),
            "."
        )
    };
    ($default:tt, [Boolean]) => {
        concat!("The default is `", $default, "`.")
    };
    ($default:tt, [Realm]) => {
        concat!(
            "Allowed is 1 to 64 printable ASCII characters without `\"` and `\\`; the default is `",
            $default, "`."
        )
    };
    ($default:tt, [Parsed<$type:ident>]) => {
        concat!(
            "The value is a [`", stringify!($type), "`]: ", allowed!(Parsed<$type>),
            ". The default is `", $default, "`."
        )
    };
    ($default:tt, [Millis<$min:literal, $max:literal>]) => {
        concat!("From ", $min, " to ", $max, " milliseconds; the default is ", $default, ".")
    };
    ($default:tt, [Seconds<$min:literal, $max:literal>]) => {
        concat!("From ", $min, " to ", $max, " seconds; the default is ", $default, ".")
    };
    ($default:tt, [Minutes<$min:literal, $max:literal>]) => {
        concat!("From ", $min, " to ", $max, " minutes; the default is ", $default, ".")
    };
    ($default:tt, [Days<$min:literal, $max:literal>]) => {
        concat!("From ", $min, " to ", $max, " days; the default is ", $default, ".")
    };
    ($default:tt, [Count<$min:literal, $max:literal>]) => {
        concat!("From ", $min, " to ", $max, "; the default is ", $default, ".")
    };
    ($default:tt, $kind:tt) => {
        concat!("Allowed is ", allowed! $kind, "; the default is `", $default, "`.")
    };
}

/// Returns what the docs of a property say besides its meaning.
macro_rules! note {
    ("pat.create.by.token") => {
        "With `allowed`, a token may create tokens, which may expire later than the creating token and stay \
         valid when it is revoked. With `capped`, they expire no later and are revoked with it, unless it is \
         revoked because no client uses it (`pat.unused.revoke.days`): they may be in use. With `forbidden`, only a user who signed in to the host may create tokens.\n\n"
    };
    ("pat.rotate.by.token") => {
        "If `false`, only a user who signed in to the host may rotate tokens. If the setting \
         `pat.create.by.token` is `forbidden`, no token can rotate itself either; if it is `capped`, a token that \
         rotates itself gets a successor that expires no later than the token would have.\n\n"
    };
    ("pat.auth.database.timeout.ms") => {
        "The limit is for the authentication of one request: its queries of the store, and the call of \
         [`UserDirectory::find`](crate::directory::UserDirectory::find), together. After this time the response is 503, \
         never 401. Methods of `Pats` that list, create or revoke tokens wait up to five times as long for \
         each of their calls of the store and the directory. The searches of `Administration` wait 30 \
         seconds, whatever this setting is.\n\n"
    };
    ("atlassian.pats.enabled") => {
        "If `false`, a presented token is refused with [`AuthError::Disabled`](crate::error::AuthError::Disabled), \
         like an invalid one (HTTP status 401), and creating a token fails with \
         [`PolicyError::Disabled`](crate::error::PolicyError::Disabled). Tokens can still be listed and revoked.\n\n"
    };
    ("atlassian.pats.invalidate.session.enabled") => {
        "A refused token ends no session.\n\n"
    };
    ($name:tt) => {
        ""
    };
}

/// Returns the sentence about the values that a setter takes and `build` refuses.
macro_rules! refusal {
    ("pat.max.rows.per.user", $kind:tt) => {
        " Outside this range, [`SettingsBuilder::build`] fails with \
         [`SettingsError::NotAllowed`](super::SettingsError::NotAllowed); with less than that product, it \
         fails with [`SettingsError::Contradiction`](super::SettingsError::Contradiction)."
    };
    ("pat.cluster.poll.interval.ms", $kind:tt) => {
        " Outside this range, [`SettingsBuilder::build`] fails with \
         [`SettingsError::NotAllowed`](super::SettingsError::NotAllowed); with a value that is not less than \
         `pat.auth.max.staleness.ms`, it fails with \
         [`SettingsError::Contradiction`](super::SettingsError::Contradiction)."
    };
    ("pat.rotate.overlap.seconds", $kind:tt) => {
        " Outside this range, [`SettingsBuilder::build`] fails with \
         [`SettingsError::NotAllowed`](super::SettingsError::NotAllowed); with a value that is greater than \
         `pat.rotate.overlap.max.seconds`, it fails with \
         [`SettingsError::Contradiction`](super::SettingsError::Contradiction)."
    };
    ("pat.rotate.overlap.max.seconds", $kind:tt) => {
        " Outside this range, [`SettingsBuilder::build`] fails with \
         [`SettingsError::NotAllowed`](super::SettingsError::NotAllowed); with a value that is less than \
         `pat.rotate.overlap.seconds`, it fails with \
         [`SettingsError::Contradiction`](super::SettingsError::Contradiction)."
    };
    ("pat.token.prefix", $kind:tt) => {
        " If `pat.token.format` is `atlassian`, [`SettingsBuilder::build`] fails with \
         [`SettingsError::Contradiction`](super::SettingsError::Contradiction)."
    };
    ($name:tt, [Boolean]) => {
        ""
    };
    ($name:tt, [ScopeNames]) => {
        ""
    };
    ($name:tt, [Parsed<Schedule>]) => {
        " Every [`Schedule`] has such a firing time, so [`SettingsBuilder::build`] accepts each of them."
    };
    ($name:tt, [Parsed<$type:ident>]) => {
        ""
    };
    ($name:tt, $kind:tt) => {
        " With any other value, [`SettingsBuilder::build`] fails with \
         [`SettingsError::NotAllowed`](super::SettingsError::NotAllowed)."
    };
}

/// Generates [`Settings`], its getters, the setters of [`SettingsBuilder`] and [`PROPERTIES`] from rows
/// of name, default, kind in brackets, meaning, field and setter. A row without `copied` or `borrowed`
/// has its getter elsewhere; one without `set by` has its setter elsewhere.
macro_rules! properties {
    ($(
        $name:tt = $default:tt, $kind:tt,
        $meaning:literal,
        $field:ident $(copied as $copied:ty,)? $(borrowed as $borrowed:ty,)?
            $(set by $set:ident($argument:ty))?;
    )*) => {
        /// The values of all properties, as a service uses them. `Settings::default()` has the documented
        /// [defaults](crate::settings#properties); [`Settings::builder`] and serde read other values.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $(pub(super) $field: <kind! $kind as Kind>::Value,)*
            /// The issued format, then the other accepted ones, each once.
            pub(super) accepted_formats: Vec<FormatName>,
            /// The list of reminders, or the one warning if there is no list.
            pub(super) reminders: Vec<u32>,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($field: <kind! $kind>::parse($default).expect("the default is allowed"),)*
                    accepted_formats: vec![FormatName::Prefixed(TokenPrefix::default())],
                    reminders: vec![5],
                }
            }
        }

        impl Settings {
            $($(
                #[doc = concat!(
                    "Returns the setting `", $name, "`: ", $meaning, ".\n\n",
                    note!($name), default_and_range!($default, $kind)
                )]
                #[must_use]
                pub fn $field(&self) -> $copied {
                    self.$field
                }
            )?$(
                #[doc = concat!(
                    "Returns the setting `", $name, "`: ", $meaning, ".\n\n",
                    note!($name), default_and_range!($default, $kind)
                )]
                #[must_use]
                pub fn $field(&self) -> &$borrowed {
                    &self.$field
                }
            )?)*
        }

        impl SettingsBuilder {
            $($(
                #[doc = concat!(
                    "Sets the setting `", $name, "`: ", $meaning, ".\n\n",
                    note!($name), default_and_range!($default, $kind), refusal!($name, $kind)
                )]
                pub fn $set(self, value: $argument) -> Self {
                    self.with($name, &value)
                }
            )?)*
        }

        /// All properties: the fourteen of Atlassian's documentation, then the additional ones.
        pub(super) const PROPERTIES: &[Property] = &[$(Property {
            name: $name,
            default: $default,
            meaning: $meaning,
            allowed: allowed! $kind,
            read: |settings, text| {
                settings.$field = <kind! $kind>::parse(text)?;
                Some(())
            },
            show: |settings| <kind! $kind>::show(&settings.$field),
        },)*];
    };
}

properties! {
    "atlassian.pats.enabled" = "true", [Boolean],
        "whether tokens may be created and used",
        enabled copied as bool, set by enabled(bool);
    "atlassian.pats.eternal.tokens.enabled" = "true", [Boolean],
        "whether tokens that never expire may be created",
        eternal_tokens_enabled copied as bool, set by eternal_tokens_enabled(bool);
    "atlassian.pats.mail.notifications.enabled" = "true", [Boolean],
        "whether owners are notified about their tokens, by mail or another notifier",
        mail_notifications_enabled copied as bool, set by mail_notifications_enabled(bool);
    "atlassian.pats.last.used.update.interval.mins" = "1", [Minutes<1, 1_440>],
        "how many minutes pass between two writes of last uses to the store",
        last_used_update_interval copied as Duration, set by last_used_update_interval_mins(u32);
    "atlassian.pats.pruning.schedule.cron" = "0 0 0 * * ?", [Parsed<Schedule>],
        "schedule, in the time zone pat.time.zone, on which tokens are deleted whose pruning delay is over",
        pruning_schedule borrowed as Schedule, set by pruning_schedule_cron(&Schedule);
    "atlassian.pats.pruning.delay.days" = "30", [Days<0, 36_500>],
        "how many days a token is kept after it expires or is revoked, before it is deleted",
        pruning_delay copied as Duration, set by pruning_delay_days(u32);
    "atlassian.pats.max.tokens.expiry.days" = "365", [Count<1, 36_500>],
        "longest life span of a new token, in days",
        max_tokens_expiry_days copied as u32, set by max_tokens_expiry_days(u32);
    "atlassian.pats.max.tokens.per.user" = "10", [Count<1, 1_000_000>],
        "how many unrevoked tokens a user may have, expired ones included",
        max_tokens_per_user copied as u32, set by max_tokens_per_user(u32);
    "atlassian.pats.auth.cache.expiry.mins" = "60", [Minutes<0, 10_080>],
        "for how many minutes at most a token stays in a node's cache; 0 for no cache",
        auth_cache_expiry copied as Duration, set by auth_cache_expiry_mins(u32);
    "atlassian.pats.auth.cache.max.items" = "5000", [Count<1, 100_000_000>],
        "how many tokens a node's cache holds at most",
        auth_cache_max_items copied as u32, set by auth_cache_max_items(u32);
    "atlassian.pats.expiry.check.schedule.cron" = "0 0 * * * ?", [Parsed<Schedule>],
        "schedule, in the time zone pat.time.zone, on which notifications of expiry are queued",
        expiry_check_schedule borrowed as Schedule, set by expiry_check_schedule_cron(&Schedule);
    "atlassian.pats.expiry.warning.days" = "5", [Count<0, 36_500>],
        "how many days before its expiry a token whose life span is longer is shown as expiring soon, and its \
         owner notified",
        expiry_warning_days copied as u32, set by expiry_warning_days(u32);
    "atlassian.pats.invalidate.session.enabled" = "true", [Boolean],
        "whether a request that a token authenticates ends the host's session that came with the request",
        invalidate_session_enabled copied as bool, set by invalidate_session_enabled(bool);
    "atlassian.pats.token.name.length" = "40", [Count<1, 255>],
        "longest name of a token, in characters",
        token_name_length copied as u32, set by token_name_length(u32);
    "pat.admin.enabled" = "true", [Boolean],
        "whether administrators can search the tokens of all users, and revoke several at once",
        admin_enabled copied as bool, set by admin_enabled(bool);
    "pat.auth.max.staleness.ms" = "2000", [Millis<0, 3_600_000>],
        "for how many milliseconds at most another node accepts a revoked token; 0 to query the database \
         for each request",
        auth_max_staleness copied as Duration, set by auth_max_staleness_ms(u32);
    "pat.auth.database.timeout.ms" = "1000", [Millis<1, 60_000>],
        "for how many milliseconds at most the authentication of a request waits for the database; lists, \
         creations and revocations of tokens wait up to five times as long",
        auth_database_timeout copied as Duration, set by auth_database_timeout_ms(u32);
    "pat.cluster.poll.interval.ms" = "500", [Millis<10, 3_600_000>],
        "how many milliseconds pass between two reads of the changes of other nodes; less than \
         pat.auth.max.staleness.ms, unless that is 0",
        cluster_poll_interval copied as Duration, set by cluster_poll_interval_ms(u32);
    "pat.revocation.wait" = "none", [Parsed<RevocationWait>],
        "whether a revocation is acknowledged once it is stored (none), or once no node accepts the \
         token any more (cluster)",
        revocation_wait copied as RevocationWait, set by revocation_wait(RevocationWait);
    "pat.create.by.token" = "allowed", [Parsed<CreateByToken>],
        "whether a token may create tokens; with capped (recommended), a new token expires no later \
         than the token that created it, and is revoked with it",
        create_by_token copied as CreateByToken, set by create_by_token(CreateByToken);
    "pat.token.prefix" = "pat", [Parsed<TokenPrefix>],
        "prefix of new tokens of the format prefixed; after a change, tokens with the old prefix are \
         refused unless pat.token.accepted lists it",
        token_prefix set by token_prefix(&TokenPrefix);
    "pat.token.format" = "prefixed", [Parsed<TokenLayout>],
        "format of new tokens: with a prefix and a checksum (prefixed), or that of Atlassian (atlassian)",
        token_format set by token_format(TokenLayout);
    "pat.token.accepted" = "", [Formats],
        "formats of tokens that are accepted besides the format of new tokens",
        token_accepted;
    "pat.realm" = "PAT", [Realm],
        "realm in WWW-Authenticate challenges",
        realm borrowed as str, set by realm(&str);
    "pat.base.url" = "", [BaseUrl],
        "URL at which users reach the host, for links in notifications",
        base_url set by base_url(&str);
    "pat.notice.created" = "false", [Boolean],
        "whether owners are notified when a token is created",
        notice_created copied as bool, set by notice_created(bool);
    "pat.notice.pruned" = "false", [Boolean],
        "whether owners are notified when an expired, unrevoked token is deleted",
        notice_pruned copied as bool, set by notice_pruned(bool);
    "pat.notice.revoked.by.admin" = "true", [Boolean],
        "whether owners are notified when an administrator revokes a token",
        notice_revoked_by_admin copied as bool, set by notice_revoked_by_admin(bool);
    "pat.time.zone" = "local", [Parsed<Zone>],
        "time zone of the schedules, and of the pages in browsers without JavaScript; local is the time zone of the machine",
        time_zone borrowed as Zone, set by time_zone(&Zone);
    "pat.max.rows.per.user" = "10000", [Count<100, 100_000_000>],
        "how many tokens of a user are stored at most, including revoked and expired ones until they \
         are deleted; at least 100 times atlassian.pats.max.tokens.per.user. The default is 10000 or that \
         product, whichever is greater",
        max_rows_per_user copied as u32, set by max_rows_per_user(u32);
    "pat.scopes.required" = "false", [Boolean],
        "whether a request for a new token must name scopes, if nothing else determines them: neither \
         pat.scopes.default nor the scopes of the token that authenticates the request",
        scopes_required copied as bool, set by scopes_required(bool);
    "pat.scopes.default" = "", [ScopeNames],
        "scopes of a new token whose request names none and is not authenticated by a restricted token",
        scopes_default set by scopes_default(&Scopes);
    "pat.rotate.by.token" = "true", [Boolean],
        "whether a token may rotate itself: get a successor with a new secret, which replaces the token",
        rotate_by_token copied as bool, set by rotate_by_token(bool);
    "pat.rotate.overlap.seconds" = "3600", [Seconds<1, 31_536_000>],
        "for how many seconds a replaced token stays valid beside its successor, if the request for the \
         rotation does not say otherwise",
        rotate_overlap copied as Duration, set by rotate_overlap_seconds(u32);
    "pat.rotate.overlap.max.seconds" = "604800", [Seconds<1, 31_536_000>],
        "longest overlap in seconds that a request for a rotation may ask for; at least \
         pat.rotate.overlap.seconds",
        rotate_overlap_max copied as Duration, set by rotate_overlap_max_seconds(u32);
    "pat.expiry.reminder.days" = "", [ReminderDays],
        "how many days before its expiry the owner of a token is reminded, each at most once; without a list, \
         once, the number of days in atlassian.pats.expiry.warning.days before. A number that is not less than \
         the life span of a token does not apply to it",
        expiry_reminder_days;
    "pat.unused.revoke.days" = "0", [Count<0, 36_500>],
        "after how many days without a use a token is revoked, at least a week after its owner was warned; 0 to \
         revoke none",
        unused_revoke_days copied as u32, set by unused_revoke_days(u32);
    "pat.owner.max.absence.days" = "0", [Days<0, 36_500>],
        "for how many days after the host has last seen an owner the owner's tokens are accepted; 0 for no limit",
        owner_max_absence copied as Duration, set by owner_max_absence_days(u32);
    "pat.audit.client.address" = "true", [Boolean],
        "whether audit events, their log lines and notifications have the client's network address, which is \
         personal data",
        audit_client_address copied as bool, set by audit_client_address(bool);
}
