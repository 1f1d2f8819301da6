//! Plug-ins of one's own, a store and an event sink: `cargo run --example plugin`.
//!
//! Both are in the folder beside this file; here they are put to work.

use std::sync::Arc;

use axum::routing::post;
use axum::{Json, Router};
use pat_core::{BoxError, Caller, Owner, Pats, TokenRequest};
use pat_example_server::plugin::{FileStore, WebhookSink};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (url, mut events) = receiver().await?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("tokens.log");
    let pats = Pats::builder(Arc::new(FileStore::open(&log).await?))
        .events(Arc::new(WebhookSink::new(url.parse()?)?))
        .build();
    let jobs = pats.start();

    let alice = Caller::header_authenticated(Owner::new("alice")?);
    let request = TokenRequest::new("ci", Some(90));
    let created = pats.create(&alice, request).await?;
    let plain = created.plain.expose().as_bytes();
    pats.authenticate(plain).await?;
    pats.revoke(&alice, created.token.id).await?;
    if let Err(error) = pats.authenticate(plain).await {
        println!("Refused after its revocation: {error}");
    }
    // Hands over the events that are still queued.
    jobs.shutdown().await;

    println!("\nThe webhook {url} received:");
    while let Ok(event) = events.try_recv() {
        println!("  {event}");
    }
    println!("\nThe store's file says:");
    for line in std::fs::read_to_string(log)?.lines() {
        println!("  {line}");
    }
    Ok(())
}

/// Starts the other end of the webhook; returns its URL and what it receives.
async fn receiver() -> Result<(String, mpsc::UnboundedReceiver<Value>), BoxError> {
    let (sender, events) = mpsc::unbounded_channel();
    let take = async move |Json(event): Json<Value>| drop(sender.send(event));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let app = Router::new().route("/events", post(take));
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok((url, events))
}
