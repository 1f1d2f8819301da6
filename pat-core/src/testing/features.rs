use crate::service::Pats;
use crate::versions::Feature;

/// Makes every later creation of a token by the service `pats` need a feature that versions of this crate
/// before `since` do not know. So the creation of tokens is refused while a node runs an older version than
/// `since` ([`PolicyError::OlderNodes`](crate::PolicyError::OlderNodes)). `since` must be at most
/// [`SCHEMA_VERSION`](crate::store::SCHEMA_VERSION): with a greater value, this node counts as too old itself,
/// and creates no token.
pub fn need_feature(pats: &Pats, since: u64) {
    let name = "a made-up feature";
    pats.0.context.versions.make_up(Feature { name, since });
}
