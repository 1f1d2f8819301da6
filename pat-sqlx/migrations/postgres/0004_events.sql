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
