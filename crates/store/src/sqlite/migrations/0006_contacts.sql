-- Whom a user knows, for the agent to look up. A list is read and written as a whole.

CREATE TABLE contacts (
    user_id  TEXT PRIMARY KEY,
    contacts TEXT NOT NULL                       -- JSON: [{name, numbers, note}]
) STRICT, WITHOUT ROWID;
