use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::rotation::replace;
use crate::event::EventKind;
use crate::scope::Scopes;
use crate::token::{Disabled, Owner, Token, TokenId, is_expired};

/// A change of a stored token, for [`TokenStore::update`](super::TokenStore::update): the token is disabled or
/// enabled, has another name or description, or is replaced without a successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Update {
    /// ID of the token to be changed.
    pub id: TokenId,
    /// When the token is changed, by the caller's clock.
    pub at: Timestamp,
    /// The owner or administrator who changes the token.
    pub by: Owner,
    /// Whether [`Update::by`] acts as an administrator. A token that an administrator has disabled is enabled by
    /// an administrator only.
    pub by_administrator: bool,
    /// The token that authenticated the caller; `None` if the user signed in otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<Presented>,
    /// Whether the token is to be enabled (`true`) or disabled (`false`); `None` leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// The new name; `None` leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new description, an empty text for none; `None` leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The overlap in which the token was replaced by one that the store has lost; `None` leaves the end of the
    /// token as it is. [`Pats::after_restore`](crate::Pats::after_restore) sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
}

/// The time in which a replaced token still authenticates, beside its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overlap {
    /// When the token was replaced.
    pub from: Timestamp,
    /// When the token ends, unless it ends earlier.
    pub until: Timestamp,
}

impl Overlap {
    /// Creates the overlap of a token that was replaced at the time `from` and ends at the time `until`.
    #[must_use]
    pub const fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until }
    }

    /// Returns whether the end of this token becomes earlier.
    pub(crate) fn shortens(&self, token: &Token) -> bool {
        !is_expired(token.expires_at, self.until)
    }
}

/// The token that authenticated the caller of a change. The store checks it again, in the transaction of the
/// change: the node that authenticated it may not have learned yet that it was revoked or disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Presented {
    /// ID of the token.
    pub id: TokenId,
    /// The scopes with which the caller knows the token; `None` if it is unrestricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
}

impl Presented {
    /// Creates the description of a presented token with these scopes.
    #[must_use]
    pub const fn new(id: TokenId, scopes: Option<Scopes>) -> Self {
        Self { id, scopes }
    }

    /// Returns whether the stored token `found` may still authenticate the change at the time `now`: it is valid
    /// ([`Token::validity`]), and has the scopes that the caller knows.
    #[must_use]
    pub fn is_valid(&self, found: Option<&Token>, now: Timestamp) -> bool {
        found.is_some_and(|token| token.validity(now).is_ok() && token.scopes == self.scopes)
    }
}

/// The result of [`TokenStore::update`](super::TokenStore::update).
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// The token is now as this value describes it.
    Stored(Box<StoredUpdate>),
    /// Nothing was changed, because a rule forbids it.
    Refused(UpdateRefusal),
}

/// An update that a store has carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredUpdate {
    /// When the token was changed: the time of the store's clock in the transaction, or [`Update::at`] if the
    /// store has no clock.
    pub at: Timestamp,
    /// The token as it is now.
    pub token: Token,
    /// What has changed; empty if the token was as requested before.
    pub events: Vec<EventKind>,
    /// If the token is disabled, how many descendants of it, and of the tokens that were disabled with it, are
    /// valid ([`Token::validity`]): tokens that were created with one of these tokens, or with a descendant.
    /// Otherwise 0.
    pub live_children: u64,
}

impl StoredUpdate {
    /// Creates the result of the update that has this effect, made at the time `at`.
    #[must_use]
    pub fn new(at: Timestamp, effect: UpdateEffect, live_children: u64) -> Self {
        Self {
            at,
            token: effect.token,
            events: effect.events,
            live_children,
        }
    }
}

/// The rule by which [`TokenStore::update`](super::TokenStore::update) refuses a change.
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRefusal {
    /// The token does not exist, or is revoked.
    NotFound,
    /// The token is to be enabled, an administrator has disabled it, and the caller is not one.
    DisabledByAdministrator,
    /// The [presented token](Update::presented) is revoked, expired, disabled or deleted, or has other scopes.
    PresentedInvalid,
}

