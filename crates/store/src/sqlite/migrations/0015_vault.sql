-- The keys of recordings: without them a recording is noise, wherever a copy of it lies.

CREATE TABLE tenant_keys (
    user_id TEXT    PRIMARY KEY,
    key_id  TEXT    NOT NULL,
    sealed  TEXT    NOT NULL,                 -- by the keyring
    made_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recording_keys (
    call_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    key_id  TEXT NOT NULL,                    -- of the user's key
    wrapped BLOB NOT NULL                     -- by the user's key
) STRICT, WITHOUT ROWID;

CREATE INDEX recording_keys_of_user ON recording_keys (user_id);
