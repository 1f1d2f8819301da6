//! A layer that takes a JWT for proof.

use std::task::{Context, Poll};

use http::{Request, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tower::{Layer, Service};

/// Good tokens, and the layer that verifies them.
pub(crate) struct Jwts {
    pub(crate) tokens: Vec<String>,
    pub(crate) verify: VerifyLayer,
}

#[derive(Serialize, Deserialize, Clone)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Jwts {
    pub(crate) fn hs256(count: u32) -> Self {
        let secret = [7; 32];
        let signing = EncodingKey::from_secret(&secret);
        let key = DecodingKey::from_secret(&secret);
        Self::new(count, Algorithm::HS256, &signing, key)
    }

    pub(crate) fn new(
        count: u32,
        algorithm: Algorithm,
        signing: &EncodingKey,
        key: DecodingKey,
    ) -> Self {
        let token = |number| {
            let claims = Claims {
                sub: format!("user{number}"),
                exp: 4_000_000_000,
            };
            jsonwebtoken::encode(&Header::new(algorithm), &claims, signing).expect("a token")
        };
        let validation = Validation::new(algorithm);
        Self {
            tokens: (0..count).map(token).collect(),
            verify: VerifyLayer { key, validation },
        }
    }
}

#[derive(Clone)]
pub(crate) struct VerifyLayer {
    key: DecodingKey,
    validation: Validation,
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Verify<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Verify<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let value = request.headers().get(header::AUTHORIZATION);
        let value = value.expect("a header").as_bytes();
        let token = value.strip_prefix(b"Bearer ").expect("a token");
        let VerifyLayer { key, validation } = &self.layer;
        let verified = jsonwebtoken::decode::<Claims>(token, key, validation);
        let claims = verified.expect("a good token").claims;
        request.extensions_mut().insert(claims);
        self.inner.call(request)
    }
}
