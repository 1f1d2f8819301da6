use std::sync::Arc;

use pat_core::{BoxError, Owner, User, UserDirectory, async_trait};

use crate::user_table::{self, UserTable, UserTableError};

/// The demo's users: alice, bob and admin, each with the name as password. Bob's mails are in German.
///
/// A real host asks its own table here, or its identity provider.
#[derive(Debug, Clone)]
pub struct DemoUsers(Arc<dyn UserTable>);

const ADMINISTRATOR: &str = "admin";
/// Who reads mails in another language than the first one. A real host has the language in its table.
const LANGUAGES: [(&str, &str); 1] = [("bob", "de")];

/// The language of the user with this key, as a BCP 47 tag; `None` for the first one of the mails.
pub(crate) fn language_of(key: &str) -> Option<String> {
    let mut languages = LANGUAGES.into_iter();
    let found = languages.find(|(user, _)| *user == key);
    found.map(|(_, language)| language.to_owned())
}

impl DemoUsers {
    /// The users in the database of this URL, which the token store has opened before. Who was disabled
    /// or deleted there stays so.
    ///
    /// # Errors
    /// The database does not answer, or its account may not do what is needed.
    pub async fn open(url: &str) -> Result<Self, UserTableError> {
        let users = Self(user_table::open(url).await?);
        let first = [
            ("alice", "Alice Liddell"),
            ("bob", "Bob Baumeister"),
            (ADMINISTRATOR, "Admin"),
        ];
        let added = users.add(&first).await;
        added.map_err(UserTableError::Failed)?;
        Ok(users)
    }

    /// Adds users, each with this name as key and password, and this full name. Where there is or was
    /// one of a key, nothing is changed.
    ///
    /// # Errors
    /// One is no name at all, or the database does not answer.
    pub async fn add(&self, users: &[(&str, &str)]) -> Result<(), BoxError> {
        let users = users.iter().map(|(name, full_name)| {
            let mut user = User::new(
                Owner::new(*name)?,
                (*name).to_owned(),
                (*full_name).to_owned(),
                true,
            );
            user.email = Some(format!("{name}@example.com"));
            Ok(user)
        });
        let users: Vec<_> = users.collect::<Result<_, BoxError>>()?;
        self.0.add(&users).await
    }

    /// Deletes a user; false if there never was one of this key.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remove(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.0.remove(owner).await
    }

    /// The active user of this key.
    ///
    /// # Errors
    /// The database does not answer, which does not mean that there is none.
    pub async fn active(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        Ok(self.find(owner).await?.filter(|user| user.is_active))
    }

    /// The active user of this name and password: in this demo they are the same.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<Option<User>, BoxError> {
        match Owner::new(username) {
            Ok(owner) if username == password => self.active(&owner).await,
            _ => Ok(None),
        }
    }

    /// Enables or disables a user; false if there is none of this key.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_active(&self, owner: &Owner, is_active: bool) -> Result<bool, BoxError> {
        self.0.set_active(owner, is_active).await
    }

    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
impl UserDirectory for DemoUsers {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        let mut found = self.0.find(std::slice::from_ref(owner)).await?;
        Ok(found.pop())
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        Ok(owner.as_str() == ADMINISTRATOR && self.active(owner).await?.is_some())
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.0.search(contains, limit).await
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        self.0.find(owners).await
    }
}
