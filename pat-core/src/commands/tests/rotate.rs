//! `tokens rotate`.

use std::time::Duration;

use serde_json::Value;

use super::super::*;
use super::Fixture;

#[tokio::test]
async fn a_rotation_writes_the_new_secret_to_the_output_alone() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let old = created.plain.expose();
    let run = fixture
        .run(&["tokens", "rotate", "--overlap", "60"], old)
        .await;
    assert!(run.is(Exit::Done), "{run:?}");
    let new = run.out.trim();
    assert!(new != old && fixture.pats.authenticate(new.as_bytes()).await.is_ok());
    assert!(!run.err.contains(new) && !run.err.contains(old), "{run:?}");
    assert!(run.err.contains("of alice is replaced by"), "{run:?}");
    fixture.clock.advance(Duration::from_secs(61));
    assert!(!fixture.is_valid(&created).await);
    let bad = fixture.run(&["tokens", "rotate"], "pat_nonsense").await;
    assert!(bad.is(Exit::Failed) && bad.out.is_empty(), "{bad:?}");
    assert!(!bad.err.contains("nonsense"), "{bad:?}");
}

#[tokio::test]
async fn a_rotation_replaces_a_file_that_only_the_account_can_read() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let old = created.plain.expose();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token.txt");
    std::fs::write(&path, old).expect("a file");
    let shown = path.to_str().expect("text");
    let run = fixture
        .run(&["tokens", "rotate", "--output", shown], old)
        .await;
    assert!(run.is(Exit::Done) && run.out.is_empty(), "{run:?}");
    let new = std::fs::read_to_string(&path).expect("a file");
    assert!(
        fixture
            .pats
            .authenticate(new.trim().as_bytes())
            .await
            .is_ok()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What cannot be written costs no rotation, and leaves nothing behind.
    let tokens = async || {
        fixture
            .run(&["tokens", "list", "--format", "json"], "")
            .await
            .json()
    };
    let before = tokens().await;
    for bad in [folder.path(), &folder.path().join("missing/token.txt")] {
        let bad = bad.to_str().expect("text");
        let run = fixture
            .run(&["tokens", "rotate", "--output", bad], new.trim())
            .await;
        assert!(
            run.is(Exit::Failed) && run.err.contains("cannot be written"),
            "{run:?}"
        );
    }
    let unknown = fixture
        .run(&["tokens", "rotate", "--output", shown], "pat_x")
        .await;
    assert!(unknown.is(Exit::Failed), "{unknown:?}");
    let strip = |tokens: &Value| tokens.as_array().expect("a list").len();
    assert_eq!(strip(&tokens().await), strip(&before));
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), new);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
}
