CREATE TABLE pat_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL);

-- Times are UTC microseconds since 1970. COLLATE "C" compares text byte by byte.

CREATE TABLE IF NOT EXISTS pat_token (
    id            BIGINT NOT NULL PRIMARY KEY,
    digest        BYTEA NOT NULL UNIQUE,         -- SHA-256 of the token, 32 bytes
    owner         TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    name_folded   TEXT COLLATE "C" NOT NULL,     -- as it is searched and sorted by
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,                        -- NULL: never
    revoked_at    BIGINT,                        -- NULL: not revoked
    revoked_by    TEXT COLLATE "C",
    revoke_reason TEXT COLLATE "C",
    parent_id     BIGINT,                        -- the token that created this one
    expiry_notice BIGINT NOT NULL DEFAULT 0,     -- which notice of expiry was queued last: 0 none,
                                                 -- 2 "expires soon", 3 "expired" (pat_notice.kind)
    expires_key   BIGINT GENERATED ALWAYS AS (COALESCE(expires_at, 253402207200999999)) STORED
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
    owner TEXT COLLATE "C" NOT NULL PRIMARY KEY
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
    owner    TEXT COLLATE "C",
    at       BIGINT NOT NULL,
    PRIMARY KEY (gen, item)
);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (1, 'tokens', TRUE,
    '\x778e17f8bc5e3d74991851a12d13f97ed89d76ac0400ce4d39af40d051d472360ab0c195643b2fdc69b942ac0989b49a', 0);

-- Who runs a job: whoever made the latest term.
CREATE TABLE IF NOT EXISTS pat_lease (
    job        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    term       BIGINT NOT NULL,
    held_until BIGINT NOT NULL,                  -- 0: nobody holds it
    done       BIGINT NOT NULL                   -- the latest occurrence that is done; 0: none
);

