use std::sync::Arc;
use std::time::Duration;

use super::Pats;
use crate::auth::AuthResult;
use crate::client::Client;
use crate::error::AuthError;
use crate::principal::Principal;
use crate::token::TokenDigest;

impl Pats {
    /// Checks that the string `presented` has an accepted token format, and returns its digest. Does no I/O.
    ///
    /// # Errors
    /// - [`AuthError::Unrecognized`]: no accepted format recognises the string.
    /// - [`AuthError::Disabled`]: an accepted format recognises the string, but the setting
    ///   `atlassian.pats.enabled` is `false`.
    pub fn parse(&self, presented: &[u8]) -> Result<TokenDigest, AuthError> {
        self.0.auth.check_format(presented, Client::current)?;
        Ok(TokenDigest::of(presented))
    }

    /// Checks the format like [`Pats::parse`], for a client that is found out only for an event. For layers around
    /// a service.
    ///
    /// # Errors
    /// Same as [`Pats::parse`].
    #[doc(hidden)]
    pub fn check_format_of(
        &self,
        presented: &[u8],
        client: impl FnOnce() -> Client,
    ) -> Result<(), AuthError> {
        self.0.auth.check_format(presented, client)
    }

    /// Authenticates the token with this digest from this node's cache alone, and records the use. Returns
    /// `None` if the cache does not have the answer, so that the store must be queried
    /// ([`Pats::authenticate_digest`]): also if a cached token has expired since.
    ///
    /// The method does no I/O. It allocates nothing if it finds a valid token.
    ///
    /// # Errors
    /// The [`AuthError`] with which [`Pats::authenticate_digest`] refused this digest less than ten seconds
    /// ago. [`AuthError::Unavailable`] is not cached.
    #[must_use]
    pub fn authenticate_cached(
        &self,
        digest: &TokenDigest,
    ) -> Option<Result<Principal, AuthError>> {
        self.0.auth.authenticate_cached(digest, Client::current)
    }

    /// The valid half of [`Pats::authenticate_cached`], for a string whose format is not checked yet: a token that is
    /// cached was accepted before, so its checksum tells nothing new. For layers around a service.
    #[doc(hidden)]
    #[must_use]
    pub fn authenticate_known(&self, digest: &TokenDigest) -> Option<Principal> {
        let is_enabled = self.settings().enabled();
        is_enabled.then(|| self.0.auth.authenticate_known(digest))?
    }

    /// The other half, for a client that is found out only for an event, after [`Pats::authenticate_known`].
    #[doc(hidden)]
    #[must_use]
    pub fn refuse_cached_of(
        &self,
        digest: &TokenDigest,
        client: impl FnOnce() -> Client,
    ) -> Option<AuthError> {
        self.0.auth.refuse_cached(digest, client)
    }

