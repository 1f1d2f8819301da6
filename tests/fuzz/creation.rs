//! The documented rules for a new token, and a host on which each request is that of a new user.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::civil::{Date, date};
use pat_core::testing::TestClock;
use pat_core::{Caller, MemoryStore, Owner, Pats, Token};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::driver::Dice;

/// The date of each host's clock, in UTC.
pub(crate) const TODAY: Date = date(2026, 2, 26);

/// The longest name in characters, and the longest life span in days.
const MAX_NAME: usize = 40;
const MAX_DAYS: i64 = 365;

/// A rule that a request can break, by the name of its problem type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    MalformedBody,
    InvalidName,
    InvalidDuration,
}

/// Returns the rule that a name breaks. A name has a visible character, at most forty characters, and
/// neither control characters nor line separators nor bidi controls.
pub(crate) fn check_name(name: &str) -> Option<Rule> {
    let is_good = name.chars().any(is_visible)
        && name.chars().count() <= MAX_NAME
        && !name.chars().any(|c| c.is_control() || "\u{2028}\u{2029}".contains(c))
        && !name.chars().any(|c| {
            matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
    (!is_good).then_some(Rule::InvalidName)
}

pub(crate) fn check_days(days: i64) -> Option<Rule> {
    (!(1..=MAX_DAYS).contains(&days)).then_some(Rule::InvalidDuration)
}

pub(crate) fn check_seconds(seconds: i64) -> Option<Rule> {
    (!(60..=MAX_DAYS * 86_400).contains(&seconds)).then_some(Rule::InvalidDuration)
}

/// Returns whether a character is neither white space nor a control, format or default-ignorable
/// character of Unicode 17, nor one with a blank glyph.
fn is_visible(c: char) -> bool {
    const INVISIBLE: [(u32, u32); 36] = [
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x600, 0x605),
        (0x61c, 0x61c),
        (0x6dd, 0x6dd),
        (0x70f, 0x70f),
        (0x890, 0x891),
        (0x8e2, 0x8e2),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfffb),
        (0x110bd, 0x110bd),
        (0x110cd, 0x110cd),
        (0x13430, 0x1343f),
        (0x16fe4, 0x16fe4),
        (0x1bca0, 0x1bca3),
        (0x1d159, 0x1d159),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
        // White space.
        (0x9, 0xd),
        (0x20, 0x20),
        (0x85, 0x85),
        (0xa0, 0xa0),
        (0x1680, 0x1680),
        (0x2000, 0x200a),
        (0x2028, 0x2029),
        (0x202f, 0x202f),
    ];
    let c = u32::from(c);
    let is_space = c == 0x205f || c == 0x3000;
    let is_control = c < 0x20 || (0x7f..0xa0).contains(&c);
    !is_space
        && !is_control
        && !INVISIBLE
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
}

/// Texts for names at the edges of the rules.
pub(crate) const NAMES: [&str; 24] = [
    "ci",
    "a",
    "",
    " ",
    "\u{a0}",
    "\u{200b}",
    "\u{2800}",
    "\u{3164}",
    "\u{e0041}",
    "\u{1d159}",
    "é",
    "🧪",
    "a\u{202e}b",
    "a\u{2028}b",
    "a\u{7f}b",
    "a\u{85}b",
    "\u{200d}a",
    "\u{61c}",
    "\u{600}",
    "\u{fff9}x",
    "<b>",
    "\"",
    "abcdefghijabcdefghijabcdefghijabcdefghij",
    "ééééééééééééééééééééééééééééééééééééééééé",
];

/// Returns a name, often one at the edge of the rules.
pub(crate) fn name(dice: &mut Dice<'_>) -> String {
    if dice.once_in(4) {
        return dice.word(&["x", "é", "🧪"]).repeat(38 + dice.below(5));
    }
    (0..=dice.below(3)).map(|_| dice.word(&NAMES)).collect()
}

/// A router, with a store that is replaced every two hundred requests.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    mount: fn(Pats) -> Router,
    state: RefCell<(Pats, Router)>,
    count: Cell<usize>,
}

impl Host {
    pub(crate) fn new(mount: fn(Pats) -> Router) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            runtime: runtime.expect("a runtime"),
            mount,
            state: RefCell::new(Self::state(mount)),
            count: Cell::new(0),
        }
    }

    fn state(mount: fn(Pats) -> Router) -> (Pats, Router) {
        let clock = Arc::new(TestClock::default());
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .clock(clock)
            .build();
        (pats.clone(), mount(pats))
    }

    /// Sends a request as a new user. Returns the response, and the tokens that the user has afterwards.
    pub(crate) fn send(&self, request: Request<Body>) -> (Response<Bytes>, Vec<Token>) {
        self.count.set(self.count.get() + 1);
        if self.count.get().is_multiple_of(200) {
            *self.state.borrow_mut() = Self::state(self.mount);
        }
        let (pats, router) = self.state.borrow().clone();
        let owner = Owner::new(format!("user{}", self.count.get())).expect("an owner");
        let caller = Caller::header_authenticated(owner);
        let (mut head, body) = request.into_parts();
        head.extensions.insert(caller.clone());
        let request = Request::from_parts(head, body);
        self.runtime.block_on(async {
            let response = router
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {});
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let tokens = pats.list(&caller).await.expect("a store");
            (Response::from_parts(head, body), tokens)
        })
    }

    /// Returns whether the plain token authenticates as `token`.
    pub(crate) fn authenticates(&self, plain: &str, token: &Token) -> bool {
        let pats = self.state.borrow().0.clone();
        let principal = self.runtime.block_on(pats.authenticate(plain.as_bytes()));
        principal.is_ok_and(|principal| principal.token_id() == token.id)
    }
}
