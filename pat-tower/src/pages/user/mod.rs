//! The pages with one's own tokens.

mod create;
mod expiry;
mod form;
mod list;
mod origin;
mod revoke;
mod scopes;

pub(super) use self::create::create;
pub(super) use self::form::form;
pub(super) use self::list::{list, outlived};
pub(super) use self::revoke::{ask, family, revoke};
