-- Times are UTC microseconds since 1970. Text is compared byte by byte (SQLite's default).

CREATE TABLE IF NOT EXISTS pat_token (
    id            BIGINT NOT NULL PRIMARY KEY,
    digest        BLOB NOT NULL UNIQUE,          -- SHA-256 of the token, 32 bytes
    owner         TEXT NOT NULL,
    name          TEXT NOT NULL,
    name_folded   TEXT NOT NULL,                 -- as it is searched and sorted by
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,                        -- NULL: never
    revoked_at    BIGINT,                        -- NULL: not revoked
    revoked_by    TEXT,
    revoke_reason TEXT,
    parent_id     BIGINT,                        -- the token that created this one
    expiry_notice BIGINT NOT NULL DEFAULT 0,     -- which notice of expiry was queued last: 0 none,
                                                 -- 2 "expires soon", 3 "expired" (pat_notice.kind)
    expires_key   BIGINT AS (COALESCE(expires_at, 253402207200999999))
                                                 -- the last instant of all if there is none
);
CREATE INDEX IF NOT EXISTS pat_token_by_owner ON pat_token (owner, created_at DESC, id);
CREATE INDEX IF NOT EXISTS pat_token_by_name ON pat_token (name_folded, created_at DESC, id);
CREATE INDEX IF NOT EXISTS pat_token_by_creation ON pat_token (created_at, id);
CREATE INDEX IF NOT EXISTS pat_token_by_end ON pat_token (expires_key, created_at DESC, id);
CREATE INDEX IF NOT EXISTS pat_token_by_parent ON pat_token (parent_id);
CREATE INDEX IF NOT EXISTS pat_token_by_expiry ON pat_token (expiry_notice, expires_at);
CREATE INDEX IF NOT EXISTS pat_token_by_revocation ON pat_token (revoked_at);

-- A row for each token, in a table of its own: written in batches, and seldom with the rest of a
-- token's row.
CREATE TABLE IF NOT EXISTS pat_last_used (
    token_id     BIGINT NOT NULL PRIMARY KEY,
    created_at   BIGINT NOT NULL,                -- the token's
    last_used_at BIGINT NOT NULL                 -- 0: never
);
CREATE INDEX IF NOT EXISTS pat_last_used_by_time ON pat_last_used (last_used_at, created_at DESC, token_id);

-- A row to lock while an owner's tokens are counted.
CREATE TABLE IF NOT EXISTS pat_owner (
    owner TEXT NOT NULL PRIMARY KEY
);

-- The change counter: moved as the last step of every transaction that makes access smaller.
CREATE TABLE IF NOT EXISTS pat_clock (
    id  BIGINT NOT NULL PRIMARY KEY,
    gen BIGINT NOT NULL
);
INSERT INTO pat_clock (id, gen) VALUES (1, 0) ON CONFLICT DO NOTHING;

-- What changed at each value of the counter.
CREATE TABLE IF NOT EXISTS pat_change (
    gen      BIGINT NOT NULL,
    item     BIGINT NOT NULL,                    -- 0, 1, … within one gen
    nonce    BIGINT NOT NULL,                    -- random, one for each gen
    kind     BIGINT NOT NULL,                    -- 1: token_id was revoked, 2: owner changed,
                                                 -- 3: everything is to be judged anew
    token_id BIGINT,
    owner    TEXT,
    at       BIGINT NOT NULL,
    PRIMARY KEY (gen, item)
);
