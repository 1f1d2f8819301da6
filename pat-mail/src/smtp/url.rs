use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::ehlo;

const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;
const SMTP_PORT: u16 = 25;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// A notifier has two minutes for a notification (`pat_core::notification::Notifier::send`), and must
/// fail before.
const MAX_TIMEOUT: u64 = 100;

/// The URL of an SMTP server, with login and TLS mode: `smtp://user:password@host:587?tls=starttls` or
/// `smtps://user:password@host:465`.
///
/// `FromStr` parses such a URL, and returns an [`SmtpUrlError`] for any other text. The
/// [crate documentation](crate#the-smtp-url) lists the parts of the URL and their defaults. `Display`
/// and `Debug` leave out the user and the password.
///
/// ```
/// use pat_mail::SmtpUrl;
///
/// let url: SmtpUrl = "smtp://app:secret@mail.example.com".parse()?;
/// assert_eq!(url.to_string(), "smtp://mail.example.com:587?tls=starttls");
/// # Ok::<(), pat_mail::SmtpUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) login: Option<Login>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) ehlo: Option<ClientId>,
}

/// How the connection is protected. There is no "TLS if the server offers it": an attacker on the
/// network could remove the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// No TLS, within this machine.
    None,
    /// TLS after STARTTLS, which is required.
    StartTls,
    /// TLS from the start.
    Tls,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The error for a text that is not an [`SmtpUrl`]. `Display` says which part of the URL is wrong and
/// which values are allowed; it never repeats the URL, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SmtpUrlError(Cow<'static, str>);

impl SmtpUrlError {
    const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    fn encoding(part: &str) -> Self {
        Self(Cow::Owned(format!(
            "the {part} in the SMTP URL must be percent-encoded UTF-8 without control characters"
        )))
    }

    fn repeated(parameter: &str) -> Self {
        Self(Cow::Owned(format!(
            "the SMTP URL must have the parameter {parameter} only once"
        )))
    }
}

const NOT_A_URL: &str =
    "the SMTP URL must be like smtp://user:password@host:587 or smtps://host:465";
const SCHEME: &str = "the scheme of the SMTP URL must be smtp or smtps";
const HOST: &str = "the host of the SMTP URL must be a host name or an IP address";
const PORT: &str = "the port of the SMTP URL must be 1 to 65535";
const PATH: &str =
    "the SMTP URL must have no path and no fragment; parameters such as ca= follow a ?";
const LOGIN: &str = "the SMTP URL must have both a user and a password, or neither";
const PARAMETERS: &str = "the parameters of the SMTP URL are tls, ca, timeout and ehlo";
const TLS: &str = "tls in the SMTP URL must be starttls or none";
const TLS_WITH_SMTPS: &str =
    "an smtps URL uses TLS from the start: leave tls out, or use smtp with tls=starttls";
const PLAIN_TO_REMOTE: &str =
    "tls=none in the SMTP URL is for localhost, 127.0.0.0/8 and [::1] only";
const CA_WITHOUT_TLS: &str = "ca in the SMTP URL needs TLS: use tls=starttls or smtps";
const CA: &str = "ca in the SMTP URL must be the path of a PEM file";
const TIMEOUT: &str = "timeout in the SMTP URL must be 1 to 100 seconds";
const EHLO: &str = "ehlo in the SMTP URL must be a host name such as app.example.com, or an address \
                    in brackets such as [192.0.2.1] or [IPv6:2001:db8::1]";

impl SmtpUrl {
    /// Returns the host as sockets and certificates use it: an IPv6 address without brackets.
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
        let url = Url::parse(url).map_err(|_| SmtpUrlError::new(NOT_A_URL))?;
        let implicit_tls = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError::new(SCHEME)),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(SmtpUrlError::new(PATH));
        }
        let host = host(&url)?;
        let parameters = Parameters::parse(url.query().unwrap_or_default())?;
        let security = match (implicit_tls, parameters.tls.as_deref()) {
            (true, None) => Security::Tls,
            (true, Some(_)) => return Err(SmtpUrlError::new(TLS_WITH_SMTPS)),
            (false, Some("starttls")) => Security::StartTls,
            (false, Some("none")) if is_loopback(&host) => Security::None,
            (false, Some("none")) => return Err(SmtpUrlError::new(PLAIN_TO_REMOTE)),
            (false, Some(_)) => return Err(SmtpUrlError::new(TLS)),
            // A root certificate is of use only with TLS.
            (false, None) if is_loopback(&host) && parameters.ca.is_none() => Security::None,
            (false, None) => Security::StartTls,
        };
        if security == Security::None && parameters.ca.is_some() {
            return Err(SmtpUrlError::new(CA_WITHOUT_TLS));
        }
        Ok(Self {
            host,
            port: port(&url, security)?,
            security,
            login: login(&url)?,
            ca: parameters.ca()?,
            timeout: parameters.timeout()?,
            ehlo: parameters.ehlo()?,
        })
    }
}

fn host(url: &Url) -> Result<Host, SmtpUrlError> {
    let host = url.host_str().filter(|host| !host.is_empty());
    Host::parse(host.ok_or(SmtpUrlError::new(HOST))?).map_err(|_| SmtpUrlError::new(HOST))
}

