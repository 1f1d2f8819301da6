//! A mail server for tests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::SmtpMailer;
use crate::message::Composer;

/// A server with given answers, which records the commands that it receives.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Pairs of the start of a command and the answer, which is sent as Latin-1; nothing is sent
    /// for an empty one.
    answers: &'static [(&'static str, &'static str)],
    heard: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn new(answers: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            answers,
            ..Self::default()
        }
    }

    /// Returns a mailer for this server; `url` is the part of the URL after the port.
    pub(crate) async fn start(&self, url: &str) -> SmtpMailer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(script.clone().serve(client));
            }
        });
        let composer = Composer::builder("noreply@example.com").build().unwrap();
        let url = format!("smtp://user:secret@127.0.0.1:{port}{url}")
            .parse()
            .unwrap();
        SmtpMailer::new(composer, &url).unwrap()
    }

    async fn serve(self, client: TcpStream) {
        let mut client = BufReader::new(client);
        let mut command = "CONNECT".to_owned();
        let mut in_data = false;
        loop {
            if in_data {
                in_data = command != ".";
                command = "END".to_owned();
            }
            if !in_data {
                self.heard.lock().unwrap().push(command.clone());
                let answer = self.answer(&command);
                in_data = answer.starts_with("354");
                client.write_all(&latin1(&answer)).await.unwrap();
            }
            command.clear();
            if client.read_line(&mut command).await.unwrap_or(0) == 0 {
                break;
            }
            command.truncate(command.trim_end().len());
        }
    }

    fn answer(&self, command: &str) -> String {
        let scripted = self
            .answers
            .iter()
            .find(|(start, _)| command.starts_with(start));
        let usual = match command.split(' ').next() {
            Some("CONNECT") => "220 ready",
            Some("EHLO") => "250-here\r\n250 AUTH PLAIN",
            Some("AUTH") => "235 welcome",
            Some("DATA") => "354 go on",
            _ => "250 fine",
        };
        match scripted.map_or(usual, |(_, answer)| answer) {
            "" => String::new(),
            answer => format!("{answer}\r\n"),
        }
    }

    /// Counts the received commands with this start. `CONNECT` stands for a new connection, and
    /// `END` for the end of a message.
    pub(crate) fn times(&self, start: &str) -> usize {
        self.heard(start).len()
    }

    /// Returns the received commands with this start.
    pub(crate) fn heard(&self, start: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let heard = heard.iter().filter(|command| command.starts_with(start));
        heard.cloned().collect()
    }
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}
