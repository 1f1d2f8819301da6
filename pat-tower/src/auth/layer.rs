use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use pat_core::Pats;
use pat_core::scope::{ScopeSet, UndeclaredScope};
use tower_layer::Layer;

use super::body::{SameBody, WrappedBody};
use super::config::{Config, Mode, Renderer};
use super::service::PatService;
use crate::http::challenge::Challenges;
use crate::rejection::PatRejection;
use crate::scope::{RequestHead, ResolvedMap, ScopeMap};
use crate::session::SessionInvalidator;

/// Authenticates requests by their personal access token (`Authorization: Bearer …`).
///
/// Put the layer inside the session and CORS layers, and outside of every layer and handler that must
/// know the caller. The inner service finds the token in the request's extensions, as a
/// [`Pat`](crate::Pat), and does not get the `Authorization` header.
///
/// # Caches
/// A shared cache that keeps a response serves it to every client that requests the same URL. The layer
/// therefore makes each response to an authenticated request `Cache-Control: private`, unless the
/// response is `no-store`: it removes `public` and `s-maxage`, and the headers that only some shared
/// caches read (`CDN-Cache-Control`, `Surrogate-Control`, `X-Accel-Expires`). Directives for the
/// client's own cache stay. If the layer passes requests without a token, every response has
/// `Vary: Authorization`, so that a cache does not serve an anonymous response to a request with a token.
/// Serve content that is the same for every client, such as a style sheet, outside of the layer.
///
/// # Scopes
/// A token with [scopes](crate::scope) is accepted for what they permit, according to the
/// [map](PatLayer::with_scope_map) of the layer. Without a map, the layer refuses such a token.
///
/// # Rejections
/// If the layer rejects a request, it does not call the inner service, and responds with
/// `application/problem+json`, or with a gRPC status to a [gRPC](PatRejection::is_grpc) request. The
/// extensions of that response contain a [`PatRejection`]. [`PatLayer::with_rejection_response`] sets
/// another rendering.
///
/// # Response bodies
/// The type parameter determines the body type of the responses. By default it is that of the inner
/// service's responses, which must implement `From<Bytes>`, as `axum::body::Body` and
/// `http_body_util::Full<Bytes>` do. [`PatLayer::wrap_body`] is for all other types, such as those of tonic
/// and of tower-http's layers.
///
/// ```
/// use std::sync::Arc;
///
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};
/// use pat_tower::{Pat, PatLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let alice = Caller::header_authenticated(Owner::new("alice")?);
/// let request = TokenRequest::new("ci", Some(90));
/// let created = pats.create(&alice, request).await?;
///
/// let service = ServiceBuilder::new().layer(PatLayer::required(pats)).service(service_fn(
///     async |request: Request<()>| {
///         let pat = Pat::of(request.extensions()).expect("the layer rejects other requests");
///         let greeting = Bytes::from(format!("hello {}", pat.owner()));
///         Ok::<_, std::convert::Infallible>(Response::new(Full::new(greeting)))
///     },
/// ));
///
/// let bearer = format!("Bearer {}", created.plain.expose());
/// let request = Request::builder().header("authorization", bearer).body(())?;
/// assert_eq!(service.clone().oneshot(request).await?.status(), StatusCode::OK);
///
/// let refused = service.oneshot(Request::new(())).await?;
/// assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PatLayer<R = SameBody> {
    config: Arc<Config>,
    body: PhantomData<fn() -> R>,
}

impl PatLayer {
    /// Creates a layer that rejects every request without a valid token.
    pub fn required(pats: Pats) -> Self {
        Self::new(pats, Mode::Required)
    }

    /// Creates a layer that passes requests without a Bearer token to the inner service as anonymous,
    /// for hosts that have other ways to sign in. The layer rejects requests with an invalid token.
    pub fn optional(pats: Pats) -> Self {
        Self::new(pats, Mode::Optional)
    }

    /// Creates a layer like [`PatLayer::optional`] that also passes requests with an invalid token to
    /// the inner service as anonymous, as Atlassian's products do.
    ///
    /// The danger: a script whose token has expired can mistake an anonymous response for its own
    /// data.
    pub fn dangerous_bad_token_is_anonymous(pats: Pats) -> Self {
        Self::new(pats, Mode::Lenient)
    }

    fn new(pats: Pats, mode: Mode) -> Self {
        let challenges = Arc::new(Challenges::new(pats.settings().realm()));
        let config = Config {
            pats,
            mode,
            challenges,
            passes_unrecognized: false,
            keeps_header: false,
            sessions: None,
            renderer: None,
            scopes: Arc::default(),
        };
        Self {
            config: Arc::new(config),
            body: PhantomData,
        }
    }

