-- Whether the node knows of no leap of the clock, or has seen it happen: then one that starts and finds
-- a leap must not believe that clock.
ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS contradicts_leap BIGINT NOT NULL DEFAULT 0;
-- How many tokens that were created with those of the notice go on authenticating.
ALTER TABLE pat_notice ADD COLUMN IF NOT EXISTS live_children BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 6 WHERE id = 1 AND version < 6;
