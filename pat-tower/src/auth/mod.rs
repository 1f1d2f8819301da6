//! The layer that authenticates requests by their Bearer token.
//!
//! A request passes the files in this order: [`service`] asks [`decision`], which changes nothing,
//! what to do; [`effects`] carries that out; [`future`] waits for the database, the session store and
//! the inner service.

mod body;
mod config;
mod decision;
mod effects;
mod future;
mod layer;
mod service;
pub(crate) mod state;

pub use self::body::{RejectionBody, ResponseBody, SameBody, WrappedBody};
pub use self::future::ResponseFuture;
pub use self::layer::PatLayer;
pub use self::service::PatService;
