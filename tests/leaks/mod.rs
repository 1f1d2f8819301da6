//! The rules in `leaks`, each run by its scanner: it finds planted tokens, and nothing that only looks like
//! one.

mod lines;
mod scanners;

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use pat_core::format::FormatName;
use pat_harness::names::name_in_case;
use pat_harness::{named_trial_with_need, repository};

use self::lines::{Line, decoys, plants, with_wrong_checksum};
use self::scanners::{SCANNERS, Scanner};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = SCANNERS.iter().map(|scanner| {
        named_trial_with_need(
            name_in_case(&the_rules_find_tokens_alone, scanner.name),
            scanner.name,
            scanner.missing(),
            move || the_rules_find_tokens_alone(scanner),
        )
    });
    trials.collect()
}

/// With the default prefix, and with a host's own as the guide says to set it.
async fn the_rules_find_tokens_alone(scanner: &'static Scanner) {
    for prefix in ["pat", "acme"] {
        let prefixed = FormatName::Prefixed(prefix.parse().expect("a prefix"));
        let mut lines = plants(&*prefixed.format());
        lines.extend(plants(&*FormatName::Atlassian.format()));
        lines.extend(decoys(prefix));
        if scanner.computes_checksum {
            lines.extend(with_wrong_checksum(&*prefixed.format()));
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_rules(
            &repository().join("leaks"),
            &folder.path().join("rules"),
            prefix,
        );
        let found = scanner.scan(folder.path(), &lines).await;
        assert_same(&lines, found);
    }
}

/// Copies the rules, for tokens with this prefix.
fn copy_rules(from: &Path, to: &Path, prefix: &str) {
    fs::create_dir(to).expect("a folder");
    for file in fs::read_dir(from).expect("the rules") {
        let from = file.expect("a file").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            copy_rules(&from, &to, prefix);
        } else {
            let rules = fs::read_to_string(&from).expect("text");
            fs::write(to, rules.replace("pat_", &format!("{prefix}_"))).expect("a file");
        }
    }
}

/// Checks that exactly the planted tokens were found: the number of each line, once for each token in it.
fn assert_same(lines: &[Line], mut found: Vec<usize>) {
    found.sort_unstable();
    let numbered = lines.iter().zip(1..);
    let planted = numbered.flat_map(|(line, number)| vec![number; line.tokens]);
    let planted: Vec<usize> = planted.collect();
    let differs = |number: &&usize| {
        let count = |all: &[usize]| all.iter().filter(|other| other == number).count();
        count(&planted) != count(&found)
    };
    let wrong = planted.iter().chain(&found).find(differs);
    assert!(
        wrong.is_none(),
        "{:?}",
        wrong.map(|number| &lines[number - 1])
    );
}
