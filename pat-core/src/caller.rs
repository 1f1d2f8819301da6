use crate::principal::Principal;
use crate::token::Owner;

/// Who asks: a signed-in user, or the owner of a token that authenticated the request.
#[derive(Debug, Clone)]
pub struct Caller {
    owner: Owner,
    token: Option<Principal>,
    is_cookie_authenticated: bool,
}

impl Caller {
    /// A user whom the host signed in with something that a browser sends by itself: a session
    /// cookie, Basic, a client certificate. Such a caller is *ambient*: requests that change
    /// something are checked for having been forged by another site.
    #[must_use]
    pub fn cookie_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: true,
        }
    }

    /// A user whom the host signed in with something that only a script of ours can send, such as
    /// a header of its own.
    #[must_use]
    pub fn header_authenticated(owner: Owner) -> Self {
        Self {
            owner,
            token: None,
            is_cookie_authenticated: false,
        }
    }

    /// The owner of a token that authenticated the request.
    #[must_use]
    pub fn with_token(principal: Principal) -> Self {
        Self {
            owner: principal.owner().clone(),
            token: Some(principal),
            is_cookie_authenticated: false,
        }
    }

    /// The user.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The token that authenticated the request, if one did.
    #[must_use]
    pub fn token(&self) -> Option<&Principal> {
        self.token.as_ref()
    }

    /// Whether the browser sends this caller's credential by itself.
    #[must_use]
    pub fn is_cookie_authenticated(&self) -> bool {
        self.is_cookie_authenticated
    }
}