-- The outbox: one row for each notice to one owner.
CREATE TABLE IF NOT EXISTS pat_notice (
    id         BIGINT NOT NULL PRIMARY KEY,
    kind       BIGINT NOT NULL,                  -- 1 created, 2 expires soon, 3 expired, 4 pruned,
                                                 -- 5 revoked by an administrator
    owner      TEXT COLLATE "C" NOT NULL,
    revoked_by TEXT COLLATE "C",
    reason     TEXT COLLATE "C",
    queued_at  BIGINT NOT NULL,
    state      BIGINT NOT NULL,                  -- 0 pending, 1 sent, 2 dead, 3 skipped
    due_at     BIGINT NOT NULL,                  -- when to try (again), or when it was settled
    attempts   BIGINT NOT NULL,
    mark       BIGINT NOT NULL,                  -- of the claim; 0: not claimed
    sent_by    TEXT COLLATE "C" NOT NULL,        -- mailers that have sent it, separated by commas
    error      TEXT COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS pat_notice_by_state ON pat_notice (state, due_at);

-- The tokens that a notice tells of, as they were when it was queued.
CREATE TABLE IF NOT EXISTS pat_notice_token (
    notice_id    BIGINT NOT NULL,
    token_id     BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,                -- 0: never
    last_used_at BIGINT,
    PRIMARY KEY (token_id, kind, expires_at)     -- nobody is told the same thing twice
);
CREATE INDEX IF NOT EXISTS pat_notice_token_by_notice ON pat_notice_token (notice_id);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (2, 'jobs', TRUE,
    '\x175ee83d51d7aaeba4d0d3d88df42382ee48bd4387d20dc51ba88b7bc30225590eb727aa0b83ae1d7ded5b13974db040', 0);

-- The nodes that use their caches, and how far each has applied the change feed.
CREATE TABLE IF NOT EXISTS pat_node (
    id          BIGINT NOT NULL PRIMARY KEY,
    applied_gen BIGINT NOT NULL,
    reported_at BIGINT NOT NULL
);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (3, 'nodes', TRUE,
    '\xdb8bbe94233f24b76a622688d36a5f7fb4cb449834845152ee79db2b4d788ae6008b50e5848eb29f5bf6be4fa108d1f4', 0);

-- Audit events, if the store is plugged in as a sink of them.
CREATE TABLE IF NOT EXISTS pat_event (
    id         BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,                    -- created, first-used, refused, revoked, pruned,
                                                 -- notified, notice-dead, owner-changed
    token_id   BIGINT,
    owner      TEXT COLLATE "C",
    revoked_by TEXT COLLATE "C",
    reason     TEXT,
    related_id BIGINT,                           -- the parent token, or the notice
    number     BIGINT NOT NULL                   -- how many it stands for
);
CREATE INDEX IF NOT EXISTS pat_event_by_time ON pat_event (at);
CREATE INDEX IF NOT EXISTS pat_event_by_owner ON pat_event (owner, at);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (4, 'events', TRUE,
    '\x6b376b1c7fd5975dc437d540b537019f46a98cde1e6794f9f6737fd2c72ec31103b6b355e5e593e63443bfa040052183', 0);

-- The mark: a time that the database vouches for. It follows the server's clock no faster than the
-- nodes' boot clocks explain, so what is deleted for its age is old by more than one clock.
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS mark BIGINT NOT NULL DEFAULT 0;    -- 0: not set
-- Which version of this schema the tables have, and the oldest one that may read them.
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_clock ADD COLUMN IF NOT EXISTS readable_from BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 5 WHERE id = 1 AND version < 5;
-- Tokens were created and used by then, unless the clock says otherwise.
UPDATE pat_clock SET mark = LEAST(
    (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT,
    GREATEST((SELECT COALESCE(MAX(created_at), 0) FROM pat_token),
             (SELECT COALESCE(MAX(last_used_at), 0) FROM pat_last_used)))
    WHERE id = 1 AND mark = 0;

ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS version BIGINT NOT NULL DEFAULT 0;
-- When the node reports: 0 every ten seconds, 1 after each change too, 2 so and it waits for others.
ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS mode BIGINT NOT NULL DEFAULT 0;

-- Counted up by whoever must keep others out: a write that changes the row is a lock on every
-- database, also on those that replicate writes and not locks.
ALTER TABLE pat_owner ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_lease ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT 0;
-- Since when the directory does not know the owner; NULL while it does.
ALTER TABLE pat_owner ADD COLUMN IF NOT EXISTS missing_since BIGINT;

-- The events of changes are written with the changes. `seq` is 0 until an event that is committed is
-- numbered, and -1 for those from before, which nobody waits for.
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS expires_at BIGINT;                 -- of a new token
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS notice TEXT COLLATE "C";           -- its kind
CREATE INDEX IF NOT EXISTS pat_event_by_seq ON pat_event (seq, at, id);
-- Up to which event each shared sink has got them; '' has the number that was given last.
CREATE TABLE IF NOT EXISTS pat_sink (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT INTO pat_sink (name, seq) VALUES ('', 0) ON CONFLICT (name) DO NOTHING;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (5, 'time and audit', TRUE,
    '\x0613263d0ad31fd5c445f8252de4e3d16ac6037fb743ad6fe9fe08cb8b9b57e540f416cb674424fa4509cc50915b8c51', 0);

-- Whether the node knows of no leap of the clock, or has seen it happen: then one that starts and finds
-- a leap must not believe that clock.
ALTER TABLE pat_node ADD COLUMN IF NOT EXISTS contradicts_leap BIGINT NOT NULL DEFAULT 0;
-- How many tokens that were created with those of the notice go on authenticating.
ALTER TABLE pat_notice ADD COLUMN IF NOT EXISTS live_children BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 6 WHERE id = 1 AND version < 6;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (6, 'leaps and children', TRUE,
    '\x1969ffcee245087c23c102377795efa67cf414d5a5d8e1aabb502379aae7526fc6acbcbeae1b929444dfc2ef7c35d9f2', 0);

-- The names of a token's scopes in alphabetical order, separated by spaces. NULL: the token is
-- unrestricted; '': it has an empty list, which permits nothing. Nullable columns without a default, so
-- that no row is rewritten.
ALTER TABLE pat_token ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";
ALTER TABLE pat_notice_token ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";
ALTER TABLE pat_event ADD COLUMN IF NOT EXISTS scopes TEXT COLLATE "C";           -- of a new token
UPDATE pat_clock SET version = 7 WHERE id = 1 AND version < 7;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (7, 'scopes', TRUE,
    '\x92f3a04ba1bd1be9f79731cf82cb54d3130f7f55cc92c8e398b68350d0c4b2ebac6152e892d2094b575c90bf0e5e4ba3', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (8, 'lines', TRUE,
    '\x9b40da0844b687e482314a860e78927b9bfcfd92e877be3a4be5ebee6e44712ca3b597d40a2d029cf08f6d2c2f64a818', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (9, 'requests', TRUE,
    '\x5b552d3de4e8d5ec5250943d395ae39dd47567fdccf1d73ef4063e1f5b28d821f887339a879577e694f08a65818cc1ee', 0);

-- A nullable column without a default, so that no row is rewritten.

-- When the token was revoked, while the notice to its owner is still to be queued; NULL: there is none to queue.
ALTER TABLE pat_token ADD COLUMN IF NOT EXISTS notice_due_at BIGINT;
CREATE INDEX IF NOT EXISTS pat_token_by_notice ON pat_token (notice_due_at, owner)
    WHERE notice_due_at IS NOT NULL;
-- For an owner's list, which passes over revoked tokens; for the owners of unrevoked tokens; for counts.
CREATE INDEX IF NOT EXISTS pat_token_unrevoked ON pat_token (owner, id) WHERE revoked_at IS NULL;
UPDATE pat_clock SET version = 10 WHERE id = 1 AND version < 10;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (10, 'revocation notices', TRUE,
    '\xc8ad23ee0138c00d24e83a2ab3b9055e4d3268e6fd4d3acb128237e52a62a01f791b22ddeb1c056df116e93796332ffc', 0);
