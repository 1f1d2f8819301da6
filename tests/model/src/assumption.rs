//! What the promises rest on.

use crate::Part;

/// A rule of the protocol. Taken away, something breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assumption {
    /// Changes are committed before the epochs are bumped.
    CommitBeforeBump,
    /// A look-up reads the epoch before its query.
    EpochBeforeQuery,
    /// A cached refusal has an epoch.
    RefusalHasEpoch,
    /// Freshness is counted from when a poll was sent.
    FreshnessFromSending,
    /// Each generation has a nonce.
    Nonce,
    /// A node whose freshness has ended reports before it polls.
    ReportBeforePoll,
    /// The report before a poll is young when the poll ends.
    ReportIsYoung,
    /// What a poll found is reported before the cache is trusted again.
    ReportBeforeTrust,
    /// The wait for the cluster allows for clocks of different speeds.
    DriftAllowance,
    /// Commits that were acknowledged are not lost.
    Durability,
    /// The mark moves only by time that boot clocks explain.
    MarkByBootClock,
    /// The database's clock is not believed behind the mark.
    MarkOverServers,
    /// An answer's time counts from when the question was sent.
    DistanceFromSending,
    /// What is old is so by the earlier of clock and mark.
    OldByTheEarlier,
    /// An effect checks the term of its lease.
    LeaseTerm,
    /// Occurrences go by the database's clock.
    OccurrenceByDatabase,
    /// An event is written in the transaction of its change.
    EventInTransaction,
    /// A lock is a write.
    LockIsWrite,
    /// A child's creation reads its parent under the lock of the parent's owner.
    ParentLocked,
    /// An older version is kept out before a token is made weaker, or created restricted.
    ReadableFrom,
    /// A look-up reads a token and which versions may use the store in one statement.
    RowWithVersions,
    /// The first use of a feature waits for as long as a cache may be trusted.
    FeatureWait,
    /// A rotation reads and writes its line under the owner's lock.
    LineLocked,
    /// A token by which a change is made is read again in the transaction of the change: not revoked, not disabled, not ended.
    PresentedRead,
    /// Revoking or disabling a token includes the tokens that it replaced.
    PredecessorsTakenAlong,
    /// A rotation also replaces every token that came after the rotated one, even a disabled one.
    LaterReplaced,
    /// A replaced token can be rotated again until it ends.
    RotatedAgain,
    /// Rotating a replaced token again leaves its end where it is.
    EndKept,
    /// The life of a successor does not depend on the end that its predecessor got when it was replaced.
    OwnEnd,
    /// A line counts as one token as long as any of its tokens is live.
    LineCountsOnce,
    /// A token that the owner has disabled can be disabled by an administrator, and is then an administrator's.
    AdministratorsAct,
    /// Each act of disabling has a time of its own in its line.
    ActsDiffer,
    /// Disabling a token that is disabled already is an act of its own.
    DisabledAgain,
    /// The children of a pruned token that was replaced go to the next token of its line.
    AdoptedByNext,
    /// A line is not rotated while a live token of it is disabled by an administrator.
    LineStopped,
    /// Replacing or disabling a token appends a change to the feed, in the same transaction.
    ReplacingInFeed,
    /// Enabling a token appends a change to the feed, in the same transaction.
    EnablingInFeed,
    /// A cached refusal of a disabled token carries the epoch from before its query.
    DisabledHasEpoch,
    /// Disabling or enabling a token begins no transaction after it was answered.
    NoneAfterAnswer,
    /// A change reads, under its locks, which versions may use the store.
    ChangeWithVersions,
}

impl Assumption {
    /// All of them.
    pub const ALL: [Self; 40] = [
        Self::CommitBeforeBump,
        Self::EpochBeforeQuery,
        Self::RefusalHasEpoch,
        Self::FreshnessFromSending,
        Self::Nonce,
        Self::ReportBeforePoll,
        Self::ReportIsYoung,
        Self::ReportBeforeTrust,
        Self::DriftAllowance,
        Self::Durability,
        Self::MarkByBootClock,
        Self::MarkOverServers,
        Self::DistanceFromSending,
        Self::OldByTheEarlier,
        Self::LeaseTerm,
        Self::OccurrenceByDatabase,
        Self::EventInTransaction,
        Self::LockIsWrite,
        Self::ParentLocked,
        Self::ReadableFrom,
        Self::RowWithVersions,
        Self::FeatureWait,
        Self::LineLocked,
        Self::PresentedRead,
        Self::PredecessorsTakenAlong,
        Self::LaterReplaced,
        Self::RotatedAgain,
        Self::EndKept,
        Self::OwnEnd,
        Self::LineCountsOnce,
        Self::AdministratorsAct,
        Self::ActsDiffer,
        Self::DisabledAgain,
        Self::AdoptedByNext,
        Self::LineStopped,
        Self::ReplacingInFeed,
        Self::EnablingInFeed,
        Self::DisabledHasEpoch,
        Self::NoneAfterAnswer,
        Self::ChangeWithVersions,
    ];

