use std::collections::HashMap;

use super::refusal::Loaded;
use crate::error::AuthError;
use crate::outage::Outages;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, spawn, watch};
use crate::token::TokenDigest;

/// The loads in progress, at most one per digest.
#[derive(Debug, Default)]
pub(crate) struct SingleFlight(Arc<Mutex<Map>>);

type Map = HashMap<TokenDigest, watch::Receiver<Option<Loaded>>>;

impl SingleFlight {
    /// Waits for the load of this digest that is in progress, or starts `load` in its own task.
    pub(crate) async fn join(
        &self,
        digest: TokenDigest,
        load: impl Future<Output = Loaded> + Send + 'static,
        outages: &Outages,
    ) -> Loaded {
        let mut receiver = self.receiver(digest, load);
        let verdict = match receiver.wait_for(Option::is_some).await {
            Ok(verdict) => verdict.clone(),
            Err(_ended_early) => None,
        };
        verdict.unwrap_or_else(|| Err(AuthError::Unavailable(outages.task_ended()).into()))
    }

    fn receiver(
        &self,
        digest: TokenDigest,
        load: impl Future<Output = Loaded> + Send + 'static,
    ) -> watch::Receiver<Option<Loaded>> {
        let mut map = lock(&self.0);
        if let Some(receiver) = map.get(&digest) {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(None);
        map.insert(digest, receiver.clone());
        drop(map);
        let flight = Flight {
            map: Arc::clone(&self.0),
            digest,
        };
        spawn(async move {
            let verdict = load.await;
            drop(flight);
            sender.send_replace(Some(verdict));
        });
        receiver
    }
}

/// Removes the load from the map when it ends, even by a panic.
struct Flight {
    map: Arc<Mutex<Map>>,
    digest: TokenDigest,
}

impl Drop for Flight {
    fn drop(&mut self) {
        lock(&self.map).remove(&self.digest);
    }
}

fn lock(map: &Mutex<Map>) -> MutexGuard<'_, Map> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
