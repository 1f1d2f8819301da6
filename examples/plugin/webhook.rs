use std::fmt;
use std::time::Duration;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use pat_core::event::{Event, EventKind, EventSink};
use pat_core::{BoxError, Owner, TokenId, async_trait};
use serde_json::{Value, json};

/// How often one event is sent before it is given up.
const ATTEMPTS: u32 = 3;
/// How long the receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the second attempt; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends each audit event as JSON to a URL.
///
/// An event is tried three times, so a receiver that takes it and then fails to say so gets it
/// again. A receiver that refuses it (an answer of 3xx or 4xx) is not asked a second time.
///
/// By default the sink gets the events of its own process, and one that cannot be sent is lost. A
/// [shared](WebhookSink::shared) one gets those of all nodes from the store, each until it is sent.
pub struct WebhookSink {
    client: Client<HttpConnector, Body>,
    url: Uri,
    timeout: Duration,
    name: Option<String>,
}

impl WebhookSink {
    /// Sends to this URL and nowhere else: no proxy is used and no redirect followed.
    ///
    /// # Errors
    /// The URL is not one of HTTP, or names a user.
    pub fn new(url: Uri) -> Result<Self, WebhookUrlError> {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        if url.scheme_str() != Some("http") || authority.contains('@') {
            return Err(WebhookUrlError);
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url,
            timeout: TIMEOUT,
            name: None,
        })
    }

    /// Waits this long for each answer instead of five seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the events of all nodes, at least once: a receiver passes over the `id`s that it has.
    /// The store keeps under this name how far the receiver has got.
    #[must_use]
    pub fn shared(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    async fn send(&self, body: &Value) -> Result<(), SendError> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?;
        let response = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let response = response.map_err(|_| SendError::Late(self.timeout))??;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(SendError::Refused(status)),
        }
    }
}

#[async_trait]
impl EventSink for WebhookSink {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        let body = to_json(event);
        for attempt in 1..ATTEMPTS {
            match self.send(&body).await {
                Err(error) if error.is_temporary() => tokio::time::sleep(PAUSE * attempt).await,
                result => return Ok(result?),
            }
        }
        Ok(self.send(&body).await?)
    }
}

/// Shows the receiver's host only: the sink is named in logs, and the rest of the URL is often a
/// secret.
impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("host", &self.url.host())
            .finish_non_exhaustive()
    }
}

/// A URL that no event can be sent to. The error does not repeat it: it is often a secret.
#[derive(Debug, thiserror::Error)]
#[error("the URL of a webhook must begin with http:// and have no user and password in it")]
pub struct WebhookUrlError;

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the event makes no request")]
    NoRequest(#[from] http::Error),
    #[error("the webhook did not answer")]
    NoAnswer(#[from] legacy::Error),
    #[error("the webhook did not answer within {0:?}")]
    Late(Duration),
    #[error("the webhook answered with {0}")]
    Refused(StatusCode),
}

impl SendError {
    /// Whether the next attempt may go better.
    fn is_temporary(&self) -> bool {
        match self {
            Self::NoRequest(_) => false,
            Self::NoAnswer(_) | Self::Late(_) => true,
            Self::Refused(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

/// `{"at": "2026-02-26T22:42:21.247Z", "event": "created", "token": 7, …}`.
#[expect(clippy::too_many_lines, reason = "a list of all kinds")]
fn to_json(event: &Event) -> Value {
    let mut json = match &event.kind {
        EventKind::Created {
            token,
            owner,
            expires_at,
            parent,
            scopes,
        } => json!({
            "token": token.get(),
            "owner": owner.as_str(),
            "expiresAt": expires_at.map(|at| at.to_string()),
            "parent": parent.map(TokenId::get),
            "scopes": scopes,
        }),
        EventKind::Imported { tokens } => json!({
            "tokens": tokens.iter().map(|token| json!({
                "token": token.id.get(),
                "owner": token.owner.as_str(),
                "expiresAt": token.expires_at.map(|at| at.to_string()),
                "scopes": token.scopes,
            })).collect::<Vec<_>>(),
        }),
        EventKind::FirstUsed { token, owner } => json!({
            "token": token.get(),
            "owner": owner.as_str(),
        }),
        EventKind::Pruned { tokens } => json!({
            "tokens": tokens.iter().map(|token| json!({
                "token": token.id.get(),
                "owner": token.owner.as_str(),
            })).collect::<Vec<_>>(),
        }),
        EventKind::Refused {
            reason,
            token,
            unreported,
        } => json!({
            "reason": reason,
            "token": token.map(TokenId::get),
            "unreported": unreported,
        }),
        EventKind::Revoked {
            tokens,
            by,
            reason,
            revocation,
        } => json!({
            "tokens": tokens.iter().map(|token| json!({
                "token": token.id.get(),
                "owner": token.owner.as_str(),
            })).collect::<Vec<_>>(),
            "by": by.as_ref().map(Owner::as_str),
            "reason": reason,
            "revocation": revocation,
        }),
        EventKind::Rotated {
            token,
            predecessor,
            owner,
            expires_at,
            ends,
            ends_at,
            is_again,
        } => json!({
            "token": token.get(),
            "predecessor": predecessor.get(),
            "owner": owner.as_str(),
            "expiresAt": expires_at.map(|at| at.to_string()),
            "ends": ends.iter().map(|token| token.get()).collect::<Vec<_>>(),
            "endsAt": ends_at.map(|at| at.to_string()),
            "again": is_again,
        }),
        EventKind::Disabled { tokens, owner, by } | EventKind::Enabled { tokens, owner, by } => {
            json!({
                "tokens": tokens.iter().map(|token| token.get()).collect::<Vec<_>>(),
                "owner": owner.as_str(),
                "by": by.as_str(),
            })
        }
        EventKind::Changed { token, owner, by } => json!({
            "token": token.get(),
            "owner": owner.as_str(),
            "by": by.as_str(),
        }),
        EventKind::OwnerChanged { owner } => json!({
            "owner": owner.as_str(),
        }),
        // A kind that is newer than this sink.
        other => json!({"text": format!("{other:?}")}),
    };
    json["event"] = event.kind.as_str().into();
    json["at"] = event.at.to_string().into();
    if let Some(row) = event.row {
        json["id"] = row.id.into();
        json["seq"] = row.seq.into();
    }
    if let Some(id) = event.client.request_id() {
        json["request"] = id.into();
    }
    if let Some(address) = event.client.address() {
        json["address"] = address.to_string().into();
    }
    json
}
