//! What a search of the administrators' list finds: a page of tokens, and the users whom it names.

use pat_core::search::{Filter, Order, Search, Start};
use pat_core::{AdminError, Administration, StatusPosition, StatusStart, Token, TokenStatus, User};

use crate::pages::fields::Fields;
use crate::pages::paging::PagePosition;

/// How many tokens a page of the list has.
const PAGE_LEN: u32 = 50;

/// Where the page begins or ends, as the address says.
pub(super) enum Position {
    First,
    After(PagePosition),
    Before(PagePosition),
}

impl Position {
    /// `None` if the address has a position that no page has given.
    pub(super) fn new(fields: &Fields, order: Order) -> Option<Self> {
        let [after, before] = ["after", "before"].map(|name| fields.get(name));
        if !after.is_empty() {
            return PagePosition::decode(after, order).map(Self::After);
        }
        if !before.is_empty() {
            return PagePosition::decode(before, order).map(Self::Before);
        }
        Some(Self::First)
    }
}

/// A page of what the filter finds.
pub(super) struct PageOfTokens {
    pub(super) tokens: Vec<Token>,
    /// The number of the first token, counted from 1.
    pub(super) first: u64,
    pub(super) previous: Option<PagePosition>,
    pub(super) next: Option<PagePosition>,
}

/// Reads a page. What ends before a position and has no further page before it is read as the first page, so that
/// this has as many tokens as any other.
pub(super) async fn page_of(
    admin: &Administration<'_>,
    filter: Filter,
    order: Order,
    start: Position,
) -> Result<PageOfTokens, AdminError> {
    let is_backward = matches!(start, Position::Before(_));
    let found = read(admin, &filter, order, start).await?;
    if is_backward && found.previous.is_none() {
        return read(admin, &filter, order, Position::First).await;
    }
    Ok(found)
}

async fn read(
    admin: &Administration<'_>,
    filter: &Filter,
    order: Order,
    start: Position,
) -> Result<PageOfTokens, AdminError> {
    let first = match &start {
        Position::First => 1,
        Position::After(at) | Position::Before(at) => at.first,
    };
    let (tokens, previous, next) = match order {
        Order::By(sort) => {
            let start = match start {
                Position::First => Start::Offset(0),
                Position::After(at) => Start::After(at.cursor.after),
                Position::Before(at) => Start::Before(at.cursor.after),
            };
            let search = Search::new(filter.clone(), sort, start, PAGE_LEN);
            let found = admin.search(&search).await?;
            let [previous, next] = [found.previous, found.next].map(|at| at.map(|at| (None, at)));
            (found.tokens, previous, next)
        }
        Order::ByStatus { is_descending } => {
            let position = |at: PagePosition| StatusPosition {
                status: at.status.unwrap_or(TokenStatus::Active),
                position: at.cursor.after,
            };
            let start = match start {
                Position::First => StatusStart::First,
                Position::After(at) => StatusStart::After(position(at)),
                Position::Before(at) => StatusStart::Before(position(at)),
            };
            let found = admin.search_by_status(filter, is_descending, &start, PAGE_LEN);
            let found = found.await?;
            let [previous, next] =
                [found.previous, found.next].map(|at| at.map(|at| (Some(at.status), at.position)));
            (found.tokens, previous, next)
        }
    };
    let before = first.saturating_sub(u64::from(PAGE_LEN)).max(1);
    let after = first + tokens.len() as u64;
    let position = |first, at: Option<(Option<TokenStatus>, _)>| {
        at.map(|(status, at)| PagePosition::new(first, order, status, at))
    };
    Ok(PageOfTokens {
        first,
        previous: position(before, previous),
        next: position(after, next),
        tokens,
    })
}

/// The users whom a row names.
pub(super) struct Users {
    pub(super) owner: User,
    pub(super) owner_state: OwnerState,
    /// The user who revoked the token.
    pub(super) revoked_by: Option<User>,
}

#[derive(Clone, Copy)]
pub(super) enum OwnerState {
    Active,
    Inactive,
    /// The directory does not know the owner.
    Missing,
}

/// Returns the users of each token. The directory is asked once.
pub(super) async fn users(
    admin: &Administration<'_>,
    tokens: &[Token],
) -> Result<Vec<Users>, AdminError> {
    let revoked = tokens.iter().filter_map(|token| {
        let by = token.revoked_by.clone()?;
        Some(Token::new(token.id, by, "", token.created_at))
    });
    let asked: Vec<_> = tokens.iter().cloned().chain(revoked).collect();
    let found = admin.find_owners_of(&asked).await?;
    let mut users = found.into_iter().zip(asked).map(|(user, token)| {
        let state = match &user {
            None => OwnerState::Missing,
            Some(user) if user.is_active => OwnerState::Active,
            Some(_) => OwnerState::Inactive,
        };
        let user = user.unwrap_or_else(|| {
            let key = token.owner.to_string();
            User::new(token.owner, key.clone(), key, false)
        });
        (user, state)
    });
    let owners: Vec<_> = users.by_ref().take(tokens.len()).collect();
    let pairs = owners.into_iter().zip(tokens);
    let pair = |((owner, owner_state), token): ((User, OwnerState), &Token)| Users {
        owner,
        owner_state,
        revoked_by: token
            .revoked_by
            .as_ref()
            .and_then(|_| users.next())
            .map(|(user, _)| user),
    };
    Ok(pairs.map(pair).collect())
}
