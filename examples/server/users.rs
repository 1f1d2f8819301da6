use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pat_core::{BoxError, Owner, User, UserDirectory};

/// The demo's users: alice, bob and admin, each with the name as password.
///
/// A real host asks its own table here, or its identity provider.
#[derive(Debug, Clone)]
pub struct DemoUsers(Arc<Mutex<BTreeMap<Owner, User>>>);

const ADMINISTRATOR: &str = "admin";

impl Default for DemoUsers {
    fn default() -> Self {
        let users = Self(Arc::default());
        for (name, full_name) in [
            ("alice", "Alice Liddell"),
            ("bob", "Bob Baumeister"),
            (ADMINISTRATOR, "Admin"),
        ] {
            users.add(name, full_name);
        }
        users
    }
}

impl DemoUsers {
    fn users(&self) -> MutexGuard<'_, BTreeMap<Owner, User>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a user with this name, key and password, unless it is no name at all.
    pub fn add(&self, name: &str, full_name: &str) {
        let Ok(owner) = Owner::new(name) else { return };
        let user = User {
            owner: owner.clone(),
            username: name.to_owned(),
            full_name: full_name.to_owned(),
            email: Some(format!("{name}@example.com")),
            is_active: true,
        };
        self.users().insert(owner, user);
    }

    /// Deletes a user; false if there is none of this key.
    #[must_use]
    pub fn remove(&self, owner: &Owner) -> bool {
        self.users().remove(owner).is_some()
    }

    /// The active user of this key.
    #[must_use]
    pub fn active(&self, owner: &Owner) -> Option<User> {
        self.users()
            .get(owner)
            .filter(|user| user.is_active)
            .cloned()
    }

    /// The active user of this name and password: in this demo they are the same.
    #[must_use]
    pub fn sign_in(&self, username: &str, password: &str) -> Option<User> {
        let owner = Owner::new(username).ok()?;
        self.active(&owner).filter(|_| username == password)
    }

    /// Enables or disables a user; false if there is none of this key.
    #[must_use]
    pub fn set_active(&self, owner: &Owner, is_active: bool) -> bool {
        match self.users().get_mut(owner) {
            Some(user) => user.is_active = is_active,
            None => return false,
        }
        true
    }
}

#[async_trait]
impl UserDirectory for DemoUsers {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        Ok(self.users().get(owner).cloned())
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        Ok(owner.as_str() == ADMINISTRATOR && self.active(owner).is_some())
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        let contains = contains.to_lowercase();
        let matches = |user: &&User| {
            let email = user.email.as_deref().unwrap_or_default();
            [&user.username, &user.full_name, email]
                .iter()
                .any(|text| text.to_lowercase().contains(&contains))
        };
        Ok(self
            .users()
            .values()
            .filter(matches)
            .take(limit)
            .cloned()
            .collect())
    }
}
