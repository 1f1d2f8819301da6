//! A store whose answers a test holds up, counts, lets fail or never has.

mod delegation;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use pat_core::MemoryStore;
use pat_core::store::{AuditStore, ImportStore, JobStore, NodeReport, SearchStore};
use pat_core::store::{StoreError, TokenStore};
use tokio::sync::watch;

/// Every method of the port by which something is asked.
pub const METHODS: &[&str] = &[
    "insert",
    "find_by_digest",
    "recent_digests",
    "find",
    "list",
    "revoke",
    "update",
    "rotate",
    "import",
    "append_change",
    "changes_since",
    "owner_seen_at",
    "note_seen",
    "heartbeat",
    "deregister",
    "nodes",
    "raise_readable_from",
    "record_use",
    "accept_clock",
    "acquire_lease",
    "renew_lease",
    "release_lease",
    "owners_due",
    "queue_due_notifications",
    "prune",
    "purge",
    "owners_after",
    "note_missing",
    "note_unseen",
    "warn_unused",
    "count_unused",
    "revoke_unused",
    "mend_future",
    "claim_notifications",
    "settle_notification",
    "settle_notifications",
    "outbox",
    "dead_notifications",
    "requeue_notification",
    "requeue_all_notifications",
    "search",
    "count",
    "count_up_to",
    "count_each",
    "ids",
    "find_all",
    "record_events",
    "events_about",
    "number_events",
    "last_event_number",
    "raise_event_number",
    "events_after",
    "sink_position",
    "put_sink_position",
];

/// What a method does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never answers.
    Silent,
    /// It fails at once.
    Failing,
    /// It gives way to another writer of the process.
    Busy,
}

/// Wraps a store. Clones share one state.
#[derive(Debug, Clone)]
pub struct FaultStore(Arc<State>);

#[derive(Debug)]
struct State {
    inner: Arc<dyn TokenStore>,
    /// What nodes have reported, where the store inside knows of one node alone.
    own_nodes: Option<Mutex<BTreeMap<u64, NodeReport>>>,
    gates: BTreeMap<&'static str, Gate>,
    faults: Mutex<BTreeMap<&'static str, Fault>>,
    found: AtomicUsize,
    hides_search: AtomicBool,
}

/// Holds answers back while it is closed: what was asked has been done by then.
#[derive(Debug)]
struct Gate {
    is_closed: watch::Sender<bool>,
    passed: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            is_closed: watch::Sender::new(false),
            passed: AtomicUsize::new(0),
        }
    }
}

impl Gate {
    async fn pass(&self) {
        self.passed.fetch_add(1, Ordering::SeqCst);
        let mut is_closed = self.is_closed.subscribe();
        let _opened = is_closed.wait_for(|is_closed| !is_closed).await;
    }
}

impl FaultStore {
    /// Wraps this store.
    pub fn new(inner: Arc<dyn TokenStore>) -> Self {
        Self::with(inner, None)
    }

    /// A store in memory that says that it is shared.
    pub fn shared_in_memory() -> Self {
        Self::with(Arc::new(MemoryStore::default()), Some(Mutex::default()))
    }

    fn with(
        inner: Arc<dyn TokenStore>,
        own_nodes: Option<Mutex<BTreeMap<u64, NodeReport>>>,
    ) -> Self {
        let gates = METHODS.iter().map(|method| (*method, Gate::default()));
        Self(Arc::new(State {
            inner,
            own_nodes,
            gates: gates.collect(),
            faults: Mutex::default(),
            found: AtomicUsize::new(0),
            hides_search: AtomicBool::new(false),
        }))
    }

    /// From now on these methods are at fault, and no others.
    pub fn set(&self, methods: &[&'static str], fault: Fault) {
        let faults = methods.iter().map(|method| (*method, fault));
        *self.0.faults.lock().expect("the faults") = faults.collect();
    }

    /// Every call fails, or none does.
    pub fn set_down(&self, is_down: bool) {
        let methods = if is_down { METHODS } else { &[] };
        self.set(methods, Fault::Failing);
    }

    /// From now on the store has no search.
    pub fn hide_search(&self) {
        self.0.hides_search.store(true, Ordering::SeqCst);
    }

    /// Look-ups read the row, but do not answer until this is opened again.
    pub fn hold_lookups(&self, is_closed: bool) {
        self.hold("find_by_digest", is_closed);
    }

    /// Revocations commit, but do not answer until this is opened again.
    pub fn hold_revocations(&self, is_closed: bool) {
        self.hold("revoke", is_closed);
    }

    /// The change feed is read, but its reader does not get it until this is opened again.
    pub fn hold_changes(&self, is_closed: bool) {
        self.hold("changes_since", is_closed);
    }

    /// The reports of all nodes are read, but their reader does not get them until this is opened
    /// again.
    pub fn hold_nodes(&self, is_closed: bool) {
        self.hold("nodes", is_closed);
    }

    /// How often the change feed was read.
    pub fn polls(&self) -> usize {
        self.calls("changes_since")
    }

    /// How often the reports of all nodes were read.
    pub fn node_reads(&self) -> usize {
        self.calls("nodes")
    }

    /// How many look-ups have read their row.
    pub fn lookups(&self) -> usize {
        self.calls("find_by_digest")
    }

    /// How many of them found a token.
    pub fn found(&self) -> usize {
        self.0.found.load(Ordering::SeqCst)
    }

    /// How many revocations have been committed.
    pub fn revocations(&self) -> usize {
        self.calls("revoke")
    }

    fn hold(&self, method: &str, is_closed: bool) {
        self.0.gates[method].is_closed.send_replace(is_closed);
    }

    fn calls(&self, method: &str) -> usize {
        self.0.gates[method].passed.load(Ordering::SeqCst)
    }

    fn own_nodes(&self) -> Option<MutexGuard<'_, BTreeMap<u64, NodeReport>>> {
        let nodes = self.0.own_nodes.as_ref()?;
        Some(nodes.lock().expect("the nodes"))
    }

    /// Asks the store inside, unless this method is at fault.
    async fn call<'a, T, F>(
        &'a self,
        method: &'static str,
        ask: impl FnOnce(&'a dyn TokenStore) -> F + Send,
    ) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let fault = self
            .0
            .faults
            .lock()
            .expect("the faults")
            .get(method)
            .copied();
        match fault {
            None => {}
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Failing) => return Err(StoreError::backend("the database is down")),
            Some(Fault::Busy) => return Err(StoreError::Busy),
        }
        let answer = ask(&*self.0.inner).await;
        self.0.gates[method].pass().await;
        answer
    }

    fn jobs_inside(&self) -> &dyn JobStore {
        self.0.inner.jobs().expect("a store with jobs")
    }

    fn search_inside(&self) -> &dyn SearchStore {
        self.0.inner.search_store().expect("a store with a search")
    }

    fn imports_inside(&self) -> &dyn ImportStore {
        self.0.inner.import_store().expect("a store that imports")
    }

    fn audit_inside(&self) -> &dyn AuditStore {
        self.0.inner.audit().expect("a store with an audit")
    }
}
