//! Implementations of two ports of `pat-core`: a store that keeps its data in one file, and a sink that
//! sends audit events to a webhook.

mod file_store;
mod webhook;

pub use self::file_store::FileStore;
pub use self::webhook::{WebhookSink, WebhookUrlError};
