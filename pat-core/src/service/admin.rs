use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Family, Pats, RevokedCount};
use crate::caller::Caller;
use crate::context::Context;
use crate::directory::{MAX_PROFILES, User};
use crate::error::AdminError;
use crate::event::Event;
use crate::scope::TOKENS_ADMIN;
use crate::search::{Filter, Position, RevokedTokens, Search, Start};
use crate::store::SearchStore;
use crate::token::{Owner, Token, TokenId};

/// How long a search may take: a search by name or scopes reads every token, and some directories look up
/// owners one by one.
pub(super) const SEARCH_TIMEOUT: Duration = Duration::from_secs(30);

/// An administrator's access to the tokens of all users, which [`Pats::administration`] returns.
///
/// An `Administration` proves that the caller was an administrator when it was created. It borrows the
/// caller, so it cannot outlive the request, unless [`Administration::into_owned`] removes the borrow. For a
/// long response, create a new one for each chunk: the caller's token may be revoked meanwhile, or the
/// caller may lose the administrator's role.
///
/// ```
/// # use pat_core::{AdminError, Caller, Pats};
/// # use pat_core::search::Filter;
/// async fn count(pats: &Pats, caller: &Caller) -> Result<u64, AdminError> {
///     let administration = pats.administration(caller).await?;
///     administration.count(&Filter::default()).await
/// }
/// ```
#[derive(Debug)]
pub struct Administration<'r> {
    pub(super) pats: Pats,
    by: Cow<'r, Owner>,
}

/// One page of the result of [`Administration::search`].
#[derive(Debug)]
#[non_exhaustive]
pub struct SearchPage {
    /// The tokens of the page, in the order of the search. Their last uses include those that this node has
    /// not written to the store yet.
    pub tokens: Vec<Token>,
    /// Position after which the next page begins ([`Start::After`](crate::search::Start::After)); `None` if
    /// this is the last page.
    pub next: Option<Position>,
    /// Position before which the previous page ends ([`Start::Before`](crate::search::Start::Before)); `None` if
    /// this is the first page, or has no tokens. After a page that begins at a position
    /// ([`Start::After`](crate::search::Start::After)), the previous page may be empty, if its tokens are gone.
    pub previous: Option<Position>,
}

impl Pats {
    /// Returns the caller's access as an administrator. Each call asks the directory whether the caller is an
    /// administrator. If a token authenticated the caller, each call also checks that the token is still
    /// valid.
    ///
    /// # Errors
    /// - [`AdminError::Disabled`]: the setting `pat.admin.enabled` is `false`.
    /// - [`AdminError::InsufficientScope`]: the caller's token has scopes that do not permit
    ///   [`tokens:admin`](crate::scope::TOKENS_ADMIN).
    /// - [`AdminError::NotAdministrator`]: the caller is not an administrator.
    /// - [`AdminError::TokenInvalid`]: the token that authenticated the caller is no longer valid.
    /// - [`AdminError::Unavailable`]: the store or the directory fails or does not answer in time.
    pub async fn administration<'r>(
        &self,
        caller: &'r Caller,
    ) -> Result<Administration<'r>, AdminError> {
        if !self.settings().admin_enabled() {
            return Err(AdminError::Disabled);
        }
        if let Some(token) = caller.token() {
            self.recheck(token).await?;
        }
        if !self.permits(caller, TOKENS_ADMIN) {
            return Err(AdminError::InsufficientScope);
        }
        if !self.is_administrator(caller).await? {
            return Err(AdminError::NotAdministrator);
        }
        Ok(Administration {
            pats: self.clone(),
            by: Cow::Borrowed(caller.owner()),
        })
    }
}

