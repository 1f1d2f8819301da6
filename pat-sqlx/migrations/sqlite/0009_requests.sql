-- Nullable columns without a default, so that no row is rewritten.

-- Of a rotation: the end that it gave to the tokens in `reason`, unless their own end is earlier.
ALTER TABLE pat_event ADD COLUMN ends_at BIGINT;
-- The request that made the change.
ALTER TABLE pat_event ADD COLUMN client_address TEXT;        -- at most 45 characters
ALTER TABLE pat_event ADD COLUMN user_agent TEXT;            -- at most 255 characters
ALTER TABLE pat_event ADD COLUMN request_id TEXT;            -- at most 128 characters
-- From where the request came that the notification tells of.
ALTER TABLE pat_notice ADD COLUMN client_address TEXT;
-- A rotation reads of a line what comes after the rotated token, and what an administrator has disabled.
DROP INDEX IF EXISTS pat_token_by_line;
CREATE INDEX pat_token_by_line ON pat_token (line_id, disabled_by_admin, line_seq) WHERE line_id IS NOT NULL;
-- For the history of a token: the events about it, and the rotations that replaced it.
CREATE INDEX IF NOT EXISTS pat_event_by_token ON pat_event (token_id, at, id);
CREATE INDEX IF NOT EXISTS pat_event_by_related ON pat_event (related_id);
UPDATE pat_clock SET version = 9 WHERE id = 1 AND version < 9;
