use crate::service::Pats;
use crate::versions::Feature;

/// Gives every token that this service creates a feature that versions before `since` do not know, so
/// that creation is refused while a node of such a version runs. `since` is at most
/// [`SCHEMA_VERSION`](crate::store::SCHEMA_VERSION).
pub fn need_feature(pats: &Pats, since: u64) {
    let name = "a made-up feature";
    pats.0.context.versions.make_up(Feature { name, since });
}
