//! What the documents say is so.

use libtest_mimic::{Failed, Trial};

use crate::common::blocking_trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![blocking_trial(
        "docs::the_readme_shows_the_example",
        example,
    )]
}

fn example() -> Result<(), Failed> {
    let readme = include_str!("../README.md");
    let shown = format!("```rust\n{}```", include_str!("../examples/axum.rs"));
    if readme.contains(&shown) {
        Ok(())
    } else {
        Err("README.md and examples/axum.rs differ; copy the example into the README".into())
    }
}
