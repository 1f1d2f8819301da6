#![doc = include_str!("../README.md")]
#![cfg_attr(
    docsrs,
    feature(doc_cfg),
    doc = concat!(
        "![The mail about a token that expires soon](data:image/png;base64,",
        include_str!("../docs/expires-soon.base64"),
        ")"
    )
)]

mod builder;
mod connection;
mod context;
mod conversation;
mod ehlo;
mod error;
mod file;
mod header;
mod memory;
mod message;
mod reply;
mod reply_stream;
#[cfg(test)]
mod scripted_server;
mod smtp;
mod templates;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod text;
mod tls;
mod url;

pub use builder::ComposerBuilder;
pub use error::{ComposeError, ComposerError, SmtpError};
pub use file::FileMailer;
pub use memory::MemoryMailer;
pub use message::{Composer, Mail, NotificationText};
pub use reply::SmtpReply;
pub use smtp::SmtpMailer;
pub use url::{SmtpUrl, SmtpUrlError};
