//! Replies of a mail server, compared with a client by RFC 5321. An input holds all replies of a server,
//! from the greeting on, after which it closes the connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use pat_core::notification::{NotificationKind, NotifyError};
use pat_core::testing::example_notification;
use pat_mail::testing::send_over;
use pat_mail::{Composer, Mail, SmtpError, SmtpUrl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "replies",
    grammar: conversation,
    words: &[
        "\r\n",
        "\n",
        "\r",
        " ",
        "-",
        "220",
        "250",
        "250 ",
        "250-",
        "354 ",
        "334 ",
        "235 ",
        "535 ",
        "550 ",
        "421",
        "AUTH PLAIN",
        "AUTH LOGIN",
        "SMTPUTF8",
        "8BITMIME",
        "\t",
        "a@b",
    ],
};

/// The end of a mail, and the commands of the client.
type Outcome = (End, Vec<String>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Sent,
    Rejected(u16),
    Refused(u16),
    LoginRefused(u16),
    NoLogin,
    AddressNotAscii,
    Protocol,
    Connection,
}

/// A mail, and the URL of the server.
struct Setting {
    url: SmtpUrl,
    mail: Mail,
}

/// The settings of each [`Case`].
static SETTINGS: LazyLock<[Setting; 3]> = LazyLock::new(|| {
    let setting = |url: &str, address: &str| Setting {
        url: url.parse().expect("a URL"),
        mail: mail(address),
    };
    [
        setting("smtp://localhost?tls=none", "ada@example.com"),
        setting("smtp://user:secret@localhost?tls=none", "ada@example.com"),
        setting("smtp://localhost?tls=none", "üser@example.com"),
    ]
});

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Plain,
    WithLogin,
    /// The recipient's address contains non-ASCII characters.
    Utf8,
}

#[test]
fn replies() {
    TARGET.check(bolero::check!(), |input| check(client, input));
}

#[test]
fn finds_a_reply_with_two_codes_that_counts_by_the_first() {
    TARGET.finds(bolero::check!(), |input| {
        check(
            |case, replies, step| client(case, &with_first_codes(replies), step),
            input,
        );
    });
}

/// A planted bug: only the first line's code is read.
fn with_first_codes(replies: &[u8]) -> Vec<u8> {
    let mut first: Option<Vec<u8>> = None;
    let mut changed = Vec::new();
    for line in replies.split_inclusive(|byte| *byte == b'\n') {
        let mut line = line.to_vec();
        if let Some((start, code)) = line.get_mut(..3).zip(first.as_deref()) {
            start.copy_from_slice(code);
        }
        let goes_on = line.get(3) == Some(&b'-');
        first = goes_on.then(|| line[..3].to_vec());
        changed.extend(line);
    }
    changed
}

fn check(client: impl Fn(Case, &[u8], usize) -> Outcome, replies: &[u8]) {
    for case in [Case::Plain, Case::WithLogin, Case::Utf8] {
        let Some(expected) = expected(case, replies) else {
            continue;
        };
        for step in [usize::MAX, 1, 7] {
            assert_eq!(client(case, replies, step), expected, "{case:?} by {step}");
        }
    }
}

/// Runs the mailer on these replies, of which it receives `step` bytes at a time.
fn client(case: Case, replies: &[u8], step: usize) -> Outcome {
    let said = Arc::new(Mutex::new(Vec::new()));
    let server = Server {
        replies: replies.to_vec(),
        step,
        said: Arc::clone(&said),
    };
    let setting = &SETTINGS[case as usize];
    let sent = send_over(server, &setting.url, &setting.mail).now_or_never();
    let sent = sent.expect("nothing to wait for");
    let end = match &sent {
        Ok(()) => End::Sent,
        Err(SmtpError::Rejected(reply)) => End::Rejected(reply.code()),
        Err(SmtpError::Refused(reply)) => End::Refused(reply.code()),
        Err(SmtpError::LoginRefused(reply)) => End::LoginRefused(reply.code()),
        Err(SmtpError::NoLogin) => End::NoLogin,
        Err(SmtpError::AddressNotAscii) => End::AddressNotAscii,
        Err(SmtpError::Protocol) => End::Protocol,
        Err(SmtpError::Connection(_)) => End::Connection,
        Err(error) => panic!("{error}"),
    };
    if let Err(error) = sent {
        let text = error.to_string();
        let is_clean = !text.contains('@') && !text.contains(char::is_control);
        assert!(is_clean && text.chars().count() < 300, "{text:?}");
        let is_final = match end {
            End::Rejected(code) => code >= 500 && ![530, 534, 535, 538].contains(&code),
            _ => end == End::AddressNotAscii,
        };
        let is_permanent = matches!(NotifyError::from(error), NotifyError::Permanent(_));
        assert_eq!(is_permanent, is_final, "{end:?}");
    }
    let said = said.lock().expect("no panic").clone();
    (end, commands(&String::from_utf8_lossy(&said)))
}

