//! The pages as the documentation shows them.

use std::time::Duration;

use pat_harness::Server;
use pat_harness::browser::Browser;

use super::{DAY, check, create};

/// `.ci/screenshots` takes the pictures of the documentation here.
pub(super) async fn pages_of_the_documentation_are_accessible() {
    let server = Server::with(&[("pat.base.url", "https://example.com")]).await;
    let backup = create(&server, "alice", "backup script", 365).await;
    let laptop = create(&server, "alice", "laptop", 30).await;
    create(&server, "bob", "terraform", 90).await;
    create(&server, "alice", "ci", 90).await;
    let grafana = create(&server, "bob", "grafana dashboards", 30).await;
    server.clock.advance(DAY * 26);
    for token in [&laptop, &grafana] {
        server.try_token(token).await;
        server.clock.advance(Duration::from_hours(5));
    }
    create(&server, "alice", "jira-cli", 60).await;
    server.clock.advance(Duration::from_mins(20));
    server.try_token(&backup).await;
    server.clock.advance(Duration::from_mins(3));
    let browser = Browser::start(&server.base).await;
    browser.sign_in("alice").await;
    browser.go("/tokens").await;
    check(&browser, "guide: tokens").await;
    browser
        .go("/tokens/new?name=nightly+build&expires=30")
        .await;
    check(&browser, "guide: new").await;
    browser.follow("main button.pat-primary").await;
    check(&browser, "guide: created").await;
    browser.sign_in("admin").await;
    browser.go("/admin/tokens").await;
    check(&browser, "guide: administration").await;
    browser.stop().await;
}
