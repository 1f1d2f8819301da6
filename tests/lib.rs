//! Nothing here: the behaviour tests are in `main.rs`.
