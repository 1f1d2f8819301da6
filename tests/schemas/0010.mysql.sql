CREATE TABLE pat_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL);

-- Times are UTC microseconds since 1970. The collations compare text byte by byte, trailing spaces
-- included; MariaDB and MySQL have no common one, so each reads the comment that is its own. All
-- that one table has is made in one statement, which is done once however often it runs.

CREATE TABLE IF NOT EXISTS pat_token (
    id            BIGINT NOT NULL PRIMARY KEY,
    digest        BINARY(32) NOT NULL UNIQUE,    -- SHA-256 of the token, 32 bytes
    owner         VARCHAR(255) NOT NULL,
    name          TEXT NOT NULL,
    name_folded   VARCHAR(512) NOT NULL,         -- as it is searched and sorted by
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,                        -- NULL: never
    revoked_at    BIGINT,                        -- NULL: not revoked
    revoked_by    VARCHAR(255),
    revoke_reason MEDIUMTEXT,
    parent_id     BIGINT,                        -- the token that created this one
    expiry_notice BIGINT NOT NULL DEFAULT 0,     -- which notice of expiry was queued last: 0 none,
                                                 -- 2 "expires soon", 3 "expired" (pat_notice.kind)
    expires_key   BIGINT AS (COALESCE(expires_at, 253402207200999999)) STORED,
                                                 -- the last instant of all if there is none;
                                                 -- not VIRTUAL: by an index of such a column
                                                 -- MariaDB (10.11, 11.8) misses rows beside those that
                                                 -- others change
    INDEX pat_token_by_owner (owner, created_at DESC, id),
    INDEX pat_token_by_name (name_folded, created_at DESC, id),
    INDEX pat_token_by_creation (created_at, id),
    INDEX pat_token_by_end (expires_key, created_at DESC, id),
    INDEX pat_token_by_parent (parent_id),
    INDEX pat_token_by_expiry (expiry_notice, expires_at),
    INDEX pat_token_by_revocation (revoked_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- A row for each token, in a table of its own: written in batches, and seldom with the rest of a
-- token's row.
CREATE TABLE IF NOT EXISTS pat_last_used (
    token_id     BIGINT NOT NULL PRIMARY KEY,
    created_at   BIGINT NOT NULL,                -- the token's
    last_used_at BIGINT NOT NULL,                -- 0: never
    INDEX pat_last_used_by_time (last_used_at, created_at DESC, token_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- A row to lock while an owner's tokens are counted.
CREATE TABLE IF NOT EXISTS pat_owner (
    owner VARCHAR(255) NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- The change counter: moved as the last step of every transaction that makes access smaller.
CREATE TABLE IF NOT EXISTS pat_clock (
    id  BIGINT NOT NULL PRIMARY KEY,
    gen BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
INSERT INTO pat_clock (id, gen) VALUES (1, 0) ON DUPLICATE KEY UPDATE gen = gen;

-- What changed at each value of the counter.
CREATE TABLE IF NOT EXISTS pat_change (
    gen      BIGINT NOT NULL,
    item     BIGINT NOT NULL,                    -- 0, 1, … within one gen
    nonce    BIGINT NOT NULL,                    -- random, one for each gen
    kind     BIGINT NOT NULL,                    -- 1: token_id was revoked, 2: owner changed,
                                                 -- 3: everything is to be judged anew
    token_id BIGINT,
    owner    VARCHAR(255),
    at       BIGINT NOT NULL,
    PRIMARY KEY (gen, item)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (1, 'tokens', TRUE,
    X'fc984051277165f03b3961505b0a3fea0bf8139e2b24081df89bd5317791ddfdb4e4746de1ba6acca96a9443a6cc894d', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (2, 'jobs', TRUE,
    X'6e3c9815ad0d70d97b2461de62be91c8e3cd9450cef39d186f902d9a33dd64ee9694dfff96a1dd26d13558c6d942522d', 0);

-- The nodes that use their caches, and how far each has applied the change feed.
CREATE TABLE IF NOT EXISTS pat_node (
    id          BIGINT NOT NULL PRIMARY KEY,
    applied_gen BIGINT NOT NULL,
    reported_at BIGINT NOT NULL
) ENGINE = InnoDB;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (3, 'nodes', TRUE,
    X'ad7403bc0f3d4967b1f556f39c8bb55ba5c83bcb786d5c03e821949a065fd448574c4c6fff0f60249f397128c1a85da6', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (4, 'events', TRUE,
    X'e3a699bf2b4b9a2357dfa90cff1c01e98d2e897dfeec99d42e1e9b0597a4ed4a4cd05910f5296d9b1d641a1081dc0d9a', 0);

-- MySQL has no `ADD COLUMN IF NOT EXISTS`, and undoes no change of a table. So each table is asked
-- whether it has its new columns, all of which come in one statement.

-- The mark: a time that the database vouches for. It follows the server's clock no faster than the
-- nodes' boot clocks explain, so what is deleted for its age is old by more than one clock.
-- Then, which version of this schema the tables have, and the oldest one that may read them.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_clock' AND column_name = 'mark');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_clock
    ADD COLUMN mark BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN version BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN readable_from BIGINT NOT NULL DEFAULT 0');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
UPDATE pat_clock SET version = 5 WHERE id = 1 AND version < 5;
-- Tokens were created and used by then, unless the clock says otherwise.
UPDATE pat_clock SET mark = LEAST(
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)),
    GREATEST((SELECT COALESCE(MAX(created_at), 0) FROM pat_token),
             (SELECT COALESCE(MAX(last_used_at), 0) FROM pat_last_used)))
    WHERE id = 1 AND mark = 0;

-- `mode` says when the node reports: 0 every ten seconds, 1 after each change too, 2 so and it waits
-- for others.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_node' AND column_name = 'version');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_node
    ADD COLUMN version BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN mode BIGINT NOT NULL DEFAULT 0');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;

-- `seq` is counted up by whoever must keep others out: a write that changes the row is a lock on
-- every database, also on those that replicate writes and not locks. `missing_since` says since
-- when the directory does not know the owner; NULL while it does.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_owner' AND column_name = 'seq');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_owner
    ADD COLUMN seq BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN missing_since BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_lease' AND column_name = 'seq');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_lease
    ADD COLUMN seq BIGINT NOT NULL DEFAULT 0');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;

-- The events of changes are written with the changes. `seq` is 0 until an event that is committed is
-- numbered, and -1 for those from before, which nobody waits for. `expires_at` is of a new token,
-- `notice` the kind of a notice.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_event' AND column_name = 'seq');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_event
    ADD COLUMN seq BIGINT NOT NULL DEFAULT -1,
    ADD COLUMN expires_at BIGINT,
    ADD COLUMN notice VARCHAR(255),
    ADD INDEX pat_event_by_seq (seq, at, id)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- Up to which event each shared sink has got them; '' has the number that was given last.
CREATE TABLE IF NOT EXISTS pat_sink (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
INSERT IGNORE INTO pat_sink (name, seq) VALUES ('', 0);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (5, 'time and audit', TRUE,
    X'7a2a116aa77ee8ca5a3c5b42e8da592bce75ebaaae6d3bee2a392afdc4a943cf0bccb266f13e3a7af4252c9a55526feb', 0);

-- As in version 5, each table is asked whether it has its new column.

-- Whether the node knows of no leap of the clock, or has seen it happen: then one that starts and finds
-- a leap must not believe that clock.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_node'
        AND column_name = 'contradicts_leap');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_node
    ADD COLUMN contradicts_leap BIGINT NOT NULL DEFAULT 0');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- How many tokens that were created with those of the notice go on authenticating.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_notice'
        AND column_name = 'live_children');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_notice
    ADD COLUMN live_children BIGINT NOT NULL DEFAULT 0');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
UPDATE pat_clock SET version = 6 WHERE id = 1 AND version < 6;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (6, 'leaps and children', TRUE,
    X'950c1f54a6b36d73e948290de3aa912fd5b67f46bc9f5ff9e7c3c15441cb95940a2b4d8aacc04bf549dbb59480455dac', 0);

-- As in version 5, each table is asked whether it has its new column.

-- The names of a token's scopes in alphabetical order, separated by spaces. NULL: the token is
-- unrestricted; '': it has an empty list, which permits nothing. Nullable columns at the end, so that no
-- row is rewritten. Their collation is that of the table.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND column_name = 'scopes');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token ADD COLUMN scopes TEXT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_notice_token' AND column_name = 'scopes');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_notice_token ADD COLUMN scopes TEXT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- Those of a new token.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_event' AND column_name = 'scopes');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_event ADD COLUMN scopes TEXT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
UPDATE pat_clock SET version = 7 WHERE id = 1 AND version < 7;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (7, 'scopes', TRUE,
    X'08f0726d7cc4b18603cbdc9267a4d02f93c14ed0a5ed3285e327c5272f81faf341df34d6456703aa66497ccbca72a8bb', 0);

-- As in version 5, each table is asked whether it has its new columns. Nullable columns at the end, so that
-- no row is rewritten. Their collation is that of the table.

-- `hint`: the last four characters of the token.
-- A line is a token, the one that replaced it, and so on. `line_id`: the first token of the line, NULL if
-- the token was never part of a rotation. `line_seq`: 0, 1, … in the order of the rotations.
-- `rotated_from`: the token that this one replaced.
-- `expires_at` is the end in force. When a token is replaced, it becomes the end of the overlap, and
-- `own_expires_at` keeps what it was (NULL: never). `replaced_at`: NULL if the token is not replaced.
-- `disabled_at`: NULL if the token is enabled. `disabled_by_admin`: 1 if only an administrator may enable it.
-- `reminded_days`: of the last reminder, the days before expiry. `unused_warned_at`: when it was announced
-- that the token will be revoked because nobody uses it. `imported_at`: from a table of the host.
-- `revocation_id`: random, one for each revocation.
-- `expiry_notice` may be 4: the token is replaced or short-lived. Nobody is told of its expiry, and it is
-- deleted soon after.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND column_name = 'revocation_id');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token
    ADD COLUMN description TEXT, ADD COLUMN hint VARCHAR(16), ADD COLUMN line_id BIGINT,
    ADD COLUMN line_seq BIGINT, ADD COLUMN rotated_from BIGINT, ADD COLUMN replaced_at BIGINT,
    ADD COLUMN own_expires_at BIGINT, ADD COLUMN disabled_at BIGINT,
    ADD COLUMN disabled_by VARCHAR(255), ADD COLUMN disabled_by_admin BIGINT,
    ADD COLUMN reminded_days BIGINT, ADD COLUMN unused_warned_at BIGINT,
    ADD COLUMN imported_at BIGINT, ADD COLUMN revocation_id BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
SET @pat = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND index_name = 'pat_token_by_line');
SET @pat = IF(@pat > 0, 'DO 0', 'CREATE INDEX pat_token_by_line ON pat_token (line_id)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- When the host saw the owner last.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_owner' AND column_name = 'seen_at');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_owner ADD COLUMN seen_at BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- Up to when the node's last uses are stored.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_node' AND column_name = 'flushed_at');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_node ADD COLUMN flushed_at BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_clock' AND column_name = 'lagging_node_forgotten_at');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_clock ADD COLUMN lagging_node_forgotten_at BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_event' AND column_name = 'revocation_id');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_event ADD COLUMN revocation_id BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;

