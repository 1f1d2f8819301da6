//! The state that all parts of a service share.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Time};
use crate::directory::UserDirectory;
use crate::error::{BoxError, Unavailable};
use crate::event::Events;
use crate::metrics::Metrics;
use crate::outage::Outages;
use crate::scope::ScopeCatalog;
use crate::settings::Settings;
use crate::store::{AuditStore, JobStore, StoreError, TokenStore};
use crate::versions::Versions;

/// Settings, plug-ins, and the state kept about them.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    /// Unchecked: this version may not be allowed to use it; see [`Context::usable_store`].
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) directory: Arc<dyn UserDirectory>,
    pub(crate) scopes: ScopeCatalog,
    pub(crate) time: Time,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) versions: Versions,
    pub(crate) outages: Outages,
}

impl Context {
    pub(crate) fn new(
        settings: Settings,
        store: Arc<dyn TokenStore>,
        directory: Arc<dyn UserDirectory>,
        scopes: ScopeCatalog,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Self {
        Self {
            settings,
            store,
            directory,
            scopes,
            outages: Outages::new(Arc::clone(&clock)),
            time: Time::new(clock),
            events,
            metrics: Metrics::new(),
            versions: Versions::default(),
        }
    }

    /// Returns the store, for calls that depend on its content.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if only newer versions may use the store.
    pub(crate) fn usable_store(&self) -> Result<&dyn TokenStore, StoreError> {
        self.versions.check()?;
        Ok(&*self.store)
    }

    /// Returns the store's job capability, if it has one.
    ///
    /// # Errors
    /// Same as [`Context::usable_store`].
    pub(crate) fn job_store(&self) -> Result<Option<&dyn JobStore>, StoreError> {
        Ok(self.usable_store()?.jobs())
    }

    /// Returns the store's audit and job capabilities, if it has both.
    pub(crate) fn audit_store(&self) -> Option<(&dyn AuditStore, &dyn JobStore)> {
        self.store.audit().zip(self.store.jobs())
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Returns how long authentication waits for the store or the directory.
    pub(crate) fn auth_timeout(&self) -> Duration {
        self.settings.auth_database_timeout()
    }

    /// Returns how long other requests wait for the store: longer than authentication, since a change
    /// may have to wait for a lock.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.auth_timeout() * 5
    }

    /// Returns the store's answer, if it comes within `limit`.
    ///
    /// # Errors
    /// [`StoreError::Timeout`] after `limit`, or the store's own error.
    pub(crate) async fn ask<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.outages.store(limit, answer).await
    }

    /// Returns the directory's answer, if it comes within `limit`.
    ///
    /// # Errors
    /// [`Unavailable::Directory`] if the directory fails or does not answer in time.
    pub(crate) async fn ask_directory<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, Unavailable> {
        self.outages.directory(limit, answer).await
    }
}
