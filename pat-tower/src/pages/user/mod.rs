//! The pages with one's own tokens.

mod create;
mod expiry;
mod list;
mod revoke;

pub(super) use self::create::{create, form};
pub(super) use self::list::{list, outlived};
pub(super) use self::revoke::{ask, family, revoke};
