//! Rotation: a token is replaced by a new one.

use std::sync::Arc;

use super::Pats;
use super::tokens::INSERT_ATTEMPTS;
use crate::caller::Caller;
use crate::error::RotateError;
use crate::event::EventKind;
use crate::node::Node;
use crate::policy::{self, RotationRequest};
use crate::principal::Principal;
use crate::store::{Change, Ending, NotRotatable, Rotated, RotatedToken, Rotation, StoreError};
use crate::token::{PlainToken, Token, TokenId};
use crate::versions::ROTATION;

/// A token that [`Pats::rotate`] has just created to replace another one, with its secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct Successor {
    /// The new token as it is stored, without its secret. Its [`line`](Token::line) names the token that it
    /// replaces.
    pub token: Token,
    /// The secret token string, which the host shows to the token's owner once.
    pub plain: PlainToken,
    /// When the replaced token ends, and then when each token ends that an earlier rotation of the same token
    /// created.
    pub ending: Vec<Ending>,
    /// Whether the token had been replaced before: its client may have lost the answer, or two clients have its
    /// secret.
    pub is_again: bool,
}

impl Pats {
    /// Replaces the caller's token with this ID by a new one, its *successor*, and returns that with its secret.
    /// The successor has the name, the description and the scopes of the replaced token.
    ///
    /// The replaced token stays valid for the time of the [overlap](RotationRequest::overlap), unless it ends
    /// earlier. It no longer counts for the setting `atlassian.pats.max.tokens.per.user`, and when it has ended,
    /// it is no longer listed.
    ///
    /// If the answer is lost, the token can be rotated again within the overlap. Its end stays, and the
    /// successor of the lost answer ends with it at the latest. So at most one of the tokens that replaced each
    /// other is valid after the overlap. The owner is notified that the token was rotated again.
    ///
    /// A caller whom a token authenticated can rotate only this token, if the setting `pat.rotate.by.token` is
    /// `true` and the setting `pat.create.by.token` is not `forbidden`. If the latter is `capped`, the successor
    /// ends no later than the token would have ended. An administrator cannot rotate other users' tokens.
    ///
    /// When the method returns, this node knows the new end of the replaced token. Other nodes know it at most
    /// the setting `pat.auth.max.staleness.ms` later; with the setting `pat.revocation.wait=cluster`, the method
    /// waits for them as [`Pats::revoke`] does. The first rotation excludes nodes with older versions of this
    /// crate from the store, and may take as long as that setting says.
    ///
    /// # Errors
    /// - [`RotateError::Refused`]: the request breaks the rule that the [`PolicyError`](crate::PolicyError)
    ///   names.
    /// - [`RotateError::OnlyItself`]: a token authenticated the caller, and `id` is another token's.
    /// - [`RotateError::NotFound`]: the caller has no token with this ID, or it is revoked.
    /// - [`RotateError::Expired`] or [`RotateError::Disabled`]: the token has expired or is disabled, or an
    ///   administrator has disabled a token that it replaced or that replaced it.
    /// - [`RotateError::TokenInvalid`]: the token that authenticated the caller has ended since.
    /// - [`RotateError::Repeated`] or [`RotateError::KeyConflict`]: a request with the same
    ///   [key](RotationRequest::idempotency) was made before.
    /// - [`RotateError::Unavailable`]: the store fails or does not answer in time. The token may or may not have
    ///   been replaced.
    pub async fn rotate(
        &self,
        caller: &Caller,
        id: TokenId,
        request: RotationRequest,
    ) -> Result<Successor, RotateError> {
        let is_other = |token: &Principal| token.token_id() != id;
        if caller.token().is_some_and(is_other) {
            return Err(RotateError::OnlyItself);
        }
        let (pats, caller) = (self.clone(), caller.clone());
        self.0
            .in_own_task(async move { pats.rotate_now(&caller, id, request).await })
            .await?
    }

