use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;

use jiff::Timestamp;

use super::Pats;
use crate::error::Unavailable;
use crate::search::{Filter, RevokedTokens, Search, Sort, SortKey, Start};
use crate::settings::CreateByToken;
use crate::token::{Token, TokenId};

/// How many tokens of an owner one search returns.
const PAGE_LEN: u32 = 1_000;

/// The tokens that belong to a token, and those that end if it is revoked ([`Pats::relatives`]). Each list is in
/// ascending order of ID, and has only tokens of the same owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relatives {
    /// The token that authenticated the creation of this one ([`Token::parent`]), if it is still stored.
    pub parent: Option<Token>,
    /// The tokens of the same line ([`Line`](crate::Line)) that are still stored, this one included, in the order of
    /// their rotations; empty if the token neither replaced another one nor was replaced.
    pub line: Vec<Token>,
    /// The stored tokens whose creation this one authenticated, revoked and expired ones included.
    pub children: Vec<Token>,
    /// The other tokens that end with this one if it is revoked with [`Family::Configured`](crate::Family::Configured): the ones that are neither
    /// revoked nor expired.
    pub ending: Vec<Token>,
    /// The tokens that end too if the token is revoked with [`Family::Included`](crate::Family::Included), without those in
    /// [`ending`](Relatives::ending).
    pub family: Vec<Token>,
    /// How many descendants of the token, and of the tokens that it replaced, stay valid if it is disabled:
    /// [`UpdatedToken::live_children`](crate::UpdatedToken::live_children).
    pub live_descendants: u64,
}

impl Pats {
    /// Returns the relatives of a token, which the caller has found: of its owner's stored tokens, revoked and expired
    /// ones included. For a store without a search capability
    /// ([`TokenStore::search_store`](crate::store::TokenStore::search_store)), revoked tokens are missing.
    ///
    /// The method reads all tokens of the owner; the setting `pat.max.rows.per.user` bounds their number.
    ///
    /// # Errors
    /// [`Unavailable::Store`]: the store fails or does not answer in time.
    pub async fn relatives(&self, token: &Token) -> Result<Relatives, Unavailable> {
        let mut tokens = self.stored_tokens_of(token).await?;
        self.0.auth.last_used.refresh(&mut tokens);
        let takes_descendants = self.settings().create_by_token() == CreateByToken::Capped;
        Ok(relatives(token, &tokens, takes_descendants, self.now()))
    }

    async fn stored_tokens_of(&self, token: &Token) -> Result<Vec<Token>, Unavailable> {
        let context = &self.0.context;
        let store = context.usable_store()?;
        let Some(searched) = store.search_store() else {
            let listed = store.list(&token.owner);
            return Ok(context.ask(context.request_timeout(), listed).await?);
        };
        let filter = Filter {
            owners: vec![token.owner.clone()],
            revoked: RevokedTokens::Included,
            ..Filter::default()
        };
        let sort = Sort {
            key: SortKey::CreatedAt,
            is_descending: false,
        };
        let mut search = Search::new(filter, sort, Start::Offset(0), PAGE_LEN);
        let mut tokens = Vec::new();
        loop {
            let page = context.ask(context.request_timeout(), searched.search(&search));
            let page = page.await?;
            let is_last = page.len() < PAGE_LEN as usize;
            if let Some(last) = page.last() {
                search.start = Start::After(sort.position_of(last));
            }
            tokens.extend(page);
            if is_last {
                tokens.sort_by_key(|token| token.id);
                return Ok(tokens);
            }
        }
    }
}

/// Which tokens of a line are revoked with one of them.
#[derive(Clone, Copy)]
enum Takes {
    Earlier,
    All,
}

fn relatives(
    token: &Token,
    tokens: &[Token],
    takes_descendants: bool,
    now: Timestamp,
) -> Relatives {
    let by_id: BTreeMap<_, _> = tokens.iter().map(|token| (token.id, token)).collect();
    let mut line: Vec<_> = match token.line {
        None => Vec::new(),
        Some(own) => {
            let tokens = tokens.iter();
            let same = tokens.filter(|other| other.line.is_some_and(|line| line.id == own.id));
            same.cloned().collect()
        }
    };
    line.sort_by_key(|token| token.line.map(|line| line.seq));
    let start = BTreeSet::from([token.id]);
    let earlier = with_line(start.clone(), tokens, &by_id, Takes::Earlier);
    let live_descendants = live_descendants(&earlier, tokens, &by_id, now);
    let ending = if takes_descendants {
        family(start.clone(), tokens, &by_id, Takes::Earlier)
    } else {
        earlier
    };
    let all = family(start, tokens, &by_id, Takes::All);
    let unexpired = |ids: &BTreeSet<TokenId>, without: Option<&BTreeSet<TokenId>>| {
        let is_other =
            |id: &&TokenId| **id != token.id && without.is_none_or(|not| !not.contains(id));
        let found = ids.iter().filter(is_other).filter_map(|id| by_id.get(id));
        let is_live = |token: &&&Token| {
            token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > now)
        };
        found
            .filter(is_live)
            .map(|token| (*token).clone())
            .collect()
    };
    Relatives {
        parent: token
            .parent
            .and_then(|id| by_id.get(&id))
            .map(|token| (*token).clone()),
        line,
        children: {
            let tokens = tokens.iter();
            let children = tokens.filter(|other| other.parent == Some(token.id));
            children.cloned().collect()
        },
        family: unexpired(&all, Some(&ending)),
        ending: unexpired(&ending, None),
        live_descendants,
    }
}