impl Administration<'_> {
    /// Returns the same access without the borrow of the caller, for a value that lasts as long as the
    /// request, such as an extractor. Do not keep it longer: it does not ask the directory again.
    #[must_use]
    pub fn into_owned(self) -> Administration<'static> {
        Administration {
            pats: self.pats,
            by: Cow::Owned(self.by.into_owned()),
        }
    }

    /// Returns the access of an operator, who has the database itself.
    #[cfg(feature = "commands")]
    pub(crate) fn of_operator(pats: Pats, by: Owner) -> Administration<'static> {
        Administration {
            pats,
            by: Cow::Owned(by),
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.pats.0.context
    }

    /// Adds the last uses that this node has not written to the store yet.
    pub(super) fn refresh(&self, tokens: &mut [Token]) {
        self.pats.0.auth.last_used.refresh(tokens);
    }

    pub(super) fn store(&self) -> Result<&dyn SearchStore, AdminError> {
        self.context()
            .usable_store()?
            .search_store()
            .ok_or(AdminError::NotSupported)
    }

    /// Searches the tokens of all users, and returns one page of the result: at most [`Search::limit`] tokens.
    ///
    /// # Errors
    /// - [`AdminError::NotSupported`]: the store has no search capability.
    /// - [`AdminError::Unavailable`]: the store fails or does not answer within 30 seconds.
    pub async fn search(&self, search: &Search) -> Result<SearchPage, AdminError> {
        // One more token shows whether there is a page after this one, or before it.
        let more = Search {
            limit: search.limit.saturating_add(1),
            ..search.clone()
        };
        let mut tokens = self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.search(&more))
            .await?;
        let limit = search.limit as usize;
        let excess = tokens.len().saturating_sub(limit);
        let is_backward = matches!(search.start, Start::Before(_));
        if is_backward {
            tokens.drain(..excess);
        } else {
            tokens.truncate(limit);
        }
        let has_next = is_backward || excess > 0;
        let has_previous = match search.start {
            Start::Offset(offset) => offset > 0,
            Start::After(_) => true,
            Start::Before(_) => excess > 0,
        };
        // As stored, so before unwritten last uses are added.
        let position = |token: &Token| search.sort.position_of(token);
        let next = tokens.last().filter(|_| has_next).map(position);
        let previous = tokens.first().filter(|_| has_previous).map(position);
        self.pats.0.auth.last_used.refresh(&mut tokens);
        Ok(SearchPage {
            tokens,
            next,
            previous,
        })
    }

    /// Returns the tokens with these IDs, revoked and expired ones included, in ascending order of ID. Skips
    /// unknown IDs.
    ///
    /// # Errors
    /// Same as [`Administration::search`].
    pub async fn find(&self, ids: &[TokenId]) -> Result<Vec<Token>, AdminError> {
        let found = self.store()?.find_all(ids);
        let mut tokens = self.context().ask(SEARCH_TIMEOUT, found).await?;
        self.pats.0.auth.last_used.refresh(&mut tokens);
        Ok(tokens)
    }

    /// Returns how many tokens match `filter`.
    ///
    /// # Errors
    /// Same as [`Administration::search`].
    pub async fn count(&self, filter: &Filter) -> Result<u64, AdminError> {
        Ok(self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.count(filter))
            .await?)
    }

    /// Returns how many tokens match `filter`, or `most` if there are more. Unlike [`Administration::count`], it
    /// takes little time however many there are, unless few tokens match and no index finds them, as for a part of
    /// a name.
    ///
    /// # Errors
    /// Same as [`Administration::search`].
    pub async fn count_up_to(&self, filter: &Filter, most: u64) -> Result<u64, AdminError> {
        Ok(self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.count_up_to(filter, most))
            .await?)
    }

    /// Returns how many tokens match each of `filters`, in the order of the filters. The store reads every token
    /// once, however many filters there are.
    ///
    /// # Errors
    /// Same as [`Administration::search`].
    pub async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, AdminError> {
        Ok(self
            .context()
            .ask(SEARCH_TIMEOUT, self.store()?.count_each(filters))
            .await?)
    }

    /// Revokes the tokens with these IDs in one transaction. With the setting `pat.create.by.token=capped`,
    /// also revokes their descendants ([`Family`]). Returns how many tokens it revoked, descendants included.
    /// Skips unknown tokens, and tokens that are revoked already. The owners are notified, with `reason`,
    /// unless the setting `pat.notice.revoked.by.admin` is `false`.
    ///
    /// When the method returns, this node accepts none of the revoked tokens. Other nodes accept them for at
    /// most the setting `pat.auth.max.staleness.ms` (by default 2 seconds) after that; with the setting
    /// `pat.revocation.wait=cluster`, the method waits at most 1.1 times as long, and then no node accepts them.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the store fails or does not answer in time. Then either all of the tokens
    /// are revoked or none is, and revoking again is safe.
    pub async fn revoke(
        &self,
        ids: Vec<TokenId>,
        reason: Option<String>,
    ) -> Result<u64, AdminError> {
        let revoked = self.revoke_with(ids, reason, Family::Configured).await?;
        Ok(revoked.revoked)
    }

    /// Revokes tokens like [`Administration::revoke`], and their descendants (the tokens that were created with
    /// them) according to `family`. Also returns how many descendants stay valid.
    ///
    /// # Errors
    /// Same as [`Administration::revoke`].
    pub async fn revoke_with(
        &self,
        ids: Vec<TokenId>,
        reason: Option<String>,
        family: Family,
    ) -> Result<RevokedCount, AdminError> {
        let scope = self.pats.scope_of(ids, family);
        let notify = self.pats.settings().notice_revoked_by_admin();
        let by = Some(self.by.clone().into_owned());
        let revoked = self.pats.0.revoke_all(scope, by, reason, notify).await?;
        Ok(RevokedCount::new(&revoked))
    }

    /// Returns how many tokens [`Administration::revoke_matching`] would revoke with this filter, without
    /// their descendants (the tokens that were created with them; see [`Family`]).
    ///
    /// # Errors
    /// - [`AdminError::NoCriterion`]: the filter has no criterion
    ///   ([`Filter::is_effective`]).
    /// - The errors of [`Administration::search`].
    pub async fn count_revocable(&self, filter: &Filter) -> Result<u64, AdminError> {
        self.count(&revocable(filter)?).await
    }

    /// Revokes the unrevoked tokens that match `filter`, like [`Administration::revoke`], if their number
    /// is `expected`. With the setting `pat.create.by.token=capped`, also revokes their descendants
    /// ([`Family`]), which do not count for `expected`. Returns how many tokens it revoked, descendants
    /// included.
    ///
    /// The matching tokens are read once, at the beginning. A token that is created afterwards is not
    /// revoked; a token that another request revokes meanwhile is not counted.
    ///
    /// # Errors
    /// - [`AdminError::NoCriterion`]: the filter has no criterion
    ///   ([`Filter::is_effective`]).
    /// - [`AdminError::CountMismatch`]: the filter does not match `expected` tokens; nothing was revoked.
    /// - The errors of [`Administration::search`] and [`Administration::revoke`].
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

    /// Revokes tokens like [`Administration::revoke_matching`], and their descendants (the tokens that were
    /// created with them) according to `family`. Also returns how many descendants stay valid.
    ///
    /// # Errors
    /// Same as [`Administration::revoke_matching`].
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

    /// Returns up to `limit` audit events with numbers ([`EventRow::seq`](crate::event::EventRow::seq))
    /// greater than `after`, in ascending order of number. If `after` is 0, the result begins with the oldest
    /// stored event. Each event is about at most one token.
    ///
    /// A client that continues after the last number it has read misses no event of any node.
    ///
    /// # Errors
    /// - [`AdminError::NoAudit`]: the store has no audit capability.
    /// - [`AdminError::UnknownEventNumber`]: no event has the number `after` or a greater one.
    /// - [`AdminError::Unavailable`]: the store fails or does not answer in time.
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
        // Events without a number come after all of these.
        let numbered = audit.number_events(missing);
        let numbered = self.context().ask(SEARCH_TIMEOUT, numbered).await?;
        let events = if numbered == 0 { events } else { read().await? };
        if events.is_empty() && after > 0 {
            let last = audit.last_event_number();
            let last = self.context().ask(SEARCH_TIMEOUT, last).await?;
            if after > last {
                return Err(AdminError::UnknownEventNumber { after, last });
            }
        }
        Ok(events)
    }

    /// Returns the token with the secret token string `presented`, even if it is revoked or expired; `None`
    /// if there is no such token. The string is not logged, and the call does not count as a use of the token.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the store fails or does not answer in time.
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

    /// Returns whether a text has the form of a token of this service: that of its format, or of one that it accepts
    /// besides (the setting `pat.token.accepted`). It says nothing of whether there is such a token.
    #[must_use]
    pub fn recognizes(&self, presented: &[u8]) -> bool {
        self.pats.0.auth.digest_of(presented).is_some()
    }

    /// Returns the owners of these tokens: one user for each token, in the same order. For an owner who is not
    /// in the directory, the user is not active, and has the key as its user name and full name.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the directory fails or does not answer in time.
    pub async fn owners_of(&self, tokens: &[Token]) -> Result<Vec<User>, AdminError> {
        let found = self.find_owners_of(tokens).await?.into_iter();
        let users = found.zip(tokens);
        let user = |(user, token): (Option<User>, &Token)| {
            user.unwrap_or_else(|| placeholder(&token.owner))
        };
        Ok(users.map(user).collect())
    }

    /// Returns the owners of these tokens, as the directory knows them: one user for each token, in the same order,
    /// or `None` for an owner who is not in the directory.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the directory fails or does not answer in time.
    pub async fn find_owners_of(&self, tokens: &[Token]) -> Result<Vec<Option<User>>, AdminError> {
        let owners: BTreeSet<_> = tokens.iter().map(|token| &token.owner).collect();
        let owners: Vec<_> = owners.into_iter().cloned().collect();
        let known = self.profiles(&owners).await?;
        let user = |token: &Token| known.get(&token.owner).cloned();
        Ok(tokens.iter().map(user).collect())
    }

    /// Returns the users with these keys: one for each key, in the same order, with the key as the names of a user who
    /// is not in the directory, as [`Administration::owners_of`] does.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the directory fails or does not answer in time.
    pub async fn users(&self, keys: &[Owner]) -> Result<Vec<User>, AdminError> {
        let unique: BTreeSet<_> = keys.iter().cloned().collect();
        let unique: Vec<_> = unique.into_iter().collect();
        let known = self.profiles(&unique).await?;
        let user = |key: &Owner| known.get(key).cloned().unwrap_or_else(|| placeholder(key));
        Ok(keys.iter().map(user).collect())
    }

    /// Asks the directory for these owners, in as few calls as it takes.
    pub(super) async fn profiles(
        &self,
        owners: &[Owner],
    ) -> Result<HashMap<Owner, User>, AdminError> {
        let profiles = async {
            let mut users = Vec::with_capacity(owners.len());
            for owners in owners.chunks(MAX_PROFILES) {
                users.extend(self.context().directory.profiles(owners).await?);
            }
            Ok(users)
        };
        let known = self.context().ask_directory(SEARCH_TIMEOUT, profiles);
        let known = known.await?.into_iter();
        Ok(known.map(|user| (user.owner.clone(), user)).collect())
    }

    /// Returns up to `limit` users whose key, user name, full name or mail address has the text `contains` in
    /// it, ignoring letter case ([`UserDirectory::search`](crate::UserDirectory::search)).
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: the directory fails or does not answer in time.
    pub async fn search_users(
        &self,
        contains: &str,
        limit: usize,
    ) -> Result<Vec<User>, AdminError> {
        // PostgreSQL refuses a text with NUL, and no text of a user has one.
        if contains.contains('\0') {
            return Ok(Vec::new());
        }
        let found = self.context().directory.search(contains, limit);
        let mut users = self.context().ask_directory(SEARCH_TIMEOUT, found).await?;
        users.truncate(limit);
        Ok(users)
    }
}