    async fn rotate_now(
        &self,
        caller: &Caller,
        id: TokenId,
        request: RotationRequest,
    ) -> Result<Successor, RotateError> {
        let predecessor = self.own_token(caller, id).await?;
        let (now, settings) = (self.now(), self.settings());
        let is_by_itself = caller.token().is_some();
        let terms = policy::terms(settings, &request, &predecessor, is_by_itself, now)?;
        self.make_usable(ROTATION).await??;
        for _ in 0..INSERT_ATTEMPTS {
            let outages = &self.0.context.outages;
            let plain = outages.random(self.0.issued_format.generate())?;
            let rotation = Rotation {
                hint: Some(plain.hint().to_owned()),
                overlap: terms.overlap,
                lifetime: terms.lifetime,
                expires_by: terms.expires_by,
                is_transient: terms.is_transient,
                max_rows: settings.max_rows_per_user(),
                notify: self.0.notifies(),
                idempotency: request.idempotency.clone(),
                ..Rotation::new(
                    id,
                    caller.owner().clone(),
                    outages.random(self.0.ids.next(now))?,
                    plain.digest(),
                    now,
                )
            };
            match self.0.rotate(&rotation).await? {
                Rotated::Stored(rotated) => {
                    let RotatedToken {
                        token,
                        ending,
                        is_again,
                        ..
                    } = rotated;
                    return Ok(Successor {
                        token,
                        plain,
                        ending,
                        is_again,
                    });
                }
                Rotated::Duplicate => {}
                Rotated::Refused(reason) => return Err(self.refusal(caller, id, reason).await),
                Rotated::TooManyRows => return Err(self.too_many_rows().into()),
                Rotated::Repeated(token) => return Err(RotateError::Repeated(Box::new(token))),
                Rotated::KeyConflict => return Err(RotateError::KeyConflict),
            }
        }
        Err(StoreError::backend("the store reports each new token as a duplicate").into())
    }

    /// Returns the caller's token with this ID, even if it is revoked: the store knows whether the request is a
    /// repetition.
    async fn own_token(&self, caller: &Caller, id: TokenId) -> Result<Token, RotateError> {
        let context = &self.0.context;
        let find = context.usable_store()?.find(id);
        let found = context.ask(context.request_timeout(), find).await?;
        found
            .filter(|token| token.owner == *caller.owner())
            .ok_or(RotateError::NotFound)
    }

    /// Returns the error for a token that cannot be replaced. The holder of a token learns no more of it than that
    /// it is not valid.
    async fn refusal(&self, caller: &Caller, id: TokenId, reason: NotRotatable) -> RotateError {
        if caller.token().is_some() {
            match self.own_token(caller, id).await {
                Ok(token) if token.validity(self.now()).is_ok() => {}
                Ok(_) | Err(RotateError::NotFound) => return RotateError::TokenInvalid,
                Err(error) => return error,
            }
        }
        match reason {
            NotRotatable::NotFound => RotateError::NotFound,
            NotRotatable::Ended => RotateError::Expired(id),
            NotRotatable::Disabled => RotateError::Disabled(id),
        }
    }
}

impl Node {
    /// Rotates. If a token ends earlier than before, returns when this node knows that; with
    /// `pat.revocation.wait=cluster`, when all nodes do.
    async fn rotate(self: &Arc<Self>, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let rotate = self.context.usable_store()?.rotate(rotation);
        let result = self
            .context
            .ask(self.context.request_timeout(), rotate)
            .await;
        let epochs = &self.auth.epochs;
        match &result {
            Ok(Rotated::Stored(rotated)) => {
                self.auth.mark_known(&rotation.digest);
                for id in &rotated.ends {
                    epochs.bump(&Change::TokenChanged(*id));
                }
                self.emit_rotation(rotation, rotated);
                if rotation.notify && rotated.is_again {
                    self.wake_delivery();
                }
                if !rotated.ends.is_empty() {
                    self.wait_for_cluster().await;
                }
            }
            Ok(_) => {}
            // It may have been made, and which tokens end is not known.
            Err(_) => epochs.bump(&Change::OwnerChanged(rotation.owner.clone())),
        }
        result
    }

