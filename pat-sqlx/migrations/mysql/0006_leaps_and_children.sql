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
