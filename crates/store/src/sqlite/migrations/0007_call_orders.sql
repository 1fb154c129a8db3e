-- Calls that were ordered with rules for trying them again, or under a key that makes the order good for one call.

CREATE TABLE call_orders (
    id          TEXT    PRIMARY KEY,             -- ULID
    user_id     TEXT    NOT NULL,
    key         TEXT,                            -- the client's Idempotency-Key
    request     TEXT    NOT NULL,                -- JSON: what is dialled, and how
    number      TEXT    NOT NULL,
    rules       TEXT,                            -- JSON: attempts, pause, upon what; NULL for an order that is good for its key alone
    state       TEXT    NOT NULL,                -- calling, waiting, done, given_up or cancelled
    attempts    INTEGER NOT NULL,                -- begun
    first_call  TEXT    NOT NULL,
    last_call   TEXT    NOT NULL,
    trying      TEXT,                            -- the call that is about to be dialled, or is up; NULL for the first one
    last_reason TEXT,
    note        TEXT,
    next_ms     INTEGER,                         -- while it waits
    created_ms  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX call_order_keys ON call_orders (user_id, key) WHERE key IS NOT NULL;
CREATE INDEX call_orders_due ON call_orders (next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX call_orders_pending ON call_orders (user_id, created_ms) WHERE state IN ('calling', 'waiting');
CREATE INDEX call_orders_settled ON call_orders (created_ms) WHERE state NOT IN ('calling', 'waiting');
