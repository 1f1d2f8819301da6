//! `doctor`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::timeout;

use super::arguments::DoctorArguments;
use super::finding::{Finding, Level};
use super::show::{self, Format};
use super::{Commands, Exit, Failure, Terminal, one_line};
use crate::notification::{
    Notification, NotificationId, NotificationKind, NotificationToken, Notifier, Recipient,
};
use crate::service::Pats;
use crate::settings::{Settings, SettingsSources};
use crate::store::{NodeReport, SCHEMA_VERSION, StoreTime};
use crate::token::TokenId;

/// How long one check may take.
const LIMIT: Duration = Duration::from_secs(30);
/// A difference of clocks that time synchronization would not leave.
const SKEW: SignedDuration = SignedDuration::from_secs(2);
/// By how much clock and mark of the database may differ while they agree: as for `Pats::ready`.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
const BEHIND: SignedDuration = SignedDuration::from_secs(1);
/// After how long without a report a node is silent: two reports were due.
const SILENT: SignedDuration = SignedDuration::from_secs(25);

pub(super) async fn run(
    commands: Commands,
    arguments: &DoctorArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let Commands {
        open,
        database,
        settings,
        notifiers,
        checks,
        url_check,
    } = commands;
    let url_check = match (&arguments.url, url_check) {
        (Some(_), None) => {
            return Err(Failure::because("this program has no check for --url"));
        }
        (url, check) => url.as_deref().zip(check),
    };
    let mut report = Report {
        format: arguments.format,
        findings: Vec::new(),
        terminal,
    };
    let (findings, effective) = of_settings(&settings);
    report.add(findings)?;
    if let Some(database) = database {
        let found = in_time("database", database.diagnose()).await;
        report.add(found)?;
    }
    match timeout(LIMIT, open()).await {
        Ok(Ok(pats)) => {
            report.add(in_time("clock", of_clock(&pats)).await)?;
            report.add(in_time("servers", of_nodes(&pats)).await)?;
            report.add(in_time("notifications", of_outbox(&pats)).await)?;
        }
        Ok(Err(error)) => report.add(vec![Finding::failed(
            "service",
            one_line(&*error),
            "the commands for tokens need this; see also the finding about the database",
        )])?,
        Err(_) => report.add(vec![Finding::failed(
            "service",
            "it was not ready within 30 seconds",
            "see what the database does, for example whether a transaction holds a lock",
        )])?,
    }
    for notifier in &notifiers {
        let to = arguments.send_to.as_deref();
        report.add(in_time(notifier.name(), of_notifier(&**notifier, to, &effective)).await)?;
    }
    report.add(of_mail_settings(&effective, &notifiers, arguments))?;
    for check in &checks {
        report.add(in_time("check", check.run()).await)?;
    }
    if let Some((url, check)) = url_check {
        report.add(in_time("proxies", check.run(url)).await)?;
    }
    report.finish()
}

/// Shows findings as they come.
struct Report<'t> {
    format: Format,
    findings: Vec<Finding>,
    terminal: &'t mut Terminal,
}

impl Report<'_> {
    fn add(&mut self, findings: Vec<Finding>) -> Result<(), Failure> {
        if self.format == Format::Table {
            for finding in &findings {
                let text = show::plain(&finding.text);
                let (level, subject) = (finding.level.as_str(), &finding.subject);
                writeln!(self.terminal.out, "{level:7}  {subject}: {text}")?;
                if let Some(advice) = &finding.advice {
                    writeln!(self.terminal.out, "{:9}{}", "", show::plain(advice))?;
                }
            }
            self.terminal.out.flush()?;
        }
        self.findings.extend(findings);
        Ok(())
    }

    fn finish(self) -> Result<Exit, Failure> {
        let count = |level| {
            let found = self.findings.iter();
            found.filter(|finding| finding.level == level).count()
        };
        let (failed, warnings) = (count(Level::Failed), count(Level::Warning));
        match self.format {
            Format::Table => writeln!(self.terminal.out, "{failed} failed, {warnings} warnings")?,
            Format::Json => {
                let findings = self.findings.iter().map(|finding| {
                    json!({
                        "level": finding.level.as_str(),
                        "subject": finding.subject,
                        "text": finding.text,
                        "advice": finding.advice,
                    })
                });
                let findings: Vec<_> = findings.collect();
                writeln!(self.terminal.out, "{:#}", json!(findings))?;
            }
        }
        self.terminal.out.flush()?;
        Ok(if failed == 0 {
            Exit::Done
        } else {
            Exit::LookAfter
        })
    }
}

async fn in_time(subject: &str, check: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    timeout(LIMIT, check).await.unwrap_or_else(|_elapsed| {
        vec![Finding::failed(
            subject,
            "there was no answer within 30 seconds",
            "see whether the network reaches it, and what it waits for",
        )]
    })
}

