//! The mails of the example server.

use libtest_mimic::Trial;
use pat_harness::mail::Mail;
use pat_harness::process::Process;
use pat_harness::{TOKENS, trial, until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(a_user_of_the_example_reads_mails_in_german)]
}

async fn a_user_of_the_example_reads_mails_in_german() {
    for (user, language, subject) in [
        ("alice", "en", "A token “ci” was created for your account"),
        ("bob", "de", "Ein Token „ci“ wurde für Ihr Konto angelegt"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let arguments = ["--mail-dir", "mails", "-Dpat.notice.created=true"];
        let process = Process::start(folder.path(), &arguments);
        let create = Client::new().post(format!("{}{TOKENS}", process.base));
        let create = create.basic_auth(user, Some(user));
        let created = create.json(&json!({"name": "ci"})).send().await;
        assert_eq!(created.expect("an answer").status(), StatusCode::CREATED);
        let mails = folder.path().join("mails");
        let read = || {
            let files = std::fs::read_dir(&mails).into_iter().flatten().flatten();
            let mut mails =
                files.filter(|file| file.path().extension().is_some_and(|it| it == "eml"));
            mails
                .next()
                .and_then(|file| std::fs::read(file.path()).ok())
        };
        until("a mail is written", async || read().is_some()).await;
        let mail = Mail::parse(Value::Null, read().expect("a mail"));
        assert_eq!(mail.subject, subject);
        let header = format!("Content-Language: {language}\r\n");
        assert!(mail.raw.contains(&header), "{}", mail.raw);
    }
}
