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
