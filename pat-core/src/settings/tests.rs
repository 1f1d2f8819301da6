//! Tests every property with every source.

use std::time::Duration;

use super::*;
use crate::schedule::{Schedule, Zone};
use crate::token::TokenPrefix;

/// For each property, an allowed value other than the default, and values that are refused.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("atlassian.pats.enabled", "false", BAD_BOOLEANS),
    (
        "atlassian.pats.eternal.tokens.enabled",
        "false",
        BAD_BOOLEANS,
    ),
    (
        "atlassian.pats.mail.notifications.enabled",
        "false",
        BAD_BOOLEANS,
    ),
    (
        "atlassian.pats.last.used.update.interval.mins",
        "5",
        &["0", "1441", "1.5", "x", ""],
    ),
    (
        "atlassian.pats.pruning.schedule.cron",
        "0 30 3 ? * 1",
        BAD_CRONS,
    ),
    (
        "atlassian.pats.pruning.delay.days",
        "0",
        &["-1", "36501", "x"],
    ),
    (
        "atlassian.pats.max.tokens.expiry.days",
        "36500",
        &["0", "36501", "-1", "x", "+5"],
    ),
    (
        "atlassian.pats.max.tokens.per.user",
        "20",
        &["0", "1000001", "99999999999", " 5"],
    ),
    (
        "atlassian.pats.auth.cache.expiry.mins",
        "0",
        &["-1", "10081", "1m"],
    ),
    (
        "atlassian.pats.auth.cache.max.items",
        "1",
        &["0", "100000001"],
    ),
    (
        "atlassian.pats.expiry.check.schedule.cron",
        "0 0/5 * * * ?",
        BAD_CRONS,
    ),
    ("atlassian.pats.expiry.warning.days", "0", &["-1", "36501"]),
    (
        "atlassian.pats.invalidate.session.enabled",
        "false",
        BAD_BOOLEANS,
    ),
    ("atlassian.pats.token.name.length", "255", &["0", "256"]),
    ("pat.admin.enabled", "false", BAD_BOOLEANS),
    ("pat.auth.max.staleness.ms", "0", &["-1", "3600001", "2s"]),
    ("pat.auth.database.timeout.ms", "1", &["0", "60001"]),
    ("pat.cluster.poll.interval.ms", "10", &["9", "3600001"]),
    ("pat.revocation.wait", "cluster", &["Cluster", "all", ""]),
    ("pat.create.by.token", "capped", &["yes", ""]),
    (
        "pat.token.prefix",
        "acme1",
        &["", "a", "Acme", "a_b", "abcdefghijklmnopq"],
    ),
    ("pat.token.format", "atlassian", &["jwt", ""]),
    (
        "pat.token.accepted",
        "prefixed:old,atlassian",
        &[
            "old",
            "prefixed:O",
            "atlassian;x",
            "atlassian,,prefixed:old",
        ],
    ),
    ("pat.realm", "My app", &["", "a\"b", "a\\b", "ä", "a\nb"]),
    (
        "pat.base.url",
        "https://example.com/app",
        &[
            "example.com",
            "ftp://x",
            "https://",
            "http:///x",
            "https://x/?a",
            "https://x#a",
            "https://x y",
            "https://user:secret@x/",
            "https://x:port",
            "https://x:65536",
            "https://a:b:80",
            "https://[::g]",
            "https://[]",
            "https://x/%2",
            "https://x%zz/",
            "https://x/[a]",
        ],
    ),
    ("pat.notice.created", "true", BAD_BOOLEANS),
    ("pat.notice.pruned", "true", BAD_BOOLEANS),
    ("pat.notice.revoked.by.admin", "false", BAD_BOOLEANS),
    ("pat.time.zone", "Europe/Berlin", &["Europe/Atlantis", ""]),
    ("pat.max.rows.per.user", "1000", &["99", "100000001", "x"]),
    ("pat.scopes.required", "true", BAD_BOOLEANS),
    (
        "pat.scopes.default",
        "read tokens:read",
        &["Read", "read,write", "read read", "\"read\""],
    ),
    ("pat.rotate.by.token", "false", BAD_BOOLEANS),
    ("pat.rotate.overlap.seconds", "60", &["0", "31536001", "1h"]),
    (
        "pat.rotate.overlap.max.seconds",
        "86400",
        &["0", "31536001"],
    ),
    (
        "pat.expiry.reminder.days",
        "30,7,1",
        &[
            "0",
            "36501",
            "30;7",
            "30,,7",
            "30 7",
            "7 days",
            "-1",
            "+7",
            "11,10,9,8,7,6,5,4,3,2,1",
        ],
    ),
    ("pat.unused.revoke.days", "90", &["-1", "36501", "", "x"]),
    (
        "pat.owner.max.absence.days",
        "90",
        &["-1", "36501", "", "x"],
    ),
    ("pat.audit.client.address", "false", BAD_BOOLEANS),
];
const BAD_BOOLEANS: &[&str] = &["", "yes", "1", "tru"];
const BAD_CRONS: &[&str] = &[
    "",
    "0 0 * * *",
    "0 0 0 30 2 ?",
    "0 0 0 1 1 ? 1999",
    "61 0 0 * * ?",
    "0 0 0 * * 8",
];

