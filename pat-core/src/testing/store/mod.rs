//! The suite that every [`TokenStore`](crate::store::TokenStore) must pass.
//!
//! ```
//! use std::sync::Arc;
//!
//! use pat_core::{MemoryStore, testing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! for case in testing::store::CASES {
//!     // Each case needs its own empty store.
//!     case.run(Arc::new(MemoryStore::default())).await;
//! }
//! # }
//! ```

mod creation;
mod feed;
#[cfg(test)]
pub(super) mod flawed;
mod imports;
mod nodes;
mod repetition;
mod revocation;
mod rotation;
mod seen;
mod states;
mod tokens;
mod updates;

use super::case::{Case, Store, case};
use crate::store::{Change, FeedPosition};
use crate::{Token, TokenDigest};

/// All cases of the suite. Each case needs its own empty store.
pub const CASES: &[Case] = &[
    case("an_owner_is_recorded_as_seen_once_a_day", |s| {
        Box::pin(seen::seen_once_a_day(s))
    }),
    case(
        "the_absence_of_an_owner_who_is_never_reported_begins",
        |s| Box::pin(seen::unseen_owners(s)),
    ),
    case("a_stored_token_is_found_unchanged", |s| {
        Box::pin(tokens::round_trip(s))
    }),
    case("scopes_are_found_unchanged", |s| {
        Box::pin(tokens::scopes_round_trip(s))
    }),
    case("an_id_or_digest_is_taken_once", |s| {
        Box::pin(tokens::duplicates(s))
    }),
    case("owners_and_names_are_compared_byte_by_byte", |s| {
        Box::pin(tokens::exact_text(s))
    }),
    case("the_limit_counts_expired_and_not_revoked_tokens", |s| {
        Box::pin(creation::limit(s))
    }),
    case("the_limit_of_rows_counts_all_tokens", |s| {
        Box::pin(creation::row_limit(s))
    }),
    case("the_limit_holds_under_concurrent_creates", |s| {
        Box::pin(creation::limit_race(s))
    }),
    case("a_child_needs_a_valid_parent", |s| {
        Box::pin(creation::parents(s))
    }),
    case(
        "a_child_needs_a_parent_with_the_scopes_that_its_caller_knows",
        |s| Box::pin(creation::parent_scopes(s)),
    ),
    case("no_child_is_born_after_its_parent_is_revoked", |s| {
        Box::pin(creation::parent_race(s))
    }),
    case("a_revocation_happens_once", |s| {
        Box::pin(revocation::revoke_once(s))
    }),
    case("one_of_many_concurrent_revocations_wins", |s| {
        Box::pin(revocation::revoke_race(s))
    }),
    case("descendants_are_revoked_with_their_ancestor", |s| {
        Box::pin(revocation::descendants(s))
    }),
    case("all_tokens_of_an_owner_are_revoked_together", |s| {
        Box::pin(revocation::revoke_owner(s))
    }),
    case("several_tokens_are_revoked_together", |s| {
        Box::pin(revocation::revoke_several(s))
    }),
    case(
        "a_thousand_revocations_are_told_one_by_one_and_no_more",
        |s| Box::pin(revocation::revoke_many(s)),
    ),
    case("a_token_is_disabled_and_enabled_again", |s| {
        Box::pin(updates::disabling(s))
    }),
    case("a_token_is_renamed_and_described", |s| {
        Box::pin(updates::editing(s))
    }),
    case("a_token_is_replaced_without_a_successor", |s| {
        Box::pin(updates::replacing(s))
    }),
    case("a_renamed_token_is_found_by_its_new_name", |s| {
        Box::pin(updates::renamed_search(s))
    }),
    case("unknown_and_revoked_tokens_are_not_changed", |s| {
        Box::pin(updates::refusals(s))
    }),
    case(
        "only_an_administrator_enables_what_an_administrator_disabled",
        |s| Box::pin(updates::administrators(s)),
    ),
    case("a_change_needs_a_valid_presented_token", |s| {
        Box::pin(updates::presented(s))
    }),
    case("no_token_changes_another_after_it_is_disabled", |s| {
        Box::pin(updates::presented_race(s))
    }),
    case("a_disabled_token_takes_along_what_it_replaced", |s| {
        Box::pin(updates::lines(s))
    }),
    case("descendants_go_on_when_their_ancestor_is_disabled", |s| {
        Box::pin(updates::children(s))
    }),
    case("an_imported_token_is_found_unchanged", |s| {
        Box::pin(imports::round_trip(s))
    }),
    case("an_import_tells_what_became_of_each_token", |s| {
        Box::pin(imports::outcomes(s))
    }),
    case("an_import_has_no_limit_and_counts_for_it", |s| {
        Box::pin(imports::limits(s))
    }),
    case("two_thousand_five_hundred_tokens_are_one_import", |s| {
        Box::pin(imports::many(s))
    }),
    case("concurrent_imports_store_each_digest_once", |s| {
        Box::pin(imports::race(s))
    }),
    case("a_rotation_replaces_a_token", |s| {
        Box::pin(rotation::replacement(s))
    }),
    case("of_a_line_one_token_is_not_replaced", |s| {
        Box::pin(rotation::lost_answer(s))
    }),
    case("a_token_that_cannot_be_rotated_stays_as_it_is", |s| {
        Box::pin(rotation::refusals(s))
    }),
    case("a_disabled_token_stops_its_line_until_it_ends", |s| {
        Box::pin(rotation::ended_members(s))
    }),
    case("a_line_counts_once", |s| Box::pin(rotation::line_limit(s))),
    case("a_revoked_token_takes_along_what_it_replaced", |s| {
        Box::pin(rotation::revocation_of_the_old(s))
    }),
    case("the_successors_of_a_revoked_token_go_on", |s| {
        Box::pin(rotation::revocation_of_the_first(s))
    }),
    case("a_family_is_revoked_with_all_lines_and_descendants", |s| {
        Box::pin(rotation::revocation_of_a_family(s))
    }),
    case("concurrent_rotations_leave_one_token", |s| {
        Box::pin(rotation::rotation_race(s))
    }),
    case("no_rotation_or_creation_comes_after_a_revocation", |s| {
        Box::pin(rotation::revocation_race(s))
    }),
    case("each_state_of_a_token_has_its_rights", |s| {
        Box::pin(states::states(s))
    }),
    case("a_repeated_creation_makes_no_second_token", |s| {
        Box::pin(repetition::creation(s))
    }),
    case("a_repeated_rotation_makes_no_second_successor", |s| {
        Box::pin(repetition::rotations(s))
    }),
    case("one_of_many_concurrent_repetitions_is_made", |s| {
        Box::pin(repetition::race(s))
    }),
    case("the_feed_tells_every_change_once_and_in_order", |s| {
        Box::pin(feed::feed(s))
    }),
    case("the_feed_has_no_gap_under_concurrent_changes", |s| {
        Box::pin(feed::feed_race(s))
    }),
    case("the_feed_says_when_a_cursor_is_not_its_own", |s| {
        Box::pin(feed::foreign_cursor(s))
    }),
    case("the_feed_leaves_out_what_is_too_much", |s| {
        Box::pin(feed::long_feed(s))
    }),
    case("the_mark_moves_within_its_bounds", |s| {
        Box::pin(nodes::mark(s))
    }),
    case(
        "nodes_are_known_by_their_last_reports_until_they_are_forgotten",
        |s| Box::pin(nodes::nodes(s)),
    ),
    case("older_versions_are_kept_out_for_good", |s| {
        Box::pin(nodes::versions(s))
    }),
    case("recent_tokens_are_named_and_revoked_ones_are_not", |s| {
        Box::pin(tokens::recent(s))
    }),
    case("last_use_never_moves_backwards", |s| {
        Box::pin(tokens::last_use(s))
    }),
    case("last_use_of_ten_thousand_tokens_is_one_batch", |s| {
        Box::pin(tokens::last_use_batch(s))
    }),
];