/// What an [`Update`] changes in a store ([`Update::effect`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateEffect {
    /// The named token, as it is after the update.
    pub token: Token,
    /// Whether the name or the description of the named token changes.
    pub is_edited: bool,
    /// Whether the end of the named token becomes earlier. If so, [`Token::expires_at`], [`Token::line`],
    /// [`Token::replaced`] and [`Token::is_transient`] change.
    pub is_replaced: bool,
    /// IDs of the tokens that are disabled or enabled, in ascending order: the named token, and those that it
    /// replaced.
    pub switched: Vec<TokenId>,
    /// What [`Token::disabled`] of the [`switched`](UpdateEffect::switched) tokens becomes.
    pub disabled: Option<Disabled>,
    /// What happens, for the audit. Empty if nothing changes.
    pub events: Vec<EventKind>,
    /// IDs of the named token and of the unrevoked tokens that it replaced, in ascending order.
    pub scope: Vec<TokenId>,
}

impl UpdateEffect {
    /// Returns the IDs of all tokens that change, in ascending order.
    #[must_use]
    pub fn changed(&self) -> Vec<TokenId> {
        let mut changed = self.switched.clone();
        if (self.is_edited || self.is_replaced) && !changed.contains(&self.token.id) {
            changed.push(self.token.id);
            changed.sort_unstable();
        }
        changed
    }
}

impl Update {
    /// Creates a change of the token `id` by its owner, which leaves everything as it is.
    #[must_use]
    pub const fn new(id: TokenId, at: Timestamp, by: Owner) -> Self {
        Self {
            id,
            at,
            by,
            by_administrator: false,
            presented: None,
            is_enabled: None,
            name: None,
            description: None,
            overlap: None,
        }
    }

