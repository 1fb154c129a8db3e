-- The last good documents of users who live in another store, to start from when that store does not answer.

-- A row for each store that was read completely at some time.
CREATE TABLE kept_sources (
    source TEXT PRIMARY KEY NOT NULL      -- such as projects/P/databases/D
) STRICT;

CREATE TABLE kept_documents (
    source   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision INTEGER NOT NULL,            -- of the other store
    doc      TEXT    NOT NULL,            -- JSON; the password in it is sealed
    PRIMARY KEY (source, name)
) STRICT, WITHOUT ROWID;
