//! Revocations, disablings and replacements again, after the database was restored from a backup.

#[cfg(test)]
mod access;
mod history;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::history::{History, RevokedBy};
use super::{Family, Pats};
use crate::error::Unavailable;
use crate::event::Event;
use crate::node::WRITE_TIMEOUT;
use crate::store::{Change, RevocationScope, Update};
use crate::token::{Disabled, Owner, Token, TokenId};
use crate::versions::{DISABLING, Feature, ROTATION};

/// The reason of the revocations, for lists and events.
const REASON: &str = "revoked again after the database was restored from a backup";
/// How many tokens are looked up at once.
const CHUNK: usize = 1_000;

/// What [`Pats::after_restore`] has done, and what it has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// How many tokens were revoked again. Tokens that the restored database has as revoked do not count.
    pub revoked: u64,
    /// How many tokens were disabled again. Tokens that the restored database has as disabled do not count.
    pub disabled: u64,
    /// How many tokens were given the earlier end again that a rotation had given them. Tokens that the restored
    /// database has with an end that is as early do not count.
    pub replaced: u64,
    /// The tokens that were created or imported after the backup and not revoked since, in ascending order of ID,
    /// among them the tokens that replaced others. The restored database does not have them, so they no longer
    /// authenticate. Imported ones can be imported again ([`Pats::import`]); leave out those that were revoked.
    pub lost: Vec<LostToken>,
    /// How many events are missing between the last event of the restored database and the last event of the
    /// call. Their revocations are not repeated. 0 if the events have no numbers
    /// ([`Event::row`](crate::event::Event::row)), or if the store has no audit capability.
    pub missing_events: u64,
    /// Time of the latest event; `None` if there is no event. Revocations after this time are not
    /// repeated.
    pub last_event_at: Option<Timestamp>,
}

/// A token that was created or imported after the backup from which the database was restored; see
/// [`Restored::lost`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostToken {
    /// ID of the lost token.
    pub id: TokenId,
    /// User whom the lost token authenticated.
    pub owner: Owner,
}

