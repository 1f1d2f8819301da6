use std::sync::Arc;
use std::time::Duration;

use super::Pats;
use crate::auth::AuthResult;
use crate::error::AuthError;
use crate::principal::Principal;
use crate::token::TokenDigest;

impl Pats {
    /// Whether `presented` could be a token of ours, and its digest; without I/O.
    ///
    /// # Errors
    /// [`AuthError::Unrecognized`] if no accepted format recognises it, [`AuthError::Disabled`] if
    /// tokens are switched off.
    pub fn parse(&self, presented: &[u8]) -> Result<TokenDigest, AuthError> {
        self.0.auth.parse(presented)
    }

    /// Decides from memory alone: `None` if the database must be asked ([`Pats::authenticate_digest`]).
    ///
    /// No I/O, no allocation, and no lock that is held across anything.
    #[must_use]
    pub fn authenticate_cached(
        &self,
        digest: &TokenDigest,
    ) -> Option<Result<Principal, AuthError>> {
        self.0.auth.authenticate_cached(digest)
    }

    /// Decides by asking the database, within `pat.auth.database.timeout.ms`.
    ///
    /// However many ask about one token at a time, one query answers them all.
    ///
    /// # Errors
    /// Why the token does not authenticate, or [`AuthError::Unavailable`] if nobody can say.
    pub fn authenticate_digest(
        &self,
        digest: TokenDigest,
    ) -> impl Future<Output = Result<Principal, AuthError>> + Send + 'static {
        Arc::clone(&self.0.auth).authenticate_digest(digest)
    }

    /// Decides whether `presented` authenticates, and notes its use.
    ///
    /// The three steps above in one, for callers that need no more.
    ///
    /// # Errors
    /// As of [`Pats::parse`] and [`Pats::authenticate_digest`].
    pub async fn authenticate(&self, presented: &[u8]) -> AuthResult {
        let digest = self.parse(presented)?;
        match self.authenticate_cached(&digest) {
            Some(verdict) => verdict,
            None => self.authenticate_digest(digest).await,
        }
    }

    /// Whether a token that authenticated earlier still does: for responses that last long, such
    /// as event streams.
    ///
    /// # Errors
    /// As of [`Pats::authenticate_digest`].
    pub async fn recheck(&self, digest: TokenDigest) -> AuthResult {
        match self.authenticate_cached(&digest) {
            Some(verdict) => verdict,
            None => self.authenticate_digest(digest).await,
        }
    }

    /// Ends when a token that authenticated earlier no longer does, and says why: for responses
    /// that last long, such as event streams and web sockets, which would otherwise outlive the
    /// token.
    ///
    /// It looks every `pat.cluster.poll.interval.ms`, but at least once a second, so after a
    /// revocation it ends within the staleness bound and that time. It also ends, with
    /// [`AuthError::Unavailable`], when nobody can say any more whether the token is good.
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
            if let Err(error) = self.recheck(*principal.digest()).await {
                return error;
            }
            tokio::time::sleep(interval).await;
        }
    }
}
