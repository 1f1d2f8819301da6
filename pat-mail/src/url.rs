use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::{SmtpUrlError, hello};

const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;
const SMTP_PORT: u16 = 25;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// A mailer has two minutes for a notification (`pat_core::Notifier::send`); it must fail before that.
const MAX_TIMEOUT: u64 = 100;

/// How to reach a mail server: `smtp://user:password@host:587?tls=starttls` or
/// `smtps://user:password@host:465`.
///
/// The parts are in the table of the [crate docs](crate). It is shown without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) login: Option<Login>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) hello: Option<ClientId>,
}

/// How the connection is protected. There is no "TLS if the server offers it": whoever sits between
/// could take the offer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Not at all, within this machine.
    None,
    /// TLS after STARTTLS, or no connection.
    StartTls,
    /// TLS from the start.
    Tls,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl SmtpUrl {
    /// The host as sockets and certificates know it: an IPv6 address without brackets.
    pub(crate) fn host_name(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }
}

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    fn from_str(url: &str) -> Result<Self, SmtpUrlError> {
        let url = Url::parse(url).map_err(|_| SmtpUrlError::NotAUrl)?;
        let implicit_tls = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError::Scheme),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(SmtpUrlError::Path);
        }
        let host = host(&url)?;
        let parameters = Parameters::parse(url.query().unwrap_or_default())?;
        let security = match (implicit_tls, parameters.tls.as_deref()) {
            (true, None) => Security::Tls,
            (true, Some(_)) => return Err(SmtpUrlError::TlsWithSmtps),
            (false, Some("starttls")) => Security::StartTls,
            (false, Some("none")) if is_loopback(&host) => Security::None,
            (false, Some("none")) => return Err(SmtpUrlError::PlainToRemote),
            (false, Some(_)) => return Err(SmtpUrlError::Tls),
            // Whoever names a root certificate means TLS.
            (false, None) if is_loopback(&host) && parameters.ca.is_none() => Security::None,
            (false, None) => Security::StartTls,
        };
        if security == Security::None && parameters.ca.is_some() {
            return Err(SmtpUrlError::CaWithoutTls);
        }
        Ok(Self {
            host,
            port: port(&url, security)?,
            security,
            login: login(&url)?,
            ca: parameters.ca()?,
            timeout: parameters.timeout()?,
            hello: parameters.hello()?,
        })
    }
}

fn host(url: &Url) -> Result<Host, SmtpUrlError> {
    let host = url.host_str().filter(|host| !host.is_empty());
    Host::parse(host.ok_or(SmtpUrlError::Host)?).map_err(|_| SmtpUrlError::Host)
}

/// Only what cannot leave this machine: no name but `localhost` is trusted to mean it.
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

fn port(url: &Url, security: Security) -> Result<u16, SmtpUrlError> {
    match (url.port(), security) {
        (Some(0), _) => Err(SmtpUrlError::Port),
        (Some(port), _) => Ok(port),
        (None, Security::None) => Ok(SMTP_PORT),
        (None, Security::StartTls) => Ok(SUBMISSION_PORT),
        (None, Security::Tls) => Ok(SUBMISSIONS_PORT),
    }
}

fn login(url: &Url) -> Result<Option<Login>, SmtpUrlError> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None | Some("")) => Err(SmtpUrlError::Login),
        (user, Some(password)) => Ok(Some(Login {
            user: decode(user, "user")?,
            password: decode(password, "password")?,
        })),
    }
}

fn decode(text: &str, part: &'static str) -> Result<String, SmtpUrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.ok().filter(|text| !text.contains(char::is_control));
    Ok(decoded.ok_or(SmtpUrlError::Encoding(part))?.into_owned())
}

