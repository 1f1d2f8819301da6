-- A few rows of every table, as version 4 knows them. The dates are of February 2026, and the secrets
-- of the tokens in tests/stores/versions/upgrades.rs. A digest begins with X' everywhere but on PostgreSQL.

INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at, expires_at, revoked_at,
    revoked_by, revoke_reason, parent_id, expiry_notice) VALUES
    (892896198094832, X'96a9c322109837a82a1e34c0c69f2514f00088cfbd425372cbfacbfe35938467', 'alice', 'CI', 'ci',
     1772145741247001, NULL, NULL, NULL, NULL, NULL, 0),
    (892896198410395, X'303d1665780f8465d438536c392c58a5dffd36ab64df07aca0b6488947d87b0c', 'alice', 'laptop ☂', 'laptop ☂',
     1772145742247001, 4102444800000000, NULL, NULL, NULL, 892896198094832, 0),
    (892896198514321, X'877d51148a40dd7167387460d49ba22ed71a0a1da97bc6e7d0768c5552827c5e', 'alice', 'old', 'old',
     1772145743247001, 1772232143247001, NULL, NULL, NULL, NULL, 3),
    (892896198653714, X'647ce4eb888dad2edba774b74921640544d309e034b49ce63e4d83cd5791b02f', 'bob', 'it''s bob''s', 'it''s bob''s',
     1772145744247001, NULL, 1772145750247001, 'admin', 'lost ✂ laptop', NULL, 0),
    (892896198783738, X'aa4cea332eebfad7cf2e036bb6fd0f17fd9dc421e5d4241661db0a919ef31cd1', 'bob', 'other', 'other',
     1772145745247001, 4102444800000000, NULL, NULL, NULL, NULL, 2);

INSERT INTO pat_last_used (token_id, created_at, last_used_at) VALUES
    (892896198094832, 1772145741247001, 1772149341247001),
    (892896198410395, 1772145742247001, 0),
    (892896198514321, 1772145743247001, 1772145843247001),
    (892896198653714, 1772145744247001, 0),
    (892896198783738, 1772145745247001, 0);

INSERT INTO pat_owner (owner) VALUES ('alice'), ('bob');

UPDATE pat_clock SET gen = 3 WHERE id = 1;
INSERT INTO pat_change (gen, item, nonce, kind, token_id, owner, at) VALUES
    (1, 0, -7, 2, NULL, 'bob', 1772145746247001),
    (2, 0, 4611686018427387904, 3, NULL, NULL, 1772145747247001),
    (3, 0, 77, 1, 892896198653714, NULL, 1772145750247001);

INSERT INTO pat_lease (job, term, held_until, done) VALUES
    ('prune', 4, 0, 1772236800000000),
    ('expiry-check', 9, 0, 1772236800000000);

INSERT INTO pat_notice (id, kind, owner, revoked_by, reason, queued_at, state, due_at, attempts, mark,
    sent_by, error) VALUES
    (11, 5, 'bob', 'admin', 'lost ✂ laptop', 1772145750247001, 0, 1772145750247001, 1, 0, '',
     'connection refused'),
    (12, 1, 'alice', NULL, NULL, 1772145741247001, 1, 1772145742247001, 1, 0, 'mail', ''),
    (13, 3, 'alice', NULL, NULL, 1772232144247001, 2, 1772232145247001, 12, 0, '', 'no such mailbox'),
    (14, 2, 'bob', NULL, NULL, 1772145748247001, 3, 1772145749247001, 1, 0, '', 'nobody to tell');
INSERT INTO pat_notice_token (notice_id, token_id, kind, name, created_at, expires_at, last_used_at)
    VALUES
    (11, 892896198653714, 5, 'it''s bob''s', 1772145744247001, 0, NULL),
    (12, 892896198094832, 1, 'CI', 1772145741247001, 0, NULL),
    (13, 892896198514321, 3, 'old', 1772145743247001, 1772232143247001, 1772145843247001),
    (14, 892896198783738, 2, 'other', 1772145745247001, 4102444800000000, NULL);

INSERT INTO pat_node (id, applied_gen, reported_at) VALUES (9007199254740993, 3, 1772145751247001);

INSERT INTO pat_event (id, at, kind, token_id, owner, revoked_by, reason, related_id, number) VALUES
    (21, 1772145742247001, 'created', 892896198410395, 'alice', NULL, NULL, 892896198094832, 1),
    (22, 1772145750247001, 'revoked', 892896198653714, 'bob', 'admin', 'lost ✂ laptop', NULL, 1);
