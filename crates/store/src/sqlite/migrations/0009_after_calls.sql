-- Calls of which a text model is still to write a summary or fields. What it wrote is in the record.

CREATE TABLE after_calls (
    call_id  TEXT    PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    user_id  TEXT    NOT NULL,
    since_ms INTEGER NOT NULL,
    next_ms  INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX after_calls_due ON after_calls (next_ms);