async fn cursor(store: &Store) -> FeedPosition {
    let page = store.changes_since(None).await.expect("changes_since");
    assert!(
        page.entries.is_empty(),
        "without a cursor only the head is read"
    );
    page.head
}

async fn changes(store: &Store, since: FeedPosition) -> Vec<Change> {
    let page = store
        .changes_since(Some(since))
        .await
        .expect("changes_since");
    assert_eq!(
        page.nonce_at_cursor, since.nonce,
        "the cursor belongs to this feed"
    );
    page.entries.into_iter().map(|entry| entry.change).collect()
}

async fn find_by_digest(store: &Store, digest: &TokenDigest) -> Option<Token> {
    let found = store.find_by_digest(digest).await;
    found.expect("find_by_digest").token
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::flawed::{Flaw, Flawed, failed_cases};
    use super::*;
    use crate::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(Arc::new(MemoryStore::default())).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flawed_stores_fail() {
        for flaw in Flaw::ALL {
            let failed = failed_cases(CASES, || Arc::new(Flawed::new(flaw))).await;
            println!("{flaw:?} fails {failed:?}");
            assert!(!failed.is_empty(), "{flaw:?} passes");
            // It is that flaw which is found, and not a store that does not work.
            assert!(failed.len() <= 5, "{flaw:?} fails {failed:?}");
        }
    }
}
