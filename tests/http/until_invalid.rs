//! Long responses over HTTP that end with their token; those of gRPC are in `grpc`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::stream;
use http::header;
use libtest_mimic::Trial;
use pat_core::{BoxError, MemoryStore, Settings};
use pat_harness::node::{Node, alice};
use pat_harness::trial;
use pat_tower::{PatLayer, UntilInvalidLayer};
use tokio::net::TcpListener;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(an_event_stream_ends_with_its_token),
        trial(a_download_breaks_off_with_its_token),
    ]
}

/// An endless response of this type.
fn endless(content_type: &'static str) -> impl IntoResponse {
    let chunks = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, BoxError>(Bytes::from("data: 1\n\n")), ()))
    });
    let headers = [(header::CONTENT_TYPE, content_type)];
    (headers, Body::from_stream(chunks))
}

/// Opens two responses of this type, by two tokens, and revokes one token. Returns how the
/// response of the revoked token ends; that of the other token goes on.
async fn revoke_during(content_type: &'static str) -> reqwest::Result<()> {
    let store = Arc::new(MemoryStore::default());
    let node = Node::on(store, Settings::builder()).await;
    let app = Router::new()
        .route("/", get(async move || endless(content_type)))
        .route_layer(UntilInvalidLayer::new(node.pats.clone()))
        .layer(PatLayer::required(node.pats.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async { axum::serve(listener, app).await });
    let (kept, revoked) = (node.create().await, node.create().await);
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let open = async |token: &str| {
        let response = client.get(&url).bearer_auth(token).send().await;
        let mut response = response.expect("a response");
        response.chunk().await.expect("no error").expect("a chunk");
        response
    };
    let mut by_kept = open(kept.plain.expose()).await;
    let mut by_revoked = open(revoked.plain.expose()).await;
    let id = revoked.token.id;
    node.pats.revoke(&alice(), id).await.expect("it is revoked");
    let end = async {
        while by_revoked.chunk().await?.is_some() {}
        Ok(())
    };
    let end = tokio::time::timeout(Duration::from_secs(3), end).await;
    for _ in 0..10 {
        let chunk = by_kept.chunk().await.expect("no error");
        chunk.expect("another token's response goes on");
    }
    end.expect("an end in time")
}

async fn an_event_stream_ends_with_its_token() {
    revoke_during("text/event-stream")
        .await
        .expect("an end without an error");
}

async fn a_download_breaks_off_with_its_token() {
    let end = revoke_during("application/zip").await;
    end.expect_err("a client must not take a part for the whole");
}
