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