/// Narrows the filter to unrevoked tokens. Returns an error if it restricts nothing else.
fn revocable(filter: &Filter) -> Result<Filter, AdminError> {
    let filter = Filter {
        revoked: RevokedTokens::Excluded,
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
        language: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::*;
    use crate::directory::UserDirectory;
    use crate::error::BoxError;
    use crate::memory::MemoryStore;
    use crate::store::NewToken;
    use crate::token::TokenDigest;

    /// Knows every owner, and keeps the number of keys of each look-up and the text of each search.
    #[derive(Debug, Default)]
    struct Recorder {
        profiles: Mutex<Vec<usize>>,
        searches: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl UserDirectory for Recorder {
        async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
            Ok(Some(User::new(owner.clone(), "user", "User", true)))
        }

        async fn is_administrator(&self, _: &Owner) -> Result<bool, BoxError> {
            Ok(true)
        }

        async fn search(&self, contains: &str, _: usize) -> Result<Vec<User>, BoxError> {
            self.searches.lock().expect("a lock").push(contains.into());
            Ok(Vec::new())
        }

        async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
            self.profiles.lock().expect("a lock").push(owners.len());
            let users = owners.iter().cloned();
            Ok(users
                .map(|owner| User::new(owner, "user", "User", true))
                .collect())
        }
    }

    fn administration(directory: &Arc<Recorder>) -> Administration<'static> {
        let pats = Pats::builder(Arc::new(MemoryStore::default()));
        Administration {
            pats: pats.users(directory.clone()).build(),
            by: Cow::Owned(Owner::new("root").expect("a key")),
        }
    }

    fn token(number: i64, owner: &str) -> Token {
        let id = TokenId::new(number).expect("an ID");
        let digest = TokenDigest::of(&number.to_le_bytes());
        let owner = Owner::new(owner).expect("a key");
        NewToken::new(id, digest, owner, "ci", Timestamp::UNIX_EPOCH).into_token()
    }

    #[tokio::test]
    async fn the_directory_is_asked_for_1_to_500_owners_at_once() {
        for (owners, expected) in [
            (0, &[][..]),
            (1, &[1]),
            (500, &[500]),
            (1_001, &[500, 500, 1]),
        ] {
            let directory = Arc::<Recorder>::default();
            // Two tokens of each owner.
            let tokens = (0..2 * owners).map(|n| token(n, &format!("user-{}", n % owners)));
            let tokens: Vec<_> = tokens.collect();
            let users = administration(&directory).owners_of(&tokens).await;
            let users = users.expect("users");
            assert!(users.iter().all(|user| user.is_active));
            let names = users.iter().map(|user| &user.owner);
            assert!(names.eq(tokens.iter().map(|token| &token.owner)));
            let keys: Vec<_> = tokens.iter().map(|token| token.owner.clone()).collect();
            let same = administration(&Arc::default()).users(&keys).await;
            assert_eq!(same.expect("users"), users);
            assert_eq!(*directory.profiles.lock().expect("a lock"), expected);
        }
    }

    #[tokio::test]
    async fn a_text_with_nul_is_not_searched() {
        let directory = Arc::<Recorder>::default();
        let administration = administration(&directory);
        for contains in ["a\0b", "ab"] {
            let found = administration.search_users(contains, 10).await;
            assert_eq!(found.expect("users"), []);
        }
        assert_eq!(*directory.searches.lock().expect("a lock"), ["ab"]);
    }
}
