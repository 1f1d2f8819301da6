//! The client of a request, for the audit.

mod layer;
mod proxies;

use std::net::IpAddr;

use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, Request};
use pat_core::Client;

pub use self::layer::{ClientAddressLayer, ClientAddressService};
pub use self::proxies::{InvalidNetwork, ProxyHeader, TrustedProxies};

/// Where hosts and proxies put the ID of a request; tower-http's `SetRequestIdLayer` by default too.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The network address of a request's client, in the request's extensions: put there by [`ClientAddressLayer`], or
/// by a host that finds the address in its own way. Audit events have this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Returns the client of a request, for [`Pats::on_behalf_of`](pat_core::Pats::on_behalf_of): its address
/// ([`ClientAddress`]), its `User-Agent`, and the ID of the request, from the header `x-request-id`.
///
/// The routers of this crate do this themselves. A handler of the host that creates or revokes tokens does it so:
///
/// ```
/// use axum::extract::{Request, State};
/// use axum::http::StatusCode;
/// use pat_core::{Caller, Pats, TokenId};
/// use pat_tower::client_of;
///
/// async fn sign_out_everywhere(State(pats): State<Pats>, request: Request) -> StatusCode {
///     # let (caller, id) = (Caller::cookie_authenticated("alice".parse().unwrap()), TokenId::new(7).unwrap());
///     let revoking = pats.revoke(&caller, id);
///     match pats.on_behalf_of(client_of(&request), revoking).await {
///         Ok(_) => StatusCode::NO_CONTENT,
///         Err(_) => StatusCode::SERVICE_UNAVAILABLE,
///     }
/// }
/// ```
#[must_use]
pub fn client_of<B>(request: &Request<B>) -> Client {
    let mut client = Client::default();
    if let Some(ClientAddress(address)) = request.extensions().get() {
        client = client.with_address(*address);
    }
    // Only ASCII is shown as it is; another byte may be half a character.
    let text = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if let Some(user_agent) = text(&USER_AGENT) {
        client = client.with_user_agent(&String::from_utf8_lossy(user_agent));
    }
    if let Some(id) = text(&X_REQUEST_ID) {
        client = client.with_request_id(&String::from_utf8_lossy(id));
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_its_address_its_user_agent_and_the_id_of_its_request() {
        let mut request = Request::builder()
            .header("user-agent", &b"curl\xff/8 \tx"[..])
            .header("x-request-id", "7")
            .header("x-forwarded-for", "192.0.2.9")
            .header("forwarded", "for=192.0.2.9");
        let extensions = request.extensions_mut().expect("a request");
        extensions.insert(ClientAddress([192, 0, 2, 1].into()));
        let request = request.body(()).expect("a request");
        let expected = Client::default()
            .with_address([192, 0, 2, 1].into())
            .with_user_agent("curl\u{fffd}/8 x")
            .with_request_id("7");
        assert_eq!(client_of(&request), expected);
        assert_eq!(client_of(&Request::new(())), Client::default());
    }
}