/// How many valid tokens descend from one of these, and are none of them. The stores count in the same way.
fn live_descendants(
    roots: &BTreeSet<TokenId>,
    tokens: &[Token],
    by_id: &BTreeMap<TokenId, &Token>,
    now: Timestamp,
) -> u64 {
    let descends = |token: &&Token| {
        let ancestors = successors(token.parent, |id| by_id.get(id)?.parent);
        // No token is its own ancestor; a store that says so must not keep us here.
        ancestors.take(tokens.len()).any(|id| roots.contains(&id))
    };
    let others = tokens.iter().filter(|token| !roots.contains(&token.id));
    let live = others.filter(|token| token.validity(now).is_ok());
    live.filter(descends).count() as u64
}

/// Adds the tokens of the lines of these tokens that are revoked with one of them.
fn with_line(
    mut ids: BTreeSet<TokenId>,
    tokens: &[Token],
    by_id: &BTreeMap<TokenId, &Token>,
    takes: Takes,
) -> BTreeSet<TokenId> {
    let mut ends = BTreeMap::<TokenId, u32>::new();
    for line in ids.iter().filter_map(|id| by_id.get(id)?.line) {
        let end = ends.entry(line.id).or_default();
        *end = match takes {
            Takes::Earlier => line.seq.max(*end),
            Takes::All => u32::MAX,
        };
    }
    let is_taken = |token: &&Token| {
        let line = token.line;
        line.is_some_and(|line| ends.get(&line.id).is_some_and(|end| line.seq < *end))
    };
    ids.extend(tokens.iter().filter(is_taken).map(|token| token.id));
    ids
}

