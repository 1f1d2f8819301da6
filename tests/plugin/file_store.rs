//! The file store of the examples.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_core::store::{
    Change, ChangePage, FeedPosition, LastUse, Lookup, Revocation, RevocationScope, SCHEMA_VERSION,
    TokenStore,
};
use pat_core::testing::{self, Case};
use pat_core::{BoxError, Pats, Token};
use pat_example_server::plugin::FileStore;
use pat_harness::names::name_in_case;
use pat_harness::{named_trial, trial};
use pat_servers::rows::new_token;
use tempfile::TempDir;

use super::create;
use crate::stores::{at, id, insert, owner};

pub(super) fn trials() -> Vec<Trial> {
    let suites = [testing::store::CASES, testing::search::CASES].concat();
    let suites = suites.into_iter().map(|case| {
        let name = name_in_case(&the_file_store, case.name);
        named_trial(name, move || the_file_store(case))
    });
    let mut trials: Vec<_> = suites.collect();
    trials.extend([
        trial(state_survives_reopening),
        trial(file_has_no_plain_token),
        trial(file_cut_anywhere_has_all_tokens_before_the_cut),
        trial(call_without_its_caller_is_replaced),
        trial(rest_of_a_failed_write_is_replaced),
        trial(unknown_content_is_refused_and_left_alone),
        trial(second_open_is_refused),
    ]);
    trials
}

async fn the_file_store(case: Case) {
    let folder = Folder::new();
    case.run(Arc::new(folder.open().await)).await;
}

async fn state_survives_reopening() {
    let folder = Folder::new();
    let store = folder.open().await;
    let mut first = new_token(1, "alice");
    first.name = "line\u{2028}\"\\ ü 🎉".into();
    first.expires_at = Some(at(3600));
    let mut child = new_token(2, "alice");
    child.parent = Some(id(1));
    for token in [first, child, new_token(3, "alice")] {
        insert(&store, &token).await;
    }
    let last_use = LastUse::new(id(2), at(5));
    store.record_use(&[last_use]).await.expect("record_use");
    let mut revocation = Revocation::new(at(7));
    revocation.reason = Some("lost\nlaptop".into());
    let scope = RevocationScope::TokensAndDescendants(vec![id(1)]);
    let revoked = store.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.tokens.len(), 2);
    let change = Change::OwnerChanged(owner("alice"));
    let appended = store.append_change(&change, at(8)).await;
    appended.expect("append_change");
    let raised = store.raise_readable_from(SCHEMA_VERSION + 1).await;
    raised.expect("raise_readable_from");
    let before = Snapshot::of(&store).await;
    assert!(before.feed.versions.check().is_err());
    assert_eq!((before.feed.entries.len(), before.listed.len()), (3, 1));
    drop(store);
    assert_eq!(Snapshot::of(&folder.open().await).await, before);
}

async fn file_has_no_plain_token() {
    let folder = Folder::new();
    let pats = Pats::builder(Arc::new(folder.open().await)).build();
    let created = create(&pats).await;
    let file = fs::read_to_string(folder.file()).expect("the file");
    assert!(file.contains("\"alice\""), "{file}");
    let plain = created.plain.expose();
    // Not even the part behind the prefix, or half of it.
    assert!(!file.contains(&plain[4..20]) && !file.contains(&plain[plain.len() - 16..]));
}

/// A process that dies leaves the first part of what it was writing.
async fn file_cut_anywhere_has_all_tokens_before_the_cut() {
    let folder = Folder::new();
    let whole = folder.with_tokens(3).await;
    for len in 0..whole.len() {
        fs::write(folder.file(), &whole[..len]).expect("write");
        let store = folder.open().await;
        let before = store.list(&owner("alice")).await.expect("list").len();
        // Neither the header nor the part behind the last line feed is a token.
        let lines = whole[..len].split(|byte| *byte == b'\n').count();
        assert_eq!(before, lines.saturating_sub(2), "cut at {len}");
        insert(&store, &new_token(9, "alice")).await;
        drop(store);
        let after = folder.open().await.list(&owner("alice")).await;
        assert_eq!(after.expect("list").len(), before + 1, "cut at {len}");
    }
}

