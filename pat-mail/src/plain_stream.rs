use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake (RFC 8446, section 5.1). No SMTP command begins with it.
const HANDSHAKE: u8 = 22;

/// A connection that will be upgraded by STARTTLS.
///
/// Before the upgrade it gives out one byte at a time. So nothing that follows the server's answer
/// to STARTTLS can lie in a buffer above it and be taken, after the upgrade, for an answer that
/// came through TLS: whoever sits between could put words into the server's mouth that way
/// (CVE-2021-38371 and its kin). What was slipped in meets the TLS handshake, which fails.
#[derive(Debug)]
pub(crate) struct PlainStream {
    tcp: TcpStream,
    upgraded: bool,
}

impl PlainStream {
    pub(crate) const fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            upgraded: false,
        }
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.upgraded || buf.remaining() == 0 {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut one))?;
        buf.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.upgraded |= buf.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for PlainStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

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

        let mut stream = PlainStream::new(client);
        let mut buf = [0; 64];
        for expected in b"220 go\r\n" {
            assert_eq!(stream.read(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], *expected);
        }
        stream.write_all(&[HANDSHAKE, 3, 1]).await.unwrap();
        assert_eq!(
            stream.read(&mut buf).await.unwrap(),
            b"250 injected\r\n".len()
        );
    }
}
