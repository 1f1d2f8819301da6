-- Times are UTC microseconds since 1970. The collations compare text byte by byte, trailing spaces
-- included; MariaDB and MySQL have no common one, so each reads the comment that is its own. All
-- that one table has is made in one statement, which is done once however often it runs.

CREATE TABLE IF NOT EXISTS pat_token (
    id            BIGINT NOT NULL PRIMARY KEY,
    digest        BINARY(32) NOT NULL UNIQUE,    -- SHA-256 of the token, 32 bytes
    owner         VARCHAR(255) NOT NULL,
    name          TEXT NOT NULL,
    name_folded   VARCHAR(512) NOT NULL,         -- as it is searched and sorted by
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,                        -- NULL: never
    revoked_at    BIGINT,                        -- NULL: not revoked
    revoked_by    VARCHAR(255),
    revoke_reason MEDIUMTEXT,
    parent_id     BIGINT,                        -- the token that created this one
    expiry_notice BIGINT NOT NULL DEFAULT 0,     -- which notice of expiry was queued last: 0 none,
                                                 -- 2 "expires soon", 3 "expired" (pat_notice.kind)
    expires_key   BIGINT AS (COALESCE(expires_at, 253402207200999999)) STORED,
                                                 -- the last instant of all if there is none;
                                                 -- not VIRTUAL: by an index of such a column
                                                 -- MariaDB (10.11, 11.8) misses rows beside those that
                                                 -- others change
    INDEX pat_token_by_owner (owner, created_at DESC, id),
    INDEX pat_token_by_name (name_folded, created_at DESC, id),
    INDEX pat_token_by_creation (created_at, id),
    INDEX pat_token_by_end (expires_key, created_at DESC, id),
    INDEX pat_token_by_parent (parent_id),
    INDEX pat_token_by_expiry (expiry_notice, expires_at),
    INDEX pat_token_by_revocation (revoked_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- A row for each token, in a table of its own: written in batches, and seldom with the rest of a
-- token's row.
CREATE TABLE IF NOT EXISTS pat_last_used (
    token_id     BIGINT NOT NULL PRIMARY KEY,
    created_at   BIGINT NOT NULL,                -- the token's
    last_used_at BIGINT NOT NULL,                -- 0: never
    INDEX pat_last_used_by_time (last_used_at, created_at DESC, token_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- A row to lock while an owner's tokens are counted.
CREATE TABLE IF NOT EXISTS pat_owner (
    owner VARCHAR(255) NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- The change counter: moved as the last step of every transaction that makes access smaller.
CREATE TABLE IF NOT EXISTS pat_clock (
    id  BIGINT NOT NULL PRIMARY KEY,
    gen BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
INSERT INTO pat_clock (id, gen) VALUES (1, 0) ON DUPLICATE KEY UPDATE gen = gen;

-- What changed at each value of the counter.
CREATE TABLE IF NOT EXISTS pat_change (
    gen      BIGINT NOT NULL,
    item     BIGINT NOT NULL,                    -- 0, 1, … within one gen
    nonce    BIGINT NOT NULL,                    -- random, one for each gen
    kind     BIGINT NOT NULL,                    -- 1: token_id was revoked, 2: owner changed,
                                                 -- 3: everything is to be judged anew
    token_id BIGINT,
    owner    VARCHAR(255),
    at       BIGINT NOT NULL,
    PRIMARY KEY (gen, item)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;
