use super::rule::{base_url, boolean, choice, formats, name_of, number, put, realm};
use super::{CreateByToken, Property, RevocationWait, TokenLayout};
use crate::token::FormatName;

const BOOLEAN: &str = "true or false";
const MAX_DAYS: u32 = 36_500;

/// All properties: the fourteen of Atlassian's documentation, then our own.
pub(super) const PROPERTIES: &[Property] = &[
    Property {
        name: "atlassian.pats.enabled",
        default: "true",
        meaning: "whether tokens may be created and used",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.enabled, boolean(text)),
        show: |s| s.enabled.to_string(),
    },
    Property {
        name: "atlassian.pats.eternal.tokens.enabled",
        default: "true",
        meaning: "whether tokens that never expire may be created",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.eternal_tokens_enabled, boolean(text)),
        show: |s| s.eternal_tokens_enabled.to_string(),
    },
    Property {
        name: "atlassian.pats.mail.notifications.enabled",
        default: "true",
        meaning: "whether owners are mailed about their tokens",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.mail_notifications_enabled, boolean(text)),
        show: |s| s.mail_notifications_enabled.to_string(),
    },
    Property {
        name: "atlassian.pats.last.used.update.interval.mins",
        default: "1",
        meaning: "minutes between writes of last uses",
        allowed: "a whole number from 1 to 1440",
        read: |s, text| {
            put(
                &mut s.last_used_update_interval_mins,
                number(text, 1..=1_440),
            )
        },
        show: |s| s.last_used_update_interval_mins.to_string(),
    },
    Property {
        name: "atlassian.pats.pruning.schedule.cron",
        default: "0 0 0 * * ?",
        meaning: "when old tokens are deleted",
        allowed: CRON,
        read: |s, text| put(&mut s.pruning_schedule_cron, text.parse().ok()),
        show: |s| s.pruning_schedule_cron.to_string(),
    },
    Property {
        name: "atlassian.pats.pruning.delay.days",
        default: "30",
        meaning: "days for which expired and revoked tokens are kept",
        allowed: DAYS_OR_NONE,
        read: |s, text| put(&mut s.pruning_delay_days, number(text, 0..=MAX_DAYS)),
        show: |s| s.pruning_delay_days.to_string(),
    },
    Property {
        name: "atlassian.pats.max.tokens.expiry.days",
        default: "365",
        meaning: "longest life span of a new token in days",
        allowed: "a whole number from 1 to 36500",
        read: |s, text| put(&mut s.max_tokens_expiry_days, number(text, 1..=MAX_DAYS)),
        show: |s| s.max_tokens_expiry_days.to_string(),
    },
    Property {
        name: "atlassian.pats.max.tokens.per.user",
        default: "10",
        meaning: "most tokens of one user, expired ones included",
        allowed: "a whole number from 1 to 1000000",
        read: |s, text| put(&mut s.max_tokens_per_user, number(text, 1..=1_000_000)),
        show: |s| s.max_tokens_per_user.to_string(),
    },
    Property {
        name: "atlassian.pats.auth.cache.expiry.mins",
        default: "60",
        meaning: "longest time in minutes for which a token stays cached; 0 for no cache",
        allowed: "a whole number from 0 to 10080",
        read: |s, text| put(&mut s.auth_cache_expiry_mins, number(text, 0..=10_080)),
        show: |s| s.auth_cache_expiry_mins.to_string(),
    },
    Property {
        name: "atlassian.pats.auth.cache.max.items",
        default: "5000",
        meaning: "most tokens in the cache",
        allowed: "a whole number from 1 to 100000000",
        read: |s, text| put(&mut s.auth_cache_max_items, number(text, 1..=100_000_000)),
        show: |s| s.auth_cache_max_items.to_string(),
    },
    Property {
        name: "atlassian.pats.expiry.check.schedule.cron",
        default: "0 0 * * * ?",
        meaning: "when mails about expiry are queued",
        allowed: CRON,
        read: |s, text| put(&mut s.expiry_check_schedule_cron, text.parse().ok()),
        show: |s| s.expiry_check_schedule_cron.to_string(),
    },
    Property {
        name: "atlassian.pats.expiry.warning.days",
        default: "5",
        meaning: "days before its expiry from which a token expires soon",
        allowed: DAYS_OR_NONE,
        read: |s, text| put(&mut s.expiry_warning_days, number(text, 0..=MAX_DAYS)),
        show: |s| s.expiry_warning_days.to_string(),
    },
    Property {
        name: "atlassian.pats.invalidate.session.enabled",
        default: "true",
        meaning: "whether a request with a token ends the session that came with it",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.invalidate_session_enabled, boolean(text)),
        show: |s| s.invalidate_session_enabled.to_string(),
    },
    Property {
        name: "atlassian.pats.token.name.length",
        default: "40",
        meaning: "longest name of a token in characters",
        allowed: "a whole number from 1 to 255",
        read: |s, text| put(&mut s.token_name_length, number(text, 1..=255)),
        show: |s| s.token_name_length.to_string(),
    },
    Property {
        name: "pat.admin.enabled",
        default: "true",
        meaning: "whether administrators can search and revoke in bulk",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.admin_enabled, boolean(text)),
        show: |s| s.admin_enabled.to_string(),
    },
    Property {
        name: "pat.auth.max.staleness.ms",
        default: "2000",
        meaning: "longest time in milliseconds for which another node accepts a revoked token; \
                  0 to ask the database each time",
        allowed: "a whole number from 0 to 3600000",
        read: |s, text| put(&mut s.auth_max_staleness_ms, number(text, 0..=3_600_000)),
        show: |s| s.auth_max_staleness_ms.to_string(),
    },
    Property {
        name: "pat.auth.database.timeout.ms",
        default: "1000",
        meaning: "longest time in milliseconds for which authentication waits for the database; \
                  any other request waits up to five times as long",
        allowed: "a whole number from 1 to 60000",
        read: |s, text| put(&mut s.auth_database_timeout_ms, number(text, 1..=60_000)),
        show: |s| s.auth_database_timeout_ms.to_string(),
    },
    Property {
        name: "pat.cluster.poll.interval.ms",
        default: "500",
        meaning: "milliseconds between looks at what other nodes have changed",
        allowed: "a whole number from 10 to 3600000",
        read: |s, text| {
            put(
                &mut s.cluster_poll_interval_ms,
                number(text, 10..=3_600_000),
            )
        },
        show: |s| s.cluster_poll_interval_ms.to_string(),
    },
    Property {
        name: "pat.revocation.wait",
        default: "none",
        meaning: "whether a revocation is acknowledged once it is stored, or once no node \
                  accepts the token any more",
        allowed: "none or cluster",
        read: |s, text| put(&mut s.revocation_wait, choice(REVOCATION_WAITS, text)),
        show: |s| name_of(REVOCATION_WAITS, s.revocation_wait),
    },
    Property {
        name: "pat.create.by.token",
        default: "allowed",
        meaning: "whether a token may create tokens; capped (recommended): none that outlives it",
        allowed: "allowed, capped or forbidden",
        read: |s, text| put(&mut s.create_by_token, choice(CREATE_BY_TOKEN, text)),
        show: |s| name_of(CREATE_BY_TOKEN, s.create_by_token),
    },
    Property {
        name: "pat.token.prefix",
        default: "pat",
        meaning: "prefix of new tokens; changing it refuses all tokens of the old one, unless \
                  that is among pat.token.accepted",
        allowed: "a lower-case letter and 1 to 15 lower-case letters or digits",
        read: |s, text| put(&mut s.token_prefix, text.parse().ok()),
        show: |s| s.token_prefix.to_string(),
    },
    Property {
        name: "pat.token.format",
        default: "prefixed",
        meaning: "format of new tokens",
        allowed: "prefixed or atlassian",
        read: |s, text| put(&mut s.token_format, choice(TOKEN_LAYOUTS, text)),
        show: |s| name_of(TOKEN_LAYOUTS, s.token_format),
    },
    Property {
        name: "pat.token.accepted",
        default: "",
        meaning: "formats that authenticate beside the one that is issued",
        allowed: "atlassian and prefixed:<prefix>, separated by commas, or nothing",
        read: |s, text| put(&mut s.token_accepted, formats(text)),
        show: |s| {
            let names: Vec<_> = s.token_accepted.iter().map(FormatName::to_string).collect();
            names.join(",")
        },
    },
    Property {
        name: "pat.realm",
        default: "PAT",
        meaning: "realm in challenges",
        allowed: "1 to 64 printable ASCII characters without \" and \\",
        read: |s, text| put(&mut s.realm, realm(text)),
        show: |s| s.realm.to_string(),
    },
    Property {
        name: "pat.base.url",
        default: "",
        meaning: "where users reach the host, for links in mails",
        allowed: "an absolute http or https URL without a user name, query or fragment, or nothing",
        read: |s, text| match text {
            "" => put(&mut s.base_url, Some(None)),
            url => put(&mut s.base_url, base_url(url).map(Some)),
        },
        show: |s| s.base_url.as_deref().unwrap_or_default().to_owned(),
    },
    Property {
        name: "pat.notice.created",
        default: "false",
        meaning: "whether owners are mailed when a token is created",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.notice_created, boolean(text)),
        show: |s| s.notice_created.to_string(),
    },
    Property {
        name: "pat.notice.pruned",
        default: "false",
        meaning: "whether owners are mailed when an expired token is deleted",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.notice_pruned, boolean(text)),
        show: |s| s.notice_pruned.to_string(),
    },
    Property {
        name: "pat.notice.revoked.by.admin",
        default: "true",
        meaning: "whether owners are mailed when an administrator revokes a token",
        allowed: BOOLEAN,
        read: |s, text| put(&mut s.notice_revoked_by_admin, boolean(text)),
        show: |s| s.notice_revoked_by_admin.to_string(),
    },
    Property {
        name: "pat.time.zone",
        default: "local",
        meaning: "time zone of the schedules",
        allowed: "local or an IANA name such as Europe/Berlin",
        read: |s, text| put(&mut s.time_zone, text.parse().ok()),
        show: |s| s.time_zone.to_string(),
    },
    Property {
        name: "pat.max.rows.per.user",
        default: "10000",
        meaning: "most tokens of one user that are kept until they are pruned, revoked and \
                  expired ones included; at least 100 times max.tokens.per.user, to which it is \
                  raised unless it is set",
        allowed: "a whole number from 100 to 100000000",
        read: |s, text| put(&mut s.max_rows_per_user, number(text, 100..=100_000_000)),
        show: |s| s.max_rows_per_user.to_string(),
    },
];

const CRON: &str = "a Quartz cron expression of six fields, seconds first, or seven with the \
                    year, that fires some day, such as 0 0 0 * * ?";
const DAYS_OR_NONE: &str = "a whole number from 0 to 36500";

const REVOCATION_WAITS: &[(&str, RevocationWait)] = &[
    ("none", RevocationWait::None),
    ("cluster", RevocationWait::Cluster),
];
const CREATE_BY_TOKEN: &[(&str, CreateByToken)] = &[
    ("allowed", CreateByToken::Allowed),
    ("capped", CreateByToken::Capped),
    ("forbidden", CreateByToken::Forbidden),
];
const TOKEN_LAYOUTS: &[(&str, TokenLayout)] = &[
    ("prefixed", TokenLayout::Prefixed),
    ("atlassian", TokenLayout::Atlassian),
];
