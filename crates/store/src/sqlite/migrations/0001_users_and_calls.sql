-- Users' documents, the log of their changes, calls and their events, and what tells a wrong key.
--
-- The triggers also run in other programs that edit documents, such as the sqlite3 shell; they use nothing that is newer
-- than SQLite 3.37.

CREATE TABLE user_configs (
    user_id    TEXT    PRIMARY KEY NOT NULL,
    doc        TEXT    NOT NULL,              -- JSON; see crates/store/src/doc
    revision   INTEGER NOT NULL DEFAULT 0,    -- seq of its last change: set by the triggers below
    updated_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Numbers are never used twice, so a user that was deleted and made again does not get an old revision.
CREATE TABLE change (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    op      TEXT NOT NULL
) STRICT;

CREATE TRIGGER user_configs_inserted AFTER INSERT ON user_configs
BEGIN
    INSERT INTO change (user_id, op) VALUES (NEW.user_id, 'put');
    UPDATE user_configs
       SET revision = last_insert_rowid(),
           updated_ms = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
     WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER user_configs_updated AFTER UPDATE OF user_id, doc ON user_configs
BEGIN
    INSERT INTO change (user_id, op) SELECT OLD.user_id, 'delete' WHERE OLD.user_id <> NEW.user_id;
    INSERT INTO change (user_id, op) VALUES (NEW.user_id, 'put');
    UPDATE user_configs
       SET revision = last_insert_rowid(),
           updated_ms = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
     WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER user_configs_deleted AFTER DELETE ON user_configs
BEGIN
    INSERT INTO change (user_id, op) VALUES (OLD.user_id, 'delete');
END;

-- One row a call, written when it begins. The columns beside cdr are there to be searched; cdr is the record.
-- id is a ULID: it begins with the millisecond in which the call began, so a span of time is a span of ids.
CREATE TABLE calls (
    id          TEXT    PRIMARY KEY NOT NULL,
    user_id     TEXT    NOT NULL,
    direction   TEXT    NOT NULL,
    result      TEXT,                         -- NULL while the call is up
    reason      TEXT,
    started_ms  INTEGER NOT NULL,
    answered_ms INTEGER,
    ended_ms    INTEGER,
    cdr         TEXT    NOT NULL              -- JSON
) STRICT;

CREATE INDEX calls_of_user ON calls (user_id, id);
CREATE INDEX calls_by_result ON calls (result, id);
CREATE INDEX calls_open ON calls (id) WHERE result IS NULL;

CREATE TABLE call_events (
    call_id TEXT    NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    n       INTEGER NOT NULL,                 -- 1, 2, … within the call
    at_ms   INTEGER NOT NULL,
    event   TEXT    NOT NULL,                 -- JSON
    PRIMARY KEY (call_id, n)
) STRICT, WITHOUT ROWID;

-- A value derived from each key that has sealed something here; it says nothing about the key.
CREATE TABLE key_check (
    kid   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;
