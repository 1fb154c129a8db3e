-- What is told to the receivers of users, one row for each thing and receiver. Written in the transaction of the record that it
-- tells of, so that neither is there without the other.

CREATE TABLE hook_deliveries (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,          -- ULID, as the receiver knows it
    user_id    TEXT    NOT NULL,
    url        TEXT    NOT NULL,                 -- which of the user's receivers; its secret stays in the user's document
    lane       TEXT    NOT NULL,                 -- one after the other within it: the call's id, or what else is told in order
    event      TEXT    NOT NULL,
    body       TEXT    NOT NULL,                 -- JSON, as it is sent
    created_ms INTEGER NOT NULL,
    state      TEXT    NOT NULL,                 -- waiting, delivered, failed or dropped
    since_ms   INTEGER NOT NULL,                 -- tried from then on: created, or asked for again
    next_ms    INTEGER,                          -- NULL while another of its lane is before it, and when it is settled
    attempts   INTEGER NOT NULL DEFAULT 0,
    tried_ms   INTEGER,
    status     INTEGER,                          -- of the last answer
    error      TEXT
) STRICT;

CREATE INDEX hook_due ON hook_deliveries (next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX hook_lanes ON hook_deliveries (user_id, url, lane, seq) WHERE state = 'waiting';
CREATE INDEX hook_of_user ON hook_deliveries (user_id, seq);
CREATE INDEX hook_settled ON hook_deliveries (tried_ms) WHERE state <> 'waiting';

-- Receivers that asked for a pause, or were out of reach a moment ago. Gone once something is delivered.
CREATE TABLE hook_pauses (
    user_id  TEXT    NOT NULL,
    url      TEXT    NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, url)
) STRICT, WITHOUT ROWID;
