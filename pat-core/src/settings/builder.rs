use std::collections::BTreeSet;
use std::time::Duration;

use super::kind::{Formats, Kind, ReminderDays};
use super::table::PROPERTIES;
use super::{Property, Settings, SettingsError, TokenLayout};
use crate::token::FormatName;

/// Builds [`Settings`]; properties that are not set have their documented
/// [defaults](crate::settings#properties).
///
/// A property is set from text ([`SettingsBuilder::set`], [`SettingsBuilder::parse_properties`],
/// [`SettingsBuilder::from_env`]), which fails at once for a value that is not allowed, or by its typed
/// setter, such as [`SettingsBuilder::realm`]. A typed setter does not fail; [`SettingsBuilder::build`]
/// then returns the first error. If a property is set twice, the later value counts.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SettingsBuilder {
    settings: Settings,
    /// The names of the properties that were set.
    set: BTreeSet<&'static str>,
    error: Option<SettingsError>,
}

const PREFIX: &str = "pat.token.prefix";
/// What the names of properties begin with.
const BEGINNINGS: [&str; 2] = ["atlassian.pats.", "pat."];
/// The longest interval between two writes of last uses with which unused tokens may be revoked.
const MAX_INTERVAL: Duration = Duration::from_secs(30 * 60);
const MAX_ROWS: &str = "pat.max.rows.per.user";
/// Rows of a user for each token: a user with the default pruning delay of 30 days can replace each
/// token three times a day and does not reach the limit before the old ones are pruned.
const ROWS_PER_TOKEN: u32 = 100;

/// Returns the property of this full name.
pub(super) fn find(name: &str) -> Result<&'static Property, SettingsError> {
    PROPERTIES
        .iter()
        .find(|property| property.name() == name)
        .ok_or_else(|| SettingsError::Unknown {
            name: name.to_owned(),
            nearest: nearest_property(name),
        })
}

/// Returns the full name that this name most likely stands for, which may lack its beginning.
fn nearest_property(name: &str) -> String {
    let distance = |full: &str| {
        let short = BEGINNINGS.iter().find_map(|start| full.strip_prefix(start));
        let names = [Some(full), short].into_iter().flatten();
        names.map(|known| strsim::levenshtein(known, name)).min()
    };
    let names = PROPERTIES.iter().map(Property::name);
    let nearest = names.min_by_key(|full| distance(full));
    nearest.unwrap_or_default().to_owned()
}

/// Returns the known name that differs from this name in the fewest characters.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let nearest = known.min_by_key(|known| strsim::levenshtein(known, name));
    nearest.unwrap_or_default()
}

impl SettingsBuilder {
    /// Sets the property with the full name `name`, such as `pat.realm`, from text.
    ///
    /// # Errors
    /// - [`SettingsError::Unknown`]: no property has this name.
    /// - [`SettingsError::NotAllowed`]: the property does not allow this value.
    pub fn set(mut self, name: &str, value: &str) -> Result<Self, SettingsError> {
        self.put(find(name)?, value)?;
        Ok(self)
    }

    pub(super) fn put(&mut self, property: &Property, value: &str) -> Result<(), SettingsError> {
        self.set.insert(property.name());
        (property.read)(&mut self.settings, value).ok_or_else(|| SettingsError::NotAllowed {
            name: property.name(),
            value: value.to_owned(),
            allowed: property.allowed(),
        })
    }

    /// A typed value goes through its text, so that one rule holds for both.
    pub(super) fn with(mut self, name: &str, value: &dyn ToString) -> Self {
        let result = find(name).and_then(|property| self.put(property, &value.to_string()));
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Builds the settings.
    ///
    /// # Errors
    /// - [`SettingsError::NotAllowed`]: a typed setter was given a value that is not allowed.
    /// - [`SettingsError::Contradiction`]: `pat.cluster.poll.interval.ms` is not less than
    ///   `pat.auth.max.staleness.ms`, which is not 0; or `pat.token.prefix` is set while
    ///   `pat.token.format` is `atlassian`; or `pat.unused.revoke.days` is not 0 while
    ///   `atlassian.pats.last.used.update.interval.mins` is more than 30; or `pat.max.rows.per.user` is set to less than 100 times
    ///   `atlassian.pats.max.tokens.per.user`; or `pat.rotate.overlap.seconds` is greater than
    ///   `pat.rotate.overlap.max.seconds`.
    pub fn build(self) -> Result<Settings, SettingsError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.contradictions().into_iter().next() {
            Some(error) => Err(error),
            None => Ok(self.complete()),
        }
    }

