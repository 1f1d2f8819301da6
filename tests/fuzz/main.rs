//! Fuzz tests of everything that reads untrusted text.

mod authorization;
mod cursor;
mod driver;
mod formats;
mod properties;
mod replies;
mod schedules;
