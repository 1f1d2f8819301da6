-- The mark: a time that the file vouches for. It follows the machine's real-time clock no faster
-- than the boot clock explains, so what is deleted for its age is old by more than one clock.
ALTER TABLE pat_clock ADD COLUMN mark BIGINT NOT NULL DEFAULT 0;                 -- 0: not set
-- Which version of this schema the tables have, and the oldest one that may read them.
ALTER TABLE pat_clock ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_clock ADD COLUMN readable_from BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 5 WHERE id = 1 AND version < 5;
-- Tokens were created and used by then, unless the clock says otherwise.
UPDATE pat_clock SET mark = MIN(
    CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
    MAX((SELECT COALESCE(MAX(created_at), 0) FROM pat_token),
        (SELECT COALESCE(MAX(last_used_at), 0) FROM pat_last_used)))
    WHERE id = 1;

ALTER TABLE pat_node ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
-- When the node reports: 0 every ten seconds, 1 after each change too, 2 so and it waits for others.
ALTER TABLE pat_node ADD COLUMN mode BIGINT NOT NULL DEFAULT 0;

-- Counted up where a write must be a lock; here `BEGIN IMMEDIATE` is.
ALTER TABLE pat_owner ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_lease ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
-- Since when the directory does not know the owner; NULL while it does.
ALTER TABLE pat_owner ADD COLUMN missing_since BIGINT;
