//! The files of the guide on deployment.

use std::fs;
use std::process::Stdio;

use pat_harness::python;
use pat_servers::programs::find;
use tokio::process::Command;

/// The block of this language in the guide.
fn snippet(language: &str) -> &'static str {
    let guide = include_str!("../../pat-tower/src/docs/deploy.md");
    let (_, rest) = guide
        .split_once(&format!("\n```{language}\n"))
        .expect("a block");
    let (snippet, _) = rest.split_once("\n```").expect("its end");
    snippet
}

pub(super) fn systemd_missing() -> Option<&'static str> {
    let is_there = find("systemd-analyze").is_some();
    (!is_there).then_some("needs systemd-analyze")
}

/// With a program that exists on this machine.
pub(super) async fn the_unit_is_verified() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = snippet("ini").replace("/usr/local/bin/app", "/bin/true");
    fs::write(folder.path().join("app.service"), &unit).expect("a file");
    let run = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no", "app.service"])
        .current_dir(folder.path())
        .output();
    let run = run.await.expect("a run");
    let said = String::from_utf8_lossy(&run.stderr);
    let about_it: Vec<_> = said
        .lines()
        .filter(|line| line.contains("app.service"))
        .collect();
    assert!(run.status.success() && about_it.is_empty(), "{said}");
}

pub(super) async fn the_yaml_is_a_deployment() {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let run = Command::new(python::CLIENTS.program())
        .args(["-c", script, snippet("yaml")])
        .stderr(Stdio::inherit())
        .output();
    let run = run.await.expect("a run");
    let deployment: serde_json::Value = serde_json::from_slice(&run.stdout).expect("YAML");
    assert_eq!(deployment["kind"], "Deployment");
    let template = &deployment["spec"]["template"];
    let labels = &deployment["spec"]["selector"]["matchLabels"];
    assert_eq!(*labels, template["metadata"]["labels"]);
    let container = &template["spec"]["containers"][0];
    let port = &container["ports"][0]["containerPort"];
    for probe in ["readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["port"], *port);
        let path = get["path"].as_str().expect("a path");
        let guide = include_str!("../../pat-tower/src/docs/deploy.md");
        assert!(guide.contains(&format!("`{path}`")), "{path}");
    }
    // A service manager waits for longer than the shutdown takes.
    let patience = template["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert!(patience.expect("seconds") > 20 + 10);
}

pub(super) fn the_dockerfile_has_known_instructions() {
    const KNOWN: &[&str] = &[
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "VOLUME",
        "EXPOSE",
        "ENTRYPOINT",
    ];
    let file = snippet("dockerfile").replace("\\\n", " ");
    let lines: Vec<_> = file.lines().filter(|line| !line.is_empty()).collect();
    for line in &lines {
        let (instruction, _) = line.split_once(' ').expect("an instruction");
        assert!(KNOWN.contains(&instruction), "{line}");
    }
    // As a list, so that no shell is between the signal and the program.
    let entry = lines
        .last()
        .and_then(|line| line.strip_prefix("ENTRYPOINT "));
    let entry: Vec<String> = serde_json::from_str(entry.expect("an entry point")).expect("a list");
    let program = entry.first().expect("a program");
    assert!(
        file.contains(&format!("release/app {program}")),
        "{program}"
    );
}
