#![doc = include_str!("../docs/messages.md")]

mod check;
mod error;
mod language;
mod translation;
mod value;

pub use self::error::{MessageError, MessagesError};
pub use self::language::Languages;
pub use self::translation::Messages;
pub use self::value::Value;

/// The English messages, in the format of Project Fluent: the text to begin a translation with.
pub const ENGLISH: &str = include_str!("../../messages/en.ftl");
