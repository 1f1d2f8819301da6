//! The token that proves that a form comes from a page that this browser was shown.
//!
//! It stands beside the check of `Sec-Fetch-Site` and `Origin` ([`Csrf`](crate::http::csrf::Csrf))
//! because that check trusts the whole origin and passes clients that send neither header: the token
//! binds a form to one user and one browser session. The same cookie remembers submissions, since a
//! form that was answered and one whose answer was lost need different evidence: [`SubmissionId`]
//! recognises the first after the token was revoked or renamed, the list of tokens that the form
//! holds the second, in a browser that never got the cookie.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use pat_core::Owner;
use sha2::Sha256;

/// The name of the field that holds the token of a form.
pub(super) const FORM_TOKEN: &str = "form_token";

/// The secret of one browser session, in a cookie that lasts as long as the session.
///
/// Each form holds a MAC of the signed-in user under this secret. Another site can make the browser
/// send the cookie, but can neither read it nor make the MAC; and a form that was opened by one
/// user, or in one session, does not work in another. Nothing is stored, and nodes share no key.
///
/// The cookie also remembers which forms for a new token were sent last ([`SubmissionId`]), so that one that
/// is sent again creates nothing, on whichever node it arrives. What the browser makes of that is
/// its own affair: a sheet that is forgotten or made up only concerns its own user.
///
/// An attacker could still *plant* a cookie with a secret of the attacker's own. `__Host-` forbids that
/// to every site but the host itself over TLS, neighbours under the same domain included. The cookie
/// is `SameSite=Lax` and not `Strict`: a browser that follows a link in a mail would otherwise arrive
/// without it and get a new one, and forms that are open in other tabs would stop working.
#[derive(Clone)]
pub(super) struct CsrfSecret {
    secret: [u8; SECRET_LEN],
    /// The forms that created a token, the last one first.
    sent: Vec<SubmissionId>,
}

const SECRET_LEN: usize = 32;
/// How many forms a browser remembers: a reload or "back" is about one of the last.
const MAX_SENT: usize = 8;

/// One form as it was shown once, told apart from the same form shown another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubmissionId([u8; SHEET_LEN]);

const SHEET_LEN: usize = 9;

impl SubmissionId {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut sheet = [0; SHEET_LEN];
        getrandom::fill(&mut sheet)?;
        Ok(Self(sheet))
    }

    /// As it stands in the form.
    pub(super) fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for CsrfSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfSecret").finish_non_exhaustive()
    }
}

/// How the cookie is named and where browsers take it from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tls,
    Plain,
}

impl Transport {
    fn cookie_name(self) -> &'static str {
        match self {
            Self::Tls => "__Host-pat-form",
            Self::Plain => "pat-form",
        }
    }
}