async fn call_without_its_caller_is_replaced() {
    let folder = Folder::new();
    let store = folder.open().await;
    // On most runs, the caller is gone before the call is on disk.
    let _ = store.insert(&new_token(1, "alice"), 10).now_or_never();
    insert(&store, &new_token(2, "alice")).await;
    let before = Snapshot::of(&store).await;
    // A copy, since the thread of the first call may still hold the file's lock for a moment.
    let copy = Folder::new();
    fs::copy(folder.file(), copy.file()).expect("a copy");
    assert_eq!(Snapshot::of(&copy.open().await).await, before);
}

async fn rest_of_a_failed_write_is_replaced() {
    let folder = Folder::new();
    let store = folder.open().await;
    insert(&store, &new_token(1, "alice")).await;
    let mut file = OpenOptions::new().append(true).open(folder.file());
    let written = file
        .as_mut()
        .expect("the file")
        .write_all(b"{\"insert\":[{");
    written.expect("write");
    insert(&store, &new_token(2, "alice")).await;
    drop(store);
    let listed = folder.open().await.list(&owner("alice")).await;
    assert_eq!(listed.expect("list").len(), 2);
}

async fn unknown_content_is_refused_and_left_alone() {
    let folder = Folder::new();
    let whole = String::from_utf8(folder.with_tokens(3).await).expect("UTF-8");
    let lines: Vec<_> = whole.lines().collect();
    let with = |number: usize, text| {
        let mut lines = lines.clone();
        lines[number - 1] = text;
        format!("{}\n", lines.join("\n"))
    };
    for (content, reason) in [
        // Without a line feed too, it is not taken for a write that was cut short.
        ("my diary".into(), "not a token log"),
        ("{\"pat-token-log\":1}\n".into(), "not a token log"),
        ("{\"pat-token-log\":2}x\n".into(), "not a token log"),
        (with(3, "{\"insert\":[{\"id\":2}]}"), "at line 3 "),
        (with(3, "{\"rotate\":[7]}"), "at line 3 "),
        (with(4, "{}"), "at line 4 "),
    ] {
        fs::write(folder.file(), &content).expect("write");
        let error = folder.try_open().await.expect_err(&content).to_string();
        assert!(error.contains(reason), "{error}");
        let left = fs::read_to_string(folder.file()).expect("the file");
        assert_eq!(left, content);
    }
}

async fn second_open_is_refused() {
    let folder = Folder::new();
    let first = folder.open().await;
    let error = folder.try_open().await.expect_err("in use").to_string();
    assert!(error.starts_with("the token log is in use"), "{error}");
    drop(first);
    folder.open().await;
}

/// The answers of a store to all questions about its tokens.
#[derive(Debug, PartialEq)]
struct Snapshot {
    found: Vec<(Option<Token>, Lookup)>,
    listed: Vec<Token>,
    feed: ChangePage,
}

impl Snapshot {
    async fn of(store: &FileStore) -> Self {
        let mut found = Vec::new();
        for number in 1..=3 {
            let by_digest = store
                .find_by_digest(&new_token(number, "alice").digest)
                .await;
            let by_id = store.find(id(number)).await;
            found.push((by_id.expect("find"), by_digest.expect("find_by_digest")));
        }
        let start = FeedPosition {
            generation: 0,
            nonce: None,
        };
        let feed = store.changes_since(Some(start)).await;
        Self {
            found,
            listed: store.list(&owner("alice")).await.expect("list"),
            feed: feed.expect("changes_since"),
        }
    }
}

/// A folder for the file of a store.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("tokens.log")
    }

    async fn try_open(&self) -> Result<FileStore, BoxError> {
        FileStore::open(self.file()).await
    }

    async fn open(&self) -> FileStore {
        self.try_open().await.expect("open")
    }

    /// Fills the store with this many tokens, and returns the content of its file.
    async fn with_tokens(&self, count: i64) -> Vec<u8> {
        let store = self.open().await;
        for number in 1..=count {
            insert(&store, &new_token(number, "alice")).await;
        }
        fs::read(self.file()).expect("the file")
    }
}
