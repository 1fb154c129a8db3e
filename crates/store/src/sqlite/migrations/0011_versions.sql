-- Every version of the users' documents as this server has seen it, as the API shows it: without secrets.

CREATE TABLE user_versions (
    user_id  TEXT    NOT NULL,
    version  INTEGER NOT NULL,                -- the document's revision
    seen_ms  INTEGER NOT NULL,
    document TEXT    NOT NULL,                -- JSON
    PRIMARY KEY (user_id, version)
) STRICT, WITHOUT ROWID;
