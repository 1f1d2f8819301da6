//! The mailers that need no server.

use std::error::Error as _;

use pat_core::notification::{NotificationKind, Notifier, NotifyError};
use pat_core::testing::example_notification;
use pat_mail::{FileMailer, MemoryMailer};

use super::{compose, composer};

#[tokio::test]
async fn mailers_send_what_was_composed() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryMailer::new(composer());
    let files = FileMailer::new(composer(), folder.path().join("mails"));
    let notification = example_notification(NotificationKind::ExpiresSoon, &["ci"]);
    for _ in 0..2 {
        memory.clone().send(&notification).await.unwrap();
        files.send(&notification).await.unwrap();
    }
    assert_eq!(
        memory.messages(),
        [compose(&notification), compose(&notification)]
    );
    let written: Vec<_> = std::fs::read_dir(files.folder())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let [file] = written.as_slice() else {
        panic!("one notification makes one file: {written:?}");
    };
    assert_eq!(file.file_name(), "expires-soon-2.eml");
    assert_eq!(std::fs::read(file.path()).unwrap(), compose(&notification));
}

#[tokio::test]
async fn a_bad_address_is_final_and_never_shown() {
    let mut notification = example_notification(NotificationKind::Expired, &["ci"]);
    notification.recipient.email = "ada@exa mple.com".to_owned();
    let error = MemoryMailer::new(composer())
        .send(&notification)
        .await
        .unwrap_err();
    let source = error.source().unwrap();
    assert!(matches!(error, NotifyError::Permanent(_)));
    assert!(!format!("{error} {error:?} {source} {source:?}").contains("ada"));

    notification.recipient.email = "ada@example.com".to_owned();
    notification.tokens.clear();
    let error = MemoryMailer::new(composer())
        .send(&notification)
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Permanent(_)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_for_later() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mailer = FileMailer::new(composer(), file.path().join("mails"));
    let error = mailer
        .send(&example_notification(NotificationKind::Expired, &["ci"]))
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Temporary(_)));
}
