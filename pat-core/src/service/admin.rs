use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Family, Pats, RevokedCount};
use crate::caller::Caller;
use crate::context::Context;
use crate::directory::User;
use crate::error::AdminError;
use crate::event::Event;
use crate::search::{Filter, Position, Revoked, Search};
use crate::store::SearchStore;
use crate::token::{Owner, Token, TokenId};

/// How long a search may take: one for a part of a name reads every token there is, and a directory
/// may have to be asked for one owner after the other.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(30);

/// What an administrator may do with the tokens of all users.
///
/// Proof that the caller was an administrator when it was made. It borrows the caller, so that it does
/// not outlast the request. Where one answer takes long, get a new one for each part of it: meanwhile
/// the caller's token may be revoked, or he may be no administrator any more.
#[derive(Debug)]
pub struct Administration<'r> {
    pats: &'r Pats,
    by: &'r Owner,
}

/// Some tokens of a search.
#[derive(Debug)]
pub struct SearchPage {
    /// The tokens, each with its last use up to now.
    pub tokens: Vec<Token>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Position>,
}

impl Pats {
    /// What the caller may do as an administrator; looks each time whether the token that he came
    /// with is still good, and asks the host.
    ///
    /// # Errors
    /// He is none, his token is no longer good, the administration is switched off
    /// (`pat.admin.enabled`), or the store or the host's directory cannot answer.
    pub async fn administration<'r>(
        &'r self,
        caller: &'r Caller,
    ) -> Result<Administration<'r>, AdminError> {
        if !self.settings().admin_enabled() {
            return Err(AdminError::Disabled);
        }
        if let Some(token) = caller.token() {
            self.recheck(*token.digest()).await?;
        }
        if !self.is_administrator(caller).await? {
            return Err(AdminError::NotAdministrator);
        }
        Ok(Administration {
            pats: self,
            by: caller.owner(),
        })
    }
}

