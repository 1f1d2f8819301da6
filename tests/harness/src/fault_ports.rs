//! Everything that a service calls, at fault when a test wants it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pat_core::event::{Event, EventSink};
use pat_core::notification::{Notification, Notifier, NotifyError};
use pat_core::scope::ScopeCatalog;
use pat_core::settings::SettingsBuilder;
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{BoxError, Pats, Settings};

use crate::fault_store::{Fault, FaultStore};

/// The ports of one service, and its clock.
#[derive(Debug)]
pub struct FaultPorts {
    /// A store in memory that says that it is shared.
    pub store: FaultStore,
    /// The users.
    pub directory: TestDirectory,
    /// What sends the notifications.
    pub notifier: FaultNotifier,
    /// What receives the events.
    pub sink: FaultSink,
    /// The clock, which the test moves.
    pub clock: Arc<TestClock>,
}

impl FaultPorts {
    /// Creates ports without a fault, and with this sink.
    pub fn new(sink: FaultSink) -> Self {
        Self {
            store: FaultStore::shared_in_memory(),
            directory: TestDirectory::default(),
            notifier: FaultNotifier::default(),
            sink,
            clock: Arc::default(),
        }
    }

    /// Returns settings by which every port is called: nothing is answered from the cache, and a creation
    /// is notified.
    pub fn settings() -> SettingsBuilder {
        let settings = Settings::builder()
            .auth_cache_expiry_mins(0)
            .notice_created(true);
        let settings = settings.set("pat.time.zone", "UTC");
        settings.expect("a time zone")
    }

    /// Builds a service that calls these ports.
    pub fn service(&self, settings: SettingsBuilder) -> Pats {
        Pats::builder(Arc::new(self.store.clone()))
            .users(Arc::new(self.directory.clone()))
            .notifier(Arc::new(self.notifier.clone()))
            .events(Arc::new(self.sink.clone()))
            .clock(self.clock.clone())
            .settings(settings.build().expect("settings"))
            // With scopes, a creation asks the directory which are allowed.
            .scopes(ScopeCatalog::builder().build().expect("a catalog"))
            .build()
    }
}

/// The fault of a port, if it has one. Clones share it.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Option<Fault>>>);

impl Shared {
    fn set(&self, fault: Option<Fault>) {
        *self.0.lock().expect("the fault") = fault;
    }

    async fn call(&self) -> Result<(), BoxError> {
        let fault = *self.0.lock().expect("the fault");
        match fault {
            None => Ok(()),
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Failing | Fault::Busy) => Err("the port is down".into()),
        }
    }
}

/// Sends nothing, and reports success unless it is at fault.
#[derive(Debug, Clone, Default)]
pub struct FaultNotifier(Shared);

impl FaultNotifier {
    /// Sets the fault, or removes it.
    pub fn set(&self, fault: Option<Fault>) {
        self.0.set(fault);
    }
}

#[async_trait]
impl Notifier for FaultNotifier {
    fn name(&self) -> &'static str {
        "fault"
    }

    async fn send(&self, _: &Notification) -> Result<(), NotifyError> {
        self.0.call().await.map_err(NotifyError::Temporary)
    }
}

/// Takes every event unless it is at fault.
#[derive(Debug, Clone, Default)]
pub struct FaultSink {
    name: Option<&'static str>,
    fault: Shared,
}

impl FaultSink {
    /// Creates a shared sink. The default is a sink of the process.
    pub fn shared() -> Self {
        Self {
            name: Some("fault"),
            ..Self::default()
        }
    }

    /// Sets the fault, or removes it.
    pub fn set(&self, fault: Option<Fault>) {
        self.fault.set(fault);
    }
}

#[async_trait]
impl EventSink for FaultSink {
    fn name(&self) -> Option<&str> {
        self.name
    }

    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        self.fault.call().await
    }
}