    /// Returns the errors of values that are allowed, but not together.
    pub(super) fn contradictions(&self) -> Vec<SettingsError> {
        let settings = &self.settings;
        let checks = [
            check_poll_interval(settings),
            check_last_used_interval(settings),
            check_overlap(settings),
            self.check_prefix(),
            self.check_rows(),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_prefix(&self) -> Result<(), SettingsError> {
        let settings = &self.settings;
        if !self.set.contains(PREFIX) || settings.token_format != TokenLayout::Atlassian {
            return Ok(());
        }
        Err(SettingsError::Contradiction {
            name: PREFIX,
            value: settings.token_prefix.to_string(),
            other: "pat.token.format",
            other_value: settings.token_format.to_string(),
            remedy: "leave the prefix out: tokens of that format have none",
        })
    }

    fn check_rows(&self) -> Result<(), SettingsError> {
        let settings = &self.settings;
        if !self.set.contains(MAX_ROWS) || settings.max_rows_per_user >= least_rows(settings) {
            return Ok(());
        }
        Err(SettingsError::Contradiction {
            name: MAX_ROWS,
            value: settings.max_rows_per_user.to_string(),
            other: "atlassian.pats.max.tokens.per.user",
            other_value: settings.max_tokens_per_user.to_string(),
            remedy: "keep at least a hundred rows for each token that a user may have, or \
                     leave it out",
        })
    }

    /// Computes the values that depend on several properties.
    pub(super) fn complete(self) -> Settings {
        let mut settings = self.settings;
        let least = least_rows(&settings);
        settings.max_rows_per_user = settings.max_rows_per_user.max(least);
        settings.accepted_formats = vec![settings.issued_format()];
        for format in &settings.token_accepted {
            if !settings.accepted_formats.contains(format) {
                settings.accepted_formats.push(format.clone());
            }
        }
        settings.reminders = settings.expiry_reminder_days.clone();
        if settings.reminders.is_empty() && settings.expiry_warning_days > 0 {
            settings.reminders = vec![settings.expiry_warning_days];
        }
        settings
    }

    /// Sets `pat.expiry.reminder.days`: how many days before its expiry the owner of a token is reminded; see
    /// [`Settings::expiry_reminder_days`].
    ///
    /// Replaces all earlier values, and takes the numbers in any order. With more than 10 numbers, or one that
    /// is not from 1 to 36500, [`SettingsBuilder::build`] fails with [`SettingsError::NotAllowed`].
    pub fn expiry_reminder_days(self, days: impl IntoIterator<Item = u32>) -> Self {
        let days: Vec<_> = days.into_iter().collect();
        self.with("pat.expiry.reminder.days", &ReminderDays::show(&days))
    }

    /// Sets `pat.token.accepted`: formats of tokens that are accepted besides the format of new tokens.
    ///
    /// Replaces all earlier values. The default is no format.
    pub fn token_accepted(self, formats: impl IntoIterator<Item = FormatName>) -> Self {
        let formats: Vec<_> = formats.into_iter().collect();
        self.with("pat.token.accepted", &Formats::show(&formats))
    }
}

fn least_rows(settings: &Settings) -> u32 {
    settings.max_tokens_per_user.saturating_mul(ROWS_PER_TOKEN)
}

/// Unused tokens are revoked only while all nodes have written last uses within the hour.
fn check_last_used_interval(settings: &Settings) -> Result<(), SettingsError> {
    let interval = settings.last_used_update_interval;
    if settings.unused_revoke_days == 0 || interval <= MAX_INTERVAL {
        return Ok(());
    }
    Err(SettingsError::Contradiction {
        name: "pat.unused.revoke.days",
        value: settings.unused_revoke_days.to_string(),
        other: "atlassian.pats.last.used.update.interval.mins",
        other_value: (interval.as_secs() / 60).to_string(),
        remedy: "write last uses every 30 minutes or more often, or no token is ever revoked",
    })
}

fn check_poll_interval(settings: &Settings) -> Result<(), SettingsError> {
    let staleness = settings.auth_max_staleness;
    if staleness.is_zero() || settings.cluster_poll_interval < staleness {
        return Ok(());
    }
    Err(SettingsError::Contradiction {
        name: "pat.cluster.poll.interval.ms",
        value: settings.cluster_poll_interval.as_millis().to_string(),
        other: "pat.auth.max.staleness.ms",
        other_value: staleness.as_millis().to_string(),
        remedy: "poll more often than the staleness allows, or the cache is of no use",
    })
}

fn check_overlap(settings: &Settings) -> Result<(), SettingsError> {
    let (overlap, max) = (settings.rotate_overlap, settings.rotate_overlap_max);
    if overlap <= max {
        return Ok(());
    }
    Err(SettingsError::Contradiction {
        name: "pat.rotate.overlap.seconds",
        value: overlap.as_secs().to_string(),
        other: "pat.rotate.overlap.max.seconds",
        other_value: max.as_secs().to_string(),
        remedy: "choose an overlap that is at most the longest one",
    })
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
    fn the_full_name_is_suggested_for_a_name_without_its_beginning() {
        for (short, full) in [
            ("max.tokens.per.user", "atlassian.pats.max.tokens.per.user"),
            ("max.token.per.user", "atlassian.pats.max.tokens.per.user"),
            ("realm", "pat.realm"),
            ("enabled", "atlassian.pats.enabled"),
            ("token.format", "pat.token.format"),
        ] {
            match find(short) {
                Err(SettingsError::Unknown { nearest, .. }) => assert_eq!(nearest, full),
                other => panic!("{short}: {other:?}"),
            }
        }
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
    fn the_overlap_is_at_most_the_longest_one() {
        let longest = |seconds| Settings::builder().rotate_overlap_max_seconds(seconds);
        assert_eq!(
            longest(3_599)
                .build()
                .expect_err("contradiction")
                .to_string(),
            "pat.rotate.overlap.seconds: \"3600\" contradicts pat.rotate.overlap.max.seconds=3599; \
             choose an overlap that is at most the longest one"
        );
        assert!(longest(3_600).build().is_ok());
        let both = longest(60).rotate_overlap_seconds(60).build();
        assert_eq!(both.expect("settings").rotate_overlap().as_secs(), 60);
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
    fn unused_tokens_are_revoked_only_if_uses_are_written_often() {
        let builder = |minutes| Settings::builder().last_used_update_interval_mins(minutes);
        assert!(builder(31).build().is_ok());
        assert!(builder(30).unused_revoke_days(90).build().is_ok());
        let error = builder(31).unused_revoke_days(90).build();
        assert_eq!(
            error.expect_err("a contradiction").to_string(),
            "pat.unused.revoke.days: \"90\" contradicts \
             atlassian.pats.last.used.update.interval.mins=31; write last uses every 30 minutes or \
             more often, or no token is ever revoked"
        );
    }

    #[test]
    fn reminders_are_sorted_and_stand_for_the_one_warning() {
        let reminders = |builder: SettingsBuilder| {
            let settings = builder.build().expect("settings");
            settings.expiry_reminder_days().to_vec()
        };
        let builder = || Settings::builder().expiry_warning_days(14);
        assert_eq!(reminders(Settings::builder()), [5]);
        assert_eq!(Settings::default().expiry_reminder_days(), [5]);
        assert_eq!(reminders(builder()), [14]);
        assert!(reminders(builder().expiry_warning_days(0)).is_empty());
        assert_eq!(
            reminders(builder().expiry_reminder_days([1, 30, 7, 30])),
            [30, 7, 1]
        );
        let set = |text| {
            builder()
                .set("pat.expiry.reminder.days", text)
                .map(reminders)
        };
        assert_eq!(set(" 7, 30 ,1"), Ok(vec![30, 7, 1]));
        assert_eq!(set(""), Ok(vec![14]));
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
