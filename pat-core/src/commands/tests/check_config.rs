//! `check-config`.

use super::super::*;
use super::{Fixture, run};
use crate::settings::Settings;

#[tokio::test]
async fn every_setting_is_shown_with_its_source() {
    let fixture = Fixture::new();
    let good = SettingsSources::new().env([("PAT_REALM", "x")]);
    let show = async |sources: &SettingsSources, more: &[&str]| {
        let commands = fixture.commands().settings(sources.clone());
        run(commands, &[&["check-config"], more].concat(), "").await
    };
    let run = show(&good, &[]).await;
    assert!(run.is(Exit::Done) && run.err.is_empty(), "{run:?}");
    assert_eq!(run.out.lines().count(), Settings::properties().len());
    let set = show(&good, &["--set"]).await.out;
    assert_eq!(set, "pat.realm=x  (the variable PAT_REALM)\n");
    let bad = good.options("-D", ["x", "pat.realm=y", "pat.realm=z", "realm=1"]);
    let run = show(&bad, &["--set"]).await;
    assert!(run.is(Exit::LookAfter), "{run:?}");
    assert_eq!(run.out, "pat.realm=z  (-D)\n");
    assert_eq!(
        run.err
            .lines()
            .filter(|line| line.starts_with("error: -D"))
            .count(),
        2
    );
    assert_eq!(
        run.err
            .lines()
            .filter(|line| line.starts_with("warning: -D"))
            .count(),
        1
    );
    let json = show(&bad, &["--format", "json"]).await.json();
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
}
