-- The names of a token's scopes in alphabetical order, separated by spaces. NULL: the token is
-- unrestricted; '': it has an empty list, which permits nothing. Nullable columns without a default, so
-- that no row is rewritten.
ALTER TABLE pat_token ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";
ALTER TABLE pat_notice_token ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";           -- of a new token
UPDATE pat_clock SET version = 7 WHERE id = 1 AND version < 7;
