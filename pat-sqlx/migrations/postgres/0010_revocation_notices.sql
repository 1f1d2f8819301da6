-- A nullable column without a default, so that no row is rewritten.

-- When the token was revoked, while the notice to its owner is still to be queued; NULL: there is none to queue.
ALTER TABLE pat_token ADD COLUMN IF NOT EXISTS notice_due_at BIGINT;
CREATE INDEX IF NOT EXISTS pat_token_by_notice ON pat_token (notice_due_at, owner)
    WHERE notice_due_at IS NOT NULL;
-- For an owner's list, which passes over revoked tokens; for the owners of unrevoked tokens; for counts.
CREATE INDEX IF NOT EXISTS pat_token_unrevoked ON pat_token (owner, id) WHERE revoked_at IS NULL;
UPDATE pat_clock SET version = 10 WHERE id = 1 AND version < 10;
