//! Prints what the models say; see the library.

use std::process::ExitCode;
use std::time::Duration;

use pat_model::{Assumption, Part, Report, check, wander};

const LIMIT: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let is_fine = match *arguments {
        [] | ["check"] => Part::ALL
            .into_iter()
            .all(|part| print(part, &check(part, None, LIMIT))),
        ["mutants"] => Assumption::ALL.into_iter().all(mutant),
        ["mutants", name] => Assumption::ALL
            .into_iter()
            .filter(|assumption| format!("{assumption:?}") == name)
            .all(mutant),
        ["assumptions"] => {
            for assumption in Assumption::ALL {
                println!(
                    "{assumption:?} ({:?}): {}",
                    assumption.part(),
                    assumption.sentence()
                );
            }
            true
        }
        ["random", seconds] => seconds.parse().is_ok_and(random),
        _ => {
            eprintln!("usage: pat-model [check | mutants [NAME] | assumptions | random SECONDS]");
            return ExitCode::from(2);
        }
    };
    if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(part: Part, report: &Report) -> bool {
    println!("{part:?}: {report}");
    report.breaches.is_empty()
}

fn mutant(assumption: Assumption) -> bool {
    println!("\n{}", assumption.sentence());
    let report = check(assumption.part(), Some(assumption), LIMIT);
    println!("Without that ({}): {report}", assumption.without());
    !report.breaches.is_empty()
}

fn random(seconds: u64) -> bool {
    let count = u32::try_from(Part::ALL.len()).unwrap_or(1);
    let each = Duration::from_secs(seconds) / count;
    let seed = std::process::id().into();
    println!("seed {seed}");
    Part::ALL
        .into_iter()
        .all(|part| print(part, &wander(part, seed, each)))
}
