//! What there is to read, and what is written about it.

use std::sync::{Arc, Mutex, PoisonError};

use pat_core::User;

pub(super) const PROJECT: &str = "DEMO";
pub(super) const PROJECT_NAME: &str = "Demo project";
pub(super) const SPACE: &str = "DEMO";
pub(super) const SPACE_NAME: &str = "Demo space";

/// How many comments of an issue are kept, so that a script in a loop does not fill the memory.
const MAX_COMMENTS: usize = 100;
/// The longest comment, in Unicode scalar values.
pub(super) const MAX_COMMENT_LEN: usize = 10_000;

#[derive(Debug, Clone)]
pub(super) struct Issue {
    pub(super) id: u32,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) comments: Vec<Comment>,
}

impl Issue {
    pub(super) fn key(&self) -> String {
        format!("{PROJECT}-{}", self.id - 10_000)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: u32,
    pub(super) author: User,
    pub(super) body: String,
    /// As Jira writes dates.
    pub(super) created: String,
}

#[derive(Debug)]
pub(super) struct Page {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) body: &'static str,
}

pub(super) const PAGES: [Page; 1] = [Page {
    id: "20001",
    title: "Personal access tokens",
    body: "<p>Scripts sign in with a token of their own instead of a password.</p>",
}];

/// The issues, and a number for the next comment.
#[derive(Debug, Clone)]
pub(super) struct Content(Arc<Mutex<(Vec<Issue>, u32)>>);

impl Default for Content {
    fn default() -> Self {
        let issues = [
            ("Try a token", "Create one, and read this issue with it."),
            ("Say so", "Comment on this issue with the token."),
            ("Revoke it", "A revoked token is refused with 401."),
        ];
        let issues = issues.into_iter().zip(10_001..);
        let issues = issues.map(|((summary, description), id)| Issue {
            id,
            summary,
            description,
            comments: Vec::new(),
        });
        Self(Arc::new(Mutex::new((issues.collect(), 1))))
    }
}

impl Content {
    pub(super) fn issues(&self) -> Vec<Issue> {
        self.with(|issues, _| issues.clone())
    }

    /// The issue of this key or id.
    pub(super) fn issue(&self, key: &str) -> Option<Issue> {
        self.with(|issues, _| find(issues, key).cloned())
    }

    /// Adds a comment; the oldest goes when there are too many. `None` if there is no such issue.
    pub(super) fn comment(
        &self,
        key: &str,
        author: User,
        body: String,
        created: String,
    ) -> Option<Comment> {
        self.with(|issues, next_id| {
            let issue = find(issues, key)?;
            let comment = Comment {
                id: *next_id,
                author,
                body,
                created,
            };
            *next_id += 1;
            if issue.comments.len() == MAX_COMMENTS {
                issue.comments.remove(0);
            }
            issue.comments.push(comment.clone());
            Some(comment)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Issue>, &mut u32) -> T) -> T {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (issues, next_id) = &mut *content;
        act(issues, next_id)
    }
}

fn find<'a>(issues: &'a mut [Issue], key: &str) -> Option<&'a mut Issue> {
    let is_asked =
        |issue: &&mut Issue| issue.key().eq_ignore_ascii_case(key) || issue.id.to_string() == key;
    issues.iter_mut().find(is_asked)
}
