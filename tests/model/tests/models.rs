//! The models hold, each assumption is needed, and the functions that they name are there.

use std::path::Path;
use std::time::Duration;

use pat_model::conformance::IMPLEMENTED;
use pat_model::{Assumption, Part, check, wander};

const A_MINUTE: Duration = Duration::from_mins(1);

#[test]
fn the_promises_hold_and_each_assumption_is_needed() {
    for part in Part::ALL {
        let report = check(part, None, 10 * A_MINUTE);
        println!("{part:?}: {report}");
        assert!(report.is_complete && report.breaches.is_empty(), "{part:?}");
        assert!(report.states > 100, "{part:?} has states");
    }
    for assumption in Assumption::ALL {
        let report = check(assumption.part(), Some(assumption), A_MINUTE);
        println!("{}: {report}", assumption.without());
        assert!(!report.breaches.is_empty(), "{assumption:?} is not needed");
    }
}

#[test]
fn long_runs_hold_at_random() {
    let seconds = std::env::var("PAT_TEST_MODEL_SECONDS");
    let seconds = seconds.map_or(6, |seconds| seconds.parse().expect("seconds"));
    let seed = std::process::id().into();
    println!("seed {seed}");
    let parts = u32::try_from(Part::ALL.len()).expect("a few");
    let each = Duration::from_secs(seconds) / parts;
    for part in Part::ALL {
        let report = wander(part, seed, each);
        println!("{part:?}, at random: {report}");
        assert!(report.breaches.is_empty(), "{part:?}, seed {seed}");
    }
}

#[test]
fn each_action_names_a_function_that_is_there() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for row in IMPLEMENTED {
        let source = std::fs::read_to_string(workspace.join(row.file)).expect(row.file);
        let found = [
            format!("fn {}(", row.function),
            format!("fn {}<", row.function),
        ];
        let is_there = found.iter().any(|name| source.contains(name));
        assert!(is_there, "{}: no function {}", row.file, row.function);
    }
    for part in Part::ALL {
        let has_rows = IMPLEMENTED.iter().any(|row| row.part == part);
        assert!(has_rows, "{part:?} has no functions");
    }
}

#[test]
fn each_assumption_is_in_the_guide() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = std::fs::read_to_string(workspace.join("pat-core/src/docs/cluster.md"));
    let guide = guide.expect("the guide");
    for assumption in Assumption::ALL {
        assert!(
            guide.contains(assumption.sentence()),
            "{}",
            assumption.sentence()
        );
    }
}