impl Pats {
    /// Repeats what a restore of the database from a backup has undone: tokens that were revoked, disabled or
    /// replaced after the backup, and which the restored database has as they were before, are revoked or
    /// disabled again, or end when they would have ended.
    ///
    /// `events` are the audit events since the backup, in the order in which the host received them: by an
    /// event sink ([`EventSink`](crate::event::EventSink)) or from
    /// [`Administration::events`](crate::Administration::events). Older events, repeated events and events of
    /// other kinds do no harm. The events must not come from the restored database, which lacks those after
    /// the backup.
    ///
    /// Stop all nodes before the restore, and call this method on one node before any node serves requests.
    /// The method does the following:
    ///
    /// - It revokes each token of an event [`Revoked`], and of an event [`Pruned`] if it had not expired by then.
    ///   With the setting `pat.create.by.token=capped`, it also revokes the descendants ([`Family`]) of what a user
    ///   revoked. The owners are not notified.
    /// - It disables each token again whose last event of the kinds [`Disabled`] and [`Enabled`] is `Disabled`. It
    ///   enables no token.
    /// - It ends each token again that an event [`Rotated`] has among its `ends`: at the time `ends_at` of the
    ///   event, unless the token ends earlier. An event of an older version does not have this time; the token
    ///   then ends at the time of the event, without the overlap.
    /// - It skips a token that has the ID of the event, but another owner, or was created after the event.
    /// - It makes every node look up all tokens again.
    /// - It makes the store continue its event numbers ([`EventRow::seq`](crate::event::EventRow::seq)) after
    ///   those in `events`, so that readers of the events miss none of the new ones.
    ///
    /// A token that replaced another one after the backup is lost ([`Restored::lost`]): no event has its digest, so
    /// its secret is refused. During the overlap, the replaced token authenticates, and its owner can replace it
    /// again ([`Pats::rotate`]). After that, the owner needs a new token.
    ///
    /// Repeating the call is safe. What the events do not contain cannot be repeated: see
    /// [`Restored::missing_events`] and [`Restored::last_event_at`].
    ///
    /// ```
    /// # use pat_core::event::Event;
    /// # use pat_core::{Pats, Unavailable};
    /// async fn repair(pats: &Pats, archive: Vec<Event>) -> Result<(), Unavailable> {
    ///     let restored = pats.after_restore(archive).await?;
    ///     println!("{} tokens revoked again", restored.revoked);
    ///     println!("{} tokens lost", restored.lost.len());
    ///     if restored.missing_events > 0 {
    ///         println!("{} events are missing", restored.missing_events);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// [`Revoked`]: crate::event::EventKind::Revoked
    /// [`Pruned`]: crate::event::EventKind::Pruned
    /// [`Disabled`]: crate::event::EventKind::Disabled
    /// [`Enabled`]: crate::event::EventKind::Enabled
    /// [`Rotated`]: crate::event::EventKind::Rotated
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails or does not answer in time; the call must then be repeated.
    pub async fn after_restore(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Restored, Unavailable> {
        let mut history = History::default();
        events.into_iter().for_each(|event| history.add(event));
        let last_event_at = history.last_event_at;
        let missing_events = self.missing_events(&history.numbers).await?;
        let ids: Vec<_> = history.ids().into_iter().collect();
        let (mut by_users, mut by_programs) = (Vec::new(), Vec::new());
        let (mut disabled, mut replaced) = (Vec::new(), Vec::new());
        let mut found = BTreeSet::new();
        for chunk in ids.chunks(CHUNK) {
            for token in self.stored(chunk).await? {
                if token.revoked_at.is_none() {
                    match history.revocation(&token) {
                        Some(RevokedBy::User) => by_users.push(token.id),
                        Some(RevokedBy::Program) => by_programs.push(token.id),
                        None => {
                            disabled.extend(self.disabling(&token, &history));
                            replaced.extend(self.replacing(&token, &history));
                        }
                    }
                }
                found.insert((token.id, token.owner));
            }
        }
        let mut revoked = 0;
        let by_users = by_users.chunks(Change::MOST_NAMED);
        let by_users = by_users.map(|chunk| self.scope_of(chunk.to_vec(), Family::Configured));
        let by_programs = by_programs.chunks(Change::MOST_NAMED);
        let by_programs = by_programs.map(|chunk| RevocationScope::Tokens(chunk.to_vec()));
        for scope in by_users.chain(by_programs) {
            let reason = Some(REASON.to_owned());
            let again = self.0.revoke_all(scope, None, reason, false).await?;
            revoked += again.tokens.len() as u64;
        }
        self.update_all(&replaced, ROTATION).await?;
        // The latest of a line first, which takes along those that it replaced.
        disabled.reverse();
        self.update_all(&disabled, DISABLING).await?;
        let node = Arc::clone(&self.0);
        let invalidated = self.0.run_detached(Duration::ZERO, async move {
            node.invalidate_everything().await?;
            node.wait_for_cluster().await;
            Ok(())
        });
        invalidated.await?;
        if let (Some((audit, _)), Some(last)) =
            (self.0.context.audit_store(), history.numbers.last())
        {
            let raised = audit.raise_event_number(*last);
            self.0.context.ask(WRITE_TIMEOUT, raised).await?;
        }
        Ok(Restored {
            revoked,
            disabled: disabled.len() as u64,
            replaced: replaced.len() as u64,
            lost: history.lost(&found),
            missing_events,
            last_event_at,
        })
    }

    /// Returns the change that disables this token again; `None` if it is not to be disabled, or is disabled.
    fn disabling(&self, token: &Token, history: &History) -> Option<Update> {
        let by = history.disabled_by(token)?;
        let is_held = |disabled: &Disabled| disabled.by_administrator;
        let by_administrator = by != token.owner;
        let is_new = match &token.disabled {
            None => true,
            Some(disabled) => by_administrator && !is_held(disabled),
        };
        is_new.then(|| Update {
            by_administrator,
            is_enabled: Some(false),
            ..Update::new(token.id, self.now(), by)
        })
    }

    /// Returns the change that gives this token its earlier end again; `None` if it was not replaced, or ends as
    /// early.
    fn replacing(&self, token: &Token, history: &History) -> Option<Update> {
        let overlap = history.overlap(token)?;
        overlap.shortens(token).then(|| Update {
            overlap: Some(overlap),
            ..Update::new(token.id, self.now(), token.owner.clone())
        })
    }

    /// Makes these changes, which nodes of versions without the feature would not understand.
    async fn update_all(&self, updates: &[Update], feature: Feature) -> Result<(), Unavailable> {
        if !updates.is_empty() {
            self.0.feed.enable(feature).await?;
        }
        for update in updates {
            let again = self.0.context.usable_store()?.update(update);
            self.0.context.ask(WRITE_TIMEOUT, again).await?;
        }
        Ok(())
    }

    /// Counts the events that are missing between the last one of the store and the last of these.
    async fn missing_events(&self, numbers: &BTreeSet<u64>) -> Result<u64, Unavailable> {
        let context = &self.0.context;
        let (Some((audit, _)), Some(to)) = (context.audit_store(), numbers.last()) else {
            return Ok(0);
        };
        let from = audit.last_event_number();
        let from = context.ask(WRITE_TIMEOUT, from).await?;
        let between = numbers.range(from.saturating_add(1)..).count() as u64;
        Ok(to.saturating_sub(from).saturating_sub(between))
    }

    /// Returns those of these tokens that the store has.
    async fn stored(&self, ids: &[TokenId]) -> Result<Vec<Token>, Unavailable> {
        let context = &self.0.context;
        let store = context.usable_store()?;
        if let Some(store) = store.search_store() {
            return Ok(context.ask(WRITE_TIMEOUT, store.find_all(ids)).await?);
        }
        let mut tokens = Vec::new();
        for id in ids {
            tokens.extend(context.ask(WRITE_TIMEOUT, store.find(*id)).await?);
        }
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, EventRow};
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::service::CreatedToken;
    use crate::store::{ImportedToken, NewToken, PrunedToken, RevokedToken, TokenStore};
    use crate::testing::TestDirectory;
    use crate::token::TokenDigest;
    use crate::{AdminError, Caller, Settings};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_145_741 + seconds).expect("a time")
    }

    fn id(number: i64) -> TokenId {
        TokenId::new(number).expect("an ID")
    }

    fn owner(key: &str) -> Owner {
        key.parse().expect("an owner")
    }

    fn revoked(number: i64, key: &str, seconds: i64) -> Event {
        let kind = EventKind::Revoked {
            tokens: vec![RevokedToken::new(id(number), owner(key))],
            by: Some(owner("admin")),
            reason: None,
            revocation: None,
        };
        Event::new(at(seconds), kind)
    }

    fn created(number: i64, key: &str, seconds: i64) -> Event {
        let kind = EventKind::Created {
            token: id(number),
            owner: owner(key),
            expires_at: None,
            parent: None,
            scopes: None,
        };
        Event::new(at(seconds), kind)
    }

    fn numbered(seq: u64, mut event: Event) -> Event {
        event.row = Some(EventRow::new(1, seq));
        event
    }

    async fn insert(store: &MemoryStore, number: i64, key: &str) {
        let digest = TokenDigest::of(&number.to_le_bytes());
        let token = NewToken::new(id(number), digest, owner(key), "ci", at(0));
        store.insert(&token, 100).await.expect("insert");
    }

    async fn revoked_ids(store: &MemoryStore, ids: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut revoked = Vec::new();
        for number in ids {
            let token = store
                .find(id(number))
                .await
                .expect("find")
                .expect("a token");
            revoked.extend(token.revoked_at.map(|_| number));
        }
        revoked
    }

    #[tokio::test]
    async fn only_the_token_of_the_event_is_revoked_again() {
        let store = Arc::new(MemoryStore::default());
        for (number, key) in [
            (1, "alice"),
            (2, "bob"),
            (3, "alice"),
            (4, "alice"),
            (5, "bob"),
        ] {
            insert(&store, number, key).await;
        }
        let pats = Pats::builder(store.clone()).build();
        let pruned = EventKind::Pruned {
            tokens: vec![PrunedToken::new(id(5), owner("bob"))],
        };
        let events = [
            revoked(1, "alice", 10),
            // Another token had this ID, and another owner.
            revoked(2, "alice", 10),
            // And here the same owner, but before this token was created.
            revoked(3, "alice", -61),
            revoked(1, "alice", 20),
            Event::new(at(30), pruned),
        ];
        let restored = pats.after_restore(events.clone()).await.expect("a repair");
        assert_eq!(restored.revoked, 2);
        assert_eq!(restored.last_event_at, Some(at(30)));
        assert_eq!(revoked_ids(&store, 1..=5).await, [1, 5]);
        let again = pats.after_restore(events).await.expect("a repair");
        assert_eq!((again.revoked, again.lost), (0, Vec::new()));
    }

    #[tokio::test]
    async fn tokens_created_after_the_backup_are_reported_unless_they_have_ended() {
        let store = MemoryStore::default();
        insert(&store, 1, "alice").await;
        insert(&store, 4, "alice").await;
        let pats = Pats::builder(Arc::new(store)).build();
        let imported = EventKind::Imported {
            tokens: vec![ImportedToken::new(id(5), owner("carol"))],
        };
        let imported = Event::new(at(4), imported);
        let events = [
            created(3, "bob", 2),
            created(2, "alice", 1),
            created(1, "alice", 0),
            imported,
            // Its ID belongs to alice's token.
            created(4, "bob", 3),
            revoked(2, "alice", 5),
        ];
        let restored = pats.after_restore(events).await.expect("a repair");
        let lost = |number, key| LostToken {
            id: id(number),
            owner: owner(key),
        };
        assert_eq!(
            restored.lost,
            [lost(3, "bob"), lost(4, "bob"), lost(5, "carol")]
        );
        assert_eq!(restored.revoked, 0);
    }

    #[tokio::test]
    async fn missing_events_are_counted_and_their_numbers_are_not_assigned_again() {
        let store = MemoryStore::default();
        insert(&store, 1, "alice").await;
        let directory = TestDirectory::default();
        let admin = directory.add_administrator("admin");
        let pats = Pats::builder(Arc::new(store))
            .users(Arc::new(directory))
            .build();
        let admin = Caller::cookie_authenticated(admin);
        let administration = pats.administration(&admin).await.expect("an administrator");
        let read = async |after| administration.events(after, 10).await;
        assert_eq!(read(0).await.expect("events").len(), 1);
        assert_eq!(read(1).await.expect("events"), []);
        let refused = read(9).await;
        assert!(
            matches!(
                refused,
                Err(AdminError::UnknownEventNumber { after: 9, last: 1 })
            ),
            "{refused:?}"
        );
        // 1 is older than the backup, and 2, 4, 5 and 6 are missing.
        let events = [(1, 0), (3, 1), (7, 2), (3, 1), (9, 4), (8, 3)];
        let events = events.map(|(seq, seconds)| numbered(seq, created(7, "bob", seconds)));
        let restored = pats.after_restore(events.clone()).await.expect("a repair");
        assert_eq!(restored.missing_events, 4);
        assert_eq!(read(9).await.expect("events"), []);
        let again = pats.after_restore(events).await.expect("a repair");
        assert_eq!(again.missing_events, 0);
        let alice = Caller::cookie_authenticated(owner("alice"));
        pats.revoke(&alice, id(1)).await.expect("a revocation");
        let new = read(9).await.expect("events");
        let seqs: Vec<_> = new
            .iter()
            .filter_map(|event| Some(event.row?.seq))
            .collect();
        assert_eq!(seqs, [10]);
    }

    async fn create(pats: &Pats, caller: &Caller) -> CreatedToken {
        let created = pats.create(caller, TokenRequest::new("ci", None));
        created.await.expect("a token")
    }

    #[tokio::test]
    async fn cached_tokens_and_descendants_are_refused() {
        let settings = Settings::builder().set("pat.create.by.token", "capped");
        let settings = settings.expect("a value").build().expect("settings");
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .settings(settings)
            .build();
        let alice = Caller::cookie_authenticated(owner("alice"));
        let parent = create(&pats, &alice).await;
        let authenticate = async |token: &CreatedToken| {
            let presented = token.plain.expose().as_bytes().to_vec();
            pats.authenticate(&presented).await
        };
        let principal = authenticate(&parent).await.expect("a principal");
        let child = create(&pats, &Caller::with_token(principal)).await;
        authenticate(&child).await.expect("a principal");
        let kind = EventKind::Revoked {
            tokens: vec![RevokedToken::new(parent.token.id, owner("alice"))],
            by: Some(owner("alice")),
            reason: None,
            revocation: None,
        };
        let restored = pats.after_restore([Event::new(pats.now(), kind)]).await;
        assert_eq!(restored.expect("a repair").revoked, 2);
        for token in [&parent, &child] {
            assert!(authenticate(token).await.is_err());
        }
    }

    #[tokio::test]
    async fn what_was_disabled_after_the_backup_is_disabled_again() {
        let store = Arc::new(MemoryStore::default());
        for (number, key) in [(1, "alice"), (2, "alice"), (3, "alice"), (4, "bob")] {
            insert(&store, number, key).await;
        }
        let switched = |number, key: &str, is_disabled, by: &str, seconds| {
            let (tokens, owner, by) = (vec![id(number)], owner(key), owner(by));
            let kind = if is_disabled {
                EventKind::Disabled { tokens, owner, by }
            } else {
                EventKind::Enabled { tokens, owner, by }
            };
            Event::new(at(seconds), kind)
        };
        let events = [
            switched(1, "alice", true, "alice", 10),
            switched(2, "alice", true, "root", 10),
            switched(3, "alice", true, "alice", 10),
            switched(3, "alice", false, "alice", 20),
            // Another owner's token had this ID.
            switched(4, "alice", true, "alice", 10),
            // Before this token was created.
            switched(4, "bob", true, "bob", -61),
        ];
        let pats = Pats::builder(store.clone()).build();
        let restored = pats.after_restore(events.clone()).await.expect("a repair");
        assert_eq!((restored.disabled, restored.revoked), (2, 0));
        let disabled = async |number| {
            let token = store.find(id(number)).await.expect("find");
            token.expect("a token").disabled
        };
        let by = async |number| {
            disabled(number)
                .await
                .map(|it| (it.by, it.by_administrator))
        };
        assert_eq!(by(1).await, Some((Some(owner("alice")), false)));
        assert_eq!(by(2).await, Some((Some(owner("root")), true)));
        assert_eq!((by(3).await, by(4).await), (None, None));
        let again = pats.after_restore(events).await.expect("a repair");
        assert_eq!(again.disabled, 0);
    }
}
