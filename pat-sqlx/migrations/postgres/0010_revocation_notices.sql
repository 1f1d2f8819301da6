-- A nullable column without a default, so that no row is rewritten.

-- When the token was revoked, while the notice to its owner is still to be queued; NULL: there is none to queue.
ALTER TABLE pat_token ADD COLUMN IF NOT EXISTS notice_due_at BIGINT;
CREATE INDEX IF NOT EXISTS pat_token_by_notice ON pat_token (notice_due_at, owner)
    WHERE notice_due_at IS NOT NULL;
UPDATE pat_clock SET version = 10 WHERE id = 1 AND version < 10;
