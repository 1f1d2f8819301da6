use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How many bytes of a reply's line are kept. RFC 5321, section 4.5.3.1.5, allows 512 bytes, and the
/// client of `lettre` rejects lines of 1,000.
const MAX_LINE: usize = 510;
/// The length of a reply's code.
const CODE_LEN: usize = 3;

/// A connection that normalizes the replies of the server.
///
/// The code alone decides what a reply means (RFC 5321, section 4.2). Its text may be missing, too long
/// or in any encoding, and its lines may end with a bare line feed. The client of `lettre` treats such
/// a reply as a lost connection, even if the server has accepted the message, which would then be sent
/// again and again. This stream replaces bytes that are not ASCII, shortens the text, completes the line
/// ends, and gives positive replies a text. It writes these in upper case, since the client does not
/// know keywords of extensions in another (section 4.1.1.1). The end of the stream is an error, which
/// the client would report as a malformed reply.
#[derive(Debug)]
pub(crate) struct ReplyStream<S> {
    inner: S,
    peer: SocketAddr,
    line: Line,
    readable: Vec<u8>,
}

/// What is known of the line that is being read.
#[derive(Debug, Default)]
struct Line {
    len: usize,
    is_positive: bool,
    has_text: bool,
}

impl<S> ReplyStream<S> {
    pub(crate) fn new(inner: S, peer: SocketAddr) -> Self {
        Self {
            inner,
            peer,
            line: Line::default(),
            readable: Vec::new(),
        }
    }

    /// Creates a stream after the upgrade to TLS: the client waits for a greeting, which the server
    /// does not send again.
    pub(crate) fn greeted(inner: S, peer: SocketAddr) -> Self {
        Self {
            readable: b"220 \r\n".to_vec(),
            ..Self::new(inner, peer)
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                _ if self.line.len < MAX_LINE => self.readable.push(self.line.normalized(byte)),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        // A code without a space and a text is a complete reply too.
        if self.line.len == CODE_LEN {
            self.readable.push(b' ');
        }
        if self.line.is_positive && self.line.len >= CODE_LEN && !self.line.has_text {
            self.readable.push(b'?');
        }
        self.readable.extend_from_slice(b"\r\n");
        self.line = Line::default();
    }
}

impl Line {
    /// Adds a byte to the line, and returns what the client gets for it.
    fn normalized(&mut self, byte: u8) -> u8 {
        if self.len == 0 {
            self.is_positive = byte == b'2';
        }
        self.has_text |= self.len > CODE_LEN && !byte.is_ascii_whitespace();
        self.len += 1;
        match byte {
            b' '..=b'~' | b'\t' if self.is_positive => byte.to_ascii_uppercase(),
            b' '..=b'~' | b'\t' => byte,
            _ => b'?',
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.readable.is_empty() {
            let mut bytes = [0; 1024];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up");
                return Poll::Ready(Err(error));
            }
            self.take_in(read.filled());
        }
        let len = self.readable.len().min(buf.remaining());
        buf.put_slice(&self.readable[..len]);
        self.readable.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReplyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S> AsyncTokioStream for ReplyStream<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// A connection before STARTTLS, shared with a client and taken back for the upgrade.
///
/// Reads return one byte at a time, so no buffer can hold bytes that follow the server's reply to
/// STARTTLS. Otherwise an attacker on the network could inject a reply in plain text that the client
/// takes, after the upgrade, for one that came through TLS (CVE-2021-38371). Injected bytes reach the
/// TLS handshake instead, which fails.
#[derive(Debug, Clone)]
pub(crate) struct SharedStream(Arc<Mutex<TcpStream>>);

impl SharedStream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(tcp)))
    }

    /// Returns the connection, once no client holds it.
    pub(crate) fn take_back(self) -> Option<TcpStream> {
        let tcp = Arc::into_inner(self.0)?;
        Some(tcp.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn tcp(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut *self.tcp()).poll_read(cx, &mut one))?;
        buf.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.tcp()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tcp()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tcp()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    #[tokio::test]
    async fn a_reply_is_made_readable_whatever_its_text() {
        let long = format!("550 {}\r\n", "x".repeat(5_000));
        let cut = format!("550 {}\r\n", "x".repeat(MAX_LINE - 4));
        for (sent, read) in [
            (&b"550 no\r\n"[..], "550 no\r\n"),
            (b"550 f\xfcr\r\n", "550 f?r\r\n"),
            (
                b"550-\xff\xfe\r\n550 \x00\xe2\x82\r\n",
                "550-??\r\n550 ???\r\n",
            ),
            (b"550\r\n", "550 \r\n"),
            (b"550 no\n", "550 no\r\n"),
            (b"550-a\n550\n", "550-a\r\n550 \r\n"),
            (b"250-\n250 \t\n250", "250-?\r\n250 \t?\r\n250"),
            (b"25\n2\n\n", "25\r\n2\r\n\r\n"),
            (
                b"250-starttls\r\n250 auth Plain\r\n334 dXNlcg\r\n",
                "250-STARTTLS\r\n250 AUTH PLAIN\r\n334 dXNlcg\r\n",
            ),
            (long.as_bytes(), &cut),
        ] {
            let mut stream = ReplyStream::new(sent, PEER);
            let mut found = Vec::new();
            let end = stream.read_to_end(&mut found).await.unwrap_err();
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(String::from_utf8_lossy(&found), read);
        }
    }

    #[tokio::test]
    async fn nothing_is_read_ahead_before_the_upgrade() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server
            .write_all(b"220 go\r\n250 injected\r\n")
            .await
            .unwrap();

        let shared = SharedStream::new(client);
        let mut stream = ReplyStream::new(shared.clone(), address);
        let mut buf = [0; 64];
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n") {
            let len = stream.read(&mut buf).await.unwrap();
            reply.extend_from_slice(&buf[..len]);
        }
        assert_eq!(reply, b"220 GO\r\n");
        drop(stream);
        let mut tcp = shared.take_back().unwrap();
        let len = tcp.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], b"250 injected\r\n");
    }
}