    /// Returns what the update changes, or the rule that forbids it. Every store decides by this method, in the
    /// transaction of the change.
    ///
    /// `tokens` are the stored tokens: the named one, and all others of its [line](crate::Line); others are ignored.
    /// `now` is the time of the change. The [presented token](Update::presented) is not checked.
    ///
    /// - Disabling takes along the tokens that the named one replaced. A token that the owner has disabled is disabled
    ///   again by an administrator, so that only an administrator enables it; the owner changes no token that an
    ///   administrator has disabled.
    /// - A token that was disabled with its successor, and is then disabled itself, is not enabled with the successor.
    /// - Enabling takes along the tokens that were disabled in the same act. Each act has another
    ///   [time](Disabled::at), so that acts can be told apart.
    ///
    /// # Errors
    /// [`UpdateRefusal::NotFound`] or [`UpdateRefusal::DisabledByAdministrator`].
    pub fn effect(&self, tokens: &[Token], now: Timestamp) -> Result<UpdateEffect, UpdateRefusal> {
        let unrevoked = |token: &&Token| token.revoked_at.is_none();
        let named = tokens.iter().find(|token| token.id == self.id);
        let named = named.filter(unrevoked).ok_or(UpdateRefusal::NotFound)?;
        let mut scope: Vec<_> = tokens
            .iter()
            .filter(unrevoked)
            .filter(|token| token.id == named.id || was_replaced_before(token, named))
            .collect();
        scope.sort_unstable_by_key(|token| token.id);
        let (switched, disabled) = match self.is_enabled {
            None => (Vec::new(), None),
            Some(false) => self.disabling(tokens, named, &scope, now),
            Some(true) => (self.enabling(named, &scope)?, None),
        };
        let mut token = named.clone();
        if let Some(name) = &self.name {
            token.name.clone_from(name);
        }
        if let Some(description) = &self.description {
            token.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        let is_edited = token != *named;
        let overlap = self.overlap.filter(|overlap| overlap.shortens(named));
        if let Some(overlap) = overlap {
            token = replace(&token, overlap.from, overlap.until);
        }
        if switched.contains(&named.id) {
            token.disabled.clone_from(&disabled);
        }
        Ok(UpdateEffect {
            events: self.events(&token, &switched, is_edited || overlap.is_some()),
            token,
            is_edited,
            is_replaced: overlap.is_some(),
            switched,
            disabled,
            scope: scope.iter().map(|token| token.id).collect(),
        })
    }

    /// Returns the tokens that are to be disabled, and how.
    fn disabling(
        &self,
        tokens: &[Token],
        named: &Token,
        scope: &[&Token],
        now: Timestamp,
    ) -> (Vec<TokenId>, Option<Disabled>) {
        let is_owners = |disabled: &Disabled| !disabled.by_administrator;
        let is_new = |token: &Token| match &token.disabled {
            None => true,
            Some(disabled) => self.by_administrator && is_owners(disabled),
        };
        let is_kept = named.disabled.as_ref().is_some_and(|disabled| {
            // An administrator decides until an administrator enables the token.
            !self.by_administrator && !is_owners(disabled)
        });
        // What was disabled together stays together, but a token that was disabled with its successor, and is then
        // disabled itself, is no longer enabled with it.
        let is_same_act =
            |token: &Token| named.disabled.is_some() && token.disabled == named.disabled;
        let is_taken_along = tokens.iter().any(|token| {
            token.revoked_at.is_none() && was_replaced_before(named, token) && is_same_act(token)
        });
        if is_kept || !is_taken_along && !scope.iter().any(|token| is_new(token)) {
            return (Vec::new(), None);
        }
        let last = tokens.iter().filter_map(|token| token.disabled.as_ref());
        let last = last.map(|disabled| disabled.at).max();
        let after = |at: Timestamp| at.checked_add(SignedDuration::from_micros(1));
        let at = last
            .and_then(|at| after(at).ok())
            .map_or(now, |at| at.max(now));
        let switched = scope
            .iter()
            .filter(|token| is_new(token) || is_same_act(token));
        let disabled = Disabled::new(at, Some(self.by.clone()), self.by_administrator);
        (switched.map(|token| token.id).collect(), Some(disabled))
    }

    /// Returns the tokens that are to be enabled.
    fn enabling(&self, named: &Token, scope: &[&Token]) -> Result<Vec<TokenId>, UpdateRefusal> {
        let Some(disabled) = &named.disabled else {
            return Ok(Vec::new());
        };
        if disabled.by_administrator && !self.by_administrator {
            return Err(UpdateRefusal::DisabledByAdministrator);
        }
        let same = scope
            .iter()
            .filter(|token| token.disabled == named.disabled);
        Ok(same.map(|token| token.id).collect())
    }

    fn events(&self, token: &Token, switched: &[TokenId], is_changed: bool) -> Vec<EventKind> {
        let (owner, by) = (token.owner.clone(), self.by.clone());
        let mut events = Vec::new();
        if is_changed {
            events.push(EventKind::Changed {
                token: token.id,
                owner: owner.clone(),
                by: by.clone(),
            });
        }
        let tokens = switched.to_vec();
        match self.is_enabled {
            Some(false) if !tokens.is_empty() => {
                events.push(EventKind::Disabled { tokens, owner, by });
            }
            Some(true) if !tokens.is_empty() => {
                events.push(EventKind::Enabled { tokens, owner, by });
            }
            _ => {}
        }
        events
    }
}

/// Returns whether `token` is one that `successor` replaced, directly or through others.
fn was_replaced_before(token: &Token, successor: &Token) -> bool {
    match (&token.line, &successor.line) {
        (Some(line), Some(later)) => line.id == later.id && line.seq < later.seq,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::case::{at, id, owner};
    use crate::token::Line;

    /// Returns a line of three tokens.
    fn line() -> Vec<Token> {
        let tokens = (1..=3).map(|number| {
            let mut token = Token::new(id(number), owner("alice"), "ci", at(0));
            let from = (number > 1).then(|| id(number - 1));
            let seq = u32::try_from(number - 1).expect("a number");
            token.line = Some(Line::new(id(1), seq, from));
            token
        });
        tokens.collect()
    }

    fn update(number: i64, is_enabled: bool, by: &str) -> Update {
        Update {
            is_enabled: Some(is_enabled),
            by_administrator: by == "root",
            ..Update::new(id(number), at(1), owner(by))
        }
    }

    /// Carries an update out; returns the numbers of the tokens that it disables or enables.
    fn apply(tokens: &mut [Token], update: &Update) -> Result<Vec<i64>, UpdateRefusal> {
        let effect = update.effect(tokens, update.at)?;
        for token in tokens {
            if effect.switched.contains(&token.id) {
                token.disabled.clone_from(&effect.disabled);
            }
        }
        Ok(effect.switched.iter().map(|id| id.get()).collect())
    }

    fn disabled(tokens: &[Token]) -> Vec<i64> {
        let disabled = tokens.iter().filter(|token| token.disabled.is_some());
        disabled.map(|token| token.id.get()).collect()
    }

    #[test]
    fn what_was_disabled_together_is_enabled_together() {
        let mut tokens = line();
        assert_eq!(
            apply(&mut tokens, &update(2, false, "alice")),
            Ok(vec![1, 2])
        );
        assert_eq!(disabled(&tokens), [1, 2]);
        assert_eq!(apply(&mut tokens, &update(2, false, "alice")), Ok(vec![]));
        assert_eq!(
            apply(&mut tokens, &update(2, true, "alice")),
            Ok(vec![1, 2])
        );
        assert!(disabled(&tokens).is_empty());
        // An act of its own, though in the same microsecond.
        assert_eq!(apply(&mut tokens, &update(1, false, "alice")), Ok(vec![1]));
        assert_eq!(
            apply(&mut tokens, &update(3, false, "alice")),
            Ok(vec![2, 3])
        );
        assert_eq!(
            apply(&mut tokens, &update(3, true, "alice")),
            Ok(vec![2, 3])
        );
        assert_eq!(disabled(&tokens), [1]);
    }

    #[test]
    fn a_token_that_is_disabled_again_takes_along_what_was_enabled_meanwhile() {
        let mut tokens = line();
        apply(&mut tokens, &update(3, false, "alice")).expect("disabled");
        assert_eq!(apply(&mut tokens, &update(1, true, "alice")), Ok(vec![1]));
        assert_eq!(
            apply(&mut tokens, &update(3, false, "alice")),
            Ok(vec![1, 2, 3])
        );
        assert_eq!(
            apply(&mut tokens, &update(3, true, "alice")),
            Ok(vec![1, 2, 3])
        );
    }

    #[test]
    fn a_token_that_was_disabled_with_its_successor_can_be_disabled_by_itself() {
        let mut tokens = line();
        apply(&mut tokens, &update(3, false, "alice")).expect("disabled");
        let again = apply(&mut tokens, &update(2, false, "alice"));
        assert_eq!(again, Ok(vec![1, 2]));
        assert_eq!(apply(&mut tokens, &update(2, false, "alice")), Ok(vec![]));
        assert_eq!(apply(&mut tokens, &update(3, true, "alice")), Ok(vec![3]));
        assert_eq!(disabled(&tokens), [1, 2]);
    }

    #[test]
    fn what_an_administrator_disabled_the_owner_does_not_change() {
        let refused = Err(UpdateRefusal::DisabledByAdministrator);
        let mut tokens = line();
        apply(&mut tokens, &update(2, false, "alice")).expect("disabled");
        assert_eq!(
            apply(&mut tokens, &update(2, false, "root")),
            Ok(vec![1, 2])
        );
        for number in [1, 2] {
            assert_eq!(apply(&mut tokens, &update(number, true, "alice")), refused);
        }
        assert_eq!(apply(&mut tokens, &update(2, false, "alice")), Ok(vec![]));
        assert_eq!(apply(&mut tokens, &update(3, false, "alice")), Ok(vec![3]));
        assert_eq!(apply(&mut tokens, &update(3, true, "alice")), Ok(vec![3]));
        assert_eq!(disabled(&tokens), [1, 2]);
        assert_eq!(apply(&mut tokens, &update(2, true, "root")), Ok(vec![1, 2]));
        // Nor is a token that was disabled with its successor then disabled by the owner.
        assert_eq!(
            apply(&mut tokens, &update(3, false, "root")),
            Ok(vec![1, 2, 3])
        );
        assert_eq!(apply(&mut tokens, &update(2, false, "alice")), Ok(vec![]));
        assert_eq!(apply(&mut tokens, &update(2, true, "alice")), refused);
    }

    #[test]
    fn a_token_that_is_as_requested_does_not_change() {
        let mut tokens = line();
        for is_enabled in [true, false] {
            apply(&mut tokens, &update(3, is_enabled, "alice")).expect("switched");
            let again = update(3, is_enabled, "alice").effect(&tokens, at(2));
            let again = again.expect("an effect");
            assert_eq!((again.changed(), again.events), (vec![], vec![]));
        }
    }

    #[test]
    fn a_revoked_token_is_neither_changed_nor_taken_along() {
        let mut tokens = line();
        tokens[1].revoked_at = Some(at(0));
        assert_eq!(
            apply(&mut tokens, &update(2, false, "alice")),
            Err(UpdateRefusal::NotFound)
        );
        assert_eq!(
            apply(&mut tokens, &update(3, false, "alice")),
            Ok(vec![1, 3])
        );
    }

    #[test]
    fn a_refusal_changes_no_name_either() {
        let mut tokens = line();
        apply(&mut tokens, &update(1, false, "root")).expect("disabled");
        let renamed = Update {
            name: Some("other".into()),
            ..update(1, true, "alice")
        };
        let refused = renamed.effect(&tokens, at(2));
        assert_eq!(refused, Err(UpdateRefusal::DisabledByAdministrator));
    }

    #[test]
    fn an_empty_description_is_none_and_what_is_there_already_is_no_change() {
        let tokens = line();
        let described = |text: &str| Update {
            description: Some(text.into()),
            name: Some("ci".into()),
            ..Update::new(id(1), at(1), owner("alice"))
        };
        let effect = described("").effect(&tokens, at(1)).expect("an effect");
        assert_eq!((effect.is_edited, effect.events), (false, Vec::new()));
        let effect = described("x").effect(&tokens, at(1)).expect("an effect");
        assert_eq!(effect.token.description.as_deref(), Some("x"));
        assert_eq!(effect.changed(), [id(1)]);
    }

    #[test]
    fn an_update_changes_what_it_switches_and_the_token_that_it_renames() {
        let mut tokens = line();
        // Another line, and a token that neither replaced another one nor was replaced.
        tokens[0].line = Some(Line::new(id(9), 0, None));
        tokens.push(Token::new(id(4), owner("alice"), "ci", at(0)));
        let renamed = |is_enabled| Update {
            name: Some("other".into()),
            is_enabled,
            ..Update::new(id(3), at(1), owner("alice"))
        };
        let effect = |tokens: &[Token], is_enabled| {
            let effect = renamed(is_enabled).effect(tokens, at(1));
            effect.expect("an effect")
        };
        let changed = EventKind::Changed {
            token: id(3),
            owner: owner("alice"),
            by: owner("alice"),
        };
        let disabling = effect(&tokens, Some(false));
        assert_eq!(disabling.scope, [id(2), id(3)]);
        assert_eq!(disabling.changed(), [id(2), id(3)]);
        assert_eq!(disabling.token.name, "other");
        assert_eq!(disabling.token.disabled, disabling.disabled);
        let disabled = EventKind::Disabled {
            tokens: vec![id(2), id(3)],
            owner: owner("alice"),
            by: owner("alice"),
        };
        assert_eq!(disabling.events, [changed.clone(), disabled]);

        apply(&mut tokens, &update(3, false, "alice")).expect("disabled");
        apply(&mut tokens, &update(2, true, "alice")).expect("enabled");
        let enabling = effect(&tokens, Some(true));
        assert_eq!(enabling.token.disabled, None);
        let enabled = EventKind::Enabled {
            tokens: vec![id(3)],
            owner: owner("alice"),
            by: owner("alice"),
        };
        assert_eq!(enabling.events, [changed.clone(), enabled]);
        assert_eq!(enabling.changed(), [id(3)]);

        let renaming = effect(&tokens, None);
        assert_eq!(renaming.token.disabled, tokens[2].disabled);
        assert_eq!(renaming.events, [changed]);
        assert_eq!(renaming.changed(), [id(3)]);
    }

    #[test]
    fn the_presented_token_must_be_valid_and_have_the_scopes_that_the_caller_knows() {
        let token = line().remove(0);
        let is_valid = |scopes: Option<Scopes>, found: Option<&Token>| {
            Presented::new(id(1), scopes).is_valid(found, at(10))
        };
        assert!(is_valid(None, Some(&token)));
        assert!(!is_valid(Some(Scopes::none()), Some(&token)));
        assert!(!is_valid(None, None));
        let revoked = Token {
            revoked_at: Some(at(1)),
            ..token
        };
        assert!(!is_valid(None, Some(&revoked)));
    }
}
