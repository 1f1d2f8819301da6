use std::net::IpAddr;
use std::str::FromStr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which trusted proxies report the address of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses separated by commas; each proxy appends that of its client.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), of which the parameter `for` is read.
    Forwarded,
}

/// The proxies whose report of the client's address is believed: the addresses of hosts and networks.
///
/// The default trusts no proxy. `FromStr` parses addresses and networks such as `10.1.0.0/16` and `fd00::/8`,
/// separated by commas.
///
/// Only one header is read, [`ProxyHeader::XForwardedFor`] unless
/// [`with_header`](TrustedProxies::with_header) names another: a proxy that sets one of them passes the other on as
/// the client wrote it.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use pat_tower::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.1.0.0/16".parse()?;
/// let mut headers = HeaderMap::new();
/// // The client wrote the first address, the outer proxy the second, and the inner proxy the third.
/// let value = HeaderValue::from_static("203.0.113.1, 192.0.2.7, 10.1.2.3");
/// headers.insert("x-forwarded-for", value);
/// let client = proxies.client_address("10.1.0.1".parse().unwrap(), &headers);
/// assert_eq!(client, "192.0.2.7".parse().ok());
/// # Ok::<(), pat_tower::InvalidNetwork>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: ProxyHeader,
}

impl TrustedProxies {
    /// Sets the header in which the proxies report the address.
    #[must_use]
    pub fn with_header(self, header: ProxyHeader) -> Self {
        Self { header, ..self }
    }

    /// Returns the address of the client of a request that came over a connection from `peer`.
    ///
    /// That is `peer` itself, unless `peer` is a trusted proxy. Otherwise the header is read from its end, where the
    /// nearest proxy has written: the first address that is not a trusted proxy's is the client's. If all are, the
    /// client is the first of them. Returns `None` if a trusted proxy reports something else than an address, such
    /// as `unknown`.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let mut address = peer.to_canonical();
        if !self.trusts(address) {
            return Some(address);
        }
        let name = match self.header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => FORWARDED,
        };
        let values: Vec<_> = headers.get_all(name).iter().collect();
        // A quoted text of `Forwarded` may contain a comma, but not an address. If quotes counted, a client could
        // open one that hides what a proxy appends.
        let elements = values
            .into_iter()
            .rev()
            .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        for element in elements {
            let element = element.trim_ascii();
            if element.is_empty() {
                continue;
            }
            let node = match self.header {
                ProxyHeader::XForwardedFor => element,
                ProxyHeader::Forwarded => forwarded_for(element)?,
            };
            address = parse_node(node)?.to_canonical();
            if !self.trusts(address) {
                return Some(address);
            }
        }
        Some(address)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| network.contains(address))
    }
}

/// Returns the value of the parameter `for` of an element of `Forwarded`.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let mut pairs = element.split(|byte| *byte == b';');
    let value = pairs.find_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = pair.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })?;
    let quoted = value.strip_prefix(b"\"");
    match quoted {
        Some(quoted) => quoted.strip_suffix(b"\""),
        None => Some(value),
    }
}

/// Parses an address, with or without a port: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7` or `[2001:db8::7]:4711`.
fn parse_node(node: &[u8]) -> Option<IpAddr> {
    let node = str::from_utf8(node).ok()?;
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || is_port(port.strip_prefix(':')?);
        return address.parse().ok().filter(|_| is_port);
    }
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    let (address, port) = node.split_once(':')?;
    address.parse().ok().filter(|_| is_port(port))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// How many of the first bits of the address count.
    prefix: u8,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        // By how much the bits that do not count are shifted out; by all of them there is nothing to compare.
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                let rest = u32::BITS - u32::from(self.prefix);
                differing.checked_shr(rest).is_none_or(|bits| bits == 0)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                let rest = u128::BITS - u32::from(self.prefix);
                differing.checked_shr(rest).is_none_or(|bits| bits == 0)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_invalid| invalid())?;
        let bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_invalid| invalid())?,
            None => bits,
        };
        if prefix > bits {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    /// Parses addresses and networks, separated by commas.
    ///
    /// # Errors
    /// [`InvalidNetwork`]: an element is neither. An empty text trusts no proxy.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let elements = text.split(',').map(str::trim);
        let networks = elements.filter(|element| !element.is_empty());
        Ok(Self {
            networks: networks.map(str::parse).collect::<Result<_, _>>()?,
            header: ProxyHeader::default(),
        })
    }
}

/// The error for text that is neither an address nor a network, in [`TrustedProxies`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl std::fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is neither an address nor a network such as 10.1.0.0/16 or fd00::/8",
            self.0
        )
    }
}