    fn emit_rotation(&self, rotation: &Rotation, rotated: &RotatedToken) {
        let RotatedToken {
            token,
            ending,
            ends,
            is_again,
        } = rotated;
        self.emit_token_change(
            token.created_at,
            EventKind::Rotated {
                token: token.id,
                predecessor: rotation.predecessor,
                owner: token.owner.clone(),
                expires_at: token.expires_at,
                ends: ends.clone(),
                ends_at: ending.first().map(|ending| ending.at),
                is_again: *is_again,
            },
            &token.name,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{AuthError, PolicyError};
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::service::CreatedToken;
    use crate::store::IdempotencyKey;
    use crate::testing::{TestClock, TestDirectory};

    struct Host {
        pats: Pats,
        clock: Arc<TestClock>,
        alice: Caller,
    }

    impl Host {
        fn new() -> Self {
            let directory = TestDirectory::default();
            let alice = directory.add("alice");
            let clock = Arc::new(TestClock::default());
            let pats = Pats::builder(Arc::new(MemoryStore::default()))
                .users(Arc::new(directory))
                .clock(clock.clone())
                .build();
            Self {
                pats,
                clock,
                alice: Caller::header_authenticated(alice),
            }
        }

        async fn create(&self) -> CreatedToken {
            let request = TokenRequest::new("ci", Some(90));
            self.pats
                .create(&self.alice, request)
                .await
                .expect("a token")
        }

        async fn caller(&self, plain: &PlainToken) -> Caller {
            let principal = self.pats.authenticate(plain.expose().as_bytes()).await;
            Caller::with_token(principal.expect("a good token"))
        }

        async fn rotate(&self, caller: &Caller, id: TokenId) -> Result<Successor, RotateError> {
            let request = RotationRequest::default();
            self.pats.rotate(caller, id, request).await
        }

        async fn is_accepted(&self, plain: &PlainToken) -> bool {
            match self.pats.authenticate(plain.expose().as_bytes()).await {
                Ok(_) => true,
                Err(AuthError::Expired(_) | AuthError::Revoked(_)) => false,
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_cached_token_ends_with_its_overlap() {
        let host = Host::new();
        let old = host.create().await;
        assert!(host.is_accepted(&old.plain).await, "and cached from now on");
        let minute = Duration::from_secs(60);
        let request = RotationRequest::default().with_overlap(minute);
        let new = host.pats.rotate(&host.alice, old.token.id, request).await;
        let new = new.expect("a successor");
        assert!(host.is_accepted(&old.plain).await && host.is_accepted(&new.plain).await);
        host.clock.advance(minute);
        assert!(!host.is_accepted(&old.plain).await);
        assert!(host.is_accepted(&new.plain).await);
    }

    #[tokio::test]
    async fn whether_another_users_token_exists_is_not_told_by_what_a_request_may_ask_for() {
        let host = Host::new();
        let created = host.create().await;
        let bob = Caller::header_authenticated("bob".parse().expect("an owner"));
        let unknown = TokenId::new(1).expect("an ID");
        for id in [created.token.id, unknown] {
            let request = RotationRequest::default().with_overlap(Duration::MAX);
            let refused = host.pats.rotate(&bob, id, request).await;
            assert!(matches!(refused, Err(RotateError::NotFound)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_token_that_was_revoked_since_it_authenticated_does_not_rotate_itself() {
        let host = Host::new();
        let created = host.create().await;
        let (id, itself) = (created.token.id, host.caller(&created.plain).await);
        host.pats.revoke(&host.alice, id).await.expect("revoked");
        let refused = host.rotate(&itself, id).await;
        assert!(
            matches!(refused, Err(RotateError::TokenInvalid)),
            "{refused:?}"
        );
        let refused = host.rotate(&host.alice, id).await;
        assert!(matches!(refused, Err(RotateError::NotFound)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_token_that_has_ended_since_it_authenticated_does_not_rotate_itself() {
        let host = Host::new();
        let created = host.create().await;
        let (id, itself) = (created.token.id, host.caller(&created.plain).await);
        host.clock.advance(Duration::from_secs(90 * 24 * 3_600));
        let refused = host.rotate(&itself, id).await;
        assert!(
            matches!(refused, Err(RotateError::TokenInvalid)),
            "{refused:?}"
        );
        let refused = host.rotate(&host.alice, id).await;
        assert!(
            matches!(refused, Err(RotateError::Expired(expired)) if expired == id),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn a_repetition_finds_its_token_whatever_became_of_the_predecessor() {
        let host = Host::new();
        let old = host.create().await;
        let repeat = async |key: &str| {
            let key = IdempotencyKey::new(key, [7; 32]);
            let request = RotationRequest::default().with_idempotency_key(key);
            host.pats.rotate(&host.alice, old.token.id, request).await
        };
        let first = repeat("k").await.expect("a successor");
        host.pats
            .revoke(&host.alice, old.token.id)
            .await
            .expect("revoked");
        let repeated = repeat("k").await;
        assert!(
            matches!(&repeated, Err(RotateError::Repeated(token)) if token.id == first.token.id),
            "{repeated:?}"
        );
        let other = repeat("other").await;
        assert!(matches!(other, Err(RotateError::NotFound)), "{other:?}");
    }

    #[tokio::test]
    async fn a_token_without_room_for_rows_is_not_replaced() {
        let settings = crate::Settings::builder()
            .max_tokens_per_user(1)
            .max_rows_per_user(100);
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .settings(settings.build().expect("settings"))
            .build();
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let request = TokenRequest::new("ci", Some(90));
        let created = pats.create(&alice, request).await.expect("a token");
        let rotate = async |id| pats.rotate(&alice, id, RotationRequest::default()).await;
        let mut id = created.token.id;
        for _ in 1..100 {
            id = rotate(id).await.expect("a successor").token.id;
        }
        let refused = rotate(id).await;
        assert!(
            matches!(
                refused,
                Err(RotateError::Refused(PolicyError::TooManyRows {
                    max: 100,
                    ..
                }))
            ),
            "{refused:?}"
        );
    }
}