    /// What is assumed, in one line; `pat_core::guide::cluster` has the same.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::CommitBeforeBump => {
                "A revocation commits, then bumps this node's epochs, then is acknowledged."
            }
            Self::EpochBeforeQuery => {
                "A look-up reads the epoch of its cache entry before it sends its query."
            }
            Self::RefusalHasEpoch => {
                "A cached refusal for an owner carries the epoch from before its query."
            }
            Self::FreshnessFromSending => {
                "A cache is trusted for a time that counts from when the poll was sent."
            }
            Self::Nonce => "Each generation of the change feed carries a random nonce.",
            Self::ReportBeforePoll => {
                "A node that has ceased to trust its cache reports before it polls."
            }
            Self::ReportIsYoung => {
                "A poll extends the trust in a cache only if, when it ends, the node's report before it is \
                 younger than the bound."
            }
            Self::ReportBeforeTrust => {
                "A node reports what a poll found before it trusts its cache again."
            }
            Self::DriftAllowance => {
                "Boot clocks differ in speed by less than a tenth, and a wait adds a tenth."
            }
            Self::Durability => "A commit that the database acknowledged is not lost.",
            Self::MarkByBootClock => "The mark follows a clock no faster than boot clocks explain.",
            Self::MarkOverServers => {
                "A server's clock that is behind the mark is not used, and some node moves the mark."
            }
            Self::DistanceFromSending => {
                "The time in a response counts from when its request was sent."
            }
            Self::OldByTheEarlier => "Tokens are deleted by the earlier of clock and mark.",
            Self::LeaseTerm => {
                "Each change that a job makes checks the term of the job's lease, in the transaction of the \
                 change."
            }
            Self::OccurrenceByDatabase => {
                "Whether an occurrence is due is decided by the database's clock."
            }
            Self::EventInTransaction => {
                "The audit event of a change is written in the transaction of the change."
            }
            Self::LockIsWrite => {
                "A lock that a guarantee depends on is a write of a value that changes."
            }
            Self::ParentLocked => {
                "A creation by a token reads that token again, under the lock that its revocation takes."
            }
            Self::ReadableFrom => {
                "Before a token is made weaker or created restricted, versions that would misread it are kept out."
            }
            Self::RowWithVersions => {
                "A look-up reads a token, and which versions may use the store, in one statement."
            }
            Self::FeatureWait => {
                "The first use of such a feature waits for as long as a cache may be trusted."
            }
            Self::LineLocked => "A rotation reads and writes its line under the owner's lock.",
            Self::PresentedRead => {
                "A token by which a change is made is read again in the transaction of the change: not revoked, not disabled, not ended."
            }
            Self::PredecessorsTakenAlong => {
                "Revoking or disabling a token includes the tokens that it replaced."
            }
            Self::LaterReplaced => {
                "A rotation also replaces every token that came after the rotated one, even a disabled one."
            }
            Self::RotatedAgain => "A replaced token can be rotated again until it ends.",
            Self::EndKept => "Rotating a replaced token again leaves its end where it is.",
            Self::OwnEnd => {
                "The life of a successor does not depend on the end that its predecessor got when it was replaced."
            }
            Self::LineCountsOnce => {
                "A line counts as one token as long as any of its tokens is live."
            }
            Self::AdministratorsAct => {
                "A token that the owner has disabled can be disabled by an administrator, and is then an administrator's."
            }
            Self::DisabledAgain => {
                "Disabling a token that is disabled already is an act of its own."
            }
            Self::ActsDiffer => "Each act of disabling has a time of its own in its line.",
            Self::AdoptedByNext => {
                "The children of a pruned token that was replaced go to the next token of its line."
            }
            Self::LineStopped => {
                "A line is not rotated while a live token of it is disabled by an administrator."
            }
            Self::ReplacingInFeed => {
                "Replacing or disabling a token appends a change to the feed, in the same transaction."
            }
            Self::EnablingInFeed => {
                "Enabling a token appends a change to the feed, in the same transaction."
            }
            Self::DisabledHasEpoch => {
                "A cached refusal of a disabled token carries the epoch from before its query."
            }
            Self::NoneAfterAnswer => {
                "Disabling or enabling a token begins no transaction after it was answered."
            }
            Self::ChangeWithVersions => {
                "A change reads, under its locks, which versions may use the store."
            }
        }
    }

    /// What the model does without it.
    #[must_use]
    pub fn without(self) -> &'static str {
        match self {
            Self::CommitBeforeBump => "the epochs are bumped before the commit",
            Self::EpochBeforeQuery => "the epoch is read when the answer is there",
            Self::RefusalHasEpoch => "a refusal is cached without an epoch",
            Self::FreshnessFromSending => "freshness counts from when the answer came",
            Self::Nonce => "the nonce is not compared",
            Self::ReportBeforePoll => "the report comes after the poll",
            Self::ReportIsYoung => "a poll counts however long ago the report before it was",
            Self::ReportBeforeTrust => "the cache is trusted before the report",
            Self::DriftAllowance => "the wait has no allowance for slow clocks",
            Self::Durability => "an acknowledged commit may be lost",
            Self::MarkByBootClock => "the mark is moved by a leap",
            Self::MarkOverServers => "each of two servers' clocks is believed",
            Self::DistanceFromSending => "the distance counts from the answer's end",
            Self::OldByTheEarlier => "tokens are deleted by the later of clock and mark",
            Self::LeaseTerm => "a lease has no term",
            Self::OccurrenceByDatabase => "an occurrence goes by the machine's clock",
            Self::EventInTransaction => "the event is written after the commit",
            Self::LockIsWrite => "the lock is a SELECT … FOR UPDATE",
            Self::ParentLocked => {
                "a creation by a token believes what the token was when it was presented"
            }
            Self::ReadableFrom => "an older version reads a weaker token",
            Self::RowWithVersions => "a look-up reads first which versions may, and then the token",
            Self::FeatureWait => "a feature is used at once",
            Self::LineLocked => "a rotation reads its line without a lock",
            Self::PresentedRead => {
                "a change by a token believes what the token was when it was presented"
            }
            Self::PredecessorsTakenAlong => {
                "revoking or disabling a token concerns no other token of its line"
            }
            Self::LaterReplaced => "a rotation passes over disabled tokens",
            Self::RotatedAgain => "a token is rotated once",
            Self::EndKept => "each rotation gives the token a new overlap",
            Self::OwnEnd => "the successor of a replaced token ends with it",
            Self::LineCountsOnce => "replaced tokens do not count",
            Self::AdministratorsAct => "who disables a disabled token changes nothing",
            Self::DisabledAgain => "disabling a disabled token does nothing",
            Self::ActsDiffer => "two acts of disabling may have the same time",
            Self::AdoptedByNext => {
                "the children of a pruned token go to the newest token of its line"
            }
            Self::LineStopped => "a line is rotated whatever an administrator has disabled",
            Self::ReplacingInFeed => {
                "the change feed says nothing of a token that is replaced or disabled"
            }
            Self::EnablingInFeed => "the change feed says nothing of a token that is enabled",
            Self::DisabledHasEpoch => "the refusal of a disabled token is cached without an epoch",
            Self::NoneAfterAnswer => "a change that was answered with \"perhaps\" is made later",
            Self::ChangeWithVersions => "an older version changes what it may not read",
        }
    }

    /// Where it matters.
    #[must_use]
    pub fn part(self) -> Part {
        match self {
            Self::CommitBeforeBump | Self::EpochBeforeQuery | Self::RefusalHasEpoch => {
                Part::Acknowledgement
            }
            Self::FreshnessFromSending
            | Self::Nonce
            | Self::ReportBeforePoll
            | Self::ReportIsYoung
            | Self::ReportBeforeTrust
            | Self::DriftAllowance
            | Self::Durability => Part::Staleness,
            Self::MarkByBootClock
            | Self::MarkOverServers
            | Self::DistanceFromSending
            | Self::OldByTheEarlier => Part::Clocks,
            Self::LeaseTerm | Self::OccurrenceByDatabase | Self::EventInTransaction => Part::Jobs,
            Self::LockIsWrite | Self::ParentLocked => Part::Locks,
            Self::ReadableFrom
            | Self::RowWithVersions
            | Self::FeatureWait
            | Self::ChangeWithVersions => Part::Versions,
            Self::LineLocked
            | Self::PresentedRead
            | Self::PredecessorsTakenAlong
            | Self::LaterReplaced
            | Self::RotatedAgain
            | Self::EndKept
            | Self::OwnEnd
            | Self::LineCountsOnce
            | Self::AdministratorsAct
            | Self::ActsDiffer
            | Self::DisabledAgain
            | Self::AdoptedByNext
            | Self::LineStopped => Part::Lines,
            Self::ReplacingInFeed
            | Self::EnablingInFeed
            | Self::DisabledHasEpoch
            | Self::NoneAfterAnswer => Part::Disabling,
        }
    }
}

/// The assumption that a model is explored without, if any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Without(pub Option<Assumption>);

impl Without {
    /// Whether this assumption does not hold.
    pub(crate) fn lacks(self, assumption: Assumption) -> bool {
        self.0 == Some(assumption)
    }
}
