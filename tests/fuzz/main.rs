//! Fuzz tests of all parsers of text from clients, operators and mail servers.
//!
//! A target consists of a parser behind its public API, an oracle, which is a naive implementation of the
//! documentation, a grammar of nearly well-formed inputs, and a corpus. `check` asserts that parser and
//! oracle agree on an input. Each run checks the whole corpus, and then inputs that the grammar makes, or
//! that mutations make of these and of the corpus. Each target has bugs that are planted in front of the
//! parser: the search must find each, although the corpus does not show it.
//!
//! The driver is `bolero`, since one target serves two engines. `cargo test` runs it on a stable compiler
//! with a time limit; it draws inputs at random, prints the seed of a failure, and makes the input
//! smaller. `cargo bolero test` runs it under libFuzzer, which needs a nightly compiler and is guided by
//! coverage: its bytes then make the choices of the grammar. Only `bolero`'s own corpus is not used: its
//! files hold the choices of a generator, whose meaning changes with the grammar, and the time limit cuts
//! them off. The files here hold the inputs themselves.

mod authorization;
mod creation;
mod cursor;
mod driver;
mod formats;
mod forms;
mod json;
mod properties;
mod replies;
mod schedules;
