//! `doctor`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::super::*;
use super::migrate::Tables;
use super::{Fixture, run};
use crate::notification::{Notification, NotifyError};
use crate::testing::RecordingNotifier;

/// Fails, and shows no secret.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Notifier for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn send(&self, _: &Notification) -> Result<(), NotifyError> {
        Err(NotifyError::Temporary("no connection".into()))
    }

    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        Err(NotifyError::Temporary("no connection".into()))
    }
}

#[async_trait]
impl DoctorCheck for Broken {
    async fn run(&self) -> Vec<Finding> {
        vec![Finding::warning("own", "so so", "do better")]
    }
}

#[tokio::test]
async fn the_doctor_reports_each_check() {
    let fixture = Fixture::new();
    let healthy = fixture
        .commands()
        .database(Arc::new(Tables(SchemaState::Current)));
    let run_ = run(healthy, &["doctor"], "").await;
    assert!(run_.is(Exit::Done), "{run_:?}");
    for part in [
        "ok       settings:",
        "ok       database: in memory",
        "ok       clock:",
        "ok       notifications: 0 wait",
    ] {
        assert!(run_.out.contains(part), "{part} in {}", run_.out);
    }
    assert!(
        run_.out.ends_with("0 failed, 1 warnings\n"),
        "without a notifier: {run_:?}"
    );
    let sick = Commands::new(async || Err("the database is down".into()))
        .settings(SettingsSources::new().options("-D", ["x"]))
        .notifier(Arc::new(Broken))
        .check(Arc::new(Broken));
    let run_ = run(sick, &["doctor", "--format", "json"], "").await;
    assert!(run_.is(Exit::LookAfter), "{run_:?}");
    let findings = run_.json();
    let of = |subject: &str| {
        let mut found = findings.as_array().expect("a list").iter();
        let found = found.find(|finding| finding["subject"] == subject);
        let found = found.unwrap_or_else(|| panic!("{subject} in {findings}"));
        (
            found["level"].clone(),
            found["text"].clone(),
            found["advice"].is_string(),
        )
    };
    for (subject, level, text) in [
        ("service", "failed", "the database is down"),
        (
            "notifier broken",
            "failed",
            "the notification could not be sent now: no connection",
        ),
        ("own", "warning", "so so"),
    ] {
        assert_eq!(of(subject), (json!(level), json!(text), true));
    }
    assert_eq!(of("settings").0, "failed");
}

#[tokio::test]
async fn the_doctor_sends_only_when_it_is_asked_to() {
    let fixture = Fixture::new();
    let mailer = RecordingNotifier::default();
    let commands = || fixture.commands().notifier(Arc::new(mailer.clone()));
    assert!(run(commands(), &["doctor"], "").await.is(Exit::Done));
    assert!(mailer.sent().is_empty());
    let sent = run(commands(), &["doctor", "--send-to", "ops@example.com"], "").await;
    assert!(sent.is(Exit::Done), "{sent:?}");
    let sent: Vec<_> = mailer
        .sent()
        .into_iter()
        .map(|sent| sent.recipient.email)
        .collect();
    assert_eq!(sent, ["ops@example.com"]);
    let nothing = fixture
        .run(&["doctor", "--send-to", "ops@example.com"], "")
        .await;
    assert!(nothing.is(Exit::LookAfter), "{nothing:?}");
}
