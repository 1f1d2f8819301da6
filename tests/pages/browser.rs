//! The pages as people see them: in a browser, with and without JavaScript, on wide and narrow
//! screens, in light and dark.

mod administrators;
mod check;
mod desk;
mod examples;
mod feedback;
mod guide;
mod lists;
mod lives;
mod reference;
mod scopes;
mod states;
mod users;

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::browser::{Browser, missing};
use pat_harness::{Server, TOKENS, answer, trial_with_need};
use serde_json::json;

pub(super) use self::check::check;
pub(crate) use self::check::take_picture;
use self::check::trial_of_states;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial_with_need(
            "browser",
            missing(),
            users::a_token_is_created_copied_and_revoked_in_the_browser,
        ),
        trial_with_need("browser", missing(), users::forms_work_without_scripts),
        trial_with_need(
            "browser",
            missing(),
            administrators::an_administrator_filters_and_revokes,
        ),
        trial_with_need(
            "browser",
            missing(),
            reference::the_reference_works_under_its_policy,
        ),
        trial_with_need("browser", missing(), lives::a_token_is_replaced_and_paused),
        trial_with_need(
            "browser",
            missing(),
            lives::a_token_is_replaced_without_scripts,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_form_survives_a_lost_session_and_a_lost_cookie,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::changes_are_said_by_name_and_have_the_focus,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_form_says_when_the_token_expires,
        ),
        trial_with_need("browser", missing(), feedback::characters_are_counted),
        trial_with_need(
            "browser",
            missing(),
            feedback::the_filter_sends_the_zone_of_the_browser,
        ),
        trial_with_need(
            "browser",
            missing(),
            feedback::a_token_is_gone_after_back_and_on_paper,
        ),
        trial_with_need(
            "browser",
            missing(),
            examples::examples_keep_the_token_out_of_the_list_of_processes,
        ),
        trial_with_need("browser", missing(), scopes::scopes_are_chosen),
        trial_with_need("browser", missing(), scopes::boxes_work_without_scripts),
        trial_with_need(
            "browser",
            missing(),
            lists::tokens_of_two_pages_are_selected,
        ),
        trial_with_need(
            "browser",
            missing(),
            lists::tokens_of_two_pages_are_selected_without_scripts,
        ),
        trial_with_need(
            "browser",
            missing(),
            lists::a_selection_is_kept_when_the_list_is_sorted_and_filtered,
        ),
        trial_with_need("browser", missing(), lists::the_filter_is_folded_on_phones),
        trial_of_states(lists::long_own_lists_are_accessible),
        trial_of_states(lists::long_lists_of_administrators_are_accessible),
        trial_of_states(scopes::pages_with_scopes_are_accessible),
        trial_of_states(states::pages_are_accessible),
        trial_of_states(guide::pages_of_the_documentation_are_accessible),
        trial_of_states(lives::pages_about_one_token_are_accessible),
        trial_of_states(super::languages::pages_from_right_to_left_are_accessible),
        trial_of_states(desk::pages_of_the_desk_are_accessible),
        trial_with_need(
            "browser",
            missing(),
            desk::a_leaked_token_is_found_and_revoked,
        ),
        trial_with_need("browser", missing(), desk::the_desk_works_without_scripts),
    ]
}

const DAY: Duration = Duration::from_hours(24);

/// The note on the list says this, and has the focus. (The list isolates names.)
async fn assert_note(browser: &Browser, expected: &str) {
    let note = browser.text(".pat-note:focus").await;
    assert_eq!(note.replace(['\u{2068}', '\u{2069}'], ""), expected);
}

/// Creates a token by the REST interface.
async fn create(server: &Server, user: &str, name: &str, days: u32) -> String {
    let body = json!({"name": name, "expirationDuration": days});
    let request = server.post(TOKENS).basic_auth(user, Some(user)).json(&body);
    answer(request).await.created().raw
}