/// Returns the client's commands, except for `QUIT`; `.` stands for the message.
fn commands(said: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_message = false;
    for line in said.lines() {
        if is_message && line != "." {
            continue;
        }
        let words: Vec<_> = line.split(' ').collect();
        let command = match words[..] {
            ["AUTH", mechanism, ..] => format!("AUTH {mechanism}"),
            [first, ..] => first.to_owned(),
            [] => String::new(),
        };
        is_message = command == "DATA" && said.contains("\r\n.\r\n");
        commands.push(command);
    }
    commands.retain(|command| command != "QUIT");
    commands
}

fn mail(address: &str) -> Mail {
    let composer = Composer::builder("noreply@example.com")
        .build()
        .expect("a composer");
    let mut notification = example_notification(NotificationKind::Created, &["ci"]);
    address.clone_into(&mut notification.recipient.email);
    composer.compose(&notification).expect("a mail")
}

/// Returns the outcome by RFC 5321, and by RFC 4954 for the login; `None` for an intermediate reply to
/// EHLO, which the client of `lettre` takes for a final one and reads in part.
fn expected(case: Case, replies: &[u8]) -> Option<Outcome> {
    let mut client = Client {
        rest: replies,
        said: Vec::new(),
        is_ehlo_intermediate: false,
    };
    let end = client.converse(case).err().unwrap_or(End::Sent);
    (!client.is_ehlo_intermediate).then_some((end, client.said))
}

struct Client<'a> {
    rest: &'a [u8],
    said: Vec<String>,
    is_ehlo_intermediate: bool,
}

/// A code, and the texts of the lines.
type Reply = (u16, Vec<String>);

impl Client<'_> {
    fn converse(&mut self, case: Case) -> Result<(), End> {
        // Any positive reply will do as a greeting.
        self.want(None, 2..=3, End::Refused)?;
        let (code, lines) = self.want(Some("EHLO"), 2..=3, End::Refused)?;
        self.is_ehlo_intermediate = code / 100 == 3;
        let offers = |wanted: &str| {
            let mut words = lines.iter().map(|line| line.split_whitespace());
            words.any(|mut words| {
                words
                    .next()
                    .is_some_and(|word| word.eq_ignore_ascii_case(wanted))
            })
        };
        if case == Case::WithLogin {
            self.log_in(&lines)?;
        }
        if case == Case::Utf8 && !(offers("SMTPUTF8") && offers("8BITMIME")) {
            return Err(End::AddressNotAscii);
        }
        self.want(Some("MAIL"), 2..=2, End::Rejected)?;
        self.want(Some("RCPT"), 2..=2, End::Rejected)?;
        self.want(Some("DATA"), 3..=3, End::Rejected)?;
        self.want(Some("."), 2..=2, End::Rejected)?;
        Ok(())
    }

    fn log_in(&mut self, lines: &[String]) -> Result<(), End> {
        let mechanisms: Vec<_> = lines
            .iter()
            .map(|line| line.to_ascii_uppercase())
            .filter(|line| line.split_whitespace().next() == Some("AUTH"))
            .flat_map(|line| {
                line.split_whitespace()
                    .skip(1)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        let offers = |wanted: &str| mechanisms.iter().any(|offered| offered == wanted);
        if offers("PLAIN") {
            self.want(Some("AUTH PLAIN"), 2..=2, End::LoginRefused)?;
            return Ok(());
        }
        if !offers("LOGIN") {
            return Err(End::NoLogin);
        }
        let mut command = "AUTH LOGIN";
        for _ in 0..10 {
            let (code, lines) = self.want(Some(command), 2..=3, End::LoginRefused)?;
            match code {
                200..=299 => return Ok(()),
                334 => command = answer(&lines)?,
                _ => return Err(End::Protocol),
            }
        }
        match self.want(Some(command), 2..=2, End::LoginRefused) {
            Ok(_) | Err(End::Protocol) => Err(End::Protocol),
            Err(end) => Err(end),
        }
    }

    /// Sends a command, and reads a reply, whose first digit must be one of these.
    fn want(
        &mut self,
        command: Option<&str>,
        first_digits: std::ops::RangeInclusive<u16>,
        refusal: fn(u16) -> End,
    ) -> Result<Reply, End> {
        self.said.extend(command.map(str::to_owned));
        let (code, lines) = self.reply()?;
        match code / 100 {
            4 | 5 => Err(refusal(code)),
            digit if first_digits.contains(&digit) => Ok((code, lines)),
            _ => Err(End::Protocol),
        }
    }

    /// Reads a reply: each line has the code, and all but the last a hyphen after it (section 4.2).
    fn reply(&mut self) -> Result<Reply, End> {
        let (mut codes, mut lines) = (Vec::new(), Vec::new());
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let (line, rest) = self.rest.split_at(end.ok_or(End::Connection)?);
            self.rest = &rest[1..];
            // The stream drops carriage returns wherever they are.
            let line: String = line
                .iter()
                .filter(|byte| **byte != b'\r')
                .map(|byte| shown(*byte))
                .collect();
            let (code, rest) = line.split_at_checked(3).ok_or(End::Protocol)?;
            let is_code = code
                .chars()
                .zip(["2345", "012345", "0123456789"])
                .all(|(c, digits)| digits.contains(c));
            if !is_code {
                return Err(End::Protocol);
            }
            codes.push(code.parse::<u16>().expect("three digits"));
            lines.push(rest.chars().skip(1).take(506).collect());
            match rest.chars().next() {
                Some('-') => {}
                None | Some(' ') if codes.iter().all(|code| *code == codes[0]) => {
                    return Ok((codes[0], lines));
                }
                _ => return Err(End::Protocol),
            }
        }
    }
}

