//! `cargo run --release --example server`: see the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    pat_example_server::main(std::env::args_os())
}