    /// Authenticates the token with this digest by a query of the store, within the time in the setting
    /// `pat.auth.database.timeout.ms` (by default a second), and records the use.
    ///
    /// Concurrent calls for one token share one query.
    ///
    /// The method checks no format and not the setting `atlassian.pats.enabled`, as [`Pats::parse`] does. While a token
    /// is cached, layers do not check its format either.
    ///
    /// # Errors
    /// - [`AuthError::Unknown`], [`AuthError::Revoked`], [`AuthError::Expired`], [`AuthError::TokenDisabled`],
    ///   [`AuthError::OwnerGone`], [`AuthError::OwnerInactive`] or [`AuthError::OwnerAbsent`]: the token does not
    ///   authenticate.
    /// - [`AuthError::Unavailable`]: the token could not be checked in time. Maps to the HTTP status 503,
    ///   never to 401.
    pub fn authenticate_digest(
        &self,
        digest: TokenDigest,
    ) -> impl Future<Output = Result<Principal, AuthError>> + Send + 'static {
        Arc::clone(&self.0.auth).authenticate_digest(digest)
    }

    /// Authenticates the token string `presented`, and records the use. This is [`Pats::parse`],
    /// [`Pats::authenticate_cached`] and [`Pats::authenticate_digest`] in one call.
    ///
    /// A token with scopes ([`Principal::is_restricted`]) authenticates too. A host that calls this method, in place of
    /// `PatLayer` of `pat-tower`, must check itself what [`Principal::permitted`] allows.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    /// let alice = Caller::cookie_authenticated(Owner::new("alice")?);
    /// let request = TokenRequest::new("ci", Some(30));
    /// let created = pats.create(&alice, request).await?;
    /// let principal = pats.authenticate(created.plain.expose().as_bytes()).await?;
    /// assert_eq!(principal.owner().as_str(), "alice");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Same as [`Pats::parse`] and [`Pats::authenticate_digest`].
    pub async fn authenticate(&self, presented: &[u8]) -> AuthResult {
        let digest = self.parse(presented)?;
        match self.authenticate_cached(&digest) {
            Some(verdict) => verdict,
            None => self.authenticate_digest(digest).await,
        }
    }

    /// Runs `operation` on behalf of a client: the [audit events](crate::event::Event) that it causes name the
    /// client, and so does the notification that a token was replaced twice. Without the address, if the setting
    /// `pat.audit.client.address` is `false`.
    ///
    /// The routers of `pat-tower` do this for their requests, and its layer for the tokens that it checks. Use the
    /// method in handlers of your own that call this service, and in servers of other protocols. In a task that
    /// `operation` spawns, use [`Client::carry`].
    ///
    /// ```
    /// # use pat_core::{Caller, Client, Pats, TokenId};
    /// # async fn handler(pats: Pats, caller: Caller, id: TokenId, peer: std::net::SocketAddr) {
    /// let client = Client::default().with_address(peer.ip()).with_user_agent("grpc-rust/1.2");
    /// let revoked = pats.on_behalf_of(client, pats.revoke(&caller, id)).await;
    /// # }
    /// ```
    pub fn on_behalf_of<F: Future>(
        &self,
        client: Client,
        operation: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let client = if self.settings().audit_client_address() {
            client
        } else {
            client.without_address()
        };
        client.scope(operation)
    }

    /// Authenticates again a token that authenticated earlier.
    pub(super) async fn recheck(&self, principal: &Principal) -> AuthResult {
        let digest = principal.0.digest;
        match self.authenticate_cached(&digest) {
            Some(verdict) => verdict,
            None => self.authenticate_digest(digest).await,
        }
    }

    /// Waits until a token that has authenticated a request no longer authenticates, and returns the reason.
    /// Use this method for long responses, such as event streams and web sockets, which would otherwise
    /// outlive the token.
    ///
    /// The method checks the token at the interval in the setting `pat.cluster.poll.interval.ms` (by default
    /// half a second), but at least once a second. So after a revocation the method returns within the time in
    /// the setting `pat.auth.max.staleness.ms` plus this interval. The method returns
    /// [`AuthError::Unavailable`] at the first check that fails, for example because the store does not answer
    /// in time. Checks are answered from the cache while it can be used, as for a request. Each check counts as
    /// a use of the token.
    ///
    /// ```
    /// # use pat_core::{MemoryStore, Pats, Principal};
    /// async fn stream(pats: Pats, principal: Principal, work: impl Future<Output = ()>) {
    ///     tokio::select! {
    ///         () = work => {}
    ///         _reason = pats.until_invalid(&principal) => {}
    ///     }
    /// }
    /// ```
    pub async fn until_invalid(&self, principal: &Principal) -> AuthError {
        const LONGEST: Duration = Duration::from_secs(1);
        let interval = self.settings().cluster_poll_interval().min(LONGEST);
        loop {
            if let Err(error) = self.recheck(principal).await {
                return error;
            }
            tokio::time::sleep(interval).await;
        }
    }
}
