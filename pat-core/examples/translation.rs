//! Checks a file of messages, and lists what it lacks:
//! `cargo run -p pat-core --features messages --example translation -- LANGUAGE FILE`.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

use pat_core::messages::Messages;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [language, file] = arguments.as_slice() else {
        return Err("give the language, such as de, and the file".into());
    };
    let messages = match Messages::from_ftl(language, &fs::read_to_string(file)?) {
        Ok(messages) => messages,
        Err(error) => {
            for problem in error.problems() {
                println!("{file}: {problem}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    for id in messages.missing() {
        println!("{file}: {id} is missing");
    }
    println!(
        "{} of {} messages are there",
        Messages::ids().count() - messages.missing().count(),
        Messages::ids().count()
    );
    Ok(ExitCode::SUCCESS)
}