/// The findings about the settings, and the settings, which have defaults where a value is not allowed.
fn of_settings(sources: &SettingsSources) -> (Vec<Finding>, Settings) {
    const SUBJECT: &str = "settings";
    let reading = sources.read();
    let mut findings: Vec<_> = reading
        .problems()
        .iter()
        .map(|problem| Finding::failed(SUBJECT, problem.to_string(), "see check-config"))
        .collect();
    findings.extend(
        reading
            .warnings()
            .iter()
            .map(|warning| Finding::warning(SUBJECT, warning, "give the option once")),
    );
    if findings.is_empty() {
        let set = reading.values().iter();
        let set = set.filter(|value| value.source().is_some()).count();
        findings.push(Finding::ok(SUBJECT, format!("{set} set, all allowed")));
    }
    let settings = reading.into_settings().unwrap_or_default();
    let zone = settings.time_zone();
    findings.push(Finding::ok(
        "time zone",
        format!(
            "pat.time.zone is {zone}, where it is now {}",
            zone.show(now())
        ),
    ));
    (findings, settings)
}

fn now() -> Timestamp {
    use crate::clock::Clock as _;
    crate::clock::SystemClock.wall()
}

/// What the database does not tell.
fn unreadable(subject: &'static str, error: &dyn std::error::Error) -> Finding {
    let advice = "see the finding about the database";
    Finding::failed(subject, one_line(error), advice)
}

/// Compares the clock of the database with that of this machine, and with its mark.
async fn of_clock(pats: &Pats) -> Vec<Finding> {
    const SUBJECT: &str = "clock";
    let context = &pats.0.context;
    // The first answer may wait for a connection.
    let mut nearest = None;
    for _ in 0..3 {
        let sent = context.time.machine();
        let page = context
            .ask(context.request_timeout(), context.store.changes_since(None))
            .await;
        let time = match page {
            Ok(page) => page.time,
            Err(error) => return vec![unreadable(SUBJECT, &error)],
        };
        let took = context.time.machine().duration_since(sent);
        if nearest.is_none_or(|(_, _, least)| took < least) {
            nearest = Some((time, sent, took));
        }
    }
    let Some((time, sent, took)) = nearest else {
        return Vec::new();
    };
    let here = sent + took / 2;
    let nodes = context.store.nodes();
    let nodes = context.ask(context.request_timeout(), nodes).await;
    let mut findings = vec![skew(time, here, took)];
    findings.extend(leap(time, here, nodes.is_ok_and(|nodes| !nodes.is_empty())));
    findings
}

fn skew(time: StoreTime, here: Timestamp, took: SignedDuration) -> Finding {
    const SUBJECT: &str = "clock";
    let Some(clock) = time.clock else {
        return Finding::ok(
            SUBJECT,
            format!("the database uses the clock of this machine, which shows {here:.0}"),
        );
    };
    let skew = clock.duration_since(here);
    let text = format!(
        "the database's clock is {} this machine's (± {} ms)",
        difference(skew),
        (took / 2).as_millis()
    );
    if skew.abs() <= SKEW + took / 2 {
        return Finding::ok(SUBJECT, text);
    }
    Finding::warning(
        SUBJECT,
        text,
        "tokens expire by the database's clock; let both machines set theirs by NTP",
    )
}

/// Compares the clock with the mark, which advances while a node runs.
fn leap(time: StoreTime, here: Timestamp, has_nodes: bool) -> Option<Finding> {
    const SUBJECT: &str = "clock";
    let leap = time.clock.unwrap_or(here).duration_since(time.mark?);
    if (-BEHIND..=AHEAD).contains(&leap) {
        return Some(Finding::ok(
            SUBJECT,
            "it agrees with the time that the servers vouch for",
        ));
    }
    let text = format!(
        "the clock is {} the time that the servers vouch for",
        difference(leap)
    );
    if leap.is_positive() && !has_nodes {
        return Some(Finding::ok(
            SUBJECT,
            format!("{text}; no server has run meanwhile"),
        ));
    }
    Some(Finding::failed(
        SUBJECT,
        text,
        "if the clock is wrong, set it right; if it is right, accept it (Pats::accept_clock)",
    ))
}

fn difference(by: SignedDuration) -> String {
    let direction = if by.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    let millis = by.abs().as_millis();
    if millis < 10_000 {
        return format!("{}.{:03} s {direction}", millis / 1_000, millis % 1_000);
    }
    let seconds = SignedDuration::from_secs(by.abs().as_secs());
    format!("{seconds:#} {direction}")
}

