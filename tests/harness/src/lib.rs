//! What the behaviour tests share: trials with needs and limits, the services and servers that they run
//! on, and programs around these.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that cannot have what it needs panics"
)]
#![expect(clippy::must_use_candidate, reason = "only tests call these")]

pub mod browser;
mod budget;
mod counting;
pub mod database;
pub mod disk;
mod example;
pub mod fault_ports;
pub mod fault_proxy;
pub mod fault_store;
mod folders;
mod log;
pub mod mail;
pub mod memory;
pub mod names;
pub mod node;
mod order;
pub mod postfix;
pub mod process;
pub mod proxy;
pub mod python;
mod run;
pub mod scopes;
mod scratch;
pub mod smtp;
mod time;
mod trial;

pub use self::counting::CountingDirectory;
pub use self::example::{
    Answer, MYSELF, NewToken, PROJECTS, Server, TOKENS, answer, client, column, count,
};
pub use self::folders::{repository, target_folder};
pub use self::log::Log;
pub use self::run::{Plan, run};
pub use self::time::{timer_now, until};
pub use self::trial::{blocking_trial, named_trial, named_trial_with_need, trial, trial_with_need};