fn read(property: &Property, value: &str) -> Result<Settings, SettingsError> {
    Settings::builder().set(property.name(), value)?.build()
}

#[test]
fn every_property_has_its_default_and_takes_good_values_only() {
    assert_eq!(VALUES.len(), Settings::properties().len());
    for (property, (name, good, bad)) in Settings::properties().iter().zip(VALUES) {
        assert_eq!(property.name(), *name, "in the order of the table");
        assert_eq!(
            property.value(&Settings::default()),
            property.default(),
            "{name}"
        );
        let built = Settings::builder().build().expect("the defaults");
        assert_eq!(property.value(&built), property.default(), "{name}");
        let changed = read(property, good).expect("a good value");
        assert_eq!(property.value(&changed), *good, "{name}");
        assert_ne!(*good, property.default(), "{name}");
        for bad in *bad {
            let message = read(property, bad).expect_err("a bad value").to_string();
            let allowed = property.allowed();
            assert_eq!(
                message,
                format!("{name}: {bad:?} is not allowed; give {allowed}")
            );
        }
    }
}

/// Returns the results of giving one property as text through every source.
fn ways_in(name: &str, value: &str) -> Vec<Result<Settings, String>> {
    let property = builder::find(name).expect("a property");
    let quoted = serde_json::to_string(value).expect("JSON");
    let flat = format!("{{\"{name}\": {quoted}}}");
    let segments: Vec<_> = name.split('.').collect();
    let nested = segments.iter().rev().fold(quoted, |inner, segment| {
        format!("{{\"{segment}\": {inner}}}")
    });
    let from_json = |json: &str| serde_json::from_str(json).map_err(|error| error.to_string());
    let build = |builder: Result<SettingsBuilder, SettingsError>| {
        let settings = builder.and_then(SettingsBuilder::build);
        settings.map_err(|error| error.to_string())
    };
    vec![
        build(Settings::builder().set(name, value)),
        build(Settings::builder().parse_properties(&format!("{name}={value}"))),
        build(Settings::builder().from_env([(property.variable(), value)])),
        from_json(&flat),
        from_json(&nested),
    ]
}

#[test]
fn every_way_in_keeps_the_same_rules() {
    for (name, good, bad) in VALUES {
        let property = builder::find(name).expect("a property");
        for settings in ways_in(name, good) {
            assert_eq!(property.value(&settings.expect("a good value")), *good);
        }
        // Property text cannot hold a line break, and trims.
        let is_one_line = |bad: &&&str| !bad.contains('\n') && bad.trim() == **bad;
        for bad in bad.iter().filter(is_one_line) {
            let allowed = property.allowed();
            for result in ways_in(name, bad) {
                let message = result.expect_err("a bad value");
                let expected = format!("{name}: {bad:?} is not allowed; give {allowed}");
                assert!(message.contains(&expected), "{message}");
            }
        }
    }
}

#[test]
fn every_number_takes_exactly_the_documented_range() {
    let mut numbers = 0;
    for property in Settings::properties() {
        let allowed = property.allowed();
        let Some(range) = allowed.strip_prefix("a whole number from ") else {
            continue;
        };
        let (first, last) = range.split_once(" to ").expect("a range");
        let (first, last): (i64, i64) = (
            first.parse().expect("a number"),
            last.parse().expect("a number"),
        );
        for (number, is_allowed) in [
            (first - 1, false),
            (first, true),
            (last, true),
            (last + 1, false),
        ] {
            let set = Settings::builder().set(property.name(), &number.to_string());
            assert_eq!(set.is_ok(), is_allowed, "{property:?}={number}");
        }
        numbers += 1;
    }
    assert_eq!(numbers, 16);
}

#[test]
fn booleans_are_true_and_false_in_any_letter_case() {
    for property in Settings::properties() {
        if property.allowed() == "true or false" {
            for (text, value) in [("TRUE", "true"), ("False", "false")] {
                let settings = read(property, text).expect("a good value");
                assert_eq!(property.value(&settings), value);
            }
        }
    }
}