/// The query, decoded. A plus sign means itself: this is no HTML form.
#[derive(Default)]
struct Parameters {
    tls: Option<String>,
    ca: Option<String>,
    timeout: Option<String>,
    ehlo: Option<String>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, SmtpUrlError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, slot) = match name {
                "tls" => ("tls", &mut parameters.tls),
                "ca" => ("ca", &mut parameters.ca),
                "timeout" => ("timeout", &mut parameters.timeout),
                "ehlo" => ("ehlo", &mut parameters.ehlo),
                _ => return Err(SmtpUrlError::UnknownParameter),
            };
            if slot.replace(decode(value, name)?).is_some() {
                return Err(SmtpUrlError::RepeatedParameter(name));
            }
        }
        Ok(parameters)
    }

    fn ca(&self) -> Result<Option<PathBuf>, SmtpUrlError> {
        match self.ca.as_deref() {
            Some("") => Err(SmtpUrlError::Ca),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    fn hello(&self) -> Result<Option<ClientId>, SmtpUrlError> {
        let hello = self.ehlo.as_deref();
        let hello = hello.map(|name| hello::parse(name).ok_or(SmtpUrlError::Ehlo));
        hello.transpose()
    }

    fn timeout(&self) -> Result<Duration, SmtpUrlError> {
        let Some(timeout) = &self.timeout else {
            return Ok(DEFAULT_TIMEOUT);
        };
        let seconds = timeout
            .parse()
            .ok()
            .filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
        seconds
            .map(Duration::from_secs)
            .ok_or(SmtpUrlError::Timeout)
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, tls) = match self.security {
            Security::None => ("smtp", "?tls=none"),
            Security::StartTls => ("smtp", "?tls=starttls"),
            Security::Tls => ("smtps", ""),
        };
        write!(f, "{scheme}://{}:{}{tls}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<SmtpUrl, SmtpUrlError> {
        url.parse()
    }

    #[test]
    fn defaults_follow_scheme_and_host() {
        for (url, shown) in [
            (
                "smtp://mail.example.com",
                "smtp://mail.example.com:587?tls=starttls",
            ),
            (
                "smtp://mail.example.com:25/",
                "smtp://mail.example.com:25?tls=starttls",
            ),
            (
                "smtp://mail.example.com?tls=starttls",
                "smtp://mail.example.com:587?tls=starttls",
            ),
            ("smtps://mail.example.com", "smtps://mail.example.com:465"),
            ("smtps://[2001:db8::1]:4650", "smtps://[2001:db8::1]:4650"),
            ("smtp://localhost", "smtp://localhost:25?tls=none"),
            (
                "smtp://LOCALHOST:1025?tls=none",
                "smtp://localhost:1025?tls=none",
            ),
            ("smtp://127.9.9.9", "smtp://127.9.9.9:25?tls=none"),
            ("smtp://[::1]:2525", "smtp://[::1]:2525?tls=none"),
            (
                "smtp://localhost?tls=starttls",
                "smtp://localhost:587?tls=starttls",
            ),
            (
                "smtp://localhost?ca=/ca.pem",
                "smtp://localhost:587?tls=starttls",
            ),
            (
                "smtp://bücher.example",
                "smtp://xn--bcher-kva.example:587?tls=starttls",
            ),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), shown, "{url}");
        }
    }

    #[test]
    fn login_and_parameters_are_decoded() {
        let url = "smtp://us%40er:p%3Aa%2Fs%20s@h.example?timeout=100&ca=/etc/a+b%20c.pem";
        let url = parse(url).unwrap();
        let login = url.login.as_ref().unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.as_str()),
            ("us@er", "p:a/s s")
        );
        assert_eq!(url.ca.as_deref(), Some("/etc/a+b c.pem".as_ref()));
        assert_eq!(url.timeout, Duration::from_secs(100));
        assert_eq!(parse("smtp://h.example").unwrap().timeout, DEFAULT_TIMEOUT);
    }

    #[test]
    fn what_is_wrong_is_named() {
        use SmtpUrlError as E;
        for (url, error) in [
            ("", E::NotAUrl),
            ("mail.example.com", E::NotAUrl),
            ("smtp://secret:secret@h:99999", E::NotAUrl),
            ("http://h", E::Scheme),
            ("mailto:a@b", E::Scheme),
            ("smtp:///", E::Host),
            ("smtp:h", E::Path),
            ("smtp://a b", E::NotAUrl),
            ("smtp://h:0", E::Port),
            ("smtp://h/ehlo", E::Path),
            ("smtp://h#x", E::Path),
            ("smtp://secret@h", E::Login),
            ("smtp://:secret@h", E::Login),
            ("smtp://secret:@h", E::Login),
            ("smtp://%ff:secret@h", E::Encoding("user")),
            ("smtp://secret:a%0d%0ab@h", E::Encoding("password")),
            ("smtp://h?ca=%ff", E::Encoding("ca")),
            ("smtp://h?starttls=yes", E::UnknownParameter),
            ("smtp://h?TLS=none", E::UnknownParameter),
            (
                "smtp://h?timeout=1&timeout=1",
                E::RepeatedParameter("timeout"),
            ),
            ("smtp://h?tls=opportunistic", E::Tls),
            ("smtp://h?tls", E::Tls),
            ("smtps://h?tls=starttls", E::TlsWithSmtps),
            ("smtps://localhost?tls=none", E::TlsWithSmtps),
            ("smtp://h?tls=none", E::PlainToRemote),
            ("smtp://localhost.example?tls=none", E::PlainToRemote),
            ("smtp://10.0.0.1?tls=none", E::PlainToRemote),
            ("smtp://[::ffff:127.0.0.1]?tls=none", E::PlainToRemote),
            ("smtp://localhost?tls=none&ca=/ca.pem", E::CaWithoutTls),
            ("smtps://h?ca=", E::Ca),
            ("smtp://h?timeout=0", E::Timeout),
            ("smtp://h?timeout=101", E::Timeout),
            ("smtp://h?timeout=30s", E::Timeout),
            ("smtp://h?ehlo=", E::Ehlo),
            ("smtp://h?ehlo=my_host", E::Ehlo),
            ("smtp://h?ehlo=a%20b", E::Ehlo),
            ("smtp://h?ehlo=a..b", E::Ehlo),
            ("smtp://h?ehlo=[192.0.2.256]", E::Ehlo),
            ("smtp://h?ehlo=[IPv6:192.0.2.1]", E::Ehlo),
            ("smtp://h?ehlo=a&ehlo=a", E::RepeatedParameter("ehlo")),
        ] {
            let found = parse(url).unwrap_err();
            assert_eq!(found, error, "{url}");
            assert!(!found.to_string().contains("secret"), "{url}");
        }
    }

    #[test]
    fn the_login_is_never_shown() {
        let url = parse("smtps://secretuser:secretpass@h.example").unwrap();
        assert!(!format!("{url} {url:?} {url:#?}").contains("secret"));
    }
}
