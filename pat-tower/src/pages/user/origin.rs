//! From where a form for a new token comes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pat_core::Token;

use crate::pages::csrf_token::SubmissionId;
use crate::pages::fields::Fields;

/// The name of the field that tells a form that is sent again from one that was opened anew.
pub(super) const SHEET: &str = "sheet";
/// The name of the field that says which tokens there were when the form was opened.
pub(super) const SEEN: &str = "seen";

/// The hidden fields of a form; a form that a script makes up has none.
pub(super) struct Origin {
    pub(super) sheet: Option<SubmissionId>,
    pub(super) seen: Option<Seen>,
}

impl Origin {
    /// `None` if no form of ours says that.
    pub(super) fn of(fields: &Fields) -> Option<Self> {
        let sheet = fields.find(SHEET).map(SubmissionId::decode);
        let seen = fields.find(SEEN).map(Seen::decode);
        let is_ours = sheet != Some(None) && !matches!(seen, Some(None));
        is_ours.then(|| Self {
            sheet: sheet.flatten(),
            seen: seen.flatten(),
        })
    }
}

/// The tokens that there were when a form was opened: of each the end of its id.
pub(super) struct Seen(Vec<[u8; 4]>);

impl Seen {
    pub(super) fn new(tokens: &[Token]) -> Self {
        Self(tokens.iter().map(Self::mark).collect())
    }

    fn mark(token: &Token) -> [u8; 4] {
        let [.., a, b, c, d] = token.id.get().to_be_bytes();
        [a, b, c, d]
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_flattened())
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (marks, rest) = bytes.as_chunks();
        rest.is_empty().then(|| Self(marks.to_vec()))
    }

    /// The last token of this name that was not there then, and replaced no other: no form for a new token
    /// creates one that does.
    pub(super) fn newcomer<'a>(&self, tokens: &'a [Token], name: &str) -> Option<&'a Token> {
        let is_successor =
            |token: &Token| token.line.is_some_and(|line| line.rotated_from.is_some());
        let is_new = |token: &&Token| {
            token.name == name && !self.0.contains(&Self::mark(token)) && !is_successor(token)
        };
        tokens.iter().rev().find(is_new)
    }
}
