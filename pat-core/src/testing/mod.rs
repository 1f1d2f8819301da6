//! For tests of hosts and plug-ins: conformance suites, recording plug-ins and a clock that a test
//! sets. Behind the feature `testing`.

pub mod audit;
mod case;
mod clock;
mod features;
pub mod jobs;
mod plugins;
pub mod search;
pub mod store;

pub use self::case::Case;
pub use self::clock::TestClock;
pub use self::features::need_feature;
pub use self::plugins::{
    RecordingNotifier, RecordingSink, TestDirectory, check_directory, check_format, check_notifier,
};
