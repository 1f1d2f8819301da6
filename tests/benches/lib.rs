//! Nothing here: the benchmark is `cargo bench`.
