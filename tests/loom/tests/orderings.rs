//! Each promise holds under every order of the steps, and each atomic ordering is needed for one.

use std::panic;

#[test]
fn every_promise_holds() {
    for (promise, model) in pat_loom::MODELS {
        println!("{promise}");
        model();
    }
}

#[test]
fn no_ordering_can_be_weaker() {
    // The panics of models that fail, as they shall.
    panic::set_hook(Box::new(|_| ()));
    let (survivors, tried) = pat_loom::survivors();
    drop(panic::take_hook());
    assert!(tried >= 4, "{tried}");
    assert!(survivors.is_empty(), "no model fails with {survivors:#?}");
}