-- Requests that clients may repeat, and the token that each created.
CREATE TABLE IF NOT EXISTS pat_idempotency (
    owner    VARCHAR(255) NOT NULL,
    idem_key VARCHAR(255) NOT NULL,
    request  BINARY(32) NOT NULL,                -- SHA-256 of method, path and body
    token_id BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (owner, idem_key),
    INDEX pat_idempotency_by_time (at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
UPDATE pat_clock SET version = 8 WHERE id = 1 AND version < 8;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (8, 'lines', TRUE,
    X'5dc977255952412b17053c08cbe41e23e264926103a16bb603b6296b9088d69f55d7fbd011e5f6ed6de74fdf9321a42a', 0);

-- As in version 5, each table is asked whether it has its new columns. Nullable columns at the end, so that
-- no row is rewritten. Their collation is that of the table.

-- `ends_at`: of a rotation, the end that it gave to the tokens in `reason`, unless their own end is earlier.
-- `client_address`, `user_agent`, `request_id`: of the request that made the change.
-- The indexes are for the history of a token: the events about it, and the rotations that replaced it.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_event' AND column_name = 'ends_at');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_event
    ADD COLUMN ends_at BIGINT, ADD COLUMN client_address VARCHAR(45),
    ADD COLUMN user_agent VARCHAR(255), ADD COLUMN request_id VARCHAR(128)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- In a statement of their own: with new columns in the same one, the table would be rewritten.
SET @pat = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'pat_event' AND index_name = 'pat_event_by_token');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_event
    ADD INDEX pat_event_by_token (token_id, at, id), ADD INDEX pat_event_by_related (related_id)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- From where the request came that the notification tells of.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_notice' AND column_name = 'client_address');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_notice ADD COLUMN client_address VARCHAR(45)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- A rotation reads of a line what comes after the rotated token, and what an administrator has disabled. Older
-- nodes name the index, so that it must not be missing in between.
SET @pat = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND index_name = 'pat_token_by_line'
        AND column_name = 'line_seq');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token DROP INDEX pat_token_by_line,
    ADD INDEX pat_token_by_line (line_id, disabled_by_admin, line_seq)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
