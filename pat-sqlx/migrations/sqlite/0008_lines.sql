-- Nullable columns without a default, so that no row is rewritten.

ALTER TABLE pat_token ADD COLUMN description TEXT;
ALTER TABLE pat_token ADD COLUMN hint TEXT;                  -- the last four characters of the token
-- A line: a token, the one that replaced it, and so on. NULL: the token was never part of a rotation.
ALTER TABLE pat_token ADD COLUMN line_id BIGINT;             -- the first token of the line
ALTER TABLE pat_token ADD COLUMN line_seq BIGINT;            -- 0, 1, … in the order of the rotations
ALTER TABLE pat_token ADD COLUMN rotated_from BIGINT;        -- the token that this one replaced
-- `expires_at` is the end in force. When a token is replaced, it becomes the end of the overlap, and
-- `own_expires_at` keeps what it was.
ALTER TABLE pat_token ADD COLUMN replaced_at BIGINT;         -- NULL: not replaced
ALTER TABLE pat_token ADD COLUMN own_expires_at BIGINT;      -- of a replaced token; NULL: never
ALTER TABLE pat_token ADD COLUMN disabled_at BIGINT;         -- NULL: enabled
ALTER TABLE pat_token ADD COLUMN disabled_by TEXT;
ALTER TABLE pat_token ADD COLUMN disabled_by_admin BIGINT;   -- 1: only an administrator may enable it
ALTER TABLE pat_token ADD COLUMN reminded_days BIGINT;       -- of the last reminder: days before expiry
ALTER TABLE pat_token ADD COLUMN unused_warned_at BIGINT;    -- when it was announced that it will be
                                                             -- revoked because nobody uses it
ALTER TABLE pat_token ADD COLUMN imported_at BIGINT;         -- from a table of the host
ALTER TABLE pat_token ADD COLUMN revocation_id BIGINT;       -- random, one for each revocation
CREATE INDEX IF NOT EXISTS pat_token_by_line ON pat_token (line_id) WHERE line_id IS NOT NULL;
-- `expiry_notice` may be 4: the token is replaced or short-lived. Nobody is told of its expiry, and it is
-- deleted soon after.

ALTER TABLE pat_owner ADD COLUMN seen_at BIGINT;             -- when the host saw the owner last
ALTER TABLE pat_node ADD COLUMN flushed_at BIGINT;           -- up to when its last uses are stored
ALTER TABLE pat_clock ADD COLUMN lagging_node_forgotten_at BIGINT;
ALTER TABLE pat_event ADD COLUMN revocation_id BIGINT;

-- Requests that clients may repeat, and the token that each created.
CREATE TABLE IF NOT EXISTS pat_idempotency (
    owner    TEXT NOT NULL,
    idem_key TEXT NOT NULL,
    request  BLOB NOT NULL,                                  -- SHA-256 of method, path and body
    token_id BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (owner, idem_key)
);
CREATE INDEX IF NOT EXISTS pat_idempotency_by_time ON pat_idempotency (at);
UPDATE pat_clock SET version = 8 WHERE id = 1 AND version < 8;
