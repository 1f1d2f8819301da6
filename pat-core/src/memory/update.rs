use super::Tables;
use crate::store::{
    Change, RevocationScope, StoreError, StoredUpdate, Update, UpdateRefusal, Updated,
};

impl Tables {
    pub(super) fn update(&mut self, update: &Update) -> Result<Updated, StoreError> {
        let at = update.at;
        if let Some(presented) = &update.presented {
            if !presented.is_valid(self.tokens.get(&presented.id), at) {
                return Ok(Updated::Refused(UpdateRefusal::PresentedInvalid));
            }
        }
        let tokens = self.line_of(update.id);
        let effect = match update.effect(&tokens, at) {
            Ok(effect) => effect,
            Err(refusal) => return Ok(Updated::Refused(refusal)),
        };
        self.tokens.insert(effect.token.id, effect.token.clone());
        for id in &effect.switched {
            if let Some(token) = self.tokens.get_mut(id) {
                token.disabled.clone_from(&effect.disabled);
            }
        }
        let changed = effect.changed();
        if !changed.is_empty() {
            self.append(Change::of_changed(changed), at);
        }
        for event in &effect.events {
            self.audit.record(at, event.clone())?;
        }
        let live_children = match update.is_enabled {
            Some(false) => {
                let scope = RevocationScope::Tokens(effect.scope.clone());
                self.live_children(&scope, at).values().sum()
            }
            _ => 0,
        };
        let stored = StoredUpdate::new(at, effect, live_children);
        Ok(Updated::Stored(Box::new(stored)))
    }
}
