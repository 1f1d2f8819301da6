//! Other ways to authenticate a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::body::Body as AxumBody;
use axum::middleware::from_fn_with_state;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use http::{Request, Response, header};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use pat_benches::turns::{Keys, Serve, Stack};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, service_fn};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::TOKENS;
use crate::by_query::{self, authenticate};
use crate::jwt::Jwts;
use crate::ours::{Body, Inner, Requests, serve};

pub(crate) fn stacks() -> Vec<Stack> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let signing = EncodingKey::from_ed_der(&key.serialize_der());
    let key = DecodingKey::from_ed_der(key.public_key_raw());
    vec![
        jwts("JWT, HS256", Jwts::hs256(TOKENS)),
        jwts(
            "JWT, `EdDSA`",
            Jwts::new(TOKENS, Algorithm::EdDSA, &signing, key),
        ),
        sessions(),
        logins(),
        query_per_request(),
        argon2_per_request(),
    ]
}

fn jwts(name: &'static str, Jwts { verify, tokens }: Jwts) -> Stack {
    Stack::new(name, move |keys| {
        serve(verify.layer(Inner), Requests::bearers(&tokens, keys), true)
    })
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

#[derive(Debug, Clone)]
struct User {
    key: String,
    password_hash: Vec<u8>,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.key.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.password_hash
    }
}

/// Users in memory.
#[derive(Clone)]
struct Users(Arc<HashMap<String, User>>);

impl Users {
    fn new() -> Self {
        let users = (0..TOKENS).map(|number| {
            let key = format!("user{number}");
            let password_hash = Sha256::digest(&key).to_vec();
            let user = User {
                key: key.clone(),
                password_hash,
            };
            (key, user)
        });
        Self(Arc::new(users.collect()))
    }
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, key: String) -> Result<Option<User>, Infallible> {
        self.get_user(&key).await
    }

    async fn get_user(&self, key: &String) -> Result<Option<User>, Infallible> {
        Ok(self.0.get(key).cloned())
    }
}

/// axum-login, which has a version of tower-sessions of its own.
fn logins() -> Stack {
    use tower_sessions_014::{MemoryStore, SessionManagerLayer};

    type Extension = AuthSession<Users>;
    let (store, users) = (MemoryStore::default(), Users::new());
    let layer =
        AuthManagerLayerBuilder::new(users.clone(), SessionManagerLayer::new(store)).build();
    let log_in = service_fn(async |mut request: Request<User>| {
        let mut session: Extension = request.extensions_mut().remove().expect("a session");
        session
            .login(request.body())
            .await
            .expect("the store answers");
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let mut log_in = layer.layer(log_in);
    let cookies = current_thread().block_on(async {
        let mut cookies = Vec::with_capacity(TOKENS as usize);
        for user in users.0.values() {
            let response = log_in.call(Request::new(user.clone())).await;
            let headers = response.expect("an answer").headers().clone();
            let cookie = headers[header::SET_COOKIE].to_str().expect("a cookie");
            let (cookie, _attributes) = cookie.split_once(';').expect("attributes");
            cookies.push(cookie.to_owned());
        }
        cookies
    });
    Stack::new("axum-login, in memory", move |keys| {
        let mut service = layer.layer(service_fn(async |request: Request<()>| {
            let session: &Extension = request.extensions().get().expect("a session");
            assert!(session.user.is_some(), "the user is known");
            Ok::<_, Infallible>(Response::new(Body::default()))
        }));
        let mut requests = Requests::new(header::COOKIE, cookies.iter(), keys);
        let runtime = current_thread();
        Box::new(move || {
            let response = runtime.block_on(service.call(requests.next()));
            assert!(response.is_ok_and(|response| response.status().is_success()));
        })
    })
}

/// What one writes in an afternoon.
fn query_per_request() -> Stack {
    let tokens: Vec<_> = by_query::tokens(TOKENS).collect();
    Stack::new("`from_fn` and a query to SQLite", move |keys| {
        let (runtime, folder) = (current_thread(), tempfile::tempdir().expect("a folder"));
        let path = folder.path().join("tokens.db");
        let pool = runtime.block_on(by_query::database(&path, &tokens));
        let pool = pool.expect("a database");
        let inner = service_fn(async |_: Request<AxumBody>| {
            Ok::<_, Infallible>(Response::new(AxumBody::empty()))
        });
        let mut service = from_fn_with_state(pool, authenticate).layer(inner);
        let mut requests = Requests::bearers(&tokens, keys);
        Box::new(move || {
            let _kept = &folder;
            let request = requests.next().map(|()| AxumBody::empty());
            let response = runtime.block_on(service.call(request));
            assert!(response.is_ok_and(|response| response.status().is_success()));
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