#[test]
fn every_typed_setter_sets_the_property_of_its_name() {
    let builder = Settings::builder;
    let good = |name: &str| VALUES.iter().find(|value| value.0 == name).expect("it").1;
    let cron = |name| good(name).parse::<Schedule>().expect("a schedule");
    let prefix: TokenPrefix = good("pat.token.prefix").parse().expect("a prefix");
    let zone: Zone = good("pat.time.zone").parse().expect("a zone");
    let old = FormatName::Prefixed("old".parse().expect("a prefix"));
    let set = vec![
        builder().enabled(false),
        builder().eternal_tokens_enabled(false),
        builder().mail_notifications_enabled(false),
        builder().last_used_update_interval_mins(5),
        builder().pruning_schedule_cron(&cron("atlassian.pats.pruning.schedule.cron")),
        builder().pruning_delay_days(0),
        builder().max_tokens_expiry_days(36_500),
        builder().max_tokens_per_user(20),
        builder().auth_cache_expiry_mins(0),
        builder().auth_cache_max_items(1),
        builder().expiry_check_schedule_cron(&cron("atlassian.pats.expiry.check.schedule.cron")),
        builder().expiry_warning_days(0),
        builder().invalidate_session_enabled(false),
        builder().token_name_length(255),
        builder().admin_enabled(false),
        builder().auth_max_staleness_ms(0),
        builder().auth_database_timeout_ms(1),
        builder().cluster_poll_interval_ms(10),
        builder().revocation_wait(RevocationWait::Cluster),
        builder().create_by_token(CreateByToken::Capped),
        builder().token_prefix(&prefix),
        builder().token_format(TokenLayout::Atlassian),
        builder().token_accepted([old, FormatName::Atlassian]),
        builder().realm("My app"),
        builder().base_url("https://example.com/app"),
        builder().notice_created(true),
        builder().notice_pruned(true),
        builder().notice_revoked_by_admin(false),
        builder().time_zone(&zone),
        builder().max_rows_per_user(1_000),
        builder().scopes_required(true),
        builder().scopes_default(&"tokens:read read".parse().expect("scopes")),
        builder().rotate_by_token(false),
        builder().rotate_overlap_seconds(60),
        builder().rotate_overlap_max_seconds(86_400),
        builder().expiry_reminder_days([7, 30, 1]),
        builder().unused_revoke_days(90),
        builder().owner_max_absence_days(90),
        builder().audit_client_address(false),
    ];
    assert_eq!(set.len(), VALUES.len());
    for (set, (name, good, _)) in set.into_iter().zip(VALUES) {
        let settings = set.build().expect("a good value");
        for property in Settings::properties() {
            let expected = if property.name() == *name {
                good
            } else {
                property.default()
            };
            assert_eq!(property.value(&settings), expected, "{property:?}");
        }
    }
}

#[test]
fn getters_have_the_documented_defaults_and_units() {
    let settings = Settings::default();
    let day = Duration::from_hours(24);
    assert_eq!(settings.last_used_update_interval(), Duration::from_mins(1));
    assert_eq!(settings.pruning_delay(), 30 * day);
    assert_eq!(settings.auth_cache_expiry(), Duration::from_hours(1));
    assert_eq!(settings.auth_max_staleness(), Duration::from_secs(2));
    assert_eq!(settings.auth_database_timeout(), Duration::from_secs(1));
    assert_eq!(settings.cluster_poll_interval(), Duration::from_millis(500));
    assert_eq!(settings.rotate_overlap(), Duration::from_hours(1));
    assert_eq!(settings.rotate_overlap_max(), 7 * day);
    assert_eq!(settings.expiry_warning_days(), 5);
    assert_eq!(settings.max_tokens_expiry_days(), 365);
    assert_eq!(settings.base_url(), None);
    assert_eq!(settings.scopes_default(), None);
    assert_eq!(settings.accepted_formats(), [settings.issued_format()]);
}

#[test]
fn base_urls_lose_the_slash_at_their_end() {
    for (given, kept) in [
        ("https://example.com/", "https://example.com"),
        ("http://[::1]:8080/a/", "http://[::1]:8080/a"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://a%20b/%C3%A9:@(1)", "https://a%20b/%C3%A9:@(1)"),
    ] {
        let settings = Settings::builder().base_url(given).build();
        assert_eq!(settings.expect("a good value").base_url(), Some(kept));
    }
}

#[test]
fn a_later_source_wins() {
    let settings = Settings::builder()
        .parse_properties("pat.realm=text")
        .and_then(|builder| builder.from_env([("PAT_REALM", "environment")]))
        .and_then(|builder| builder.set("pat.realm", "set"))
        .and_then(SettingsBuilder::build);
    assert_eq!(settings.expect("settings").realm(), "set");
}

#[test]
fn the_documented_table_is_the_table() {
    let row = |property: &Property| {
        let default = match property.default() {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let (name, meaning) = (property.name(), property.meaning());
        let allowed = property.allowed().replace('<', "&lt;");
        format!("| `{name}` | {default} | {meaning} | {allowed} |\n")
    };
    let head = "# Properties\n\n| property | default | meaning | allowed |\n|---|---|---|---|\n";
    let rows: Vec<_> = Settings::properties().iter().map(row).collect();
    let table = head.to_owned() + &rows.concat();
    assert_eq!(include_str!("../docs/properties.md"), table);
}
