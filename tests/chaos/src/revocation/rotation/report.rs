//! What became of the clients' secrets.

use std::collections::BTreeSet;
use std::fmt;

#[derive(Debug, Default, Clone)]
pub(super) struct Report {
    /// With a token: uses, and rotations.
    pub(super) requests: usize,
    /// Those whose answers arrived.
    pub(super) rotations: usize,
    /// After how many bytes of an answer clients were killed.
    pub(super) cuts: BTreeSet<usize>,
    /// How often.
    pub(super) killed: usize,
    /// The longest answer, in bytes.
    pub(super) longest: usize,
    /// Rotations that were repeated.
    pub(super) repeated: usize,
    /// Uses and rotations that got 503, or no answer though the client waited.
    pub(super) unavailable: usize,
    /// Tokens whose overlap ended before a rotation succeeded.
    pub(super) lost: usize,
    /// Tokens that a rotation replaced which their client had given up.
    pub(super) overtaken: usize,
    /// Old secrets that were tried on each node after their end.
    pub(super) ended: usize,
    /// Lines that have one token left.
    pub(super) lines: usize,
    /// Secrets that were refused although they were valid.
    pub(super) refused: Vec<String>,
    /// Old secrets that were accepted after their end.
    pub(super) late: Vec<String>,
    /// Lines with more tokens than one, or without the client's.
    pub(super) wrong_lines: Vec<String>,
    /// Answers of another kind.
    pub(super) strange: Vec<String>,
}

impl Report {
    /// Panics unless everything was as promised, with an answer that broke off at each byte if the run `is_long`.
    pub(super) fn judge(&self, is_long: bool) {
        for (what, found) in [
            ("unwanted refusals", &self.refused),
            ("accepted after their end", &self.late),
            ("wrong lines", &self.wrong_lines),
            ("answers of another kind", &self.strange),
        ] {
            if let Some(first) = found.first() {
                panic!("{} {what}; the first: {first}", found.len());
            }
        }
        assert!(
            self.covers_answers() || !is_long,
            "an answer was not cut at each byte"
        );
        // Where many requests get no answer, all those of an overlap may be among them.
        assert!(
            self.lost * 100 <= self.rotations + 2 * self.unavailable,
            "many clients lost access: {self}"
        );
        assert!(self.lines > 0 && self.ended > 0, "{self}");
    }

    /// Whether clients were killed after each byte of the longest answer, and before the first.
    pub(super) fn covers_answers(&self) -> bool {
        self.longest > 0 && (0..=self.longest).all(|bytes| self.cuts.contains(&bytes))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests, {} rotations, {} clients killed after {} different numbers of bytes of answers of up to {} \
             bytes, {} rotations repeated, {} unavailable, {} tokens lost, {} overtaken, {} old secrets tried after \
             their end, {} lines with one token left, {} unwanted refusals, {} accepted after their end, {} wrong \
             lines",
            self.requests,
            self.rotations,
            self.killed,
            self.cuts.len(),
            self.longest,
            self.repeated,
            self.unavailable,
            self.lost,
            self.overtaken,
            self.ended,
            self.lines,
            self.refused.len(),
            self.late.len(),
            self.wrong_lines.len(),
        )
    }
}
