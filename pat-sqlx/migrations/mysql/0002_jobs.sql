-- Who runs a job: whoever made the latest term.
CREATE TABLE IF NOT EXISTS pat_lease (
    job        VARCHAR(255) NOT NULL PRIMARY KEY,
    term       BIGINT NOT NULL,
    held_until BIGINT NOT NULL,                  -- 0: nobody holds it
    done       BIGINT NOT NULL                   -- the latest occurrence that is done; 0: none
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- The outbox: one row for each notice to one owner.
CREATE TABLE IF NOT EXISTS pat_notice (
    id         BIGINT NOT NULL PRIMARY KEY,
    kind       BIGINT NOT NULL,                  -- 1 created, 2 expires soon, 3 expired, 4 pruned,
                                                 -- 5 revoked by an administrator
    owner      VARCHAR(255) NOT NULL,
    revoked_by VARCHAR(255),
    reason     MEDIUMTEXT,
    queued_at  BIGINT NOT NULL,
    state      BIGINT NOT NULL,                  -- 0 pending, 1 sent, 2 dead, 3 skipped
    due_at     BIGINT NOT NULL,                  -- when to try (again), or when it was settled
    attempts   BIGINT NOT NULL,
    mark       BIGINT NOT NULL,                  -- of the claim; 0: not claimed
    sent_by    MEDIUMTEXT NOT NULL,              -- mailers that have sent it, separated by commas
    error      MEDIUMTEXT NOT NULL,
    INDEX pat_notice_by_state (state, due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- The tokens that a notice tells of, as they were when it was queued.
CREATE TABLE IF NOT EXISTS pat_notice_token (
    notice_id    BIGINT NOT NULL,
    token_id     BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    name         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,                -- 0: never
    last_used_at BIGINT,
    PRIMARY KEY (token_id, kind, expires_at),    -- nobody is told the same thing twice
    INDEX pat_notice_token_by_notice (notice_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
