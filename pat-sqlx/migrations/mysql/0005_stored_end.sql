-- Stored, not virtual: MariaDB (10.11 and 11.8) now and then passes over the last row of a range of an
-- index with a virtual column, while others add rows right behind the range. A page of the tokens that
-- expire last would lack one.
ALTER TABLE pat_token
    DROP INDEX pat_token_by_end,
    DROP COLUMN expires_key,
    ADD COLUMN expires_key BIGINT AS (COALESCE(expires_at, 253402207200999999)) STORED,
                                                 -- the last instant of all if there is none
    ADD INDEX pat_token_by_end (expires_key, created_at DESC, id);
