-- Who may come in, and what was done.

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    user_id      TEXT,                        -- of role user
    digest       BLOB    NOT NULL,            -- SHA-256 of the whole key
    created_ms   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_ms   INTEGER,
    last_used_ms INTEGER,
    revoked_ms   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    digest       BLOB    PRIMARY KEY,         -- SHA-256 of the cookie's value
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    user_id      TEXT,
    key_id       TEXT REFERENCES api_keys (id),
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_key ON sessions (key_id);

CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    role     TEXT    NOT NULL,
    via      TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    status   INTEGER NOT NULL,
    detail   TEXT    NOT NULL,
    previous BLOB    NOT NULL,
    link     BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_of_target ON audit (target, seq);