/// Adds what is revoked with these tokens and their descendants.
fn family(
    ids: BTreeSet<TokenId>,
    tokens: &[Token],
    by_id: &BTreeMap<TokenId, &Token>,
    takes: Takes,
) -> BTreeSet<TokenId> {
    let mut found = with_line(ids, tokens, by_id, takes);
    loop {
        let mut grown = found.clone();
        let is_child = |token: &&Token| token.parent.is_some_and(|id| found.contains(&id));
        grown.extend(tokens.iter().filter(is_child).map(|token| token.id));
        let grown = with_line(grown, tokens, by_id, takes);
        if grown == found {
            return found;
        }
        found = grown;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Family, TokenUpdate};
    use super::*;
    use crate::caller::Caller;
    use crate::memory::MemoryStore;
    use crate::policy::{RotationRequest, TokenRequest};
    use crate::settings::Settings;
    use crate::store::TokenStore;
    use crate::token::Owner;

    /// A service on a store in memory, and alice's tokens by name.
    struct Host {
        pats: Pats,
        store: Arc<MemoryStore>,
        alice: Caller,
    }

    impl Host {
        fn new(create_by_token: &str) -> Self {
            let store = Arc::new(MemoryStore::default());
            let settings = Settings::builder().set("pat.create.by.token", create_by_token);
            let settings = settings.expect("a setting").build().expect("settings");
            let pats = Pats::builder(store.clone());
            let pats = pats.settings(settings).build();
            let alice = Owner::new("alice").expect("an owner");
            Self {
                pats,
                store,
                alice: Caller::header_authenticated(alice),
            }
        }

        async fn token(&self, name: &str, parent: Option<&str>) -> String {
            let request = TokenRequest::new(name, None);
            let caller = match parent {
                None => self.alice.clone(),
                Some(secret) => {
                    let found = self.pats.authenticate(secret.as_bytes()).await;
                    Caller::with_token(found.expect("a valid token"))
                }
            };
            let created = self.pats.create(&caller, request).await;
            created.expect("a token").plain.expose().to_owned()
        }

        async fn named(&self, name: &str) -> Token {
            let tokens = self.all().await;
            let found = tokens.into_iter().rev().find(|token| token.name == name);
            found.expect("a token")
        }

        async fn all(&self) -> Vec<Token> {
            let token = Token::new(
                TokenId::new(1).expect("an ID"),
                self.alice.owner().clone(),
                "",
                Timestamp::UNIX_EPOCH,
            );
            self.pats.stored_tokens_of(&token).await.expect("tokens")
        }

        async fn rotate(&self, id: TokenId, name: &str) -> String {
            let rotated = self
                .pats
                .rotate(&self.alice, id, RotationRequest::default());
            let rotated = rotated.await.expect("rotated");
            let update = TokenUpdate {
                name: Some(name.to_owned()),
                ..TokenUpdate::default()
            };
            let renamed = self.pats.update(&self.alice, rotated.token.id, update);
            renamed.await.expect("renamed");
            rotated.plain.expose().to_owned()
        }
    }

    /// a → a2 → a3 (a line), a created b, b created c and c was replaced by c2, a2 created d, a3 created e, and
    /// f is another one. The child b may be revoked in between.
    async fn populate(host: &Host) {
        let a = host.token("a", None).await;
        let b = host.token("b", Some(&a)).await;
        host.token("c", Some(&b)).await;
        host.rotate(host.named("c").await.id, "c2").await;
        let a2 = host.rotate(host.named("a").await.id, "a2").await;
        host.token("d", Some(&a2)).await;
        let a3 = host.rotate(host.named("a2").await.id, "a3").await;
        host.token("e", Some(&a3)).await;
        host.token("f", None).await;
    }

    fn names(tokens: &[Token]) -> Vec<&str> {
        let mut names: Vec<_> = tokens.iter().map(|token| token.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn relatives_are_the_line_the_parent_and_the_children() {
        let host = Host::new("allowed");
        populate(&host).await;
        let found = host.pats.relatives(&host.named("a2").await).await;
        let found = found.expect("relatives");
        let line = found.line.iter().map(|token| token.name.as_str());
        assert_eq!(line.collect::<Vec<_>>(), ["a", "a2", "a3"]);
        assert_eq!((names(&found.children), found.parent), (vec!["d"], None));
        let found = host.pats.relatives(&host.named("b").await).await;
        let found = found.expect("relatives");
        assert_eq!(found.parent.expect("a parent").name, "a");
        assert_eq!(found.line, []);
    }

    #[tokio::test]
    async fn a_revocation_ends_what_the_relatives_say() {
        for settings in ["allowed", "capped"] {
            for name in ["a", "a2", "a3", "b", "c", "c2", "d", "e", "f"] {
                for revokes_first in [None, Some("b"), Some("c2"), Some("a3")] {
                    for choice in [Family::Configured, Family::Included] {
                        let host = Host::new(settings);
                        populate(&host).await;
                        if let Some(first) = revokes_first.filter(|first| *first != name) {
                            let id = host.named(first).await.id;
                            host.pats.revoke(&host.alice, id).await.expect("revoked");
                        }
                        let token = host.named(name).await;
                        if token.revoked_at.is_some() {
                            continue;
                        }
                        let found = host.pats.relatives(&token).await.expect("relatives");
                        let before = host.store.list(&token.owner).await.expect("tokens");
                        let revoked = host.pats.revoke_with(&host.alice, token.id, choice);
                        revoked.await.expect("revoked");
                        let after = host.store.list(&token.owner).await.expect("tokens");
                        let gone: Vec<_> = before
                            .into_iter()
                            .filter(|token| !after.iter().any(|other| other.id == token.id))
                            .collect();
                        let mut expected = vec![token.clone()];
                        expected.extend(found.ending);
                        if choice == Family::Included {
                            expected.extend(found.family);
                        }
                        assert_eq!(
                            names(&gone),
                            names(&expected),
                            "{name}, {settings}, {choice:?}, after {revokes_first:?}"
                        );
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn as_many_descendants_stay_valid_as_the_relatives_say() {
        for name in ["a", "a2", "a3", "b", "c", "c2", "d", "e", "f"] {
            for revokes_first in [None, Some("b"), Some("c2"), Some("a2")] {
                let host = Host::new("allowed");
                populate(&host).await;
                let id = host.named(name).await.id;
                if let Some(first) = revokes_first.filter(|first| *first != name) {
                    let first = host.named(first).await.id;
                    host.pats.revoke(&host.alice, first).await.expect("revoked");
                }
                let token = host.named(name).await;
                if token.revoked_at.is_some() {
                    continue;
                }
                let found = host.pats.relatives(&token).await.expect("relatives");
                let disabled = host.pats.disable(&host.alice, id).await.expect("disabled");
                assert_eq!(
                    found.live_descendants, disabled.live_children,
                    "{name}, after {revokes_first:?}"
                );
            }
        }
    }
}
