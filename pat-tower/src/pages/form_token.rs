//! What proves that a form comes from a page that this browser was shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::Cookie;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use pat_core::Owner;
use sha2::Sha256;

/// The secret of one browser session, in a cookie that lasts as long as the session.
///
/// Each form holds a MAC of the signed-in user under this secret. Another site can make the browser
/// send the cookie, but can neither read it nor make the MAC; and a form that was opened by one
/// user, or in one session, does not work in another. Nothing is stored, and nodes share no key.
///
/// What remains is somebody who *plants* a cookie whose secret he knows. `__Host-` forbids that to
/// everybody but the host itself over TLS, neighbours under the same domain included. It is
/// `SameSite=Lax` and not `Strict`: who comes here by a link in a mail would otherwise arrive
/// without it and get a new one, and forms that are open in other tabs would stop working.
#[derive(Clone)]
pub(super) struct FormKey([u8; 32]);

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

impl FormKey {
    /// The one that the browser sent; `None` if it sent none, or something else under its name.
    pub(super) fn of(headers: &HeaderMap, transport: Transport) -> Option<Self> {
        let fields = headers.get_all(COOKIE).iter();
        fields
            .filter_map(|field| field.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == transport.cookie_name())
            .find_map(|cookie| {
                let bytes = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
                Some(Self(bytes.try_into().ok()?))
            })
    }

    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// The value of `Set-Cookie`.
    pub(super) fn set_cookie(&self, transport: Transport) -> Option<HeaderValue> {
        let secure = match transport {
            Transport::Tls => "; Secure",
            Transport::Plain => "",
        };
        let (name, value) = (transport.cookie_name(), URL_SAFE_NO_PAD.encode(self.0));
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
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.expect("HMAC takes a key of any length");
        mac.update(b"pat form\0");
        mac.update(owner.as_str().as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: &str) -> Owner {
        Owner::new(key).expect("an owner")
    }

    #[test]
    fn a_token_is_good_for_one_user_and_one_session() {
        let (one, other) = (FormKey([1; 32]), FormKey([2; 32]));
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
            let cookie = FormKey([7; 32]).set_cookie(transport).expect("a cookie");
            let cookie = cookie.to_str().expect("a text");
            let (pair, attributes) = cookie.split_at(cookie.find(';').expect("attributes"));
            assert_eq!(attributes, expected);
            assert_eq!(pair.starts_with("__Host-"), transport == Transport::Tls);
            let mut headers = HeaderMap::new();
            let sent = format!("a=b; {pair}; c=d");
            headers.insert(COOKIE, HeaderValue::from_str(&sent).expect("a header"));
            let key = FormKey::of(&headers, transport).expect("the key");
            assert_eq!(key.0, [7; 32]);
        }
    }

    #[test]
    fn nonsense_in_the_cookie_is_no_key() {
        for value in [
            "pat-form=",
            "pat-form=AAAA",
            "pat-form=%%%",
            "other=AAAA",
            ";;=",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(value).expect("a header"));
            assert!(FormKey::of(&headers, Transport::Plain).is_none(), "{value}");
        }
    }
}
