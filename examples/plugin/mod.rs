//! What somebody else would write against the ports of `pat-core`: a store that keeps tokens in a
//! file of its own, and a sink that sends audit events to a webhook.

mod file_store;
mod webhook;

pub use self::file_store::FileStore;
pub use self::webhook::{WebhookSink, WebhookUrlError};
