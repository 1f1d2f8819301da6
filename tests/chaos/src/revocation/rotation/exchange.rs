//! A request over a connection of its own, whose client may die while it reads the answer.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client does not wait for longer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What a client has of an answer.
pub(super) enum Received {
    /// The connection failed, or the client did not wait for longer.
    Nothing,
    /// Its beginning.
    Part(Vec<u8>),
    /// All of it.
    All(Answer),
}

impl Received {
    /// Whether the node may make the rotation later: it has sent nothing, or says that it does not know.
    pub(super) fn may_still_run(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Part(part) => !part.starts_with(CREATED),
            Self::All(answer) => answer.status == 503,
        }
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    /// `Null` if it is empty.
    pub(super) body: Value,
    /// In bytes, of the head and the body.
    pub(super) length: usize,
}

/// Sends a request for the rotation of this token. A client that is killed closes the connection after it has read so
/// many bytes.
pub(super) async fn rotate(
    base: &str,
    path: &str,
    token: &str,
    key: Option<&str>,
    body: &Value,
    killed_after: Option<usize>,
) -> Received {
    let host = base.strip_prefix("http://").expect("a URL");
    let body = body.to_string();
    let key = key.map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{key}Content-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    );
    let answer = timeout(TIMEOUT, exchange(host, &request, killed_after)).await;
    match answer {
        Ok(Ok(answer)) => match parse(&answer) {
            Some(answer) => Received::All(answer),
            None => Received::Part(answer),
        },
        _ => Received::Nothing,
    }
}

const CREATED: &[u8] = b"HTTP/1.1 201 ";

/// Whether this may be the beginning of the answer that has the new secret.
pub(super) fn may_be_created(part: &[u8]) -> bool {
    let known = part.len().min(CREATED.len());
    part[..known] == CREATED[..known]
}

async fn exchange(
    host: &str,
    request: &str,
    killed_after: Option<usize>,
) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let limit = killed_after.map_or(u64::MAX, |bytes| bytes.try_into().expect("a length"));
    let mut answer = Vec::new();
    // Bytes that are not read have the server know that the client is gone.
    stream.take(limit).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Parses an answer, if it is complete.
fn parse(answer: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let is_complete = length?.parse() == Ok(body.len());
    is_complete.then(|| Answer {
        status,
        body: serde_json::from_str(body).unwrap_or_default(),
        length: answer.len(),
    })
}
