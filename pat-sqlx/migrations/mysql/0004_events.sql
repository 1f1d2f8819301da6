-- Audit events, if the store is plugged in as a sink of them.
CREATE TABLE IF NOT EXISTS pat_event (
    id         BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       VARCHAR(255) NOT NULL,            -- created, first-used, refused, revoked, pruned,
                                                 -- notified, notice-dead, owner-changed
    token_id   BIGINT,
    owner      VARCHAR(255),
    revoked_by VARCHAR(255),
    reason     MEDIUMTEXT,
    related_id BIGINT,                           -- the parent token, or the notice
    number     BIGINT NOT NULL,                  -- how many it stands for
    INDEX pat_event_by_time (at),
    INDEX pat_event_by_owner (owner, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
