//! Fuzz tests of everything that reads untrusted text.

mod authorization;
mod creation;
mod cursor;
mod driver;
mod formats;
mod forms;
mod json;
mod properties;
mod replies;
mod schedules;
