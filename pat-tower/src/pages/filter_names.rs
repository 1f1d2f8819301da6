//! The names of the fields of the administrators' filter, which forms that are shown again keep.

/// The fields of the filter, in the order of the page.
pub(super) const NAMES: [&str; 17] = [
    "name",
    "owner",
    "status",
    "created_from",
    "created_to",
    "used_from",
    "used_to",
    "expires_from",
    "expires_to",
    "scope",
    UNUSED,
    EXPIRING,
    OWNER_STATE,
    VALID,
    REVOKED_WITHIN,
    LONGER_THAN,
    ZONE,
];
pub(super) const UNUSED: &str = "unused";
pub(super) const EXPIRING: &str = "expiring";
pub(super) const OWNER_STATE: &str = "owner_state";
pub(super) const VALID: &str = "valid";
pub(super) const REVOKED_WITHIN: &str = "revoked_within";
pub(super) const LONGER_THAN: &str = "longer_than";
/// The fields that links set, and the form does not show.
pub(super) const QUICK_NAMES: [&str; 6] = [
    UNUSED,
    EXPIRING,
    OWNER_STATE,
    VALID,
    REVOKED_WITHIN,
    LONGER_THAN,
];
/// The name of the field with the time zone of the dates, which says nothing without any.
pub(super) const ZONE: &str = "zone";
