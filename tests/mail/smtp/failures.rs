//! Servers that refuse, hang and cut.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::Caller;
use pat_core::testing::RecordingNotifier;
use pat_harness::mail::Mail;
use pat_harness::smtp::Sink;

use super::{Host, mailer, owner, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_4xx_is_tried_again_after_a_pause),
        trial(a_5xx_is_a_dead_letter_until_it_is_requeued),
        trial(a_server_that_is_away_is_tried_again),
        trial(a_server_that_hangs_is_tried_again),
        trial(a_cut_after_the_message_resends_it_unchanged),
        trial(a_cut_in_the_message_neither_loses_nor_duplicates_it),
        trial(a_failing_mailer_does_not_disturb_another),
        trial(a_refused_mail_does_not_hold_up_others),
        trial(skipped_notices_hold_up_nobody),
    ]
}

/// A host that has one notification to send.
async fn host_with_notice(sink: &Sink, query: &str) -> Host {
    let url = format!("smtp://127.0.0.1:{}{query}", sink.port);
    let host = Host::new(mailer(&url)).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;
    host
}

async fn a_4xx_is_tried_again_after_a_pause() {
    for fault in [
        "rcpt 450 4.2.0 Busy",
        "rcpt greylist",
        "data 451 4.3.0 Try again later",
        "data 421 4.3.2 Going down",
    ] {
        let sink = Sink::start();
        sink.fail(fault);
        let host = host_with_notice(&sink, "").await;
        assert_eq!(host.deliver().await, 0, "{fault}");
        assert_eq!(host.outbox().await, (1, 0), "{fault}");
        if fault != "rcpt greylist" {
            sink.work();
        }
        assert_eq!(host.deliver().await, 0, "not before the pause is over");
        assert_eq!(host.deliver_later().await, 1, "{fault}");
        assert_eq!(host.mails(&sink).len(), 1, "{fault}");
    }
}

async fn a_5xx_is_a_dead_letter_until_it_is_requeued() {
    for (fault, code) in [
        ("rcpt 550 5.1.1 No such user", "550"),
        ("data 554 5.7.1 Not wanted", "554"),
    ] {
        let sink = Sink::start();
        sink.fail(fault);
        let host = host_with_notice(&sink, "").await;
        assert_eq!(host.deliver().await, 0, "{fault}");
        assert_eq!(host.outbox().await, (0, 1), "{fault}");
        sink.work();
        assert_eq!(host.deliver_later().await, 0, "nobody has looked yet");

        let dead = host
            .pats
            .dead_notifications(10)
            .await
            .expect("dead notifications");
        let [dead] = &dead[..] else {
            panic!("one dead notification: {dead:?}")
        };
        assert_eq!((&dead.owner, dead.attempts), (&owner("alice"), 1));
        assert!(dead.error.contains(code), "{}", dead.error);
        assert!(!dead.error.contains("alice"), "{}", dead.error);
        let requeued = host.pats.requeue_notification(dead.id).await;
        assert!(requeued.expect("requeue"));
        assert_eq!(host.deliver().await, 1, "{fault}");
        assert_eq!(host.outbox().await, (0, 0), "{fault}");
        assert_eq!(host.mails(&sink).len(), 1, "{fault}");
    }
}

async fn a_server_that_is_away_is_tried_again() {
    let gone = Sink::start();
    let host = host_with_notice(&gone, "").await;
    drop(gone);
    assert_eq!(host.deliver().await, 0);
    assert_eq!(host.outbox().await, (1, 0));
    let sink = Sink::start();
    let host = host.restart(sink.mailer()).await;
    assert_eq!(host.deliver_later().await, 1);
    assert_eq!(host.mails(&sink).len(), 1);
}

async fn a_server_that_hangs_is_tried_again() {
    for (fault, expected) in [
        ("greeting hang", 1),
        ("message hang", 1),
        ("stored hang", 2),
    ] {
        let sink = Sink::start();
        sink.fail(fault);
        let host = host_with_notice(&sink, "?timeout=1").await;
        assert_eq!(host.deliver().await, 0, "{fault}");
        assert_eq!(sink.hanging(), 1, "{fault}");
        assert_eq!(host.outbox().await, (1, 0), "{fault}");
        sink.work();
        assert_eq!(host.deliver_later().await, 1, "{fault}");
        let mails = host.mails(&sink);
        assert_eq!(mails.len(), expected, "{fault}");
        assert_alike(&mails);
    }
}

