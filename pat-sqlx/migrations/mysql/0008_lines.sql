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
