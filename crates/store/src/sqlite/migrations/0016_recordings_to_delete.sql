-- Recordings whose keys are destroyed and that are still in the bucket.

CREATE TABLE recordings_to_delete (
    name     TEXT    PRIMARY KEY,
    asked_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