async fn a_cut_after_the_message_resends_it_unchanged() {
    let sink = Sink::start();
    sink.fail("stored cut");
    let host = host_with_notice(&sink, "").await;
    assert_eq!(host.deliver().await, 0);
    assert_eq!(host.deliver_later().await, 0);
    sink.work();
    assert_eq!(host.deliver_later().await, 1);
    let mails = host.mails(&sink);
    assert_eq!(mails.len(), 3);
    assert_alike(&mails);
    assert_eq!(host.deliver_later().await, 0);
}

/// They are one mail to whoever compares, by `Message-ID` or byte for byte.
fn assert_alike(mails: &[Mail]) {
    for mail in mails {
        assert_eq!(mail.id(), mails[0].id());
        assert_eq!(mail.raw, mails[0].raw);
    }
}

async fn a_cut_in_the_message_neither_loses_nor_duplicates_it() {
    let sink = Sink::start();
    sink.fail("message cut");
    let host = host_with_notice(&sink, "").await;
    assert_eq!(host.deliver().await, 0);
    assert_eq!(host.outbox().await, (1, 0));
    sink.work();
    assert_eq!(host.deliver_later().await, 1);
    assert_eq!(host.mails(&sink).len(), 1);
}

async fn a_failing_mailer_does_not_disturb_another() {
    let sink = Sink::start();
    let (smtp, recording) = (sink.mailer(), RecordingNotifier::default());
    let other = recording.clone();
    let host =
        Host::with(|builder| builder.notifier(Arc::new(smtp)).notifier(Arc::new(other))).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;

    sink.fail("rcpt 450 4.2.0 Busy");
    assert_eq!(host.deliver().await, 0);
    assert_eq!((sink.count(), recording.sent().len()), (0, 1));
    sink.work();
    assert_eq!(host.deliver_later().await, 1);
    assert_eq!((sink.count(), recording.sent().len()), (1, 1));

    recording.fail_for_now();
    host.create("bob", "ci").await;
    host.check_expiry().await;
    // Alice's token has expired by now; so there are two notifications.
    assert_eq!(host.deliver().await, 0);
    assert_eq!(host.deliver_later().await, 0);
    assert_eq!((sink.count(), recording.sent().len()), (3, 1));
    recording.succeed();
    host.clock.advance(Duration::from_hours(1));
    assert_eq!(host.deliver().await, 2);
    assert_eq!((sink.count(), recording.sent().len()), (3, 3));
    assert_eq!(host.mails(&sink).len(), 3);
}

async fn a_refused_mail_does_not_hold_up_others() {
    let sink = Sink::start();
    sink.fail("rcpt greylist");
    let host = Host::new(sink.mailer()).await;
    for number in 0..20 {
        host.create(&format!("user-{number}"), "ci").await;
    }
    let token = host.create("user-0", "more").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 0, "everybody is refused once");
    assert_eq!(host.outbox().await, (20, 0));

    let root = Caller::header_authenticated(host.users.add_administrator("root"));
    host.pats.revoke(&root, token.id).await.expect("revoke");
    assert_eq!(
        host.deliver().await,
        1,
        "the new notification does not wait"
    );
    assert_eq!(host.outbox().await, (20, 0));
    assert_eq!(host.deliver_later().await, 20);
    assert_eq!(host.mails(&sink).len(), 21);
}

async fn skipped_notices_hold_up_nobody() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let mut revoked = Vec::new();
    for number in 0..20 {
        let token = host.create(&format!("user-{number}"), "ci").await;
        revoked.push(token);
    }
    host.check_expiry().await;
    for token in revoked {
        let caller = Caller::header_authenticated(token.owner);
        host.pats.revoke(&caller, token.id).await.expect("revoke");
    }
    host.create("alice", "ci").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 1);
    assert_eq!(host.outbox().await, (0, 0));
    assert_eq!(host.mails(&sink).len(), 1);
}
