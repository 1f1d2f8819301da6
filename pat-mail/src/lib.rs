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
mod context;
mod error;
mod file;
mod header;
mod memory;
mod message;
#[cfg(feature = "smtp")]
mod smtp;
mod templates;
mod text;
mod translate;

pub use builder::ComposerBuilder;
pub use error::{ComposeError, ComposerError};
pub use file::FileMailer;
pub use memory::MemoryMailer;
pub use message::{Composer, Mail, NotificationText};
#[cfg(all(feature = "smtp", feature = "testing"))]
#[doc(hidden)]
pub use smtp::testing;
#[cfg(feature = "smtp")]
pub use smtp::{
    SmtpMailer,
    error::SmtpError,
    reply::SmtpReply,
    url::{SmtpUrl, SmtpUrlError},
};
