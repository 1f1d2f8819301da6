use std::sync::Arc;

use super::Pats;
use crate::clock::{Clock, SystemClock};
use crate::context::Context;
use crate::directory::{OpenDirectory, UserDirectory};
use crate::event::{EventSink, Events};
use crate::node::Node;
use crate::notification::Notifier;
use crate::scope::ScopeCatalog;
use crate::settings::Settings;
use crate::store::TokenStore;
use crate::token::{FormatName, TokenFormat};

/// Builds a [`Pats`] from a store, settings and the host's plug-ins. Everything but the store has a default.
///
/// ```
/// use std::sync::Arc;
///
/// use pat_core::{MemoryStore, Pats, Settings};
///
/// let settings = Settings::builder().max_tokens_per_user(20).build()?;
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).settings(settings).build();
/// # Ok::<(), pat_core::SettingsError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct PatsBuilder {
    store: Arc<dyn TokenStore>,
    directory: Arc<dyn UserDirectory>,
    scopes: ScopeCatalog,
    clock: Arc<dyn Clock>,
    sinks: Vec<Arc<dyn EventSink>>,
    notifiers: Vec<Arc<dyn Notifier>>,
    settings: Settings,
    issued_format: Option<Arc<dyn TokenFormat>>,
    accepted_formats: Vec<Arc<dyn TokenFormat>>,
}

impl PatsBuilder {
    pub(crate) fn new(store: Arc<dyn TokenStore>) -> Self {
        Self {
            store,
            directory: Arc::new(OpenDirectory),
            scopes: ScopeCatalog::default(),
            clock: Arc::new(SystemClock),
            sinks: Vec::new(),
            notifiers: Vec::new(),
            settings: Settings::default(),
            issued_format: None,
            accepted_formats: Vec::new(),
        }
    }

    /// Sets the host's user directory. The default is [`OpenDirectory`]: no user is an administrator, and
    /// every owner is active ([`User::is_active`](crate::User::is_active)), so that the tokens of every
    /// owner authenticate.
    pub fn users(mut self, directory: Arc<dyn UserDirectory>) -> Self {
        self.directory = directory;
        self
    }

    /// Sets the settings. The default is [`Settings::default`].
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the scopes with which tokens can be restricted. By default there are none: no token can be given
    /// scopes, and a token that has some, since another node or an earlier version of the host declared them,
    /// is permitted nothing.
    pub fn scopes(mut self, catalog: ScopeCatalog) -> Self {
        self.scopes = catalog;
        self
    }

    /// Adds a sink that receives audit events. A sink with a [name](EventSink::name) is a shared sink, which
    /// receives the events of all nodes; a sink without a name is a process sink, which receives the events
    /// of its own process ([`EventSink`]). By default, there is no sink; events are logged in any case.
    pub fn events(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Adds a notifier, which sends notifications to the owners of tokens. Without a notifier, no
    /// notifications are queued.
    pub fn notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifiers.push(notifier);
        self
    }

    /// Sets the format of new tokens, in place of [`Settings::issued_format`]. Tokens of this format are
    /// accepted, and still those of all formats in the settings ([`Settings::accepted_formats`]), the replaced
    /// one included.
    pub fn issue(mut self, format: Arc<dyn TokenFormat>) -> Self {
        self.issued_format = Some(format);
        self
    }

    /// Adds a format whose tokens are accepted, besides the format of new tokens and the formats in the
    /// settings ([`Settings::accepted_formats`]).
    pub fn accept(mut self, format: Arc<dyn TokenFormat>) -> Self {
        self.accepted_formats.push(format);
        self
    }

    /// Sets the clock of this node. The default is [`SystemClock`]. If the store's database has a clock, the
    /// service decides by the database's date and time instead of [`Clock::wall`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the service. The service runs no background work until [`Pats::start`] is called.
    #[must_use]
    pub fn build(self) -> Pats {
        let mut formats: Vec<_> = self
            .settings
            .accepted_formats()
            .iter()
            .map(FormatName::format)
            .collect();
        formats.extend(self.accepted_formats);
        let issued_format = match self.issued_format {
            Some(own) => {
                formats.insert(0, Arc::clone(&own));
                own
            }
            None => self.settings.issued_format().format(),
        };
        warn_of_undeclared(&self.settings, &self.scopes);
        // Without leases, one node at a time cannot feed the events.
        let is_stored = self.store.audit().is_some() && self.store.jobs().is_some();
        let keeps_addresses = self.settings.audit_client_address();
        let events = Events::new(self.sinks, is_stored, keeps_addresses);
        let context = Context::new(
            self.settings,
            self.store,
            self.directory,
            self.scopes,
            self.clock,
            events,
        );
        Pats::new(Node::new(context, formats, issued_format, self.notifiers))
    }
}

/// Logs settings about scopes that do not fit the catalog.
fn warn_of_undeclared(settings: &Settings, catalog: &ScopeCatalog) {
    let by_default = settings.scopes_default();
    for name in by_default.iter().flat_map(|scopes| scopes.iter()) {
        if catalog.set([name]).is_err() {
            tracing::warn!(
                name,
                "pat.scopes.default has a scope that the host does not declare (PatsBuilder::scopes); it \
                 permits nothing"
            );
        }
    }
    if settings.scopes_required() && by_default.is_none() && catalog.is_empty() {
        tracing::warn!(
            "pat.scopes.required is true, and the host declares no scopes (PatsBuilder::scopes): no token can \
             be created"
        );
    }
}
