//! Scopes: named permissions that restrict what a token may do.
//!
//! A token without scopes may do everything that its owner may. A token with scopes, a *restricted token*, may
//! do what its owner may and its scopes permit, never more: a scope permits nothing that the owner may not do.
//! The scopes of a token are chosen when the token is created, and never change.
//!
//! The host declares its scopes in a [`ScopeCatalog`] and passes it to
//! [`PatsBuilder::scopes`](crate::PatsBuilder::scopes). Without a catalog, no token can be given scopes.
//!
//! # Reserved scopes
//! Every catalog with scopes of the host also has three scopes for tokens themselves:
//!
//! | name | permits |
//! |---|---|
//! | [`TOKENS_READ`] | to list the owner's tokens, and get one by ID |
//! | [`TOKENS_WRITE`] | to create tokens and to revoke the owner's other tokens; implies `tokens:read` |
//! | [`TOKENS_ADMIN`] | what an administrator may do with the tokens of all users |
//!
//! A token needs no scope to describe or revoke itself, or to read the limits for new tokens.

mod allowed;
mod catalog;
mod names;

pub use self::allowed::{AllowedScopes, ScopeChoices, WithoutScopes};
#[cfg(test)]
pub(crate) use self::catalog::tests::read_and_write;
pub use self::catalog::{
    CatalogError, Scope, ScopeCatalog, ScopeCatalogBuilder, ScopeSet, UndeclaredScope,
};
pub use self::names::{InvalidScopes, Scopes};

/// `tokens:read`, the reserved scope for listing the owner's tokens and getting one by ID.
pub const TOKENS_READ: &str = "tokens:read";
/// `tokens:write`, the reserved scope for creating tokens and revoking the owner's other tokens. It implies
/// [`TOKENS_READ`].
pub const TOKENS_WRITE: &str = "tokens:write";
/// `tokens:admin`, the reserved scope for what an administrator may do with the tokens of all users.
pub const TOKENS_ADMIN: &str = "tokens:admin";

/// The most scopes of a catalog, with the reserved ones, and of a token.
pub const MAX_SCOPES: usize = 64;
