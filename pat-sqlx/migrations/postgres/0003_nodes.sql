-- The nodes that use their caches, and how far each has applied the change feed.
CREATE TABLE IF NOT EXISTS pat_node (
    id          BIGINT NOT NULL PRIMARY KEY,
    applied_gen BIGINT NOT NULL,
    reported_at BIGINT NOT NULL
);
