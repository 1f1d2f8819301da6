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

-- The events of changes are written with the changes. `seq` is 0 until an event that is committed is
-- numbered, and -1 for those from before, which nobody waits for.
ALTER TABLE pat_event ADD COLUMN seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE pat_event ADD COLUMN expires_at BIGINT;                              -- of a new token
ALTER TABLE pat_event ADD COLUMN notice TEXT;                                    -- its kind
CREATE INDEX IF NOT EXISTS pat_event_by_seq ON pat_event (seq, at, id);
-- Up to which event each shared sink has got them; '' has the number that was given last.
CREATE TABLE IF NOT EXISTS pat_sink (
    name TEXT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT OR IGNORE INTO pat_sink (name, seq) VALUES ('', 0);
