-- Nullable columns without a default, so that no row is rewritten.

-- A rotation reads of a line what comes after the rotated token, and what an administrator has disabled. The new
-- index is made first, and replaces the old one last: that keeps readers out until the commit. Tokens are locked
-- before events, as by every change.
CREATE INDEX IF NOT EXISTS pat_token_by_place ON pat_token (line_id, disabled_by_admin, line_seq)
    WHERE line_id IS NOT NULL;
ALTER TABLE pat_event
    -- Of a rotation: the end that it gave to the tokens in `reason`, unless their own end is earlier.
    ADD COLUMN IF NOT EXISTS ends_at BIGINT,
    -- The request that made the change.
    ADD COLUMN IF NOT EXISTS client_address TEXT COLLATE "C",    -- at most 45 characters
    ADD COLUMN IF NOT EXISTS user_agent TEXT COLLATE "C",        -- at most 255 characters
    ADD COLUMN IF NOT EXISTS request_id TEXT COLLATE "C";        -- at most 128 characters
-- From where the request came that the notification tells of.
ALTER TABLE pat_notice ADD COLUMN IF NOT EXISTS client_address TEXT COLLATE "C";
-- For the history of a token: the events about it, and the rotations that replaced it.
CREATE INDEX IF NOT EXISTS pat_event_by_token ON pat_event (token_id, at, id);
CREATE INDEX IF NOT EXISTS pat_event_by_related ON pat_event (related_id);
DROP INDEX IF EXISTS pat_token_by_line;
ALTER INDEX pat_token_by_place RENAME TO pat_token_by_line;
UPDATE pat_clock SET version = 9 WHERE id = 1 AND version < 9;
