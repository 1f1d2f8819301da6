-- Nullable columns without a default, so that no row is rewritten.

ALTER TABLE pat_event
    -- Of a rotation: the end that it gave to the tokens in `reason`, unless their own end is earlier.
    ADD COLUMN IF NOT EXISTS ends_at BIGINT,
    -- The request that made the change.
    ADD COLUMN IF NOT EXISTS client_address TEXT COLLATE "C",    -- at most 45 characters
    ADD COLUMN IF NOT EXISTS user_agent TEXT COLLATE "C",        -- at most 255 characters
    ADD COLUMN IF NOT EXISTS request_id TEXT COLLATE "C";        -- at most 128 characters
-- From where the request came that the notification tells of.
ALTER TABLE pat_notice ADD COLUMN IF NOT EXISTS client_address TEXT COLLATE "C";
UPDATE pat_clock SET version = 9 WHERE id = 1 AND version < 9;
