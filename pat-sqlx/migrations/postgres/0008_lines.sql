-- Nullable columns without a default, so that no row is rewritten.

ALTER TABLE pat_token
    ADD COLUMN IF NOT EXISTS description TEXT COLLATE "C",
    ADD COLUMN IF NOT EXISTS hint TEXT COLLATE "C",          -- the last four characters of the token
    -- A line: a token, the one that replaced it, and so on. NULL: the token was never part of a rotation.
    ADD COLUMN IF NOT EXISTS line_id BIGINT,                 -- the first token of the line
    ADD COLUMN IF NOT EXISTS line_seq BIGINT,                -- 0, 1, … in the order of the rotations
    ADD COLUMN IF NOT EXISTS rotated_from BIGINT,            -- the token that this one replaced
    -- `expires_at` is the end in force. When a token is replaced, it becomes the end of the overlap, and
    -- `own_expires_at` keeps what it was.
    ADD COLUMN IF NOT EXISTS replaced_at BIGINT,             -- NULL: not replaced
    ADD COLUMN IF NOT EXISTS own_expires_at BIGINT,          -- of a replaced token; NULL: never
    ADD COLUMN IF NOT EXISTS disabled_at BIGINT,             -- NULL: enabled
    ADD COLUMN IF NOT EXISTS disabled_by TEXT COLLATE "C",
    ADD COLUMN IF NOT EXISTS disabled_by_admin BIGINT,       -- 1: only an administrator may enable it
    ADD COLUMN IF NOT EXISTS reminded_days BIGINT,           -- of the last reminder: days before expiry
    ADD COLUMN IF NOT EXISTS unused_warned_at BIGINT,        -- when it was announced that it will be
                                                             -- revoked because nobody uses it
    ADD COLUMN IF NOT EXISTS imported_at BIGINT,             -- from a table of the host
    ADD COLUMN IF NOT EXISTS revocation_id BIGINT;           -- random, one for each revocation
CREATE INDEX IF NOT EXISTS pat_token_by_line ON pat_token (line_id) WHERE line_id IS NOT NULL;
-- `expiry_notice` may be 4: the token is replaced or short-lived. Nobody is told of its expiry, and it is
-- deleted soon after.

ALTER TABLE pat_owner ADD COLUMN IF NOT EXISTS seen_at BIGINT;     -- when the host saw the owner last
ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS flushed_at BIGINT;   -- up to when its last uses are stored
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS lagging_node_forgotten_at BIGINT;
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS revocation_id BIGINT;

-- Requests that clients may repeat, and the token that each created.
CREATE TABLE IF NOT EXISTS pat_idempotency (
    owner    TEXT COLLATE "C" NOT NULL,
    idem_key TEXT COLLATE "C" NOT NULL,
    request  BYTEA NOT NULL,                                 -- SHA-256 of method, path and body
    token_id BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (owner, idem_key)
);
CREATE INDEX IF NOT EXISTS pat_idempotency_by_time ON pat_idempotency (at);
UPDATE pat_clock SET version = 8 WHERE id = 1 AND version < 8;