impl Administration<'_> {
    fn context(&self) -> &Context {
        &self.pats.0.context
    }

    fn store(&self) -> Result<&dyn SearchStore, AdminError> {
        self.context()
            .usable_store()?
            .search_store()
            .ok_or(AdminError::NotSupported)
    }

    /// Looks through all tokens.
    ///
    /// # Errors
    /// The store cannot answer, or is one that cannot be searched.
    pub async fn search(&self, search: &Search) -> Result<SearchPage, AdminError> {
        // One more tells whether there is more.
        let more = Search {
            limit: search.limit.saturating_add(1),
            ..search.clone()
        };
        let mut tokens = self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.search(&more))
            .await?;
        let limit = search.limit as usize;
        let is_last = tokens.len() <= limit;
        tokens.truncate(limit);
        let last = tokens.last().filter(|_| !is_last);
        // As the store sees it, so before uses are added that the store does not know of.
        let next = last.map(|token| search.sort.position_of(token));
        self.pats.0.auth.last_used.refresh(&mut tokens);
        Ok(SearchPage { tokens, next })
    }

    /// How many tokens a filter matches.
    ///
    /// # Errors
    /// As of [`Administration::search`].
    pub async fn count(&self, filter: &Filter) -> Result<u64, AdminError> {
        Ok(self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.count(filter))
            .await?)
    }

    /// Revokes these tokens in one transaction, and returns how many that were: unknown ones and
    /// those that are revoked already are passed over. Their owners are notified.
    ///
    /// When this returns, no request on this node is authenticated by one of them any more, and with
    /// `pat.revocation.wait=cluster` none on any node.
    ///
    /// # Errors
    /// The store cannot answer: then all of them are revoked or none is, and revoking again is safe.
    pub async fn revoke(
        &self,
        ids: Vec<TokenId>,
        reason: Option<String>,
    ) -> Result<u64, AdminError> {
        let revoked = self.revoke_with(ids, reason, Family::Configured).await?;
        Ok(revoked.revoked)
    }

    /// The same, with the tokens that were created with these as `family` says; returns too how many
    /// of those outlive them.
    ///
    /// # Errors
    /// As of [`Administration::revoke`].
    pub async fn revoke_with(
        &self,
        ids: Vec<TokenId>,
        reason: Option<String>,
        family: Family,
    ) -> Result<RevokedCount, AdminError> {
        let scope = self.pats.scope_of(ids, family);
        let notify = self.pats.settings().notice_revoked_by_admin();
        let by = Some(self.by.clone());
        let revoked = self.pats.0.revoke_all(scope, by, reason, notify).await?;
        Ok(RevokedCount::new(&revoked))
    }

    /// How many tokens [`Administration::revoke_matching`] would revoke, leaving out descendants.
    ///
    /// # Errors
    /// The filter restricts nothing, or as of [`Administration::search`].
    pub async fn count_revocable(&self, filter: &Filter) -> Result<u64, AdminError> {
        self.count(&revocable(filter)?).await
    }

    /// Revokes the tokens that a filter matches, if these are as many as expected; as
    /// [`Administration::revoke`]. Returns how many were revoked, which with
    /// `pat.create.by.token=capped` includes their descendants.
    ///
    /// The tokens are those that match when this looks. One that is created meanwhile is not
    /// revoked, and one that somebody else revokes meanwhile is not counted.
    ///
    /// # Errors
    /// The filter restricts nothing, or matches another number of tokens: then nothing was done. Or
    /// as above.
    pub async fn revoke_matching(
        &self,
        filter: &Filter,
        expected: u64,
        reason: Option<String>,
    ) -> Result<u64, AdminError> {
        let family = Family::Configured;
        let revoked = self.revoke_matching_with(filter, expected, reason, family);
        Ok(revoked.await?.revoked)
    }

    /// The same, with the tokens that were created with these as `family` says; returns too how many
    /// of those outlive them.
    ///
    /// # Errors
    /// As of [`Administration::revoke_matching`].
    pub async fn revoke_matching_with(
        &self,
        filter: &Filter,
        expected: u64,
        reason: Option<String>,
        family: Family,
    ) -> Result<RevokedCount, AdminError> {
        let filter = revocable(filter)?;
        let ids = self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.ids(&filter))
            .await?;
        let found = ids.len() as u64;
        if found != expected {
            return Err(AdminError::CountMismatch { expected, found });
        }
        self.revoke_with(ids, reason, family).await
    }

    /// Returns up to `limit` audit events with numbers ([`EventRow::seq`](crate::event::EventRow))
    /// after `after`, in their order; 0 begins with the oldest that is kept. Each names one token at
    /// most.
    ///
    /// Whoever goes on after the last number that he got misses no event, whichever node wrote it.
    ///
    /// # Errors
    /// [`AdminError::NoAudit`] if the store keeps no events; [`AdminError::Unavailable`] if it
    /// cannot answer.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Vec<Event>, AdminError> {
        let (audit, _) = self.context().audit_store().ok_or(AdminError::NoAudit)?;
        let read = async || {
            self.context()
                .ask(SEARCH_TIMEOUT, audit.events_after(after, limit))
                .await
        };
        let events = read().await?;
        let missing = u64::from(limit).saturating_sub(events.len() as u64);
        let missing = u32::try_from(missing).unwrap_or_default();
        if missing == 0 {
            return Ok(events);
        }
        // What has no number yet comes after all of these.
        match self
            .context()
            .ask(SEARCH_TIMEOUT, audit.number_events(missing))
            .await?
        {
            0 => Ok(events),
            _ => Ok(read().await?),
        }
    }

    /// The token that this string is, revoked and expired ones included; `None` if it is none of
    /// ours. The string is not logged, and this does not count as a use.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn identify(&self, presented: &[u8]) -> Result<Option<Token>, AdminError> {
        let Some(digest) = self.pats.0.auth.digest_of(presented) else {
            return Ok(None);
        };
        let find = self.context().usable_store()?.find_by_digest(&digest);
        let mut found = self
            .context()
            .ask(self.context().request_timeout(), find)
            .await?
            .token;
        self.pats.0.auth.last_used.refresh(found.as_mut_slice());
        Ok(found)
    }

    /// What the host knows of the owners of these tokens: one user for each token, in their order.
    /// One whom the host does not know (any more) is made up of his key.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn owners_of(&self, tokens: &[Token]) -> Result<Vec<User>, AdminError> {
        let owners: BTreeSet<_> = tokens.iter().map(|token| &token.owner).collect();
        let owners: Vec<_> = owners.into_iter().cloned().collect();
        let known = self
            .context()
            .ask_directory(SEARCH_TIMEOUT, self.context().directory.profiles(&owners))
            .await?;
        let known = known.into_iter();
        let known: HashMap<_, _> = known.map(|user| (user.owner.clone(), user)).collect();
        let user = |token: &Token| match known.get(&token.owner) {
            Some(user) => user.clone(),
            None => placeholder(&token.owner),
        };
        Ok(tokens.iter().map(user).collect())
    }

    /// At most `limit` users of the host whose key, name or mail address contains this text.
    ///
    /// # Errors
    /// The host's directory cannot answer.
    pub async fn search_users(
        &self,
        contains: &str,
        limit: usize,
    ) -> Result<Vec<User>, AdminError> {
        let found = self.context().directory.search(contains, limit);
        let mut users = self.context().ask_directory(SEARCH_TIMEOUT, found).await?;
        users.truncate(limit);
        Ok(users)
    }
}

/// The filter without what is revoked already, unless that leaves all there is.
fn revocable(filter: &Filter) -> Result<Filter, AdminError> {
    let filter = Filter {
        revoked: Revoked::Excluded,
        ..filter.clone()
    };
    filter
        .is_effective()
        .then_some(filter)
        .ok_or(AdminError::NoCriterion)
}

fn placeholder(owner: &Owner) -> User {
    User {
        owner: owner.clone(),
        username: owner.to_string(),
        full_name: owner.to_string(),
        email: None,
        is_active: false,
    }
}
