//! Other ways to authenticate a request.

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use http::{Request, Response, header};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use pat_core::{TokenDigest, TokenStore as _};
use pat_sqlx::SqliteStore;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::ours::{Body, Inner, Requests, serve};
use crate::{Keys, Serve, Stack, TOKENS};

pub(crate) fn stacks() -> Vec<Stack> {
    let secret = [7; 32];
    let hs256 = Jwt::new(
        Algorithm::HS256,
        &EncodingKey::from_secret(&secret),
        DecodingKey::from_secret(&secret),
    );
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let eddsa = Jwt::new(
        Algorithm::EdDSA,
        &EncodingKey::from_ed_der(&key.serialize_der()),
        DecodingKey::from_ed_der(key.public_key_raw()),
    );
    vec![
        hs256.stack("JWT, HS256"),
        eddsa.stack("JWT, `EdDSA`"),
        sessions(),
        query_per_request(),
        argon2_per_request(),
    ]
}

#[derive(Clone)]
struct Verify {
    inner: Inner,
    key: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize, Clone)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Service<Request<()>> for Verify {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        let value = request.headers().get(header::AUTHORIZATION);
        let value = value.expect("a header").as_bytes();
        let token = value.strip_prefix(b"Bearer ").expect("a token");
        let verified = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        let claims = verified.expect("a good token").claims;
        request.extensions_mut().insert(claims);
        self.inner.call(request)
    }
}

struct Jwt {
    verify: Verify,
    tokens: Vec<String>,
}

impl Jwt {
    fn new(algorithm: Algorithm, signing: &EncodingKey, key: DecodingKey) -> Self {
        let token = |number| {
            let claims = Claims {
                sub: format!("user{number}"),
                exp: 4_000_000_000,
            };
            jsonwebtoken::encode(&Header::new(algorithm), &claims, signing).expect("a token")
        };
        let verify = Verify {
            inner: Inner,
            key,
            validation: Validation::new(algorithm),
        };
        Self {
            verify,
            tokens: (0..TOKENS).map(token).collect(),
        }
    }

    fn stack(self, name: &'static str) -> Stack {
        Stack::new(name, move |keys| {
            let requests = Requests::bearers(&self.tokens, keys);
            serve(self.verify.clone(), requests, true)
        })
    }
}

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Looks up whose session it is, as every handler behind a log-in does.
#[derive(Clone)]
struct WithSession;

impl Service<Request<()>> for WithSession {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        Box::pin(async move {
            let session: &Session = request.extensions().get().expect("a session");
            let user: Option<String> = session.get("user").await.expect("the store answers");
            assert!(user.is_some(), "the session is known");
            Ok(Response::new(Full::default()))
        })
    }
}

fn sessions() -> Stack {
    let store = MemoryStore::default();
    let cookies = current_thread().block_on(async {
        let mut cookies = Vec::with_capacity(TOKENS as usize);
        for number in 0..TOKENS {
            let session = Session::new(None, Arc::new(store.clone()), None);
            let user = format!("user{number}");
            session.insert("user", user).await.expect("a session");
            session.save().await.expect("the store takes it");
            cookies.push(format!("id={}", session.id().expect("saved")));
        }
        cookies
    });
    Stack::new("tower-sessions, in memory", move |keys| {
        let mut service = SessionManagerLayer::new(store.clone()).layer(WithSession);
        let mut requests = Requests::new(header::COOKIE, cookies.iter(), keys);
        let runtime = current_thread();
        Box::new(move || {
            let response = runtime.block_on(service.call(requests.next()));
            assert!(response.is_ok_and(|response| response.status().is_success()));
        })
    })
}

/// The digest looked up in SQLite for each request, by the statement that this project uses.
fn query_per_request() -> Stack {
    Stack::new("a query to SQLite per request", |_keys: Keys| -> Serve {
        let (runtime, folder) = (current_thread(), tempfile::tempdir().expect("a folder"));
        let store = runtime.block_on(SqliteStore::open(folder.path().join("pat.db")));
        let store = store.expect("a database");
        let mut number = 0_u64;
        Box::new(move || {
            let _kept = &folder;
            number += 1;
            let digest = TokenDigest::of(&number.to_le_bytes());
            let found = runtime.block_on(store.find_by_digest(&digest));
            assert!(found.is_ok_and(|found| found.is_none()));
        })
    })
}

/// What crates do that treat an API key as a password.
fn argon2_per_request() -> Stack {
    let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
    let argon2 = argon2::Argon2::default();
    let hash = argon2.hash_password(b"an API key", &salt);
    let hash = hash.expect("a hash").to_string();
    Stack::new("Argon2id per request", move |_keys: Keys| -> Serve {
        let hash = hash.clone();
        Box::new(move || {
            let hash = PasswordHash::new(&hash).expect("a hash");
            let verified = argon2::Argon2::default().verify_password(b"an API key", &hash);
            assert!(verified.is_ok());
        })
    })
}