impl std::error::Error for InvalidNetwork {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Returns the client of a request from 10.0.0.1 with these headers.
    fn client(header: ProxyHeader, values: &[&str]) -> Option<String> {
        let proxies: TrustedProxies = "10.0.0.0/8, fd00::/8".parse().expect("networks");
        let mut headers = HeaderMap::new();
        let name = match header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => FORWARDED,
        };
        // The other one is the client's own.
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.1"));
        headers.insert(FORWARDED, HeaderValue::from_static("for=203.0.113.1"));
        headers.remove(&name);
        for value in values {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(&name, value);
        }
        let proxies = proxies.with_header(header);
        let client = proxies.client_address(address("10.0.0.1"), &headers);
        client.map(|client| client.to_string())
    }

    #[test]
    fn the_header_is_read_from_its_end_to_the_first_address_of_no_proxy() {
        for (values, expected) in [
            (&[][..], Some("10.0.0.1")),
            (&["192.0.2.7"], Some("192.0.2.7")),
            (&["203.0.113.1, 192.0.2.7"], Some("192.0.2.7")),
            (&["203.0.113.1,192.0.2.7 , 10.9.9.9"], Some("192.0.2.7")),
            (&["203.0.113.1", "192.0.2.7", "10.9.9.9"], Some("192.0.2.7")),
            (&["10.8.8.8, 10.9.9.9"], Some("10.8.8.8")),
            (&["192.0.2.7:4711"], Some("192.0.2.7")),
            (&["::ffff:192.0.2.7"], Some("192.0.2.7")),
            (&["2001:db8::7, fd00::1"], Some("2001:db8::7")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["192.0.2.7,,"], Some("192.0.2.7")),
            (&["192.0.2.7, unknown"], None),
            (&["192.0.2.7, 10.0.0"], None),
            (&["192.0.2.7:"], None),
            (&["192.0.2.7:+1"], None),
            (&["[2001:db8::7]x"], None),
            (&["\"192.0.2.7\""], None),
        ] {
            let found = client(ProxyHeader::XForwardedFor, values);
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn forwarded_is_read_in_the_same_way() {
        for (values, expected) in [
            (&[][..], Some("10.0.0.1")),
            (&["for=203.0.113.1, for=192.0.2.7"], Some("192.0.2.7")),
            (&["proto=https; For=192.0.2.7;by=_x"], Some("192.0.2.7")),
            (&["for=192.0.2.7", "for=10.9.9.9"], Some("192.0.2.7")),
            (
                &["for=\"[2001:db8::7]:4711\";proto=http"],
                Some("2001:db8::7"),
            ),
            (&["for=\"192.0.2.7:4711\""], Some("192.0.2.7")),
            // The client opens a quote, and the proxy appends.
            (&["for=\"203.0.113.1, for=192.0.2.7"], Some("192.0.2.7")),
            (&["for=_hidden"], None),
            (&["for=unknown"], None),
            (&["proto=https"], None),
            (&["for=\"192.0.2.7"], None),
            (&["for"], None),
        ] {
            let found = client(ProxyHeader::Forwarded, values);
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn only_named_proxies_are_believed() {
        let proxies = |text: &str| text.parse::<TrustedProxies>().expect("networks");
        let is_believed = |trusted: &str, peer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.1"));
            let found = proxies(trusted).client_address(address(peer), &headers);
            found == Some(address("203.0.113.1"))
        };
        for (trusted, peer) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7", "::ffff:192.0.2.7"),
            ("192.0.2.7/30", "192.0.2.4"),
            ("0.0.0.0/0", "203.0.113.9"),
            ("::/0", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1"),
            (" ::1 , 10.0.0.0/9 ", "10.127.255.255"),
        ] {
            assert!(is_believed(trusted, peer), "{trusted} {peer}");
        }
        for (trusted, peer) in [
            ("", "127.0.0.1"),
            ("192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/30", "192.0.2.8"),
            ("0.0.0.0/0", "2001:db8::1"),
            ("::/0", "192.0.2.7"),
            ("2001:db8::/33", "2001:db8:8000::1"),
            ("10.0.0.0/9", "10.128.0.0"),
        ] {
            assert!(!is_believed(trusted, peer), "{trusted} {peer}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in [
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+",
            "/8",
            "10.0.0/8",
        ] {
            let refused = format!("10.0.0.0/8, {text}").parse::<TrustedProxies>();
            assert_eq!(refused, Err(InvalidNetwork(text.to_owned())));
        }
    }
}
