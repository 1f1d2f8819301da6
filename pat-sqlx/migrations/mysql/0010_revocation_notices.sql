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
