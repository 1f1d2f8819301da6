//! The table of properties, from which getters, setters and documentation are generated.

use std::time::Duration;

use super::kind::{BaseUrl, Boolean, Count, Days, Formats, Kind, Millis, Minutes, Parsed, Realm};
use super::{CreateByToken, Property, RevocationWait, SettingsBuilder, TokenLayout};
use crate::schedule::{Schedule, Zone};
use crate::token::{FormatName, TokenPrefix};

/// Generates [`Settings`], its getters, the setters of [`SettingsBuilder`] and [`PROPERTIES`] from rows
/// of name, default, kind, meaning, field and setter. A row without `copied` or `borrowed` has its
/// getter elsewhere; one without `set by` has its setter elsewhere.
macro_rules! properties {
    ($(
        $name:literal = $default:literal, $kind:ty,
        $meaning:literal,
        $field:ident $(copied as $copied:ty,)? $(borrowed as $borrowed:ty,)?
            $(set by $set:ident($argument:ty))?;
    )*) => {
        /// The properties in force. `Settings::default()` has the documented defaults.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $(pub(super) $field: <$kind as Kind>::Value,)*
            /// The issued format, then the other accepted ones, each once.
            pub(super) accepted_formats: Vec<FormatName>,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($field: <$kind>::parse($default).expect("the default is allowed"),)*
                    accepted_formats: vec![FormatName::Prefixed(TokenPrefix::default())],
                }
            }
        }

        impl Settings {
            $($(
                #[doc = concat!("Returns `", $name, "`: ", $meaning, ".")]
                #[must_use]
                pub fn $field(&self) -> $copied {
                    self.$field
                }
            )?$(
                #[doc = concat!("Returns `", $name, "`: ", $meaning, ".")]
                #[must_use]
                pub fn $field(&self) -> &$borrowed {
                    &self.$field
                }
            )?)*
        }

        impl SettingsBuilder {
            $($(
                #[doc = concat!("Sets `", $name, "`: ", $meaning, ".")]
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
            allowed: <$kind>::allowed,
            read: |settings, text| {
                settings.$field = <$kind>::parse(text)?;
                Some(())
            },
            show: |settings| <$kind>::show(&settings.$field),
        },)*];
    };
}

