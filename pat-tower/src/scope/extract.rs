use std::fmt;
use std::marker::PhantomData;

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use pat_core::{Caller, Pats};

use crate::extract::insufficient_scope;
use crate::rejection::PatRejection;
use crate::signed_in::SignedIn;

/// The name of a scope, as a type, for [`Scoped`].
pub trait ScopeName {
    /// The name, such as `write`.
    const NAME: &'static str;
}

/// The caller of a request, whose token, if it has scopes, permits the scope `N`: a second lock of a handler, behind
/// the [`ScopeMap`](crate::scope::ScopeMap). The extractor can only refuse what the layer lets through.
///
/// It accepts what [`SignedIn`] accepts, and takes the [`Pats`] from the router's state. It rejects a request
///
/// - without a caller with 401, as [`SignedIn`] does; with `Option<Scoped<N>>`, such a request is `None`,
/// - with a token that has scopes and does not permit `N` with 403, also with `Option<Scoped<N>>`,
/// - with 500 if there is no [`PatLayer`](crate::PatLayer) around the route.
///
/// A user whom the host's own sign-in has found is permitted every scope, as is an unrestricted token. If the
/// service's [catalog](Pats::scope_catalog) does not declare `N`, every restricted token is refused.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use pat_core::scope::ScopeCatalog;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::PatLayer;
/// use pat_tower::scope::{ScopeName, Scoped, ScopedRouter};
///
/// /// The scope `write`.
/// struct Write;
///
/// impl ScopeName for Write {
///     const NAME: &'static str = "write";
/// }
///
/// async fn create(caller: Scoped<Write>) -> String {
///     format!("a report of {}", caller.caller().owner())
/// }
///
/// let scopes = ScopeCatalog::builder().scope("write", "Create reports").build()?;
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
/// let (router, scopes) = ScopedRouter::new().post("/reports", "write", create).into_parts();
/// let app: Router = router
///     .layer(PatLayer::required(pats.clone()).with_scope_map(scopes)?)
///     // Or a state of the host from which `FromRef` takes the `Pats`.
///     .with_state(pats);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scoped<N> {
    caller: Caller,
    scope: PhantomData<fn() -> N>,
}

impl<N> Scoped<N> {
    /// Returns the caller.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the caller, for a handler that keeps it.
    #[must_use]
    pub fn into_caller(self) -> Caller {
        self.caller
    }
}

impl<N: ScopeName> fmt::Debug for Scoped<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("scope", &N::NAME)
            .field("caller", &self.caller)
            .finish()
    }
}

impl<S, N> FromRequestParts<S> for Scoped<N>
where
    S: Sync,
    N: ScopeName,
    Pats: FromRef<S>,
{
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PatRejection> {
        let signed_in = <SignedIn as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        scoped(parts, &Pats::from_ref(state), signed_in)
    }
}

impl<S, N> OptionalFromRequestParts<S> for Scoped<N>
where
    S: Sync,
    N: ScopeName,
    Pats: FromRef<S>,
{
    type Rejection = PatRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, PatRejection> {
        let signed_in =
            <SignedIn as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        let Some(signed_in) = signed_in else {
            return Ok(None);
        };
        scoped(parts, &Pats::from_ref(state), signed_in).map(Some)
    }
}

fn scoped<N: ScopeName>(
    parts: &Parts,
    service: &Pats,
    SignedIn(caller): SignedIn,
) -> Result<Scoped<N>, PatRejection> {
    if service.permits(&caller, N::NAME) {
        let scope = PhantomData;
        return Ok(Scoped { caller, scope });
    }
    if let Err(error) = service.scope_catalog().set([N::NAME]) {
        tracing::error!(%error, "refused a token with scopes: a handler needs a scope that is not declared");
    }
    Err(insufficient_scope(parts, service, &caller, N::NAME))
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::{HeaderMap, StatusCode};
    use pat_core::scope::ScopeCatalog;

    use super::*;
    use crate::auth::PatLayer;
    use crate::scope::{Need, ScopeMap};
    use crate::testing::{self, TestPats};

    struct Read;

    impl ScopeName for Read {
        const NAME: &'static str = "read";
    }

    #[tokio::test]
    async fn an_optional_extractor_takes_requests_without_a_caller_and_no_token_without_the_scope()
    {
        async fn is_caller(caller: Option<Scoped<Read>>) -> StatusCode {
            match caller {
                Some(_) => StatusCode::OK,
                None => StatusCode::NO_CONTENT,
            }
        }
        let catalog = ScopeCatalog::builder().scope("read", "Read reports");
        let test = TestPats::new().with_scopes(catalog.build().expect("a catalog"));
        let layer = PatLayer::optional(test.pats()).with_scope_map(ScopeMap::by(|_| Need::Nothing));
        let app = Router::new()
            .route("/", get(is_caller))
            .layer(layer.expect("declared scopes"))
            .with_state(test.pats());
        for (headers, expected) in [
            (HeaderMap::new(), StatusCode::NO_CONTENT),
            (test.token("alice").await, StatusCode::OK),
            (
                test.token_with_scopes("alice", &["read"]).await,
                StatusCode::OK,
            ),
            (
                test.token_with_scopes("alice", &["tokens:read"]).await,
                StatusCode::FORBIDDEN,
            ),
        ] {
            let response = testing::get(&app, "/", &headers).await;
            assert_eq!(response.status(), expected);
        }
    }
}
