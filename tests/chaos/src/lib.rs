//! Tests that break one thing after another in a cluster, and the processes that they start.

mod revocation;

pub use self::revocation::{AS_NODE, run_as_node, trials};
