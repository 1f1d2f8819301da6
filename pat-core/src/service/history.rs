use std::time::Duration;

use super::{Administration, Pats};
use crate::caller::Caller;
use crate::client::Client;
use crate::context::Context;
use crate::error::{AccessError, AdminError, Unavailable};
use crate::event::{Event, HistoryPosition};
use crate::token::TokenId;

/// How long a page of a history may take.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(30);

/// One page of the history of a token: of the audit events about it, latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenHistory {
    /// The events of the page, latest first. An event names the users who made a change, administrators among them.
    pub events: Vec<Event>,
    /// Position before which the next page begins; `None` if this is the last page.
    pub next: Option<HistoryPosition>,
}

impl Pats {
    /// Returns one page of the history of the token with this ID, revoked or not, if it belongs to the caller or the
    /// caller is an administrator ([`Pats::find`]): up to `limit` events before the position `before`, or the latest
    /// ones if it is `None`. Returns `None` if the store has no audit capability
    /// ([`TokenStore::audit`](crate::store::TokenStore::audit)).
    ///
    /// Events are kept for 396 days. The number of events about a token has no bound, because a node records a
    /// refusal of the token every ten seconds; the cost of a page is bounded by `limit`.
    ///
    /// The events that an owner gets do not name their clients, one of which may be an administrator's. With the
    /// setting `pat.audit.client.address=false`, no event has the address of its client, whenever it was stored.
    ///
    /// # Errors
    /// - [`AccessError::NotFound`]: there is no token with this ID, or it belongs to another user and the caller is no
    ///   administrator.
    /// - [`AccessError::Unavailable`]: the store or the directory fails or does not answer in time.
    pub async fn history(
        &self,
        caller: &Caller,
        id: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Option<TokenHistory>, AccessError> {
        let token = self.find_even_revoked(caller, id).await?;
        let mut page = read(&self.0.context, token.id, before, limit).await?;
        if token.owner == *caller.owner() {
            let events = page.iter_mut().flat_map(|page| &mut page.events);
            events.for_each(|event| event.client = Client::default());
        }
        Ok(page)
    }
}

impl Administration<'_> {
    /// Returns one page of the history of the token with this ID, as [`Pats::history`] does; also of a token that is
    /// deleted, as long as its events are kept. The history of an unknown token is empty.
    ///
    /// # Errors
    /// - [`AdminError::NoAudit`]: the store has no audit capability.
    /// - [`AdminError::Unavailable`]: the store fails or does not answer in time.
    pub async fn history(
        &self,
        id: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<TokenHistory, AdminError> {
        let page = read(self.context(), id, before, limit).await?;
        page.ok_or(AdminError::NoAudit)
    }
}

async fn read(
    context: &Context,
    id: TokenId,
    before: Option<HistoryPosition>,
    limit: u32,
) -> Result<Option<TokenHistory>, Unavailable> {
    context.usable_store()?;
    let Some((audit, _)) = context.audit_store() else {
        return Ok(None);
    };
    // One more event shows whether there is a next page.
    let events = audit.events_about(id, before, limit.saturating_add(1));
    let mut events = context.ask(HISTORY_TIMEOUT, events).await?;
    if !context.settings.audit_client_address() {
        // They may have been stored before the setting was changed.
        for event in &mut events {
            event.client = std::mem::take(&mut event.client).without_address();
        }
    }
    let limit = limit as usize;
    let is_last = events.len() <= limit;
    events.truncate(limit);
    let last = events.last().filter(|_| !is_last);
    let next = last.and_then(HistoryPosition::of);
    Ok(Some(TokenHistory { events, next }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::settings::Settings;
    use crate::testing::TestDirectory;
    use crate::token::Owner;

    fn caller(key: &str) -> Caller {
        Caller::header_authenticated(Owner::new(key).expect("an owner"))
    }

    #[tokio::test]
    async fn only_administrators_read_who_the_clients_were() {
        let directory = TestDirectory::default();
        directory.add("alice");
        directory.add_administrator("root");
        let pats = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = pats.users(Arc::new(directory)).build();
        let (alice, root) = (caller("alice"), caller("root"));
        let client = Client::default().with_address([192, 0, 2, 7].into());
        let creating = pats.create(&alice, TokenRequest::new("ci", None));
        let created = pats.on_behalf_of(client.clone(), creating).await;
        let id = created.expect("a token").token.id;
        for (who, expected) in [(&alice, Client::default()), (&root, client)] {
            let page = pats.history(who, id, None, 2).await.expect("a history");
            let page = page.expect("an audit");
            assert_eq!(page.events[0].client, expected, "{who:?}");
        }
    }

    #[tokio::test]
    async fn addresses_that_are_stored_are_hidden_by_the_setting() {
        let directory = TestDirectory::default();
        directory.add("alice");
        directory.add_administrator("root");
        let (store, directory) = (Arc::new(MemoryStore::default()), Arc::new(directory));
        let with = |keeps_addresses| {
            let settings = Settings::builder().audit_client_address(keeps_addresses);
            let settings = settings.build().expect("settings");
            let pats = Pats::builder(store.clone()).users(directory.clone());
            pats.settings(settings).build()
        };
        let (keeping, hiding) = (with(true), with(false));
        let (alice, root) = (caller("alice"), caller("root"));
        let agent = Client::default().with_user_agent("curl/8.5.0");
        let client = agent.clone().with_address([192, 0, 2, 7].into());
        let creating = keeping.create(&alice, TokenRequest::new("ci", None));
        let created = keeping.on_behalf_of(client.clone(), creating).await;
        let id = created.expect("a token").token.id;
        for (pats, expected) in [(&keeping, client), (&hiding, agent)] {
            let page = pats.history(&root, id, None, 2).await.expect("a history");
            let page = page.expect("an audit");
            assert_eq!(page.events[0].client, expected);
        }
    }

    #[tokio::test]
    async fn a_history_has_pages_for_the_owner_and_administrators() {
        let directory = TestDirectory::default();
        directory.add("alice");
        directory.add("bob");
        directory.add_administrator("root");
        let pats = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = pats.users(Arc::new(directory)).build();
        let (alice, root) = (caller("alice"), caller("root"));
        let created = pats.create(&alice, TokenRequest::new("ci", None)).await;
        let id = created.expect("a token").token.id;
        pats.disable(&root, id).await.expect("disabled");
        pats.revoke(&root, id).await.expect("revoked");
        let read = async |who: &Caller, before| {
            let page = pats.history(who, id, before, 2).await.expect("a history");
            let page = page.expect("an audit");
            let kinds = page.events.iter().map(|event| event.kind.as_str());
            (kinds.map(str::to_owned).collect::<Vec<_>>(), page.next)
        };
        for who in [&alice, &root] {
            let (kinds, next) = read(who, None).await;
            assert_eq!(kinds, ["revoked", "disabled"]);
            assert!(next.is_some());
            assert_eq!(read(who, next).await, (vec!["created".to_owned()], None));
        }
        let other = pats.history(&caller("bob"), id, None, 2).await;
        assert!(matches!(other, Err(AccessError::NotFound)), "{other:?}");
        let admin = pats.administration(&root).await.expect("an administrator");
        let page = admin.history(id, None, 3).await.expect("a history");
        assert_eq!((page.events.len(), page.next), (3, None));
    }
}
