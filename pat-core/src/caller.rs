use crate::principal::Principal;
use crate::token::Owner;

/// The user who makes a request, and how the user was authenticated: by the host, or with a token.
///
/// A handler gets the caller from `SignedIn` of `pat-tower`, which is an extractor in axum.
#[derive(Debug, Clone)]
pub struct Caller {
    owner: Owner,
    token: Option<Principal>,
    is_cookie_authenticated: bool,
}

impl Caller {
    /// Creates a caller whom the host authenticated with a credential that browsers send by themselves: a
    /// session cookie, a Basic password, a client certificate. If a request with this caller changes
    /// something, `pat-tower` checks that no other site has caused the request (cross-site request forgery).
    ///
    /// The host has checked that the user is active: a caller who creates, lists or revokes tokens is not
    /// looked up in the [`UserDirectory`](crate::UserDirectory).
    #[must_use]
    pub fn cookie_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: true,
        }
    }

    /// Creates a caller whom the host authenticated with a credential that browsers never send by
    /// themselves, such as a custom header. As with [`Caller::cookie_authenticated`], the host has checked that
    /// the user is active.
    #[must_use]
    pub fn header_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: false,
        }
    }

    /// Creates the caller of a request that a token authenticated: the token's owner.
    #[must_use]
    pub fn with_token(principal: Principal) -> Self {
        Self {
            owner: principal.owner().clone(),
            token: Some(principal),
            is_cookie_authenticated: false,
        }
    }

    /// Returns the key of the user who makes the request.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns the token that authenticated the request; `None` if the host authenticated the user by other
    /// means.
    #[must_use]
    pub fn token(&self) -> Option<&Principal> {
        self.token.as_ref()
    }

    /// Returns whether the caller was created by [`Caller::cookie_authenticated`], with a credential that
    /// browsers send by themselves.
    #[must_use]
    pub fn is_cookie_authenticated(&self) -> bool {
        self.is_cookie_authenticated
    }
}
