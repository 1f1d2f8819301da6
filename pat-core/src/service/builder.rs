use std::sync::Arc;

use super::Pats;
use crate::clock::{Clock, SystemClock};
use crate::context::Context;
use crate::directory::{OpenDirectory, UserDirectory};
use crate::event::{EventSink, Events};
use crate::node::Node;
use crate::notification::Notifier;
use crate::settings::Settings;
use crate::store::TokenStore;
use crate::token::{FormatName, TokenFormat};

/// Builds a [`Pats`] from the host's plug-ins. Every plug-in has a default.
///
/// ```
/// use pat_core::{MemoryStore, Pats, Settings};
///
/// let settings = Settings::builder().max_tokens_per_user(20).build()?;
/// let pats = Pats::builder(MemoryStore::default()).settings(settings).build();
/// # Ok::<(), pat_core::SettingsError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct PatsBuilder {
    store: Arc<dyn TokenStore>,
    directory: Arc<dyn UserDirectory>,
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
            clock: Arc::new(SystemClock),
            sinks: Vec::new(),
            notifiers: Vec::new(),
            settings: Settings::default(),
            issued_format: None,
            accepted_formats: Vec::new(),
        }
    }

    /// Sets the host's user directory. The default is [`OpenDirectory`]: every owner is active, and
    /// there are no administrators.
    pub fn users(mut self, directory: impl UserDirectory) -> Self {
        self.directory = Arc::new(directory);
        self
    }

    /// Sets the settings. The default is [`Settings::default`].
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds an audit event sink: a process sink, or a shared one if it has a
    /// [name](EventSink::name).
    pub fn events(mut self, sink: impl EventSink) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// Adds a notifier, which sends notifications to owners. Without one, none are queued.
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifiers.push(Arc::new(notifier));
        self
    }

    /// Sets the format of new tokens, in place of the one in the settings. Tokens of the formats in
    /// the settings are still accepted.
    pub fn issue(mut self, format: impl TokenFormat) -> Self {
        self.issued_format = Some(Arc::new(format));
        self
    }

    /// Adds a format of tokens that are accepted, besides the issued one and those in the settings.
    pub fn accept(mut self, format: impl TokenFormat) -> Self {
        self.accepted_formats.push(Arc::new(format));
        self
    }

    /// Sets the clock. The default is [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the service. Nothing runs in the background until [`Pats::start`].
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
        // Without leases, one node at a time cannot feed the events.
        let is_stored = self.store.audit().is_some() && self.store.jobs().is_some();
        let events = Events::new(self.sinks, is_stored);
        let context = Context::new(
            self.settings,
            self.store,
            self.directory,
            self.clock,
            events,
        );
        Pats::new(Node::new(context, formats, issued_format, self.notifiers))
    }
}