/// Whether connections to the host stay within this machine; of names, only `localhost` counts.
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

fn port(url: &Url, security: Security) -> Result<u16, SmtpUrlError> {
    match (url.port(), security) {
        (Some(0), _) => Err(SmtpUrlError::new(PORT)),
        (Some(port), _) => Ok(port),
        (None, Security::None) => Ok(SMTP_PORT),
        (None, Security::StartTls) => Ok(SUBMISSION_PORT),
        (None, Security::Tls) => Ok(SUBMISSIONS_PORT),
    }
}

fn login(url: &Url) -> Result<Option<Login>, SmtpUrlError> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None | Some("")) => Err(SmtpUrlError::new(LOGIN)),
        (user, Some(password)) => Ok(Some(Login {
            user: decode(user, "user")?,
            password: decode(password, "password")?,
        })),
    }
}

fn decode(text: &str, part: &'static str) -> Result<String, SmtpUrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.ok().filter(|text| !text.contains(char::is_control));
    Ok(decoded.ok_or(SmtpUrlError::encoding(part))?.into_owned())
}

/// The decoded query. A plus sign stands for itself, unlike in an HTML form.
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
                _ => return Err(SmtpUrlError::new(PARAMETERS)),
            };
            if slot.replace(decode(value, name)?).is_some() {
                return Err(SmtpUrlError::repeated(name));
            }
        }
        Ok(parameters)
    }

    fn ca(&self) -> Result<Option<PathBuf>, SmtpUrlError> {
        match self.ca.as_deref() {
            Some("") => Err(SmtpUrlError::new(CA)),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    fn ehlo(&self) -> Result<Option<ClientId>, SmtpUrlError> {
        let ehlo = self.ehlo.as_deref();
        let ehlo = ehlo.map(|name| ehlo::parse(name).ok_or(SmtpUrlError::new(EHLO)));
        ehlo.transpose()
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
            .ok_or(SmtpUrlError::new(TIMEOUT))
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
    fn an_error_names_the_wrong_part() {
        let encoding = |part| format!("the {part} in the SMTP URL must be percent-encoded UTF-8");
        let encodings = ["user", "password", "ca"].map(encoding);
        let [user, password, ca] = &encodings;
        for (url, error) in [
            ("", NOT_A_URL),
            ("mail.example.com", NOT_A_URL),
            ("smtp://secret:secret@h:99999", NOT_A_URL),
            ("http://h", SCHEME),
            ("mailto:a@b", SCHEME),
            ("smtp:///", HOST),
            ("smtp:h", PATH),
            ("smtp://a b", NOT_A_URL),
            ("smtp://h:0", PORT),
            ("smtp://h/ehlo", PATH),
            ("smtp://h#x", PATH),
            ("smtp://secret@h", LOGIN),
            ("smtp://:secret@h", LOGIN),
            ("smtp://secret:@h", LOGIN),
            ("smtp://%ff:secret@h", user),
            ("smtp://secret:a%0d%0ab@h", password),
            ("smtp://h?ca=%ff", ca),
            ("smtp://h?starttls=yes", PARAMETERS),
            ("smtp://h?TLS=none", PARAMETERS),
            ("smtp://h?timeout=1&timeout=1", "timeout only once"),
            ("smtp://h?tls=opportunistic", TLS),
            ("smtp://h?tls", TLS),
            ("smtps://h?tls=starttls", TLS_WITH_SMTPS),
            ("smtps://localhost?tls=none", TLS_WITH_SMTPS),
            ("smtp://h?tls=none", PLAIN_TO_REMOTE),
            ("smtp://localhost.example?tls=none", PLAIN_TO_REMOTE),
            ("smtp://10.0.0.1?tls=none", PLAIN_TO_REMOTE),
            ("smtp://[::ffff:127.0.0.1]?tls=none", PLAIN_TO_REMOTE),
            ("smtp://localhost?tls=none&ca=/ca.pem", CA_WITHOUT_TLS),
            ("smtps://h?ca=", CA),
            ("smtp://h?timeout=0", TIMEOUT),
            ("smtp://h?timeout=101", TIMEOUT),
            ("smtp://h?timeout=30s", TIMEOUT),
            ("smtp://h?ehlo=", EHLO),
            ("smtp://h?ehlo=my_host", EHLO),
            ("smtp://h?ehlo=a%20b", EHLO),
            ("smtp://h?ehlo=a..b", EHLO),
            ("smtp://h?ehlo=[192.0.2.256]", EHLO),
            ("smtp://h?ehlo=[IPv6:192.0.2.1]", EHLO),
            ("smtp://h?ehlo=a&ehlo=a", "ehlo only once"),
        ] {
            let found = parse(url).unwrap_err().to_string();
            assert!(found.contains(error), "{url}: {found}");
            assert!(!found.contains("secret"), "{url}");
        }
    }

    #[test]
    fn the_login_is_never_shown() {
        let url = parse("smtps://secretuser:secretpass@h.example").unwrap();
        assert!(!format!("{url} {url:?} {url:#?}").contains("secret"));
    }
}
