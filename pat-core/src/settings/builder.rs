use super::table::PROPERTIES;
use super::{CreateByToken, Property, RevocationWait, Settings, SettingsError, TokenLayout};
use crate::schedule::{Schedule, Zone};
use crate::token::{FormatName, TokenPrefix};

/// Builds [`Settings`] from the documented defaults.
///
/// Setters are named as the properties are. The first value that is not allowed makes
/// [`SettingsBuilder::build`] fail.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SettingsBuilder {
    settings: Settings,
    /// Whether the prefix was chosen, rather than left alone.
    has_prefix: bool,
    /// Whether the number of rows was chosen, rather than left alone.
    has_max_rows: bool,
    error: Option<SettingsError>,
}

impl Default for Settings {
    fn default() -> Self {
        // The two schedules are the documented defaults, which the table's test reads back.
        Self {
            enabled: true,
            eternal_tokens_enabled: true,
            mail_notifications_enabled: true,
            last_used_update_interval_mins: 1,
            pruning_schedule_cron: Schedule::daily(),
            pruning_delay_days: 30,
            max_tokens_expiry_days: 365,
            max_tokens_per_user: 10,
            auth_cache_expiry_mins: 60,
            auth_cache_max_items: 5_000,
            expiry_check_schedule_cron: Schedule::hourly(),
            expiry_warning_days: 5,
            invalidate_session_enabled: true,
            token_name_length: 40,
            admin_enabled: true,
            auth_max_staleness_ms: 2_000,
            auth_database_timeout_ms: 1_000,
            cluster_poll_interval_ms: 500,
            revocation_wait: RevocationWait::None,
            create_by_token: CreateByToken::Allowed,
            token_prefix: TokenPrefix::default(),
            token_format: TokenLayout::Prefixed,
            token_accepted: Vec::new(),
            accepted_formats: vec![FormatName::Prefixed(TokenPrefix::default())],
            realm: "PAT".into(),
            base_url: None,
            notice_created: false,
            notice_pruned: false,
            notice_revoked_by_admin: true,
            time_zone: Zone::local(),
            max_rows_per_user: 10_000,
        }
    }
}

const MAX_ROWS: &str = "pat.max.rows.per.user";
/// How many rows a user may have for each token, so that whoever replaces his tokens every few hours
/// never meets that limit before the old ones are pruned.
const ROWS_PER_TOKEN: u32 = 100;

/// The property of this full name.
pub(super) fn find(name: &str) -> Result<&'static Property, SettingsError> {
    PROPERTIES
        .iter()
        .find(|property| property.name() == name)
        .ok_or_else(|| {
            let known = PROPERTIES.iter().map(|property| property.name().to_owned());
            unknown(name, known)
        })
}

/// Blames the name, and suggests the one that is most like it.
pub(super) fn unknown(name: &str, known: impl Iterator<Item = String>) -> SettingsError {
    let nearest = known.min_by_key(|known| strsim::levenshtein(known, name));
    SettingsError::Unknown {
        name: name.to_owned(),
        nearest: nearest.unwrap_or_default(),
    }
}

impl SettingsBuilder {
    /// Sets the property of this full name from text; a later value replaces an earlier one.
    ///
    /// # Errors
    /// There is no such property, or it cannot have this value.
    pub fn set(mut self, name: &str, value: &str) -> Result<Self, SettingsError> {
        self.put(find(name)?, value)?;
        Ok(self)
    }

    pub(super) fn put(&mut self, property: &Property, value: &str) -> Result<(), SettingsError> {
        self.has_prefix |= property.name() == "pat.token.prefix";
        self.has_max_rows |= property.name() == MAX_ROWS;
        (property.read)(&mut self.settings, value).ok_or_else(|| SettingsError::NotAllowed {
            name: property.name(),
            value: value.to_owned(),
            allowed: property.allowed(),
        })
    }

    /// A typed value goes through its text, so that one rule holds for both.
    fn with(mut self, name: &str, value: &dyn ToString) -> Self {
        let result = find(name).and_then(|property| self.put(property, &value.to_string()));
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self
    }

