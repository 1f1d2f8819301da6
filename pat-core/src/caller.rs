use crate::principal::Principal;
use crate::token::Owner;

/// The user who makes a request: signed in by the host, or authenticated by a token.
#[derive(Debug, Clone)]
pub struct Caller {
    owner: Owner,
    token: Option<Principal>,
    is_cookie_authenticated: bool,
}

impl Caller {
    /// Creates a caller whom the host authenticated with a credential that browsers send by
    /// themselves: a session cookie, Basic, a client certificate. `pat-tower` checks such a caller's
    /// changes for cross-site request forgery.
    #[must_use]
    pub fn cookie_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: true,
        }
    }

    /// Creates a caller whom the host authenticated with a credential that browsers never send by
    /// themselves, such as a custom header.
    #[must_use]
    pub fn header_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: false,
        }
    }

    /// Creates the caller of a request that a token authenticated.
    #[must_use]
    pub fn with_token(principal: Principal) -> Self {
        Self {
            owner: principal.owner().clone(),
            token: Some(principal),
            is_cookie_authenticated: false,
        }
    }

    /// Returns the user.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns the token that authenticated the request, if one did.
    #[must_use]
    pub fn token(&self) -> Option<&Principal> {
        self.token.as_ref()
    }

    /// Returns whether browsers send this caller's credential by themselves.
    #[must_use]
    pub fn is_cookie_authenticated(&self) -> bool {
        self.is_cookie_authenticated
    }
}
