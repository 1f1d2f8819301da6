//! What the documents say is so.

mod deploy;
mod links;

use libtest_mimic::Trial;
use pat_harness::{blocking_trial, python, trial_with_need};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        blocking_trial(the_readme_shows_the_example),
        blocking_trial(links::every_link_leads_somewhere),
        blocking_trial(links::every_named_file_exists),
        blocking_trial(deploy::the_dockerfile_has_known_instructions),
        trial_with_need(
            "python",
            python::CLIENTS.missing(),
            deploy::the_yaml_is_a_deployment,
        ),
        trial_with_need(
            "systemd",
            deploy::systemd_missing(),
            deploy::the_unit_is_verified,
        ),
    ]
}

fn the_readme_shows_the_example() {
    let readme = include_str!("../../README.md");
    let shown = format!("```rust\n{}```", include_str!("../../examples/axum.rs"));
    assert!(
        readme.contains(&shown),
        "README.md and examples/axum.rs differ; copy the example into the README"
    );
}
