-- Who runs a job: whoever made the latest term.
CREATE TABLE IF NOT EXISTS pat_lease (
    job        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    term       BIGINT NOT NULL,
    held_until BIGINT NOT NULL,                  -- 0: nobody holds it
    done       BIGINT NOT NULL                   -- the latest occurrence that is done; 0: none
);

-- The outbox: one row for each notice to one owner.
CREATE TABLE IF NOT EXISTS pat_notice (
    id         BIGINT NOT NULL PRIMARY KEY,
    kind       BIGINT NOT NULL,                  -- 1 created, 2 expires soon, 3 expired, 4 pruned,
                                                 -- 5 revoked by an administrator
    owner      TEXT COLLATE "C" NOT NULL,
    revoked_by TEXT COLLATE "C",
    reason     TEXT COLLATE "C",
    queued_at  BIGINT NOT NULL,
    state      BIGINT NOT NULL,                  -- 0 pending, 1 sent, 2 dead, 3 skipped
    due_at     BIGINT NOT NULL,                  -- when to try (again), or when it was settled
    attempts   BIGINT NOT NULL,
    mark       BIGINT NOT NULL,                  -- of the claim; 0: not claimed
    sent_by    TEXT COLLATE "C" NOT NULL,        -- mailers that have sent it, separated by commas
    error      TEXT COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS pat_notice_by_state ON pat_notice (state, due_at);

-- The tokens that a notice tells of, as they were when it was queued.
CREATE TABLE IF NOT EXISTS pat_notice_token (
    notice_id    BIGINT NOT NULL,
    token_id     BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,                -- 0: never
    last_used_at BIGINT,
    PRIMARY KEY (token_id, kind, expires_at)     -- nobody is told the same thing twice
);
CREATE INDEX IF NOT EXISTS pat_notice_token_by_notice ON pat_notice_token (notice_id);
