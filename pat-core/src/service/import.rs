//! Tokens that another table has had so far.

use jiff::Timestamp;

use super::Pats;
use crate::error::{PolicyError, Unavailable};
use crate::event::EventKind;
use crate::node::WRITE_TIMEOUT;
use crate::policy;
use crate::scope::Scopes;
use crate::store::{ImportOutcome, ImportedToken, NewImport, StoreError};
use crate::token::{Owner, TokenDigest, TokenId};

/// How many rows one transaction stores: few enough that other requests hardly wait for it.
const BATCH: usize = 500;
/// How often IDs are drawn for a token: each time from sixteen times as many, at last from those of three days.
const ATTEMPTS: u32 = 8;

/// A row of a table with tokens, for [`Pats::import`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportRow {
    /// SHA-256 of the whole token string, as a client presents it: with its prefix and without white space.
    pub digest: TokenDigest,
    /// User whom the token authenticates.
    pub owner: Owner,
    /// Name of the token, by the rules of [`TokenRequest::name`](crate::TokenRequest::name), but of up to 255
    /// characters, whatever the settings say.
    pub name: String,
    /// When the token was created. A time in the future counts as the present time.
    pub created_at: Timestamp,
    /// When the token expires; `None` if it never expires. The setting `atlassian.pats.max.tokens.expiry.days` does
    /// not apply.
    pub expires_at: Option<Timestamp>,
    /// When the token last authenticated a request; `None` if it never did, or this is not known. A time in the
    /// future counts as the present time.
    pub last_used_at: Option<Timestamp>,
    /// Names of the scopes of the token, each declared and given once; `None` for an unrestricted token. The
    /// settings for scopes do not apply.
    pub scopes: Option<Vec<String>>,
    /// Text that says what the token is for, by the rules of
    /// [`TokenRequest::description`](crate::TokenRequest::description).
    pub description: Option<String>,
    /// A string of the same shape as the token's, but with a made-up secret. If none of the service's formats
    /// recognizes it, the row is refused. `None` to import the row unchecked: a digest does not say which format its
    /// string has, and tokens of a format that is missing would be refused although they are stored.
    pub example: Option<String>,
}

impl ImportRow {
    /// Creates a row of an unrestricted token that was never used and never expires.
    #[must_use]
    pub fn new(
        digest: TokenDigest,
        owner: Owner,
        name: impl Into<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            digest,
            owner,
            name: name.into(),
            created_at,
            expires_at: None,
            last_used_at: None,
            scopes: None,
            description: None,
            example: None,
        }
    }
}

/// What [`Pats::import`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// How many tokens were stored.
    pub stored: u64,
    /// How many rows were skipped, because their owner has a token with the same digest: from an earlier import of
    /// the row, or from a row before it. It may be revoked, and stays as it is.
    pub skipped: u64,
    /// The rows that were refused, in ascending order of index.
    pub refused: Vec<RefusedRow>,
    /// For each row, in the order of the rows, the ID of the token with its digest; `None` if the row was refused.
    pub tokens: Vec<Option<TokenId>>,
}

/// A row that [`Pats::import`] has refused. Its `Display` is one line with the index and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {index}: {reason}")]
#[non_exhaustive]
pub struct RefusedRow {
    /// Index of the row, from 0.
    pub index: usize,
    /// Why the row was refused.
    pub reason: ImportRefusal,
}

/// The reason that [`Pats::import`] has refused a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportRefusal {
    /// Another owner has a token with this digest.
    #[error("another owner has a token with this digest")]
    OtherOwner,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// None of the service's formats recognizes the [example](ImportRow::example).
    #[error(
        "no accepted token format recognizes the example of this row; add the format with \
         PatsBuilder::accept"
    )]
    UnknownFormat,
    /// The name, the description or the scopes break the rule that this value names. Or the row has scopes, and an
    /// older version of this crate, which does not know scopes, runs on the store ([`PolicyError::OlderNodes`]).
    #[error(transparent)]
    Malformed(#[from] PolicyError),
}

