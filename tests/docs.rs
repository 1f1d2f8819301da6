//! What the documents say is so.

use libtest_mimic::Trial;
use pat_harness::blocking_trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![blocking_trial(the_readme_shows_the_example)]
}

fn the_readme_shows_the_example() {
    let readme = include_str!("../README.md");
    let shown = format!("```rust\n{}```", include_str!("../examples/axum.rs"));
    assert!(
        readme.contains(&shown),
        "README.md and examples/axum.rs differ; copy the example into the README"
    );
}