impl CsrfSecret {
    /// The one that the browser sent; `None` if it sent none, or something else under its name.
    pub(super) fn of(headers: &HeaderMap, transport: Transport) -> Option<Self> {
        let name = transport.cookie_name().as_bytes();
        // Pair by pair and as bytes: others write into this header too, and not always in ASCII.
        let fields = headers.get_all(COOKIE).iter();
        fields
            .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="))
            .find_map(|value| {
                let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
                Self::from_bytes(&bytes)
            })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (secret, sent) = bytes.split_first_chunk()?;
        let (sent, rest) = sent.as_chunks();
        (rest.is_empty() && sent.len() <= MAX_SENT).then(|| Self {
            secret: *secret,
            sent: sent.iter().copied().map(SubmissionId).collect(),
        })
    }

    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_LEN];
        getrandom::fill(&mut secret)?;
        Ok(Self {
            secret,
            sent: Vec::new(),
        })
    }

    /// Whether this form has created a token, as far as the browser remembers.
    pub(super) fn has_sent(&self, sheet: SubmissionId) -> bool {
        self.sent.contains(&sheet)
    }

    /// The same, with one more form that has created a token.
    pub(super) fn and_sent(mut self, sheet: SubmissionId) -> Self {
        self.sent.insert(0, sheet);
        self.sent.truncate(MAX_SENT);
        self
    }

    /// The value of `Set-Cookie`.
    pub(super) fn set_cookie(&self, transport: Transport) -> Option<HeaderValue> {
        let secure = match transport {
            Transport::Tls => "; Secure",
            Transport::Plain => "",
        };
        let mut bytes = self.secret.to_vec();
        bytes.extend(self.sent.iter().flat_map(|sheet| sheet.0));
        let (name, value) = (transport.cookie_name(), URL_SAFE_NO_PAD.encode(bytes));
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&cookie).ok()
    }

    /// What this user's forms hold.
    pub(super) fn token(&self, owner: &Owner) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(owner).finalize().into_bytes())
    }

    /// Whether a form held that; compares in constant time.
    pub(super) fn is_token(&self, owner: &Owner, token: &str) -> bool {
        let token = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        self.mac(owner).verify_slice(&token).is_ok()
    }

    fn mac(&self, owner: &Owner) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret);
        let mut mac = mac.expect("HMAC takes a key of any length");
        mac.update(b"pat form\0");
        mac.update(owner.as_str().as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CsrfSecret {
        CsrfSecret {
            secret: [byte; SECRET_LEN],
            sent: Vec::new(),
        }
    }

    fn owner(key: &str) -> Owner {
        Owner::new(key).expect("an owner")
    }

    #[test]
    fn a_token_is_good_for_one_user_and_one_session() {
        let (one, other) = (key(1), key(2));
        let token = one.token(&owner("alice"));
        assert!(one.is_token(&owner("alice"), &token));
        assert!(!one.is_token(&owner("bob"), &token));
        assert!(!other.is_token(&owner("alice"), &token));
        for wrong in ["", "AAAA", &token[1..], &format!("{token}A")] {
            assert!(!one.is_token(&owner("alice"), wrong), "{wrong}");
        }
    }

    #[test]
    fn the_cookie_comes_back() {
        for (transport, expected) in [
            (Transport::Tls, "; Path=/; HttpOnly; SameSite=Lax; Secure"),
            (Transport::Plain, "; Path=/; HttpOnly; SameSite=Lax"),
        ] {
            let cookie = key(7).set_cookie(transport).expect("a cookie");
            let cookie = cookie.to_str().expect("a text");
            let (pair, attributes) = cookie.split_at(cookie.find(';').expect("attributes"));
            assert_eq!(attributes, expected);
            assert_eq!(pair.starts_with("__Host-"), transport == Transport::Tls);
            let mut headers = HeaderMap::new();
            let sent = format!("a=b; {pair}; c=d");
            headers.insert(COOKIE, HeaderValue::from_str(&sent).expect("a header"));
            let key = CsrfSecret::of(&headers, transport).expect("the key");
            assert_eq!(key.secret, [7; SECRET_LEN]);
        }
    }

    #[test]
    fn the_last_forms_are_remembered() {
        let sheets: Vec<_> = (0..20)
            .map(|byte| SubmissionId([byte; SHEET_LEN]))
            .collect();
        let mut known = key(7);
        for (index, sheet) in sheets.iter().enumerate() {
            assert_eq!(SubmissionId::decode(&sheet.encode()), Some(*sheet));
            assert!(!known.has_sent(*sheet));
            let cookie = known.and_sent(*sheet).set_cookie(Transport::Plain);
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.expect("a cookie"));
            known = CsrfSecret::of(&headers, Transport::Plain).expect("the key");
            assert_eq!(known.secret, [7; SECRET_LEN]);
            for (before, sheet) in sheets[..=index].iter().rev().enumerate() {
                assert_eq!(known.has_sent(*sheet), before < MAX_SENT, "{before}");
            }
        }
        let token = key(7).token(&owner("alice"));
        assert!(known.is_token(&owner("alice"), &token));
    }

    #[test]
    fn nonsense_in_the_cookie_is_no_key() {
        let odd = format!("pat-form={}", URL_SAFE_NO_PAD.encode([1; SECRET_LEN + 1]));
        let long = URL_SAFE_NO_PAD.encode([1; SECRET_LEN + 9 * SHEET_LEN]);
        let long = format!("pat-form={long}");
        for value in [
            odd.as_str(),
            &long,
            "pat-form=",
            "pat-form=AAAA",
            "pat-form=%%%",
            "other=AAAA",
            ";;=",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(value).expect("a header"));
            assert!(
                CsrfSecret::of(&headers, Transport::Plain).is_none(),
                "{value}"
            );
        }
    }
}
