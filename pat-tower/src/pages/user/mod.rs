//! The pages with one's own tokens.

mod create;
mod done;
mod edit;
mod examples;
mod expiry;
mod facts;
mod form;
mod line;
mod list;
mod origin;
mod pause;
mod replace;
mod revoke;
mod scopes;
mod token;

pub(super) use self::create::{create, status as status_of};
pub(super) use self::edit::{edit, edit_form};
pub(super) use self::facts::Facts;
pub(super) use self::form::form;
pub(super) use self::list::{list, outlived};
pub(super) use self::pause::{ask_to_pause, ask_to_resume, pause, resume};
pub(super) use self::replace::{replace, replace_form};
pub(super) use self::revoke::{ask, family, revoke};
pub(super) use self::token::token;