impl Pats {
    /// Stores the tokens of another table, so that they authenticate as they did, with their owners, names, times
    /// and scopes. The service needs their [format](crate::format::TokenFormat)
    /// ([`PatsBuilder::accept`](crate::PatsBuilder::accept)), without which it refuses them unread.
    ///
    /// Pass only rows of tokens that are valid: one that was revoked would authenticate again. The limits of the
    /// settings for number, life span and scopes do not apply to the rows. The tokens count for the limit of
    /// their owner, though, who can create others once they are below it. No notification is sent. For the setting
    /// `pat.unused.revoke.days`, an imported token that is not used counts from its import. Where the directory does
    /// not know the owner, the token is stored, and revoked as those of other missing owners.
    ///
    /// A row that cannot be imported is refused and listed, and the others are imported ([`ImportRefusal`]). If the
    /// owner has a token with the digest, the row is skipped. So the call can be repeated, also on several nodes at
    /// once, but not for ever: a token that was revoked after its import and then deleted (the setting
    /// `atlassian.pats.pruning.delay.days`, by default 30 days) would be imported again.
    ///
    /// Rows are stored in transactions of 500. A token authenticates as soon as it is stored; on a node that has
    /// refused it as unknown just before, ten seconds later. The audit has one event for each token
    /// ([`EventKind::Imported`]).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use jiff::Timestamp;
    /// use pat_core::format::{FormatName, TokenFormat};
    /// use pat_core::{ImportRow, MemoryStore, Owner, Pats, TokenDigest};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // The format of the old tokens; a host may have its own.
    /// let format = "prefixed:acme".parse::<FormatName>()?.format();
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).accept(format.clone()).build();
    /// # let old = format.generate()?;
    /// # let sha256 = *old.digest().as_bytes();
    ///
    /// // A row of the old table, with the SHA-256 of the token.
    /// let digest = TokenDigest::from_bytes(sha256);
    /// let created_at: Timestamp = "2024-02-29T12:00:00Z".parse()?;
    /// let mut row = ImportRow::new(digest, Owner::new("alice")?, "ci", created_at);
    /// row.example = Some(format.generate()?.expose().to_owned());
    ///
    /// let imported = pats.import(vec![row]).await?;
    /// assert_eq!((imported.stored, imported.refused.len()), (1, 0));
    /// let principal = pats.authenticate(old.expose().as_bytes()).await?;
    /// assert_eq!(principal.owner().as_str(), "alice");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails, does not answer in time or cannot import
    /// ([`TokenStore::import_store`](crate::store::TokenStore::import_store)). Then some of the rows may have been
    /// stored; repeat the call with all of them.
    pub async fn import(&self, rows: Vec<ImportRow>) -> Result<Imported, Unavailable> {
        let mut imported = Imported::default();
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
            let (pats, before) = (self.clone(), imported);
            let next = async move { pats.import_batch(before, batch).await };
            imported = self.0.in_own_task(next).await??;
        }
        imported.refused.sort_by_key(|refused| refused.index);
        Ok(imported)
    }

    async fn import_batch(
        &self,
        mut imported: Imported,
        rows: Vec<ImportRow>,
    ) -> Result<Imported, Unavailable> {
        let checked = rows.into_iter().map(|row| self.check_row(row));
        let checked = checked.collect::<Result<Vec<_>, _>>()?;
        let older = self.make_scopes_usable(&checked).await?.err();
        let mut left = Vec::with_capacity(checked.len());
        for row in checked {
            let index = imported.tokens.len();
            imported.tokens.push(None);
            let reason = match (row, &older) {
                (Ok(token), Some(older)) if token.scopes.is_some() => older.clone().into(),
                (Ok(token), _) => {
                    left.push((index, token));
                    continue;
                }
                (Err(reason), _) => reason,
            };
            imported.refused.push(RefusedRow { index, reason });
        }
        for attempt in 1..=ATTEMPTS {
            if left.is_empty() {
                return Ok(imported);
            }
            left = self.import_once(&mut imported, left).await?;
            for (_, token) in &mut left {
                token.id = self.draw(token.created_at, attempt)?;
            }
        }
        Err(StoreError::backend("the store reports each imported token as a duplicate").into())
    }

    fn draw(&self, created_at: Timestamp, attempt: u32) -> Result<TokenId, Unavailable> {
        let id = TokenId::draw(created_at, attempt);
        self.0.context.outages.random(id)
    }

    /// Excludes versions that do not know scopes, if a token has some.
    async fn make_scopes_usable(
        &self,
        rows: &[Result<NewImport, ImportRefusal>],
    ) -> Result<Result<(), PolicyError>, StoreError> {
        let mut scopes = rows.iter().flatten().filter_map(|row| row.scopes.as_ref());
        let first = scopes.next();
        let feature = first.and_then(|_| self.0.context.versions.feature_of(first));
        match feature {
            Some(feature) => self.make_usable(feature).await,
            None => Ok(Ok(())),
        }
    }

    /// Returns the tokens whose IDs were taken.
    async fn import_once(
        &self,
        imported: &mut Imported,
        rows: Vec<(usize, NewImport)>,
    ) -> Result<Vec<(usize, NewImport)>, Unavailable> {
        let context = &self.0.context;
        let Some(store) = context.usable_store()?.import_store() else {
            return Err(StoreError::backend("the store cannot import tokens").into());
        };
        let (indexes, tokens): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let outcomes = store.import(&tokens, self.now());
        let outcomes = context.ask(WRITE_TIMEOUT, outcomes).await?;
        let stored = ImportedToken::of_stored(&outcomes);
        let mut taken = Vec::new();
        let mut at = None;
        for ((index, token), outcome) in indexes.into_iter().zip(tokens).zip(outcomes) {
            let reason = match outcome {
                ImportOutcome::Stored(stored) => {
                    self.0.auth.mark_known(&token.digest);
                    imported.stored += 1;
                    imported.tokens[index] = Some(stored.id);
                    at = stored.imported_at;
                    continue;
                }
                ImportOutcome::Present(id) => {
                    imported.skipped += 1;
                    imported.tokens[index] = Some(id);
                    continue;
                }
                ImportOutcome::Duplicate => {
                    taken.push((index, token));
                    continue;
                }
                ImportOutcome::OtherOwner => ImportRefusal::OtherOwner,
                ImportOutcome::Expired => ImportRefusal::Expired,
            };
            imported.refused.push(RefusedRow { index, reason });
        }
        if let Some(at) = at {
            self.0
                .emit_change(at, EventKind::Imported { tokens: stored });
        }
        Ok(taken)
    }

    /// Returns the token of a row, or why the row is refused whatever the store has.
    fn check_row(&self, row: ImportRow) -> Result<Result<NewImport, ImportRefusal>, Unavailable> {
        let scopes = match self.check_texts(&row) {
            Ok(scopes) => scopes,
            Err(reason) => return Ok(Err(reason)),
        };
        let created_at = row.created_at.min(self.now());
        let id = self.draw(created_at, 0)?;
        Ok(Ok(NewImport {
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            scopes,
            description: row.description.filter(|text| !text.is_empty()),
            ..NewImport::new(id, row.digest, row.owner, row.name, created_at)
        }))
    }

    fn check_texts(&self, row: &ImportRow) -> Result<Option<Scopes>, ImportRefusal> {
        let is_ours = |example: &String| self.0.auth.digest_of(example.as_bytes()).is_some();
        if !row.example.as_ref().is_none_or(is_ours) {
            return Err(ImportRefusal::UnknownFormat);
        }
        policy::check_name_within(policy::LONGEST_NAME, &row.name)?;
        policy::check_description(row.description.as_deref().unwrap_or_default())?;
        let names = row.scopes.as_deref();
        let scopes = names.map(|names| policy::declared_scopes(self.scope_catalog(), names));
        Ok(scopes.transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::caller::Caller;
    use crate::clock::Clock as _;
    use crate::error::{AuthError, CreateError};
    use crate::format::{FormatName, TokenFormat};
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::scope::ScopeCatalog;
    use crate::settings::Settings;
    use crate::store::{AuditStore as _, TokenStore as _};
    use crate::testing::TestClock;

    fn acme() -> Arc<dyn TokenFormat> {
        let name: FormatName = "prefixed:acme".parse().expect("a format");
        name.format()
    }

    fn owner(key: &str) -> Owner {
        Owner::new(key).expect("an owner")
    }

    fn now() -> Timestamp {
        TestClock::default().wall()
    }

    fn ago(days: i64) -> Timestamp {
        now() - SignedDuration::from_hours(24 * days)
    }

    fn row(number: u64, key: &str) -> ImportRow {
        let digest = TokenDigest::of(&number.to_le_bytes());
        ImportRow::new(digest, owner(key), "ci", ago(500))
    }

    async fn import(pats: &Pats, rows: &[ImportRow]) -> Imported {
        pats.import(rows.to_vec()).await.expect("import")
    }

    fn pats(store: &Arc<MemoryStore>) -> Pats {
        node(store, &Arc::default())
    }

    fn node(store: &Arc<MemoryStore>, clock: &Arc<TestClock>) -> Pats {
        let catalog = ScopeCatalog::builder().scope("read", "Read");
        let settings = Settings::builder()
            .max_tokens_per_user(1)
            .max_tokens_expiry_days(1);
        Pats::builder(store.clone())
            .settings(settings.build().expect("settings"))
            .scopes(catalog.build().expect("a catalog"))
            .accept(acme())
            .clock(clock.clone())
            .build()
    }

    #[tokio::test]
    async fn imported_tokens_authenticate_whatever_the_policy_says_of_new_ones() {
        let store = Arc::<MemoryStore>::default();
        let clock = Arc::default();
        let pats = node(&store, &clock);
        let format = acme();
        let mut rows = Vec::new();
        let mut strings = Vec::new();
        for number in 0..3 {
            let plain = format.generate().expect("randomness");
            // A refusal is cached for ten seconds.
            let unknown = pats.authenticate(plain.expose().as_bytes()).await;
            assert!(matches!(unknown, Err(AuthError::Unknown)), "{unknown:?}");
            rows.push(ImportRow {
                digest: plain.digest(),
                name: "n".repeat(255),
                expires_at: (number != 0).then(|| ago(-4_000)),
                last_used_at: (number == 1).then(|| ago(400)),
                scopes: (number == 2).then(|| vec!["read".to_owned()]),
                description: Some("from acme_keys".into()),
                example: Some(format.generate().expect("randomness").expose().to_owned()),
                ..row(number, "alice")
            });
            strings.push(plain);
        }
        let imported = import(&pats, &rows).await;
        assert_eq!((imported.stored, imported.skipped), (3, 0));
        assert_eq!(imported.refused, []);
        let unknown = pats.authenticate(strings[0].expose().as_bytes()).await;
        assert!(matches!(unknown, Err(AuthError::Unknown)), "{unknown:?}");
        clock.advance(Duration::from_secs(10));
        for ((plain, row), id) in strings.iter().zip(&rows).zip(&imported.tokens) {
            let principal = pats.authenticate(plain.expose().as_bytes()).await;
            let principal = principal.expect("a good token");
            assert_eq!(Some(principal.token_id()), *id);
            assert_eq!(principal.owner(), &row.owner);
            let stored = store.find(principal.token_id()).await.expect("find");
            let stored = stored.expect("the token");
            let found = (stored.created_at, stored.expires_at, stored.last_used_at);
            assert_eq!(found, (row.created_at, row.expires_at, row.last_used_at));
            let scopes = stored.scopes.map(|scopes| scopes.to_string());
            assert_eq!(scopes, row.scopes.as_ref().map(|names| names.join(" ")));
            assert_eq!(stored.description, row.description);
        }
        let ids: Vec<_> = imported.tokens.iter().flatten().collect();
        assert!(
            ids.iter().all(|id| id.get() >> 12 > 0),
            "the time of creation: {ids:?}"
        );
        let alice = Caller::header_authenticated(owner("alice"));
        let refused = pats.create(&alice, TokenRequest::new("ci", Some(1))).await;
        let Err(CreateError::Refused(PolicyError::LimitReached { count, max })) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((count, max), (3, 1), "they count");

        // Again, from another node: nothing changes, not even for a revoked one.
        let first = *ids[0];
        pats.revoke(&alice, first).await.expect("revoke");
        let others = self::pats(&store);
        let again = import(&others, &rows).await;
        assert_eq!((again.stored, again.skipped), (0, 3));
        assert_eq!(again.tokens, imported.tokens);
        let revoked = pats.authenticate(strings[0].expose().as_bytes()).await;
        assert!(matches!(revoked, Err(AuthError::Revoked(_))), "{revoked:?}");
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_imported_is_listed_and_the_others_are_imported() {
        let store = Arc::<MemoryStore>::default();
        let pats = pats(&store);
        import(&pats, &[row(0, "alice")]).await;
        let scopes = |number, names: &[&str]| ImportRow {
            scopes: Some(names.iter().map(|&name| name.to_owned()).collect()),
            ..row(number, "bob")
        };
        let named = |number, name: &str| ImportRow {
            name: name.to_owned(),
            ..row(number, "bob")
        };
        let rows = [
            row(0, "bob"),
            ImportRow {
                expires_at: Some(ago(0)),
                ..row(1, "bob")
            },
            ImportRow {
                example: Some("other_0".into()),
                ..row(2, "bob")
            },
            named(3, ""),
            named(4, &"n".repeat(256)),
            named(5, "a\nb"),
            named(6, "a\u{202e}b"),
            ImportRow {
                description: Some("d".repeat(201)),
                ..row(7, "bob")
            },
            scopes(8, &[]),
            scopes(9, &["read", "write"]),
            scopes(10, &["read", "read"]),
            row(11, "bob"),
            row(11, "carol"),
            row(11, "bob"),
        ];
        let imported = import(&pats, &rows).await;
        let malformed = |index, rule| (index, ImportRefusal::Malformed(rule));
        let expected = [
            (0, ImportRefusal::OtherOwner),
            (1, ImportRefusal::Expired),
            (2, ImportRefusal::UnknownFormat),
            malformed(3, PolicyError::NameBlank),
            malformed(4, PolicyError::NameTooLong { max: 255 }),
            malformed(5, PolicyError::NameHasControlCharacter),
            malformed(6, PolicyError::NameHasBidiControl),
            malformed(7, PolicyError::DescriptionTooLong { max: 200 }),
            malformed(8, PolicyError::NoScope),
            malformed(9, PolicyError::UnknownScope { index: 1 }),
            malformed(10, PolicyError::DuplicateScope { index: 1 }),
            (12, ImportRefusal::OtherOwner),
        ];
        let refused = imported.refused.iter();
        let refused: Vec<_> = refused.map(|row| (row.index, row.reason.clone())).collect();
        assert_eq!(refused, expected);
        assert_eq!(
            imported.refused[1].to_string(),
            "row 1: the token has expired"
        );
        assert_eq!((imported.stored, imported.skipped), (1, 1));
        let indexes = (0..).zip(&imported.tokens).filter(|(_, id)| id.is_some());
        let indexes: Vec<usize> = indexes.map(|(index, _)| index).collect();
        assert_eq!(indexes, [11, 13]);
        assert_eq!(imported.tokens[11], imported.tokens[13]);
        let left = store.list(&owner("bob")).await.expect("list");
        assert_eq!(left.len(), 1);
    }

    #[tokio::test]
    async fn tokens_of_one_instant_have_ids_from_soon_after_it() {
        const ROWS: u64 = 9_000;
        let store = Arc::<MemoryStore>::default();
        let pats = pats(&store);
        let midnight: Timestamp = "2024-02-29T00:00:00Z".parse().expect("a time");
        let rows = (0..ROWS).map(|number| ImportRow {
            created_at: midnight,
            ..row(number, &format!("owner {}", number % 7))
        });
        let rows: Vec<_> = rows.collect();
        let imported = import(&pats, &rows).await;
        assert_eq!((imported.stored, imported.skipped), (ROWS, 0));
        let ids: std::collections::BTreeSet<_> = imported.tokens.into_iter().flatten().collect();
        assert_eq!(ids.len() as u64, ROWS);
        let least = TokenId::draw(midnight, 0).expect("randomness").get() >> 12;
        // More than twice the IDs of one millisecond, so some are later.
        let millis: Vec<_> = ids.iter().map(|id| (id.get() >> 12) - least).collect();
        assert_eq!(millis.first(), Some(&0));
        assert!(millis.iter().all(|millis| (0..10_000).contains(millis)));
        while store.number_events(10_000).await.expect("numbers") > 0 {}
        let events = store.events_after(0, 10_000).await.expect("events");
        assert_eq!(events.len() as u64, ROWS, "one event for each");
    }

    #[tokio::test]
    async fn old_tokens_and_tokens_of_the_future_have_ids() {
        let store = Arc::<MemoryStore>::default();
        let pats = pats(&store);
        let rows = ["1999-12-31T23:59:59Z", "3000-01-01T00:00:00Z"];
        let rows = (0..).zip(rows).map(|(number, created_at)| ImportRow {
            created_at: created_at.parse().expect("a time"),
            ..row(number, "alice")
        });
        let imported = import(&pats, &rows.collect::<Vec<_>>()).await;
        assert_eq!(imported.stored, 2);
        let tokens = store.list(&owner("alice")).await.expect("list");
        assert_eq!(tokens[0].created_at.to_string(), "1999-12-31T23:59:59Z");
        assert!(tokens[1].created_at <= now());
        let now = TokenId::draw(self::now(), 0).expect("randomness").get() >> 12;
        let millis = tokens[1].id.get() >> 12;
        assert!((now - 60_000..=now).contains(&millis), "{millis} {now}");
    }

    #[test]
    fn the_longest_name_is_the_longest_that_a_setting_allows() {
        let allows = |max| Settings::builder().token_name_length(max).build().is_ok();
        assert!(allows(policy::LONGEST_NAME) && !allows(policy::LONGEST_NAME + 1));
    }
}