/// Looks for nodes that no longer report, and for those of older versions.
async fn of_nodes(pats: &Pats) -> Vec<Finding> {
    const SUBJECT: &str = "servers";
    let context = &pats.0.context;
    if !context.is_shared() {
        return Vec::new();
    }
    let nodes = context
        .ask(context.request_timeout(), context.store.nodes())
        .await;
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(error) => return vec![unreadable(SUBJECT, &error)],
    };
    let now = pats.now();
    let silent = |node: &&NodeReport| now.duration_since(node.now) > SILENT;
    let (silent, older) = (
        nodes.iter().filter(silent).count(),
        nodes
            .iter()
            .filter(|node| node.version < SCHEMA_VERSION)
            .count(),
    );
    let mut findings = vec![Finding::ok(
        SUBJECT,
        format!("{} running", nodes.len() - silent),
    )];
    if silent > 0 {
        findings.push(Finding::warning(
            SUBJECT,
            format!("{silent} have not reported for 25 seconds"),
            "if they were killed, they are forgotten within minutes; if they run, see their logs, and the clocks of \
             their machines",
        ));
    }
    if older > 0 {
        findings.push(Finding::warning(
            SUBJECT,
            format!("{older} run an older version than {SCHEMA_VERSION} of the tables"),
            "features of this version are refused until they are updated",
        ));
    }
    findings
}

/// Looks for notifications that wait for long or could not be sent.
async fn of_outbox(pats: &Pats) -> Vec<Finding> {
    const SUBJECT: &str = "notifications";
    let outbox = match pats.outbox().await {
        Ok(outbox) => outbox,
        Err(error) => return vec![unreadable(SUBJECT, &error)],
    };
    let late = outbox
        .oldest_pending_at
        .map(|at| pats.now().duration_since(at));
    let text = format!("{} wait, {} could not be sent", outbox.pending, outbox.dead);
    if outbox.dead > 0 {
        return vec![Finding::warning(
            SUBJECT,
            text,
            "see Pats::dead_notifications for the reasons; once they are corrected, send them again \
             (Pats::requeue_all_notifications)",
        )];
    }
    if late.is_some_and(|late| late > SignedDuration::from_mins(10)) {
        return vec![Finding::warning(
            SUBJECT,
            format!("{text}; the oldest was queued more than ten minutes ago"),
            "see whether a server runs, and the finding about its mail server",
        )];
    }
    vec![Finding::ok(SUBJECT, text)]
}

async fn of_notifier(
    notifier: &dyn Notifier,
    send_to: Option<&str>,
    settings: &Settings,
) -> Vec<Finding> {
    const ADVICE: &str =
        "notifications wait in the database until this is corrected, for about five days";
    let subject = format!("notifier {}", notifier.name());
    let mut findings = vec![match notifier.diagnose().await {
        Ok(Some(text)) => Finding::ok(&subject, text),
        Ok(None) => Finding::ok(&subject, "it has no check"),
        Err(error) => return vec![Finding::failed(&subject, one_line(&error), ADVICE)],
    }];
    if let Some(address) = send_to {
        findings.push(
            match notifier.send(&test_notification(address, settings)).await {
                Ok(()) => Finding::ok(&subject, "it has accepted the notification of --send-to"),
                Err(error) => Finding::failed(&subject, one_line(&error), ADVICE),
            },
        );
    }
    findings
}

/// Returns a notification of a token that does not exist.
fn test_notification(address: &str, settings: &Settings) -> Notification {
    let number = |number| NotificationId::new(number).expect("a small number is an ID");
    let id = NotificationId::random().unwrap_or_else(|_| number(0));
    let token = TokenId::new(0).expect("a small number is an ID");
    let token = NotificationToken::new(
        token,
        "Test by the command doctor; there is no such token",
        now(),
    );
    let recipient = Recipient::new("Operator", address);
    let kind = NotificationKind::Created;
    let mut notification = Notification::new(id, kind, recipient, vec![token], now());
    notification.base_url = settings.base_url().map(str::to_owned);
    notification
}

fn of_mail_settings(
    settings: &Settings,
    notifiers: &[Arc<dyn Notifier>],
    arguments: &DoctorArguments,
) -> Vec<Finding> {
    const SUBJECT: &str = "notifications";
    let mut findings = Vec::new();
    if notifiers.is_empty() {
        findings.push(Finding::warning(
            SUBJECT,
            "owners are not notified of tokens that expire",
            "configure a notifier, such as a mail server",
        ));
        if arguments.send_to.is_some() {
            let text = "--send-to has nothing that sends";
            findings.push(Finding::failed(SUBJECT, text, "configure a mail server"));
        }
    } else if !settings.mail_notifications_enabled() {
        findings.push(Finding::warning(
            SUBJECT,
            "atlassian.pats.mail.notifications.enabled is false, so none is sent",
            "set it to true",
        ));
    } else if settings.base_url().is_none() {
        findings.push(Finding::warning(
            SUBJECT,
            "pat.base.url is not set, so they have no link to the tokens",
            "set it to the URL at which users reach the host",
        ));
    }
    findings
}
