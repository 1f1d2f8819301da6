//! Which function does what an action of the models stands for.
//!
//! A test searches the sources for these, and others replay runs of [`crate::staleness`] on real
//! nodes (`tests/conformance.rs`).

use crate::Part;

/// An action, or several that belong together, and the function that implements it.
#[derive(Debug, Clone, Copy)]
pub struct Implemented {
    /// The part.
    pub part: Part,
    /// The actions, as the part calls them.
    pub actions: &'static str,
    /// The file, from the workspace's folder on.
    pub file: &'static str,
    /// The function.
    pub function: &'static str,
}

const fn row(
    part: Part,
    actions: &'static str,
    file: &'static str,
    function: &'static str,
) -> Implemented {
    Implemented {
        part,
        actions,
        file,
        function,
    }
}

/// All of them.
pub const IMPLEMENTED: &[Implemented] = &[
    row(
        Part::Acknowledgement,
        "Start",
        "pat-core/src/auth/epochs.rs",
        "current",
    ),
    row(
        Part::Acknowledgement,
        "Read",
        "pat-core/src/auth/mod.rs",
        "evaluate",
    ),
    row(
        Part::Acknowledgement,
        "Answer",
        "pat-core/src/auth/mod.rs",
        "load",
    ),
    row(
        Part::Acknowledgement,
        "Answer (joined)",
        "pat-core/src/auth/mod.rs",
        "is_recent_enough",
    ),
    row(
        Part::Acknowledgement,
        "Ask, Acknowledge",
        "pat-core/src/node/revocation.rs",
        "revoke_now",
    ),
    row(
        Part::Acknowledgement,
        "Ask (owner)",
        "pat-core/src/service/revoke.rs",
        "user_changed",
    ),
    row(
        Part::Acknowledgement,
        "Commit",
        "pat-sqlx/src/write/mod.rs",
        "commit",
    ),
    row(
        Part::Acknowledgement,
        "Bump, AnswerLost",
        "pat-core/src/node/revocation.rs",
        "bump_epochs",
    ),
    row(
        Part::Staleness,
        "Commit",
        "pat-sqlx/src/write/tokens.rs",
        "append_changes",
    ),
    row(
        Part::Staleness,
        "Listen",
        "pat-core/src/cluster/nodes.rs",
        "all_know",
    ),
    row(
        Part::Staleness,
        "Acknowledge",
        "pat-core/src/node/revocation.rs",
        "wait_for_cluster",
    ),
    row(
        Part::Staleness,
        "Begin, Send, ReadFeed",
        "pat-core/src/cluster/mod.rs",
        "poll",
    ),
    row(
        Part::Staleness,
        "Apply",
        "pat-core/src/cluster/mod.rs",
        "apply",
    ),
    row(
        Part::Staleness,
        "Apply (nonce)",
        "pat-core/src/cluster/mod.rs",
        "continuity",
    ),
    row(
        Part::Staleness,
        "Report, ReportLate",
        "pat-core/src/cluster/mod.rs",
        "report",
    ),
    row(
        Part::Staleness,
        "LateArrives",
        "pat-sqlx/src/write/nodes.rs",
        "put_node",
    ),
    row(
        Part::Staleness,
        "Trust",
        "pat-core/src/auth/epochs.rs",
        "extend_until",
    ),
    row(
        Part::Clocks,
        "Report",
        "pat-sqlx/src/write/clock.rs",
        "move_mark",
    ),
    row(
        Part::Clocks,
        "Report (bounds)",
        "pat-core/src/clock/time/mod.rs",
        "mark_bounds",
    ),
    row(
        Part::Clocks,
        "Answer",
        "pat-core/src/clock/time/mod.rs",
        "measure",
    ),
    row(
        Part::Clocks,
        "Answer (the token)",
        "pat-core/src/auth/mod.rs",
        "principal_of",
    ),
    row(
        Part::Clocks,
        "Prune",
        "pat-sqlx/src/write/clock.rs",
        "cutoff",
    ),
    row(
        Part::Jobs,
        "Acquire",
        "pat-sqlx/src/write/jobs.rs",
        "lock_lease",
    ),
    row(
        Part::Jobs,
        "Acquire (due)",
        "pat-core/src/jobs/scheduling.rs",
        "occurrence",
    ),
    row(
        Part::Jobs,
        "Renew, GiveUp",
        "pat-core/src/jobs/lease.rs",
        "heartbeat",
    ),
    row(Part::Jobs, "Look", "pat-core/src/jobs/prune.rs", "run"),
    row(
        Part::Jobs,
        "Check, Commit",
        "pat-sqlx/src/write/jobs.rs",
        "holds",
    ),
    row(
        Part::Jobs,
        "Commit (event)",
        "pat-sqlx/src/write/events.rs",
        "insert_events",
    ),
    row(Part::Jobs, "End", "pat-core/src/jobs/lease.rs", "end"),
    row(
        Part::Locks,
        "Lock",
        "pat-sqlx/src/write/tokens.rs",
        "lock_owners",
    ),
    row(
        Part::Locks,
        "Read, Commit",
        "pat-sqlx/src/write/tokens.rs",
        "lock_owners_of_new",
    ),
    row(
        Part::Versions,
        "FindNone",
        "pat-core/src/cluster/features.rs",
        "has_older_nodes",
    ),
    row(
        Part::Versions,
        "KeepOut",
        "pat-core/src/cluster/features.rs",
        "keep_older_out",
    ),
    row(
        Part::Versions,
        "Weaken",
        "pat-core/src/cluster/features.rs",
        "until_usable",
    ),
    row(
        Part::Versions,
        "Weaken (created restricted)",
        "pat-core/src/service/tokens.rs",
        "make_usable",
    ),
    row(
        Part::Versions,
        "ReadRow",
        "pat-sqlx/src/tokens.rs",
        "try_find_by_digest",
    ),
    row(
        Part::Versions,
        "Apply, Answer",
        "pat-core/src/auth/mod.rs",
        "observe_versions",
    ),
    row(
        Part::Lines,
        "Rotate",
        "pat-core/src/store/rotation.rs",
        "decide",
    ),
    row(
        Part::Lines,
        "Rotate (transaction)",
        "pat-sqlx/src/tokens.rs",
        "try_rotate",
    ),
    row(
        Part::Lines,
        "Rotate (line)",
        "pat-sqlx/src/write/updates.rs",
        "lock_rotated",
    ),
    row(
        Part::Lines,
        "Disable, Enable (line)",
        "pat-sqlx/src/write/updates.rs",
        "lock_line",
    ),
    row(
        Part::Lines,
        "Rotate (successor)",
        "pat-sqlx/src/write/lines.rs",
        "mark_replaced",
    ),
    row(
        Part::Lines,
        "Revoke",
        "pat-sqlx/src/write/lines.rs",
        "lock_with_line",
    ),
    row(
        Part::Lines,
        "Disable, Enable",
        "pat-core/src/store/update.rs",
        "effect",
    ),
    row(
        Part::Lines,
        "Disable",
        "pat-core/src/store/update.rs",
        "disabling",
    ),
    row(
        Part::Lines,
        "Enable",
        "pat-core/src/store/update.rs",
        "enabling",
    ),
    row(
        Part::Lines,
        "CreateOther",
        "pat-sqlx/src/write/tokens.rs",
        "count_tokens",
    ),
    row(Part::Lines, "Ask", "pat-core/src/auth/mod.rs", "evaluate"),
    row(
        Part::Lines,
        "Run (creation)",
        "pat-sqlx/src/write/tokens.rs",
        "is_valid_parent",
    ),
    row(
        Part::Lines,
        "Run (rotation)",
        "pat-core/src/token/record.rs",
        "validity",
    ),
    row(
        Part::Lines,
        "Run (enabling)",
        "pat-sqlx/src/write/updates.rs",
        "is_valid_presented",
    ),
    row(
        Part::Lines,
        "Prune",
        "pat-sqlx/src/write/descendants.rs",
        "adopt_children",
    ),
    row(
        Part::Disabling,
        "Ask, Acknowledge",
        "pat-core/src/service/update.rs",
        "update_now",
    ),
    row(
        Part::Disabling,
        "Ask, Acknowledge (replacing)",
        "pat-core/src/service/rotate.rs",
        "rotate_now",
    ),
    row(
        Part::Disabling,
        "Commit",
        "pat-sqlx/src/write/updates.rs",
        "put_update",
    ),
    row(
        Part::Disabling,
        "Commit (replacing)",
        "pat-sqlx/src/tokens.rs",
        "try_rotate",
    ),
    row(
        Part::Disabling,
        "Bump, AnswerLost, GiveUp",
        "pat-core/src/service/update.rs",
        "update",
    ),
    row(
        Part::Disabling,
        "Bump, AnswerLost (replacing)",
        "pat-core/src/service/rotate.rs",
        "rotate",
    ),
    row(
        Part::Disabling,
        "Start, Read, Load",
        "pat-core/src/auth/mod.rs",
        "evaluate",
    ),
    row(
        Part::Disabling,
        "Answer",
        "pat-core/src/auth/mod.rs",
        "load",
    ),
    row(
        Part::Disabling,
        "Answer (refusal)",
        "pat-core/src/auth/mod.rs",
        "find_refusal",
    ),
    row(
        Part::Disabling,
        "Poll, ReadFeed",
        "pat-core/src/cluster/mod.rs",
        "poll",
    ),
    row(
        Part::Disabling,
        "Apply",
        "pat-core/src/cluster/mod.rs",
        "apply",
    ),
];
