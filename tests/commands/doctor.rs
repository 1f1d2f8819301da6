//! What `doctor` finds out about the database, the mail server and the proxies.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::names::name_in_case;
use pat_harness::process::Process;
use pat_harness::proxy::{NGINX, Program};
use pat_harness::smtp::Sink;
use pat_harness::{named_trial_with_need, python, trial_with_need};
use serde_json::Value;

use super::{run, run_on};
use crate::http::requests::guide::{PROXIES, snippet};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial_with_need(
            "python",
            python::CLIENTS.missing(),
            the_doctor_tries_the_mail_server,
        ),
        trial_with_need(
            "nginx",
            NGINX.missing(),
            the_doctor_finds_what_nginx_changes,
        ),
    ];
    trials.extend(PROXIES.map(|(title, program)| {
        named_trial_with_need(
            name_in_case(&the_doctor_finds_the_guides_proxy_in_order, program.name),
            program.name,
            program.missing(),
            move || the_doctor_finds_the_guides_proxy_in_order(title, program),
        )
    }));
    trials.extend(trials_on_all(the_doctor_knows_the_database));
    trials
}

async fn the_doctor_knows_the_database(database: AnyDatabase) {
    let folder = tempfile::tempdir().expect("a folder");
    database.make().await;
    let url = database.url();
    let findings = |code| {
        let ran = run_on(&url, folder.path(), &["doctor", "--format", "json"], "").ended(code);
        ran.json().as_array().expect("a list").clone()
    };
    let of = |findings: &[Value], subject: &str, level: &str| {
        let found = findings.iter();
        let found = found.filter(|found| found["subject"] == subject && found["level"] == level);
        found
            .map(|found| found["text"].to_string())
            .collect::<Vec<_>>()
            .join("; ")
    };
    let healthy = findings(0);
    for part in ["its tables have version", "can write each table"] {
        assert!(
            of(&healthy, "database", "ok").contains(part),
            "{healthy:#?}"
        );
    }
    if let AnyDatabase::Server(_) = &database {
        for part in ["time zone", "isolation"] {
            assert!(
                of(&healthy, "database", "ok").contains(part),
                "{healthy:#?}"
            );
        }
        assert!(
            of(&healthy, "clock", "ok").contains("this machine's"),
            "{healthy:#?}"
        );
    }
    assert!(
        of(&healthy, "servers", "ok").contains("0 running"),
        "{healthy:#?}"
    );
    let server = Process::start(folder.path(), &["--database-url", &url]);
    // Its report, with which the database has a mark.
    let reported = "SELECT COUNT(*) FROM pat_clock, pat_node WHERE mark > 0 AND pat_node.id >= 0";
    while database.number(reported).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(of(&findings(0), "servers", "ok").contains("1 running"));
    database
        .execute("UPDATE pat_clock SET mark = mark + 172800000000")
        .await;
    let leapt = findings(1);
    assert!(
        of(&leapt, "clock", "failed").contains("behind"),
        "{leapt:#?}"
    );
    drop(server);
    database
        .execute("UPDATE pat_node SET version = 1, reported_at = 0")
        .await;
    let old = findings(1);
    let warned = of(&old, "servers", "warning");
    assert!(
        warned.contains("older version") && warned.contains("have not reported"),
        "{old:#?}"
    );
}

async fn the_doctor_tries_the_mail_server() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["migrate"], "").ended(0);
    let sink = Sink::start();
    let url = format!("smtp://127.0.0.1:{}", sink.port);
    let doctor = |more: &[&str]| {
        let mail = [
            "--smtp-url",
            &url,
            "--mail-from",
            "Ops <ops@example.com>",
            "doctor",
        ];
        run(folder.path(), &[&mail, more].concat(), "")
    };
    let tried = doctor(&[]).ended(0);
    assert!(
        tried
            .out
            .contains("ok       notifier smtp: connected to 127.0.0.1:"),
        "{tried:?}"
    );
    assert_eq!(sink.count(), 0, "nothing is sent unasked");
    let sent = doctor(&["--send-to", "admin@example.com"]).ended(0);
    assert!(
        sent.out.contains("accepted the notification of --send-to"),
        "{sent:?}"
    );
    assert_eq!(sink.count(), 1);
    sink.fail("rcpt 550 5.1.1 Unknown");
    let refused = doctor(&["--send-to", "nobody@example.com"]).ended(1);
    assert!(
        refused.out.contains("failed   notifier smtp:"),
        "{refused:?}"
    );
    assert!(!format!("{refused:?}").contains("nobody@"), "{refused:?}");
    drop(sink);
    let down = doctor(&[]).ended(1);
    assert!(
        down.out
            .contains("failed   notifier smtp: the notification could not be sent now"),
        "{down:?}"
    );
    // STARTTLS is required, and no server may do without.
    let plain = Sink::start();
    let url = format!("smtp://127.0.0.1:{}?tls=starttls", plain.port);
    let mail = [
        "--smtp-url",
        &url,
        "--mail-from",
        "ops@example.com",
        "doctor",
    ];
    let refused = run(folder.path(), &mail, "").ended(1);
    assert!(
        refused.out.contains("does not offer STARTTLS"),
        "{refused:?}"
    );
}

async fn the_doctor_finds_the_guides_proxy_in_order(
    title: &'static str,
    program: &'static Program,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let proxy = program.start(&snippet(title, &server.base)).await;
    let url = format!("{}/probe", proxy.base);
    let checked = run(folder.path(), &["doctor", "--url", &url], "").ended(0);
    let expected =
        "ok       proxies: they pass on Authorization, Cookie, Host, paths and bodies unchanged\n";
    assert!(checked.out.contains(expected), "{checked:?}");
}

async fn the_doctor_finds_what_nginx_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let base = &server.base;
    for (location, code, expected) in [
        (
            "proxy_set_header Authorization '';",
            1,
            "failed   proxies: Authorization is removed on the way",
        ),
        (
            "proxy_set_header Cookie '';",
            1,
            "failed   proxies: Cookie is removed on the way",
        ),
        // What nginx does unless it is told otherwise.
        ("", 0, "warning  proxies: Host arrives as 127.0.0.1:"),
        (
            "",
            0,
            "warning  proxies: headers of 12 KiB do not pass: the answer has the status 400",
        ),
        (
            "client_max_body_size 500k;",
            0,
            "warning  proxies: bodies of 1 MiB do not pass",
        ),
        (
            "return 404;",
            1,
            "failed   proxies: the answer has the status 404",
        ),
    ] {
        let location = format!("location / {{ proxy_pass {base}; {location} }}");
        let proxy = NGINX.start(&location).await;
        let url = format!("{}/probe", proxy.base);
        let checked = run(folder.path(), &["doctor", "--url", &url], "").ended(code);
        assert!(checked.out.contains(expected), "{expected} in {checked:?}");
    }
    // A slash behind the address has nginx decode the path.
    let decodes = NGINX
        .start(&format!("location / {{ proxy_pass {base}/; }}"))
        .await;
    let url = format!("{}/probe", decodes.base);
    let checked = run(folder.path(), &["doctor", "--url", &url], "").ended(0);
    let expected = "warning  proxies: the path /a%2Fb arrives as the end of /probe/a/b";
    assert!(checked.out.contains(expected), "{checked:?}");
}