    /// Wraps the response bodies of the inner service in a [`ResponseBody`], for inner services whose body
    /// type does not implement `From<Bytes>`: tonic's, `http_body_util`'s `BoxBody`, or a service with
    /// tower-http's `TraceLayer` or `CompressionLayer` around it.
    ///
    /// A wrapper is not the default, because axum boxes every body that is not its own, which would cost
    /// an allocation for each accepted request.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::combinators::BoxBody;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::PatLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    /// let inner = service_fn(async |_: Request<()>| {
    ///     let body: BoxBody<Bytes, std::io::Error> = BoxBody::default();
    ///     Ok::<_, std::convert::Infallible>(Response::new(body))
    /// });
    /// let service = PatLayer::required(pats).wrap_body().layer(inner);
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Without `wrap_body`, that service does not compile, and the compiler says that "a `PatLayer` cannot
    /// respond with the body type" of the inner service, and to call `wrap_body()`:
    ///
    /// ```compile_fail,E0277
    /// # use std::sync::Arc;
    /// # use bytes::Bytes;
    /// # use http::{Request, Response};
    /// # use http_body_util::combinators::BoxBody;
    /// # use pat_core::{MemoryStore, Pats};
    /// # use pat_tower::PatLayer;
    /// # use tower::{Layer, Service, service_fn};
    /// # let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    /// # let inner = service_fn(async |_: Request<()>| {
    /// #     let body: BoxBody<Bytes, std::io::Error> = BoxBody::default();
    /// #     Ok::<_, std::convert::Infallible>(Response::new(body))
    /// # });
    /// # fn serve<S: Service<Request<()>>>(_: S) {}
    /// serve(PatLayer::required(pats).layer(inner));
    /// ```
    ///
    /// [`ResponseBody`]: crate::ResponseBody
    pub fn wrap_body(self) -> PatLayer<WrappedBody> {
        PatLayer {
            config: self.config,
            body: PhantomData,
        }
    }
}

impl<R> PatLayer<R> {
    /// Treats a request whose Bearer value has no accepted format of personal access tokens
    /// ([`PatsBuilder::accept`]) like a request without a token, and leaves the value in its `Authorization`
    /// header: for hosts that also accept other tokens, such as JWTs. An [optional](PatLayer::optional) layer
    /// passes such a request to the inner service as anonymous; a [required](PatLayer::required) layer
    /// rejects it with 401. By default both reject it, as a request with an invalid token.
    ///
    /// The format shows in the characters of the value alone, such as its prefix, length and checksum. So an
    /// expired or revoked personal access token is still rejected as invalid, but one with a typing error
    /// counts as another kind of token.
    ///
    /// [`PatsBuilder::accept`]: pat_core::PatsBuilder::accept
    pub fn pass_unrecognized(self) -> Self {
        self.with(|config| config.passes_unrecognized = true)
    }

    /// Leaves the `Authorization` header with the token in the request, for hosts that forward the
    /// header. By default the layer removes the header, so that the token reaches no log, proxy or
    /// plug-in behind the layer.
    pub fn keep_authorization_header(self) -> Self {
        self.with(|config| config.keeps_header = true)
    }

    /// Sets an invalidator, which detaches and destroys the session of each request that a token
    /// authenticates. Has no effect if the setting `atlassian.pats.invalidate.session.enabled` is off. By
    /// default the layer does not touch sessions.
    pub fn with_session_invalidator(self, invalidator: impl SessionInvalidator) -> Self {
        self.with(|config| {
            if config.pats.settings().invalidate_session_enabled() {
                config.sessions = Some(Arc::new(invalidator));
            }
        })
    }

