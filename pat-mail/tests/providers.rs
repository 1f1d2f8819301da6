//! A host whose `rustls` has two crypto providers: its own, and the one of this crate.

use std::fs;
use std::sync::Arc;

use pat_core::notification::{NotificationKind, Notifier as _};
use pat_core::testing::example_notification;
use pat_mail::testing::TLS_LIBRARIES;
use pat_mail::{Composer, SmtpUrl};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn tls_works_though_no_provider_is_the_default() {
    assert!(
        std::panic::catch_unwind(ClientConfig::builder).is_err(),
        "rustls can choose between its providers"
    );
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a server");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(serve(listener, Arc::new(config).into()));

    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root.pem");
    fs::write(&root, cert.pem()).expect("a file");
    let url = format!("smtps://localhost:{port}?ca={}", root.display());
    let url: SmtpUrl = url.parse().expect("a URL");
    let notification = example_notification(NotificationKind::Created, &["ci"]);
    for (library, new_mailer) in TLS_LIBRARIES {
        let composer = Composer::builder("noreply@example.com").build();
        let mailer = new_mailer(composer.expect("a composer"), &url).expect("a mailer");
        let sent = mailer.send(&notification).await;
        assert!(sent.is_ok(), "{library}: {sent:?}");
    }
}

/// Accepts every command and every message.
async fn serve(listener: TcpListener, tls: TlsAcceptor) {
    while let Ok((tcp, _)) = listener.accept().await {
        let mut stream = BufReader::new(tls.accept(tcp).await.expect("a handshake"));
        let mut reply = "220 here\r\n";
        // Until the client hangs up.
        while stream.write_all(reply.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
            let end = if reply.starts_with("354") {
                ".\r\n"
            } else {
                "\n"
            };
            let mut line = String::new();
            while !line.ends_with(end) {
                match stream.read_line(&mut line).await {
                    Ok(1..) => {}
                    _ => break,
                }
            }
            reply = match line.as_str() {
                "" => break,
                "DATA\r\n" => "354 go on\r\n",
                _ => "250 yes\r\n",
            };
        }
    }
}
