//! Which tokens go with which: those that replaced each other, and those that were created with others.

use std::collections::{HashMap, HashSet};

use pat_core::settings::CreateByToken;
use pat_core::{Token, TokenId};

use crate::pages::page::Page;

/// How many tokens count for the limit: those that replaced each other are one.
pub(super) fn count_of(tokens: &[Token]) -> u32 {
    let lines = tokens
        .iter()
        .map(|token| token.line.map_or(token.id, |line| line.id));
    let lines: HashSet<_> = lines.collect();
    u32::try_from(lines.len()).unwrap_or(u32::MAX)
}

/// The tokens that this one replaced, directly or through others.
pub(super) fn predecessors<'t>(
    token: &'t Token,
    tokens: &'t [Token],
) -> impl Iterator<Item = &'t Token> {
    let own = token.line;
    tokens.iter().filter(move |other| {
        own.zip(other.line)
            .is_some_and(|(own, other)| other.id == own.id && other.seq < own.seq)
    })
}

/// The tokens whose family has others, which a revocation of the token alone leaves: those that replaced it, and
/// those that were created with it and that it does not take along.
pub(super) fn with_live_family(page: &Page, tokens: &[Token]) -> HashSet<TokenId> {
    let mut found = if page.pats().settings().create_by_token() == CreateByToken::Capped {
        HashSet::new()
    } else {
        let tokens = tokens.iter();
        ancestors_of_valid(tokens.map(|token| (token.id, token.parent, is_valid(page, token))))
    };
    for token in tokens {
        if token.latest_successor(tokens).is_some() {
            found.insert(token.id);
        }
    }
    found
}

fn is_valid(page: &Page, token: &Token) -> bool {
    token.validity(page.pats().now()).is_ok()
}

/// The tokens with which valid ones were created, directly or through others that are listed: by their
/// IDs, their parents, and whether they are valid.
fn ancestors_of_valid(
    tokens: impl Iterator<Item = (TokenId, Option<TokenId>, bool)> + Clone,
) -> HashSet<TokenId> {
    let parents: HashMap<_, _> = tokens.clone().map(|(id, parent, _)| (id, parent)).collect();
    let mut found = HashSet::new();
    for (_, mut parent, _) in tokens.filter(|(.., is_valid)| *is_valid) {
        while let Some(id) = parent.filter(|id| found.insert(*id)) {
            parent = parents.get(&id).copied().flatten();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use pat_core::{Line, Owner};

    use super::*;

    fn id(number: i64) -> TokenId {
        TokenId::new(number).expect("an ID")
    }

    fn token(number: i64, line: Option<(i64, u32)>) -> Token {
        let owner = Owner::new("alice").expect("an owner");
        let mut token = Token::new(id(number), owner, "ci", jiff::Timestamp::UNIX_EPOCH);
        token.line = line.map(|(line, seq)| Line::new(id(line), seq, None));
        token
    }

    #[test]
    fn only_valid_children_count() {
        for (tokens, expected) in [
            (&[(1, None, true), (2, Some(1), true)][..], &[1][..]),
            (&[(1, None, true), (2, Some(1), false)], &[]),
            (
                &[(1, None, true), (2, Some(1), false), (3, Some(2), true)],
                &[1, 2],
            ),
            (
                &[(2, Some(1), true), (3, Some(2), true), (4, Some(2), true)],
                &[1, 2],
            ),
        ] {
            let tokens = tokens.iter();
            let tokens =
                tokens.map(|(number, parent, is_valid)| (id(*number), parent.map(id), *is_valid));
            let expected: HashSet<_> = expected.iter().copied().map(id).collect();
            assert_eq!(ancestors_of_valid(tokens), expected);
        }
    }

    #[test]
    fn a_line_counts_once_and_has_an_order() {
        let tokens = [
            token(1, Some((1, 0))),
            token(2, None),
            token(3, Some((1, 1))),
            token(4, Some((4, 0))),
        ];
        assert_eq!(count_of(&tokens), 3);
        let before = |index: usize| -> Vec<_> {
            let found = predecessors(&tokens[index], &tokens);
            found.map(|token| token.id.get()).collect()
        };
        assert_eq!(before(2), [1]);
        for index in [0, 1, 3] {
            assert!(before(index).is_empty(), "{index}");
        }
    }
}