fn shown(byte: u8) -> char {
    match byte {
        b' '..=b'~' | b'\t' => char::from(byte),
        _ => '?',
    }
}

/// Returns the response to a challenge of LOGIN, which is not standardized.
fn answer(lines: &[String]) -> Result<&'static str, End> {
    let challenge = lines[0].split_whitespace().next().ok_or(End::Protocol)?;
    let challenge = STANDARD.decode(challenge).map_err(|_| End::Protocol)?;
    match challenge.to_ascii_lowercase().as_slice() {
        b"username" | b"username:" | b"user name" | b"user name\0" => Ok("dXNlcg=="),
        b"password" | b"password:" | b"password\0" => Ok("c2VjcmV0"),
        _ => Err(End::Protocol),
    }
}

/// A connection on which all replies can be read from the start.
#[derive(Debug)]
struct Server {
    replies: Vec<u8>,
    step: usize,
    said: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.replies.len().min(self.step).min(buf.remaining());
        buf.put_slice(&self.replies[..len]);
        self.replies.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.said.lock().expect("no panic").extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn conversation(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut replies = Vec::new();
    reply(dice, &mut replies, "220", &["mail.example.com ESMTP", ""]);
    let keywords = [
        "mail.example.com",
        "AUTH PLAIN",
        "AUTH LOGIN",
        "auth login plain",
        "AUTH CRAM-MD5",
        "SMTPUTF8",
        "8BITMIME",
        "SIZE 1000",
        "SmtpUtf8",
        "",
        "AUTH",
    ];
    reply(dice, &mut replies, "250", &keywords);
    let is_login = dice.once_in(2);
    if is_login {
        for _ in 0..dice.below(4) {
            let challenges = [
                "VXNlcm5hbWU6",
                "UGFzc3dvcmQ6",
                "dXNlcm5hbWU=",
                "YQ==",
                "=",
                "",
                "VXNlcm5hbWU6 x",
            ];
            reply(dice, &mut replies, "334", &challenges);
        }
        reply(dice, &mut replies, "235", &["2.7.0 accepted", ""]);
    }
    for code in ["250", "250", "354", "250"] {
        reply(
            dice,
            &mut replies,
            code,
            &["2.1.0 ok", "", "for <ada@example.com>", "\t", "é"],
        );
    }
    replies
}

fn reply(dice: &mut Dice<'_>, replies: &mut Vec<u8>, usual: &'static str, texts: &[&'static str]) {
    const OTHERS: [&str; 14] = [
        "250", "251", "354", "334", "220", "421", "450", "535", "550", "554", "599", "199", "260",
        "25",
    ];
    let code = if dice.once_in(20) {
        dice.word(&OTHERS)
    } else {
        usual
    };
    let lines = dice.below(4);
    for number in 0..=lines {
        let code = if dice.once_in(60) {
            dice.word(&OTHERS)
        } else {
            code
        };
        let usual = if number == lines { " " } else { "-" };
        let separator = if dice.once_in(50) {
            dice.word(&["", " ", "-", "\t", "_"])
        } else {
            usual
        };
        let times = if dice.once_in(40) { 40 } else { 1 };
        let text = dice.word(texts).repeat(times);
        let end = if dice.once_in(12) {
            dice.word(&["\n", "\r\r\n", "\r", ""])
        } else {
            "\r\n"
        };
        replies.extend(format!("{code}{separator}{text}{end}").bytes());
    }
    if dice.once_in(60) {
        replies.truncate(dice.below(replies.len() + 1));
    }
}
