-- The mark: a time that the database vouches for. It follows the server's clock no faster than the
-- nodes' boot clocks explain, so what is deleted for its age is old by more than one clock.
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS mark BIGINT NOT NULL DEFAULT 0;    -- 0: not set
-- Which version of this schema the tables have, and the oldest one that may read them.
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS readable_from BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 5 WHERE id = 1 AND version < 5;
-- Tokens were created and used by then, unless the clock says otherwise.
UPDATE pat_clock SET mark = LEAST(
    (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT,
    GREATEST((SELECT COALESCE(MAX(created_at), 0) FROM pat_token),
             (SELECT COALESCE(MAX(last_used_at), 0) FROM pat_last_used)))
    WHERE id = 1 AND mark = 0;

ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS version BIGINT NOT NULL DEFAULT 0;
-- When the node reports: 0 every ten seconds, 1 after each change too, 2 so and it waits for others.
ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS mode BIGINT NOT NULL DEFAULT 0;

-- Counted up by whoever must keep others out: a write that changes the row is a lock on every
-- database, also on those that replicate writes and not locks.
ALTER TABLE pat_owner ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_lease ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT 0;
-- Since when the directory does not know the owner; NULL while it does.
ALTER TABLE pat_owner ADD COLUMN IF NOT EXISTS missing_since BIGINT;

-- The events of changes are written with the changes. `seq` is 0 until an event that is committed is
-- numbered, and -1 for those from before, which nobody waits for.
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS expires_at BIGINT;                 -- of a new token
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS notice TEXT COLLATE "C";           -- its kind
CREATE INDEX IF NOT EXISTS pat_event_by_seq ON pat_event (seq, at, id);
-- Up to which event each shared sink has got them; '' has the number that was given last.
CREATE TABLE IF NOT EXISTS pat_sink (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT INTO pat_sink (name, seq) VALUES ('', 0) ON CONFLICT (name) DO NOTHING;
