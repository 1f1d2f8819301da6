//! The tokens of a line, as the database has them, and what has happened to them.

/// Who changes a token, other than by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Its owner.
    Owner,
    /// An administrator.
    Administrator,
}

/// By which act a token is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Disabling {
    pub(super) act: u8,
    pub(super) by: By,
}

/// A token of the line. Its place in the line is the order in which tokens were created.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each of them changes on its own"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member {
    /// The end that is in force.
    pub(super) end: Option<u8>,
    /// Whether it was created short-lived.
    pub(super) is_short: bool,
    /// The end that it got when it was replaced first.
    pub(super) replaced: Option<u8>,
    pub(super) is_revoked: bool,
    pub(super) disabled: Option<Disabling>,
    /// Whether an administrator has disabled it, directly or with its successor, and none enabled it.
    pub(super) is_held: bool,
    /// Whether it was disabled by an act of its own, and not enabled.
    pub(super) is_paused: bool,
}

/// A token that was created by one of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Child {
    pub(super) creator: usize,
    pub(super) parent: usize,
    pub(super) is_revoked: bool,
}

/// What is asked for by a token that was just authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// To create another token.
    Create(usize),
    /// To be rotated.
    Rotate(usize),
    /// To be enabled.
    Enable(usize),
}

/// A rotation that has read the line, where it does so without the lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unlocked {
    pub(super) from: usize,
    pub(super) seen: Vec<Option<Member>>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: u8,
    pub(super) left: u8,
    /// The tokens; `None` is one that was pruned.
    pub(super) line: Vec<Option<Member>>,
    pub(super) others: u8,
    pub(super) child: Option<Child>,
    pub(super) request: Option<Request>,
    pub(super) unlocked: Option<Unlocked>,
    pub(super) acts: u8,
    /// The latest token of the line whose revocation was acknowledged.
    pub(super) revoked_to: Option<usize>,
    /// Whether a token had an effect that was revoked, disabled or ended by then.
    pub(super) is_abused: bool,
    /// Whether a line went on that an administrator had stopped.
    pub(super) is_evaded: bool,
}

impl Request {
    pub(super) fn presenter(self) -> usize {
        match self {
            Self::Create(at) | Self::Rotate(at) | Self::Enable(at) => at,
        }
    }
}

impl Member {
    pub(super) fn new(end: Option<u8>) -> Self {
        Self {
            end,
            is_short: end.is_some(),
            replaced: None,
            is_revoked: false,
            disabled: None,
            is_held: false,
            is_paused: false,
        }
    }

    pub(super) fn is_ended(&self, now: u8) -> bool {
        self.end.is_some_and(|end| end <= now)
    }

    pub(super) fn is_live(&self, now: u8) -> bool {
        !self.is_revoked && !self.is_ended(now)
    }

    /// Whether it authenticates.
    pub(super) fn is_good(&self, now: u8) -> bool {
        self.is_live(now) && self.disabled.is_none()
    }

    pub(super) fn is_disabled_by(&self, by: By) -> bool {
        self.disabled.is_some_and(|disabled| disabled.by == by)
    }

    pub(super) fn end_by(&mut self, end: u8) {
        let end = self.end.map_or(end, |own| own.min(end));
        self.end = Some(end);
        self.replaced.get_or_insert(end);
    }
}

impl State {
    pub(super) fn member(&self, at: usize) -> Option<&Member> {
        self.line.get(at)?.as_ref()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (usize, &Member)> {
        let line = self.line.iter().enumerate();
        line.filter_map(|(at, member)| Some((at, member.as_ref()?)))
    }

    pub(super) fn is_good(&self, at: usize) -> bool {
        self.member(at).is_some_and(|it| it.is_good(self.now))
    }

    /// Whether an administrator has disabled a token of the line, and none enabled it, while it is live.
    pub(super) fn is_held(&self) -> bool {
        self.members()
            .any(|(_, it)| it.is_live(self.now) && it.is_held)
    }

    pub(super) fn revoke(&mut self, from: usize, to: usize) {
        for member in self.line[from..=to].iter_mut().flatten() {
            member.is_revoked = true;
        }
        if let Some(child) = &mut self.child {
            child.is_revoked |= (from..=to).contains(&child.parent);
        }
        self.revoked_to = self.revoked_to.max(Some(to));
    }
}
