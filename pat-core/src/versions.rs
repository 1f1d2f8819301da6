//! Nodes of several versions on one store: which versions may use it, and which features.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::micros;
use crate::scope::Scopes;
use crate::store::{SCHEMA_VERSION, StoreError, StoreVersions};

/// A restriction of tokens that versions before `since` do not know, so that they would accept a token
/// where they must not.
///
/// Usable once the store excludes versions before `since` ([`StoreVersions::readable_from`]), and all
/// nodes must have read that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feature {
    /// Its name in error texts.
    pub(crate) name: &'static str,
    /// The first version that enforces it.
    pub(crate) since: u64,
}

/// Restricted tokens, which older versions take for unrestricted ones.
const SCOPES: Feature = Feature {
    name: "scopes",
    since: 7,
};

/// Disabled tokens, which older versions take for enabled ones.
pub(crate) const DISABLING: Feature = Feature {
    name: "disabling",
    since: 8,
};

/// Replaced tokens and their lines: older versions revoke a token without those that it replaced.
pub(crate) const ROTATION: Feature = Feature {
    name: "rotation",
    since: 8,
};

/// The last versions that the store reported.
#[derive(Debug)]
pub(crate) struct Versions(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    said: StoreVersions,
    /// The boot time since which `readable_from` has not changed.
    since: i64,
    /// A feature that a test makes every token need.
    placeholder: Option<Feature>,
}

impl Default for Versions {
    fn default() -> Self {
        Self(Mutex::new(Seen {
            said: StoreVersions::default(),
            since: i64::MAX,
            placeholder: None,
        }))
    }
}

impl Versions {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the versions that the store reported at this boot time.
    pub(crate) fn observe(&self, said: StoreVersions, now: i64) {
        let mut seen = self.seen();
        if seen.said.readable_from != said.readable_from || seen.since == i64::MAX {
            let is_outdated = [seen.said, said].map(|said| said.check().is_err());
            match is_outdated {
                [false, true] => tracing::error!(
                    version = SCHEMA_VERSION,
                    readable_from = said.readable_from,
                    "this program is too old for the store and refuses all requests from now on; start \
                     a newer version"
                ),
                [true, false] => tracing::warn!(
                    version = SCHEMA_VERSION,
                    readable_from = said.readable_from,
                    "this program may use the store again"
                ),
                _ => {}
            }
            seen.since = now;
        }
        seen.said = said;
    }

    /// Checks that this version may use the store.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if only newer versions may.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.seen().said.check()
    }

    /// Returns the feature that a new token with these scopes needs, and that older versions do not enforce;
    /// `None` for an unrestricted token.
    pub(crate) fn feature_of(&self, scopes: Option<&Scopes>) -> Option<Feature> {
        let placeholder = self.seen().placeholder;
        placeholder.or_else(|| scopes.map(|_| SCOPES))
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn make_up(&self, feature: Feature) {
        self.seen().placeholder = Some(feature);
    }

    pub(crate) fn standing(&self, feature: Feature, bound: Duration, now: i64) -> Standing {
        let seen = self.seen();
        if seen.said.readable_from < feature.since {
            Standing::MayBeMisread
        } else if now.saturating_sub(seen.since) < micros(bound) {
            Standing::MayBeUnnoticed
        } else {
            Standing::Usable
        }
    }
}

/// Whether a feature is usable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Older versions may use the store.
    MayBeMisread,
    /// Older versions are excluded, but a node may not have read that yet.
    MayBeUnnoticed,
    Usable,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(2);
    const SECOND: i64 = 1_000_000;
    const FEATURE: Feature = Feature {
        name: "something made up",
        since: 5,
    };

    fn said(readable_from: u64) -> StoreVersions {
        StoreVersions {
            version: 9,
            readable_from,
        }
    }

    #[test]
    fn a_feature_is_usable_once_older_versions_must_have_noticed() {
        let versions = Versions::default();
        let standing = |now| versions.standing(FEATURE, BOUND, now);
        assert_eq!(standing(0), Standing::MayBeMisread);
        versions.observe(said(4), SECOND);
        assert_eq!(standing(9 * SECOND), Standing::MayBeMisread);
        versions.observe(said(5), 10 * SECOND);
        assert_eq!(standing(12 * SECOND - 1), Standing::MayBeUnnoticed);
        versions.observe(said(5), 11 * SECOND);
        assert_eq!(standing(12 * SECOND), Standing::Usable);
        // A failover lost the exclusion.
        versions.observe(said(0), 13 * SECOND);
        assert_eq!(standing(20 * SECOND), Standing::MayBeMisread);
        versions.observe(said(6), 21 * SECOND);
        assert_eq!(standing(22 * SECOND), Standing::MayBeUnnoticed);
    }

    #[test]
    fn only_a_restricted_token_needs_a_feature() {
        let versions = Versions::default();
        let since = |scopes: Option<&Scopes>| versions.feature_of(scopes).map(|it| it.since);
        assert_eq!(since(None), None);
        assert_eq!(since(Some(&Scopes::none())), Some(7));
        assert_eq!(since("read".parse().ok().as_ref()), Some(7));
    }

    #[test]
    fn a_version_that_may_not_read_does_not() {
        let versions = Versions::default();
        for (readable_from, may) in [
            (0, true),
            (SCHEMA_VERSION, true),
            (SCHEMA_VERSION + 1, false),
            (SCHEMA_VERSION, true),
        ] {
            versions.observe(said(readable_from), 0);
            assert_eq!(versions.check().is_ok(), may, "{readable_from}");
        }
    }
}
