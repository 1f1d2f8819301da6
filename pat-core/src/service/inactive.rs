//! The owners of tokens who may not use the host any more.

use super::Administration;
use super::admin::SEARCH_TIMEOUT;
use crate::directory::MAX_PROFILES;
use crate::error::AdminError;
use crate::token::Owner;

/// The most owners of whom the directory is asked: 20 calls of
/// [`UserDirectory::profiles`](crate::UserDirectory::profiles).
const MAX_CHECKED: usize = 20 * MAX_PROFILES;
/// The most inactive owners that are returned, since a filter names each of them.
const MAX_INACTIVE: usize = 1_000;

/// The result of [`Administration::inactive_owners`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InactiveOwners {
    /// Owners of unrevoked tokens who are not in the directory, or not [active](crate::User::is_active) there, in
    /// the byte order of their keys.
    pub owners: Vec<Owner>,
    /// Whether these are all. If `false`, there may be others, with greater keys.
    pub is_complete: bool,
}

impl Administration<'_> {
    /// Returns the owners of unrevoked tokens who are not active users: the owners for a
    /// [filter](crate::search::Filter::owners) that finds the tokens that are refused because of their owners.
    ///
    /// The directory knows who is active, and the store does not, so each call asks the directory: of up to 500
    /// owners at a time ([`UserDirectory::profiles`](crate::UserDirectory::profiles)), and of 10,000 owners at most.
    /// Up to 1,000 inactive owners are returned. [`InactiveOwners::is_complete`] says whether a limit was reached.
    ///
    /// # Errors
    /// - [`AdminError::NotSupported`]: the store has no job capability
    ///   ([`TokenStore::jobs`](crate::store::TokenStore::jobs)), so it cannot list owners.
    /// - [`AdminError::Unavailable`]: the store or the directory fails, or one of them does not answer within 30
    ///   seconds.
    pub async fn inactive_owners(&self) -> Result<InactiveOwners, AdminError> {
        self.inactive_owners_among(MAX_CHECKED).await
    }

    async fn inactive_owners_among(
        &self,
        max_checked: usize,
    ) -> Result<InactiveOwners, AdminError> {
        let store = self.context().usable_store()?;
        let jobs = store.jobs().ok_or(AdminError::NotSupported)?;
        let listed = async {
            let mut owners: Vec<Owner> = Vec::new();
            // One more shows whether there are others.
            while owners.len() <= max_checked {
                let page = (max_checked + 1 - owners.len()).min(MAX_PROFILES);
                let limit = u32::try_from(page).unwrap_or(u32::MAX);
                let found = jobs.owners_after(owners.last(), limit).await?;
                let is_last = found.len() < page;
                owners.extend(found.into_iter().map(|listed| listed.owner));
                if is_last {
                    break;
                }
            }
            Ok(owners)
        };
        let mut owners = self.context().ask(SEARCH_TIMEOUT, listed).await?;
        let has_others = owners.len() > max_checked;
        owners.truncate(max_checked);
        let known = self.profiles(&owners).await?;
        owners.retain(|owner| !known.get(owner).is_some_and(|user| user.is_active));
        let is_complete = !has_others && owners.len() <= MAX_INACTIVE;
        owners.truncate(MAX_INACTIVE);
        Ok(InactiveOwners {
            owners,
            is_complete,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::caller::Caller;
    use crate::directory::{User, UserDirectory};
    use crate::error::BoxError;
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::service::Pats;

    /// Knows `root`, and the users whose keys do not begin with `gone`; those that begin with `off` are disabled.
    #[derive(Debug, Default)]
    struct Users {
        calls: AtomicUsize,
    }

    #[async_trait]
    impl UserDirectory for Users {
        async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
            let is_active = !owner.as_str().starts_with("off");
            let user = User::new(owner.clone(), "user", "User", is_active);
            Ok((!owner.as_str().starts_with("gone")).then_some(user))
        }

        async fn is_administrator(&self, _: &Owner) -> Result<bool, BoxError> {
            Ok(true)
        }

        async fn search(&self, _: &str, _: usize) -> Result<Vec<User>, BoxError> {
            Ok(Vec::new())
        }

        async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
            assert!(owners.len() <= MAX_PROFILES);
            self.calls.fetch_add(1, Ordering::Relaxed);
            let mut users = Vec::new();
            for owner in owners {
                users.extend(self.find(owner).await?);
            }
            Ok(users)
        }
    }

    fn key(text: String) -> Owner {
        Owner::new(text).expect("a key")
    }

    /// Returns who is inactive among the owners with these keys, of whom 1,000 are looked at, and how often the
    /// directory was asked.
    async fn inactive_among(owners: impl Iterator<Item = String>) -> (InactiveOwners, usize) {
        let users = Arc::<Users>::default();
        let pats = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = pats.users(users.clone()).build();
        for owner in owners {
            let caller = Caller::cookie_authenticated(key(owner));
            let request = TokenRequest::new("ci", Some(30));
            pats.create(&caller, request).await.expect("a token");
        }
        let root = Caller::cookie_authenticated(key("root".into()));
        let admin = pats.administration(&root).await.expect("an administrator");
        let inactive = admin.inactive_owners_among(1_000).await.expect("owners");
        (inactive, users.calls.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn missing_and_disabled_owners_are_found() {
        let owners = ["off-2", "alice", "gone", "bob", "off-1"];
        let (inactive, calls) = inactive_among(owners.map(str::to_owned).into_iter()).await;
        let expected = ["gone", "off-1", "off-2"].map(|text| key(text.into()));
        assert_eq!(inactive.owners, expected);
        assert!(inactive.is_complete);
        assert_eq!(calls, 1);
        let (none, calls) = inactive_among(std::iter::empty()).await;
        assert!(none.owners.is_empty() && none.is_complete);
        assert_eq!(calls, 0);
    }

    #[tokio::test]
    async fn the_directory_is_asked_of_so_many_owners_and_not_of_more() {
        for (owners, expected, is_complete) in [(501, 2, true), (1_000, 2, true), (1_001, 2, false)]
        {
            let owners = (0..owners).map(|number| format!("gone-{number:04}"));
            let (inactive, calls) = inactive_among(owners.clone()).await;
            let expected_owners: Vec<_> = owners.take(1_000).map(key).collect();
            assert_eq!(inactive.owners, expected_owners);
            assert_eq!((calls, inactive.is_complete), (expected, is_complete));
        }
    }
}
