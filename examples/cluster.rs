//! Three servers on one database: how long the others go on accepting what one has revoked.
//!
//! `cargo run --release --example cluster`, on a SQLite file, or on `DATABASE_URL`.

use std::sync::Arc;
use std::time::Duration;

use pat_core::settings::SettingsBuilder;
use pat_core::{BoxError, Caller, Clock as _, Owner, Pats, Settings, SystemClock, TokenRequest};
use pat_example_server::{App, Config, app};

const NODES: usize = 3;
const REVOCATIONS: usize = 50;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("pat.db").display());
    let url = std::env::var("DATABASE_URL").unwrap_or(file);
    println!("{NODES} nodes, {REVOCATIONS} revocations, time from the acknowledgement on:");
    for wait in ["none", "cluster"] {
        let settings = Settings::builder()
            .max_tokens_per_user(1_000_000)
            .set("pat.revocation.wait", wait)
            .and_then(SettingsBuilder::build)?;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let config = Config::for_test(url.clone(), settings.clone());
            nodes.push(app(config, Arc::new(SystemClock)).await?);
        }
        let mut figures = measure(&nodes).await?;
        figures.sort_unstable();
        let middle = figures[figures.len() / 2];
        let longest = figures[figures.len() - 1];
        println!(
            "pat.revocation.wait={wait:<8} accepted for {:>4} ms (median), {:>4} ms (longest)",
            middle.as_millis(),
            longest.as_millis()
        );
        for node in nodes {
            node.shutdown().await;
        }
    }
    Ok(())
}

/// For each revocation, how long after its acknowledgement some other node still accepted.
async fn measure(nodes: &[App]) -> Result<Vec<Duration>, BoxError> {
    let alice = Caller::explicit(Owner::new("alice")?);
    let mut figures = Vec::new();
    for number in 0..REVOCATIONS {
        let request = TokenRequest {
            name: "cluster".into(),
            lifetime_days: Some(1),
        };
        let revoking = &nodes[number % nodes.len()].pats;
        let token = revoking.create(&alice, request).await?;
        let plain = token.plain.expose().as_bytes();
        for node in nodes {
            node.pats.authenticate(plain).await?;
        }
        revoking.revoke(&alice, token.token.id).await?;
        let acknowledged = SystemClock.boot();
        let mut last = Duration::ZERO;
        while accepted_anywhere(nodes, plain).await {
            last = SystemClock.boot().saturating_sub(acknowledged);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        figures.push(last);
    }
    Ok(figures)
}

async fn accepted_anywhere(nodes: &[App], plain: &[u8]) -> bool {
    let asked = nodes.iter().map(|node| accepted(&node.pats, plain));
    futures_util::future::join_all(asked).await.contains(&true)
}

async fn accepted(pats: &Pats, plain: &[u8]) -> bool {
    pats.authenticate(plain).await.is_ok()
}