    /// The settings.
    ///
    /// # Errors
    /// A value is not allowed, or two contradict each other.
    pub fn build(self) -> Result<Settings, SettingsError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut settings = self.settings;
        let (staleness, interval) = (
            settings.auth_max_staleness_ms,
            settings.cluster_poll_interval_ms,
        );
        if staleness > 0 && interval >= staleness {
            return Err(SettingsError::Contradiction {
                name: "pat.cluster.poll.interval.ms",
                value: interval.to_string(),
                other: "pat.auth.max.staleness.ms",
                other_value: staleness.to_string(),
                remedy: "poll more often than the staleness allows, or the cache is of no use",
            });
        }
        if self.has_prefix && settings.token_format == TokenLayout::Atlassian {
            return Err(SettingsError::Contradiction {
                name: "pat.token.prefix",
                value: settings.token_prefix.to_string(),
                other: "pat.token.format",
                other_value: "atlassian".to_owned(),
                remedy: "leave the prefix out: tokens of that format have none",
            });
        }
        let least = settings.max_tokens_per_user.saturating_mul(ROWS_PER_TOKEN);
        if self.has_max_rows && settings.max_rows_per_user < least {
            return Err(SettingsError::Contradiction {
                name: MAX_ROWS,
                value: settings.max_rows_per_user.to_string(),
                other: "atlassian.pats.max.tokens.per.user",
                other_value: settings.max_tokens_per_user.to_string(),
                remedy: "keep at least a hundred rows for each token that a user may have, or \
                         leave it out",
            });
        }
        settings.max_rows_per_user = settings.max_rows_per_user.max(least);
        settings.accepted_formats = vec![settings.issued_format()];
        for format in &settings.token_accepted {
            if !settings.accepted_formats.contains(format) {
                settings.accepted_formats.push(format.clone());
            }
        }
        Ok(settings)
    }

    /// Sets `atlassian.pats.enabled`.
    pub fn enabled(self, enabled: bool) -> Self {
        self.with("atlassian.pats.enabled", &enabled)
    }

    /// Sets `atlassian.pats.eternal.tokens.enabled`.
    pub fn eternal_tokens_enabled(self, enabled: bool) -> Self {
        self.with("atlassian.pats.eternal.tokens.enabled", &enabled)
    }

    /// Sets `atlassian.pats.mail.notifications.enabled`.
    pub fn mail_notifications_enabled(self, enabled: bool) -> Self {
        self.with("atlassian.pats.mail.notifications.enabled", &enabled)
    }

    /// Sets `atlassian.pats.last.used.update.interval.mins`.
    pub fn last_used_update_interval_mins(self, minutes: u32) -> Self {
        self.with("atlassian.pats.last.used.update.interval.mins", &minutes)
    }

    /// Sets `atlassian.pats.pruning.schedule.cron`.
    pub fn pruning_schedule_cron(self, schedule: &Schedule) -> Self {
        self.with("atlassian.pats.pruning.schedule.cron", schedule)
    }

    /// Sets `atlassian.pats.pruning.delay.days`.
    pub fn pruning_delay_days(self, days: u32) -> Self {
        self.with("atlassian.pats.pruning.delay.days", &days)
    }

    /// Sets `atlassian.pats.max.tokens.expiry.days`.
    pub fn max_tokens_expiry_days(self, days: u32) -> Self {
        self.with("atlassian.pats.max.tokens.expiry.days", &days)
    }

    /// Sets `atlassian.pats.max.tokens.per.user`.
    pub fn max_tokens_per_user(self, count: u32) -> Self {
        self.with("atlassian.pats.max.tokens.per.user", &count)
    }

    /// Sets `atlassian.pats.auth.cache.expiry.mins`.
    pub fn auth_cache_expiry_mins(self, minutes: u32) -> Self {
        self.with("atlassian.pats.auth.cache.expiry.mins", &minutes)
    }

    /// Sets `atlassian.pats.auth.cache.max.items`.
    pub fn auth_cache_max_items(self, count: u32) -> Self {
        self.with("atlassian.pats.auth.cache.max.items", &count)
    }

    /// Sets `atlassian.pats.expiry.check.schedule.cron`.
    pub fn expiry_check_schedule_cron(self, schedule: &Schedule) -> Self {
        self.with("atlassian.pats.expiry.check.schedule.cron", schedule)
    }

    /// Sets `atlassian.pats.expiry.warning.days`.
    pub fn expiry_warning_days(self, days: u32) -> Self {
        self.with("atlassian.pats.expiry.warning.days", &days)
    }

    /// Sets `atlassian.pats.invalidate.session.enabled`.
    pub fn invalidate_session_enabled(self, enabled: bool) -> Self {
        self.with("atlassian.pats.invalidate.session.enabled", &enabled)
    }

    /// Sets `atlassian.pats.token.name.length`.
    pub fn token_name_length(self, characters: u32) -> Self {
        self.with("atlassian.pats.token.name.length", &characters)
    }

    /// Sets `pat.admin.enabled`.
    pub fn admin_enabled(self, enabled: bool) -> Self {
        self.with("pat.admin.enabled", &enabled)
    }

    /// Sets `pat.auth.max.staleness.ms`.
    pub fn auth_max_staleness_ms(self, milliseconds: u32) -> Self {
        self.with("pat.auth.max.staleness.ms", &milliseconds)
    }

    /// Sets `pat.auth.database.timeout.ms`.
    pub fn auth_database_timeout_ms(self, milliseconds: u32) -> Self {
        self.with("pat.auth.database.timeout.ms", &milliseconds)
    }

    /// Sets `pat.cluster.poll.interval.ms`.
    pub fn cluster_poll_interval_ms(self, milliseconds: u32) -> Self {
        self.with("pat.cluster.poll.interval.ms", &milliseconds)
    }

    /// Sets `pat.revocation.wait`.
    pub fn revocation_wait(mut self, wait: RevocationWait) -> Self {
        self.settings.revocation_wait = wait;
        self
    }

    /// Sets `pat.create.by.token`.
    pub fn create_by_token(mut self, create: CreateByToken) -> Self {
        self.settings.create_by_token = create;
        self
    }

    /// Sets `pat.token.prefix`: **tokens of the old prefix are refused** unless it is among
    /// [`SettingsBuilder::token_accepted`].
    pub fn token_prefix(self, prefix: &TokenPrefix) -> Self {
        self.with("pat.token.prefix", prefix)
    }

    /// Sets `pat.token.format`.
    pub fn token_format(mut self, format: TokenLayout) -> Self {
        self.settings.token_format = format;
        self
    }

    /// Sets `pat.token.accepted`.
    pub fn token_accepted(mut self, formats: impl IntoIterator<Item = FormatName>) -> Self {
        self.settings.token_accepted = formats.into_iter().collect();
        self
    }

    /// Sets `pat.realm`.
    pub fn realm(self, realm: &str) -> Self {
        self.with("pat.realm", &realm)
    }

    /// Sets `pat.base.url`.
    pub fn base_url(self, url: &str) -> Self {
        self.with("pat.base.url", &url)
    }

    /// Sets `pat.notice.created`.
    pub fn notice_created(self, enabled: bool) -> Self {
        self.with("pat.notice.created", &enabled)
    }

    /// Sets `pat.notice.pruned`.
    pub fn notice_pruned(self, enabled: bool) -> Self {
        self.with("pat.notice.pruned", &enabled)
    }

    /// Sets `pat.notice.revoked.by.admin`.
    pub fn notice_revoked_by_admin(self, enabled: bool) -> Self {
        self.with("pat.notice.revoked.by.admin", &enabled)
    }

    /// Sets `pat.time.zone`.
    pub fn time_zone(self, zone: &Zone) -> Self {
        self.with("pat.time.zone", zone)
    }

    /// Sets `pat.max.rows.per.user`. Left alone, it is 10,000, or a hundred times
    /// [`SettingsBuilder::max_tokens_per_user`] if that is more.
    pub fn max_rows_per_user(self, count: u32) -> Self {
        self.with(MAX_ROWS, &count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_setters_keep_the_rules_of_the_text() {
        let error = Settings::builder()
            .max_tokens_per_user(0)
            .realm("x")
            .build();
        assert_eq!(
            error.expect_err("not allowed").to_string(),
            "atlassian.pats.max.tokens.per.user: \"0\" is not allowed; \
             give a whole number from 1 to 1000000"
        );
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest_one() {
        let error = Settings::builder().set("atlassian.pats.max.token.per.user", "5");
        assert_eq!(
            error.expect_err("unknown").to_string(),
            "atlassian.pats.max.token.per.user: there is no such property; \
             did you mean atlassian.pats.max.tokens.per.user?"
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let slow = Settings::builder().cluster_poll_interval_ms(2_000).build();
        let message = slow.expect_err("contradiction").to_string();
        assert!(
            message.contains("pat.cluster.poll.interval.ms: \"2000\""),
            "{message}"
        );
        assert!(
            message.contains("pat.auth.max.staleness.ms=2000"),
            "{message}"
        );
        let each_time = Settings::builder()
            .cluster_poll_interval_ms(2_000)
            .auth_max_staleness_ms(0);
        assert!(each_time.build().is_ok());
        let prefix = Settings::builder().token_format(TokenLayout::Atlassian);
        assert!(prefix.clone().build().is_ok());
        let prefix = prefix
            .set("pat.token.prefix", "acme")
            .expect("a good value");
        assert!(matches!(
            prefix.build(),
            Err(SettingsError::Contradiction { .. })
        ));
    }

    #[test]
    fn there_is_room_for_a_hundred_rows_for_each_token() {
        let builder = || Settings::builder().max_tokens_per_user(200);
        let few = builder().max_rows_per_user(19_999).build();
        assert_eq!(
            few.expect_err("a contradiction").to_string(),
            "pat.max.rows.per.user: \"19999\" contradicts \
             atlassian.pats.max.tokens.per.user=200; keep at least a hundred rows for each token \
             that a user may have, or leave it out"
        );
        let rows = |builder: SettingsBuilder| builder.build().map(|s| s.max_rows_per_user());
        assert_eq!(rows(builder().max_rows_per_user(20_000)), Ok(20_000));
        assert_eq!(rows(builder()), Ok(20_000), "left alone, it follows");
        assert_eq!(rows(Settings::builder()), Ok(10_000));
        let many = Settings::builder().max_tokens_per_user(1_000_000);
        assert_eq!(rows(many), Ok(100_000_000));
    }

    #[test]
    fn the_issued_format_is_always_accepted_and_listed_once() {
        let old = || FormatName::Prefixed("old".parse().expect("prefix"));
        let settings = Settings::builder()
            .token_accepted([FormatName::Atlassian, old(), old()])
            .token_format(TokenLayout::Atlassian)
            .build()
            .expect("settings");
        assert_eq!(settings.accepted_formats(), [FormatName::Atlassian, old()]);
    }
}