properties! {
    "atlassian.pats.enabled" = "true", Boolean,
        "whether tokens may be created and used",
        enabled copied as bool, set by enabled(bool);
    "atlassian.pats.eternal.tokens.enabled" = "true", Boolean,
        "whether tokens that never expire may be created",
        eternal_tokens_enabled copied as bool, set by eternal_tokens_enabled(bool);
    "atlassian.pats.mail.notifications.enabled" = "true", Boolean,
        "whether owners are mailed about their tokens",
        mail_notifications_enabled copied as bool, set by mail_notifications_enabled(bool);
    "atlassian.pats.last.used.update.interval.mins" = "1", Minutes<1, 1_440>,
        "minutes between writes of last uses",
        last_used_update_interval copied as Duration, set by last_used_update_interval_mins(u32);
    "atlassian.pats.pruning.schedule.cron" = "0 0 0 * * ?", Parsed<Schedule>,
        "when old tokens are deleted",
        pruning_schedule borrowed as Schedule, set by pruning_schedule_cron(&Schedule);
    "atlassian.pats.pruning.delay.days" = "30", Days<0, 36_500>,
        "days for which expired and revoked tokens are kept",
        pruning_delay copied as Duration, set by pruning_delay_days(u32);
    "atlassian.pats.max.tokens.expiry.days" = "365", Count<1, 36_500>,
        "longest life span of a new token in days",
        max_tokens_expiry_days copied as u32, set by max_tokens_expiry_days(u32);
    "atlassian.pats.max.tokens.per.user" = "10", Count<1, 1_000_000>,
        "most tokens of one user, expired ones included",
        max_tokens_per_user copied as u32, set by max_tokens_per_user(u32);
    "atlassian.pats.auth.cache.expiry.mins" = "60", Minutes<0, 10_080>,
        "longest time in minutes for which a token stays cached; 0 for no cache",
        auth_cache_expiry copied as Duration, set by auth_cache_expiry_mins(u32);
    "atlassian.pats.auth.cache.max.items" = "5000", Count<1, 100_000_000>,
        "most tokens in the cache",
        auth_cache_max_items copied as u32, set by auth_cache_max_items(u32);
    "atlassian.pats.expiry.check.schedule.cron" = "0 0 * * * ?", Parsed<Schedule>,
        "when mails about expiry are queued",
        expiry_check_schedule borrowed as Schedule, set by expiry_check_schedule_cron(&Schedule);
    "atlassian.pats.expiry.warning.days" = "5", Count<0, 36_500>,
        "how many days before its expiry a token is shown as expiring soon, and its owner notified",
        expiry_warning_days copied as u32, set by expiry_warning_days(u32);
    "atlassian.pats.invalidate.session.enabled" = "true", Boolean,
        "whether a request with a token ends the session that came with it",
        invalidate_session_enabled copied as bool, set by invalidate_session_enabled(bool);
    "atlassian.pats.token.name.length" = "40", Count<1, 255>,
        "longest name of a token in characters",
        token_name_length copied as u32, set by token_name_length(u32);
    "pat.admin.enabled" = "true", Boolean,
        "whether administrators can search and revoke in bulk",
        admin_enabled copied as bool, set by admin_enabled(bool);
    "pat.auth.max.staleness.ms" = "2000", Millis<0, 3_600_000>,
        "longest time in milliseconds for which another node accepts a revoked token; 0 to ask the \
          database each time",
        auth_max_staleness copied as Duration, set by auth_max_staleness_ms(u32);
    "pat.auth.database.timeout.ms" = "1000", Millis<1, 60_000>,
        "longest time in milliseconds for which authentication waits for the database; any other \
          request waits up to five times as long",
        auth_database_timeout copied as Duration, set by auth_database_timeout_ms(u32);
    "pat.cluster.poll.interval.ms" = "500", Millis<10, 3_600_000>,
        "milliseconds between looks at what other nodes have changed",
        cluster_poll_interval copied as Duration, set by cluster_poll_interval_ms(u32);
    "pat.revocation.wait" = "none", Parsed<RevocationWait>,
        "whether a revocation is acknowledged once it is stored, or once no node accepts the token \
          any more",
        revocation_wait copied as RevocationWait, set by revocation_wait(RevocationWait);
    "pat.create.by.token" = "allowed", Parsed<CreateByToken>,
        "whether a token may create tokens; capped (recommended): none that outlives it",
        create_by_token copied as CreateByToken, set by create_by_token(CreateByToken);
    "pat.token.prefix" = "pat", Parsed<TokenPrefix>,
        "prefix of new tokens; changing it refuses all tokens of the old one, unless that is among \
          pat.token.accepted",
        token_prefix set by token_prefix(&TokenPrefix);
    "pat.token.format" = "prefixed", Parsed<TokenLayout>,
        "format of new tokens",
        token_format set by token_format(TokenLayout);
    "pat.token.accepted" = "", Formats,
        "formats that authenticate beside the one that is issued",
        token_accepted;
    "pat.realm" = "PAT", Realm,
        "realm in challenges",
        realm borrowed as str, set by realm(&str);
    "pat.base.url" = "", BaseUrl,
        "where users reach the host, for links in mails",
        base_url set by base_url(&str);
    "pat.notice.created" = "false", Boolean,
        "whether owners are mailed when a token is created",
        notice_created copied as bool, set by notice_created(bool);
    "pat.notice.pruned" = "false", Boolean,
        "whether owners are mailed when an expired token is deleted",
        notice_pruned copied as bool, set by notice_pruned(bool);
    "pat.notice.revoked.by.admin" = "true", Boolean,
        "whether owners are mailed when an administrator revokes a token",
        notice_revoked_by_admin copied as bool, set by notice_revoked_by_admin(bool);
    "pat.time.zone" = "local", Parsed<Zone>,
        "time zone of the schedules",
        time_zone borrowed as Zone, set by time_zone(&Zone);
    "pat.max.rows.per.user" = "10000", Count<100, 100_000_000>,
        "most tokens of one user that are kept until they are pruned, revoked and expired ones \
          included; at least 100 times max.tokens.per.user, to which it is raised unless it is \
          set",
        max_rows_per_user copied as u32, set by max_rows_per_user(u32);
}
