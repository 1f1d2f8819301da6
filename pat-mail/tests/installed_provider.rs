//! A process of its own, since it installs a crypto provider.

use pat_mail::testing::TLS_LIBRARIES;
use pat_mail::{Composer, SmtpError, SmtpUrl};
use rustls::crypto::{CryptoProvider, ring};

#[test]
fn the_provider_that_the_host_has_installed_is_preferred() {
    let useless = CryptoProvider {
        cipher_suites: Vec::new(),
        ..ring::default_provider()
    };
    useless.install_default().expect("the first one");
    let url: SmtpUrl = "smtps://mail.example.com".parse().expect("a URL");
    for (library, new_mailer) in TLS_LIBRARIES {
        let composer = Composer::builder("noreply@example.com").build();
        let mailer = new_mailer(composer.expect("a composer"), &url);
        match *library {
            "rustls" => assert!(matches!(mailer, Err(SmtpError::Tls(_))), "{mailer:?}"),
            _ => assert!(mailer.is_ok(), "{library}: {mailer:?}"),
        }
    }
}
