CREATE TABLE pat_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (1, 'tokens', TRUE,
    X'319d7c6146d22c982f54231a515253c45b2bf2cb865d1357c3ff3f06b2af11f1ef45262e4b51fbd0b58714f219e58bc8', 0);

-- Who runs a job: whoever made the latest term.
CREATE TABLE IF NOT EXISTS pat_lease (
    job        TEXT NOT NULL PRIMARY KEY,
    term       BIGINT NOT NULL,
    held_until BIGINT NOT NULL,                  -- 0: nobody holds it
    done       BIGINT NOT NULL                   -- the latest occurrence that is done; 0: none
);

-- The outbox: one row for each notice to one owner.
CREATE TABLE IF NOT EXISTS pat_notice (
    id         BIGINT NOT NULL PRIMARY KEY,
    kind       BIGINT NOT NULL,                  -- 1 created, 2 expires soon, 3 expired, 4 pruned,
                                                 -- 5 revoked by an administrator
    owner      TEXT NOT NULL,
    revoked_by TEXT,
    reason     TEXT,
    queued_at  BIGINT NOT NULL,
    state      BIGINT NOT NULL,                  -- 0 pending, 1 sent, 2 dead, 3 skipped
    due_at     BIGINT NOT NULL,                  -- when to try (again), or when it was settled
    attempts   BIGINT NOT NULL,
    mark       BIGINT NOT NULL,                  -- of the claim; 0: not claimed
    sent_by    TEXT NOT NULL,                    -- mailers that have sent it, separated by commas
    error      TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS pat_notice_by_state ON pat_notice (state, due_at);

-- The tokens that a notice tells of, as they were when it was queued.
CREATE TABLE IF NOT EXISTS pat_notice_token (
    notice_id    BIGINT NOT NULL,
    token_id     BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    name         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,                -- 0: never
    last_used_at BIGINT,
    PRIMARY KEY (token_id, kind, expires_at)     -- nobody is told the same thing twice
);
CREATE INDEX IF NOT EXISTS pat_notice_token_by_notice ON pat_notice_token (notice_id);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (2, 'jobs', TRUE,
    X'88aa450e59b7a45afc3679a359da1f2e0a05b39305c27a4d4b5bc6b257a1f7b430b39f9b1d09d204e01165518f51a164', 0);

-- The nodes that use their caches, and how far each has applied the change feed.
CREATE TABLE IF NOT EXISTS pat_node (
    id          BIGINT NOT NULL PRIMARY KEY,
    applied_gen BIGINT NOT NULL,
    reported_at BIGINT NOT NULL
);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (3, 'nodes', TRUE,
    X'db8bbe94233f24b76a622688d36a5f7fb4cb449834845152ee79db2b4d788ae6008b50e5848eb29f5bf6be4fa108d1f4', 0);

-- Audit events, if the store is plugged in as a sink of them.
CREATE TABLE IF NOT EXISTS pat_event (
    id         BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,                    -- created, first-used, refused, revoked, pruned,
                                                 -- notified, notice-dead, owner-changed
    token_id   BIGINT,
    owner      TEXT,
    revoked_by TEXT,
    reason     TEXT,
    related_id BIGINT,                           -- the parent token, or the notice
    number     BIGINT NOT NULL                   -- how many it stands for
);
CREATE INDEX IF NOT EXISTS pat_event_by_time ON pat_event (at);
CREATE INDEX IF NOT EXISTS pat_event_by_owner ON pat_event (owner, at);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (4, 'events', TRUE,
    X'a166506a4735d0ab89f7f824251ac4ef95561125a417e035c12f7fe61df41343530849f174ed66014e61d1e1c97ddb03', 0);

-- The mark: a time that the file vouches for. It follows the machine's real-time clock no faster
-- than the boot clock explains, so what is deleted for its age is old by more than one clock.
ALTER TABLE pat_clock ADD COLUMN mark BIGINT NOT NULL DEFAULT 0;                 -- 0: not set
-- Which version of this schema the tables have, and the oldest one that may read them.
ALTER TABLE pat_clock ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_clock ADD COLUMN readable_from BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 5 WHERE id = 1 AND version < 5;
-- Tokens were created and used by then, unless the clock says otherwise.
UPDATE pat_clock SET mark = MIN(
    CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
    MAX((SELECT COALESCE(MAX(created_at), 0) FROM pat_token),
        (SELECT COALESCE(MAX(last_used_at), 0) FROM pat_last_used)))
    WHERE id = 1;

ALTER TABLE pat_node ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
-- When the node reports: 0 every ten seconds, 1 after each change too, 2 so and it waits for others.
ALTER TABLE pat_node ADD COLUMN mode BIGINT NOT NULL DEFAULT 0;

-- Counted up where a write must be a lock; here `BEGIN IMMEDIATE` is.
ALTER TABLE pat_owner ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pat_lease ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
-- Since when the directory does not know the owner; NULL while it does.
ALTER TABLE pat_owner ADD COLUMN missing_since BIGINT;

-- The events of changes are written with the changes. `seq` is 0 until an event that is committed is
-- numbered, and -1 for those from before, which nobody waits for.
ALTER TABLE pat_event ADD COLUMN seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE pat_event ADD COLUMN expires_at BIGINT;                              -- of a new token
ALTER TABLE pat_event ADD COLUMN notice TEXT;                                    -- its kind
CREATE INDEX IF NOT EXISTS pat_event_by_seq ON pat_event (seq, at, id);
-- Up to which event each shared sink has got them; '' has the number that was given last.
CREATE TABLE IF NOT EXISTS pat_sink (
    name TEXT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT OR IGNORE INTO pat_sink (name, seq) VALUES ('', 0);

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (5, 'time and audit', TRUE,
    X'fa8ce2c20dff2388499976c8db07a3d53a9f915d1af2a0f71ccce616e29ef2d56780de05a058295270f83a2d544486b6', 0);

-- Whether the node knows of no leap of the clock, or has seen it happen: then one that starts and finds
-- a leap must not believe that clock.
ALTER TABLE pat_node ADD COLUMN contradicts_leap BIGINT NOT NULL DEFAULT 0;
-- How many tokens that were created with those of the notice go on authenticating.
ALTER TABLE pat_notice ADD COLUMN live_children BIGINT NOT NULL DEFAULT 0;
UPDATE pat_clock SET version = 6 WHERE id = 1 AND version < 6;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (6, 'leaps and children', TRUE,
    X'7fa2b7d0b9eab60a7de3b178f381d6e280dc1d0ae96d3391f3dc3643e8152a8c4353c08a1dd23e68ef1e88e4fcb74f94', 0);

-- The names of a token's scopes in alphabetical order, separated by spaces. NULL: the token is
-- unrestricted; '': it has an empty list, which permits nothing. Nullable columns without a default, so
-- that no row is rewritten.
ALTER TABLE pat_token ADD COLUMN scopes TEXT;
ALTER TABLE pat_notice_token ADD COLUMN scopes TEXT;
ALTER TABLE pat_event ADD COLUMN scopes TEXT;                                    -- of a new token
UPDATE pat_clock SET version = 7 WHERE id = 1 AND version < 7;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (7, 'scopes', TRUE,
    X'8533119019c9925ba9e5133b0aebb2bb8e492b97d1bec26fb65f4af9987e82cdac223aa14142ab84732330f6786b6ee3', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (8, 'lines', TRUE,
    X'59b0c829dab2d22ab1c346a88783a12d72452225292124c72c71068dd9d89e9af5484e39b6b79642712f797e7fb69032', 0);

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

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (9, 'requests', TRUE,
    X'857ea872c9b58efa0e92f65c4f679c0cbcbd48acffde03e18caa34f42699cbad12acf1404235c3a38472e3c1e6b1be45', 0);

-- A nullable column without a default, so that no row is rewritten.

-- When the token was revoked, while the notice to its owner is still to be queued; NULL: there is none to queue.
ALTER TABLE pat_token ADD COLUMN notice_due_at BIGINT;
CREATE INDEX IF NOT EXISTS pat_token_by_notice ON pat_token (notice_due_at, owner)
    WHERE notice_due_at IS NOT NULL;
-- Of the revoked tokens alone: without statistics, SQLite would read all others by this index too, in random
-- order, instead of by the index of another criterion.
DROP INDEX IF EXISTS pat_token_by_revocation;
CREATE INDEX pat_token_by_revocation ON pat_token (revoked_at) WHERE revoked_at IS NOT NULL;
-- For an owner's list, which passes over revoked tokens; for the owners of unrevoked tokens; for counts.
CREATE INDEX IF NOT EXISTS pat_token_unrevoked ON pat_token (owner, id) WHERE revoked_at IS NULL;
UPDATE pat_clock SET version = 10 WHERE id = 1 AND version < 10;

INSERT INTO pat_migrations (version, description, success, checksum, execution_time)
    VALUES (10, 'revocation notices', TRUE,
    X'3bdcb5bbfcb3400485feb820f0b9e017a9a0cad88ed9cf35222537973ca3d2429a5d11f5d7e37286e3a665ce63e49583', 0);