    /// Sets the function that renders rejections: those of this layer, and those of the
    /// extractors of this crate in the inner service. The default is [`PatRejection::to_response`].
    ///
    /// The layer makes each rendered response `Cache-Control: no-store`. If the response has the
    /// [status](PatRejection::status) of the rejection, or its [gRPC code](PatRejection::grpc_code) in
    /// `grpc-status`, the layer also adds the rejection's [challenge](PatRejection::challenge), unless the
    /// response has that challenge already. The function also renders rejections of gRPC requests
    /// ([`PatRejection::is_grpc`]).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use bytes::Bytes;
    /// use http::header::{CONTENT_TYPE, LOCATION};
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Full;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::{PatLayer, PatRejection, RejectionKind};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// fn render(rejection: &PatRejection) -> Response<Bytes> {
    ///     match rejection.kind() {
    ///         RejectionKind::NotSignedIn => Response::builder()
    ///             .status(StatusCode::SEE_OTHER)
    ///             .header(LOCATION, "/login")
    ///             .body(Bytes::new())
    ///             .expect("a valid response"),
    ///         RejectionKind::InvalidToken => Response::builder()
    ///             .status(rejection.status())
    ///             .header(CONTENT_TYPE, "text/plain")
    ///             .body("Create a new token at https://example.com/tokens.".into())
    ///             .expect("a valid response"),
    ///         _ => rejection.to_response(),
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    /// let service = PatLayer::required(pats)
    ///     .with_rejection_response(render)
    ///     .layer(service_fn(async |_: Request<()>| {
    ///         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    ///     }));
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert_eq!(response.status(), StatusCode::SEE_OTHER);
    /// let rejection = response.extensions().get::<PatRejection>().expect("the layer's own response");
    /// assert_eq!(rejection.kind(), RejectionKind::NotSignedIn);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_rejection_response(
        self,
        render: impl Fn(&PatRejection) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.renderer = Some(Renderer(Arc::new(render))))
    }

    /// Sets the map that says which scopes a request needs of a token with scopes. Without a map, the layer refuses
    /// every request with such a token.
    ///
    /// The layer asks the map before it calls the inner service. If the token's scopes do not permit the request,
    /// the layer responds with 403 ([`RejectionKind::InsufficientScope`](crate::RejectionKind::InsufficientScope))
    /// in all of its modes, and leaves the session that came with the request as it is. The use of the token counts.
    /// The map is not asked about requests without a token with scopes.
    ///
    /// Each layer has its own map. If a layer is inside of another one, both maps must permit the request.
    ///
    /// # Errors
    /// [`UndeclaredScope`] with the first name in the map that the service's
    /// [catalog](Pats::scope_catalog) does not declare.
    pub fn with_scope_map(self, map: ScopeMap) -> Result<Self, UndeclaredScope> {
        let scopes = ResolvedMap::new(map, self.config.pats.scope_catalog())?;
        Ok(self.with(|config| config.scopes = Arc::new(scopes)))
    }

    /// Checks by the layer's [scope map](PatLayer::with_scope_map) whether a caller of the host who is permitted
    /// these scopes may make this request: for a host whose own sign-in has scopes too, such as those of an OAuth
    /// access token. Call it in the middleware that signs the caller in, inside of the layer; the layer itself checks
    /// tokens alone.
    ///
    /// ```
    /// use axum::extract::{Request, State};
    /// use axum::middleware::Next;
    /// use axum::response::Response;
    /// use pat_core::scope::Scopes;
    /// use pat_core::{Caller, Pats};
    /// use pat_tower::{PatLayer, PatRejection};
    /// # async fn oauth_user(_: &axum::http::HeaderMap) -> Option<(Caller, Scopes)> { None }
    ///
    /// /// Signs in the user of an OAuth access token.
    /// async fn sign_in(
    ///     State((layer, pats)): State<(PatLayer, Pats)>,
    ///     mut request: Request,
    ///     next: Next,
    /// ) -> Result<Response, PatRejection> {
    ///     if let Some((caller, scopes)) = oauth_user(request.headers()).await {
    ///         let permitted = pats.scope_catalog().permitted_by(&scopes);
    ///         layer.check_scopes(&request, permitted)?;
    ///         request.extensions_mut().insert(caller);
    ///     }
    ///     Ok(next.run(request).await)
    /// }
    /// ```
    ///
    /// The guards of the routers [`api`](crate::api) and [`pages`](crate::pages), and [`Pats::permits`], know the
    /// scopes of tokens alone. A caller who may create tokens can create one without scopes.
    ///
    /// # Errors
    /// The rejection of the request: of the kind
    /// [`RejectionKind::InsufficientScope`](crate::RejectionKind::InsufficientScope), or
    /// [`RejectionKind::ScopeMapPanicked`](crate::RejectionKind::ScopeMapPanicked).
    pub fn check_scopes<B>(
        &self,
        request: &Request<B>,
        permitted: ScopeSet,
    ) -> Result<(), PatRejection> {
        let head = RequestHead::of(request);
        self.config
            .check_scopes(head, permitted)
            .map_err(|mut rejection| {
                self.config.note_refusal(head, None, &rejection);
                rejection.reply_to(request.method(), request.headers());
                *rejection
            })
    }

    fn with(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        change(&mut config);
        Self {
            config: Arc::new(config),
            ..self
        }
    }
}

impl<S, R> Layer<S> for PatLayer<R> {
    type Service = PatService<S, R>;

    fn layer(&self, inner: S) -> PatService<S, R> {
        PatService {
            inner,
            config: Arc::clone(&self.config),
            body: PhantomData,
        }
    }
}
