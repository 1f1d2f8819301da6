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