UPDATE pat_clock SET version = 9 WHERE id = 1 AND version < 9;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (9, 'requests', TRUE,
    X'cf3fc4f4351e403cc11351c8fe583abd9e62cc296a41daf2011c1d790ad42f13f2b1006065170e99923753dd98bd0e39', 0);

-- As in version 5, each table is asked whether it has its new columns. A nullable column at the end, so that no
-- row is rewritten.

-- When the token was revoked, while the notice to its owner is still to be queued; NULL: there is none to queue.
SET @pat = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND column_name = 'notice_due_at');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token ADD COLUMN notice_due_at BIGINT');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- In a statement of its own: with a new column in the same one, the table would be rewritten.
SET @pat = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND index_name = 'pat_token_by_notice');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token
    ADD INDEX pat_token_by_notice (notice_due_at, owner)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
-- For an owner's list, which passes over revoked tokens; for the owners of unrevoked tokens. There are no indexes
-- of some rows, so the index of revocations gets the owner. It is replaced in one statement, because other
-- nodes name the index, so that it must not be missing in between.
SET @pat = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'pat_token' AND index_name = 'pat_token_by_revocation'
    AND column_name = 'owner');
SET @pat = IF(@pat > 0, 'DO 0', 'ALTER TABLE pat_token DROP INDEX pat_token_by_revocation,
    ADD INDEX pat_token_by_revocation (revoked_at, owner, id)');
PREPARE pat FROM @pat; EXECUTE pat; DEALLOCATE PREPARE pat;
UPDATE pat_clock SET version = 10 WHERE id = 1 AND version < 10;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (10, 'revocation notices', TRUE,
    X'c3d0d51ecf2e406d8a81bb12907aefc7f398416f13a607d1544389d150564b6216a4256eed713db1d36ec738950e868e', 0);
