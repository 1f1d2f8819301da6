//! Tokens that may not do everything: `cargo run --example scopes`.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve;
use pat_core::scope::ScopeCatalog;
use pat_core::{BoxError, Caller, MemoryStore, Owner, Pats};
use pat_tower::api::Api;
use pat_tower::scope::ScopedRouter;
use pat_tower::{PatLayer, SignedIn};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let catalog = ScopeCatalog::builder()
        .scope("read", "Read reports")
        .scope("write", "Read, create and delete reports")
        .implies("write", "read")
        .build()?;
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .scopes(catalog)
        .build();
    let jobs = pats.start();

    // Each route says what it needs. A token with scopes reaches no other.
    let reports = ScopedRouter::new()
        .get("/", "read", async || "a report\n")
        .post("/", "write", create)
        .delete("/{id}", "write", async || "deleted\n");
    let (router, scopes) = ScopedRouter::new()
        .nest("/reports", reports)
        .nest("/rest/pat/latest", Api::new(pats.clone()).scoped_router())
        .into_parts();
    let app = router
        .layer(from_fn(sign_in))
        .layer(PatLayer::optional(pats).with_scope_map(scopes)?);

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("Listening on {base}. Create a token that may only read, and use it:");
    println!(
        "  TOKEN=$(curl -H 'x-user: alice' --json '{{\"name\":\"ci\",\"scopes\":[\"read\"]}}' \
         {base}/rest/pat/latest/tokens | sed 's/.*\"rawToken\":\"\\([^\"]*\\)\".*/\\1/')"
    );
    println!("  curl -H \"Authorization: Bearer $TOKEN\" {base}/reports");
    println!("  curl -H \"Authorization: Bearer $TOKEN\" -X POST {base}/reports");

    serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    jobs.shutdown().await;
    Ok(())
}

/// Reached by a token with the scope `write`, a token without scopes, and a user who is signed in.
async fn create(SignedIn(caller): SignedIn) -> String {
    format!("a report of {}\n", caller.owner())
}

/// DEMO ONLY: believes any user. The host's own sign-in goes here, as in the example `axum`.
async fn sign_in(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user");
    let user = user.and_then(|user| user.to_str().ok()?.parse::<Owner>().ok());
    if let Some(owner) = user {
        let caller = Caller::header_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}
