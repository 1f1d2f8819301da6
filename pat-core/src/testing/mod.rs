//! Helpers for the tests of hosts and plug-ins: conformance suites for the ports, plug-ins that record what
//! they receive, example notifications, and a clock that a test sets. Needs the feature `testing`.

pub mod audit;
pub(crate) mod case;
mod clock;
mod directory;
mod features;
pub mod jobs;
mod notification;
mod plugins;
pub mod search;
pub mod store;

pub use self::case::Case;
pub use self::clock::TestClock;
pub use self::directory::{DirectoryUsers, check_allowed_scopes, check_directory};
pub use self::features::need_feature;
pub use self::notification::example_notification;
pub use self::plugins::{
    RecordingNotifier, RecordingSink, TestDirectory, check_format, check_notifier,
};
