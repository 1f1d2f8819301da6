//! Other ways to authenticate a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use pat_sqlx::sqlx::{self, SqlitePool};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, service_fn};
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
        logins(),
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

/// What one writes in an afternoon: axum's `from_fn`, and a query to SQLite for each request.
fn query_per_request() -> Stack {
    let tokens: Vec<_> = (0..TOKENS)
        .map(|number| format!("pat_{number:049}"))
        .collect();
    Stack::new("`from_fn` and a query to SQLite", move |keys| {
        let (runtime, folder) = (current_thread(), tempfile::tempdir().expect("a folder"));
        let url = format!(
            "sqlite:{}?mode=rwc",
            folder.path().join("tokens.db").display()
        );
        let pool = runtime.block_on(table(&url, &tokens)).expect("a database");
        let inner = service_fn(async |_: Request<AxumBody>| {
            Ok::<_, Infallible>(Response::new(AxumBody::empty()))
        });
        let mut service = from_fn_with_state(pool, query).layer(inner);
        let mut requests = Requests::bearers(&tokens, keys);
        Box::new(move || {
            let _kept = &folder;
            let request = requests.next().map(|()| AxumBody::empty());
            let response = runtime.block_on(service.call(request));
            assert!(response.is_ok_and(|response| response.status().is_success()));
        })
    })
}

async fn table(url: &str, tokens: &[String]) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePool::connect(url).await?;
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&pool)
        .await?;
    sqlx::query("CREATE TABLE token (digest BLOB PRIMARY KEY, owner TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    let mut transaction = pool.begin().await?;
    for token in tokens {
        sqlx::query("INSERT INTO token VALUES (?, 'alice')")
            .bind(&Sha256::digest(token)[..])
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(pool)
}

async fn query(
    State(pool): State<SqlitePool>,
    mut request: Request<AxumBody>,
    next: Next,
) -> Result<Response<AxumBody>, StatusCode> {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header.and_then(|header| header.as_bytes().strip_prefix(b"Bearer "));
    let digest = Sha256::digest(token.ok_or(StatusCode::UNAUTHORIZED)?);
    let owner: Option<String> = sqlx::query_scalar("SELECT owner FROM token WHERE digest = ?")
        .bind(&digest[..])
        .fetch_optional(&pool)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let owner = owner.ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(owner);
    Ok(next.run(request).await)
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
