use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::{ClientAddress, TrustedProxies};

type Peer = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// A layer that finds the network address of each request's client, and puts it into the request's extensions as
/// a [`ClientAddress`], so that audit events have it. Put it outside of [`PatLayer`](crate::PatLayer).
///
/// The address is that of the connection, unless the connection is from a trusted proxy
/// ([`ClientAddressLayer::with_trusted_proxies`]).
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::Router;
/// use axum::extract::ConnectInfo;
/// use pat_tower::{ClientAddressLayer, TrustedProxies};
///
/// let proxies: TrustedProxies = "127.0.0.1, 10.1.0.0/16".parse()?;
/// let addresses = ClientAddressLayer::new(|extensions| {
///     let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
///     Some(peer.ip())
/// });
/// // Served with `into_make_service_with_connect_info::<SocketAddr>()`.
/// let app: Router = Router::new().layer(addresses.with_trusted_proxies(proxies));
/// # Ok::<(), pat_tower::InvalidNetwork>(())
/// ```
#[derive(Clone)]
pub struct ClientAddressLayer {
    peer: Arc<Peer>,
    proxies: Arc<TrustedProxies>,
}

impl ClientAddressLayer {
    /// Creates a layer that trusts no proxy. `peer` returns the address of the other end of the connection from the
    /// extensions that the server has put into the request; `None` if there is none, as with a Unix socket.
    #[must_use]
    pub fn new(peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            peer: Arc::new(peer),
            proxies: Arc::default(),
        }
    }

    /// Sets the proxies whose header is believed, for connections from them. By default, there are none.
    #[must_use]
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        let proxies = Arc::new(proxies);
        Self { proxies, ..self }
    }
}

impl fmt::Debug for ClientAddressLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddressLayer")
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ClientAddressLayer {
    type Service = ClientAddressService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientAddressService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`ClientAddressLayer`] puts around an inner service.
#[derive(Debug, Clone)]
pub struct ClientAddressService<S> {
    inner: S,
    layer: ClientAddressLayer,
}

impl<S, B> Service<Request<B>> for ClientAddressService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let ClientAddressLayer { peer, proxies } = &self.layer;
        let peer = peer(request.extensions());
        let address = peer.and_then(|peer| proxies.client_address(peer, request.headers()));
        match address {
            Some(address) => drop(request.extensions_mut().insert(ClientAddress(address))),
            None => drop(request.extensions_mut().remove::<ClientAddress>()),
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt as _, service_fn};

    use super::*;

    /// Returns the address that a handler finds.
    async fn found(layer: ClientAddressLayer, peer: Option<IpAddr>) -> Option<IpAddr> {
        let inner = service_fn(async |request: Request<()>| {
            let found = request.extensions().get::<ClientAddress>();
            Ok::<_, Infallible>(found.map(|ClientAddress(address)| *address))
        });
        let mut request = Request::builder().header("x-forwarded-for", "192.0.2.7");
        let extensions = request.extensions_mut().expect("a request");
        if let Some(peer) = peer {
            extensions.insert(peer);
        }
        extensions.insert(ClientAddress([192, 0, 2, 99].into()));
        let request = request.body(()).expect("a request");
        let Ok(found) = layer.layer(inner).oneshot(request).await;
        found
    }

    #[tokio::test]
    async fn the_address_is_that_of_the_connection_unless_that_is_a_trusted_proxys() {
        let layer = || ClientAddressLayer::new(|extensions| extensions.get::<IpAddr>().copied());
        let proxies = || "127.0.0.1".parse().expect("an address");
        let (proxy, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        assert_eq!(found(layer(), Some(proxy)).await, Some(proxy));
        let trusting = || layer().with_trusted_proxies(proxies());
        let client = Some([192, 0, 2, 7].into());
        assert_eq!(found(trusting(), Some(proxy)).await, client);
        assert_eq!(found(trusting(), Some(other)).await, Some(other));
        assert_eq!(
            found(trusting(), None).await,
            None,
            "nothing of an outer layer"
        );
    }
}
