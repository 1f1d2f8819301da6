//! A mail server that fails as a test wants it to (`mail/smtp/sink.py`), and certificates for servers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use pat_mail::{Composer, SmtpMailer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::mail::Mail;
use crate::python;

/// A running server; ended when it is dropped.
#[derive(Debug)]
pub struct Sink {
    /// Where it listens, on this machine.
    pub port: u16,
    folder: tempfile::TempDir,
    server: Child,
}

impl Sink {
    /// Without TLS and login.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With these arguments.
    pub fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(python::CLIENTS.program());
        command.arg("-I").arg(python::script("mail/smtp/sink.py"));
        command.arg(folder.path()).args(arguments).env_clear();
        let server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut server = server.expect("the server starts");
        let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
        let port = lines.next().expect("a greeting").expect("a line");
        Self {
            port: port.parse().expect("a port"),
            folder,
            server,
        }
    }

    /// With TLS (`starttls` or `smtps`) by this certificate.
    pub fn with_tls(tls: &str, ca: &Ca, more: &[&str]) -> Self {
        let [certificate, key] = [ca.certificate(), ca.key()];
        let mut arguments = vec!["--tls", tls, "--certificate", &certificate, "--key", &key];
        arguments.extend(more);
        Self::with(&arguments)
    }

    /// A mailer for this server, without TLS.
    pub fn mailer(&self) -> SmtpMailer {
        mailer(&format!("smtp://127.0.0.1:{}", self.port))
    }

    /// From now on this goes wrong; see `mail/smtp/sink.py`.
    pub fn fail(&self, fault: &str) {
        let part = self.folder.path().join("fault.part");
        fs::write(&part, fault).expect("a file");
        fs::rename(part, self.folder.path().join("fault")).expect("a rename");
    }

    /// From now on nothing goes wrong.
    pub fn work(&self) {
        fs::remove_file(self.folder.path().join("fault")).expect("a fault");
    }

    /// How often something has hung so far.
    pub fn hanging(&self) -> usize {
        let hanging = fs::read_to_string(self.folder.path().join("hanging"));
        hanging.map_or(0, |lines| lines.lines().count())
    }

    /// How many messages it has kept.
    pub fn count(&self) -> usize {
        self.files().len()
    }

    /// The messages it has kept, in the order of their arrival.
    pub fn mails(&self) -> Vec<Mail> {
        let files = self.files().into_iter();
        files
            .map(|path| {
                let content = fs::read(path).expect("a message");
                let end = content.iter().position(|byte| *byte == b'\n');
                let (head, raw) = content.split_at(end.expect("a line") + 1);
                let envelope = serde_json::from_slice(head).expect("an envelope");
                Mail::parse(envelope, raw.to_vec())
            })
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "eml"))
            .collect();
        paths.sort_unstable();
        paths
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ended_already = self.server.kill();
        let _status = self.server.wait();
    }
}

/// A mailer of this URL.
pub fn mailer(url: &str) -> SmtpMailer {
    let url = url.parse().expect("an SMTP URL");
    SmtpMailer::new(composer(), &url).expect("a mailer")
}

/// Builds what composes the mails.
pub fn composer() -> Composer {
    let builder = Composer::builder("Example <noreply@example.net>");
    builder.build().expect("a composer")
}

/// A certificate authority of the test, and a server's certificate by it.
#[derive(Debug)]
pub struct Ca {
    folder: tempfile::TempDir,
}

impl Ca {
    /// With a certificate for a server of this name.
    pub fn new(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root certificate");
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new([server.to_owned()]).expect("a name");
        // OpenSSL takes a certificate with the name of its issuer for one that is signed by itself.
        params.distinguished_name.push(DnType::CommonName, server);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let ca = Self { folder };
        for (path, text) in [
            (ca.root(), root.pem()),
            (ca.certificate(), certificate.pem()),
            (ca.key(), key.serialize_pem()),
        ] {
            fs::write(path, text).expect("a file");
        }
        ca
    }

    /// The file that clients trust.
    pub fn root(&self) -> String {
        self.path("root.pem")
    }

    /// The file with the server's certificate.
    pub fn certificate(&self) -> String {
        self.path("server.pem")
    }

    /// The file with the server's key.
    pub fn key(&self) -> String {
        self.path("server.key")
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}
