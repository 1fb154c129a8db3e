-- What went over the wire for a call: SIP messages, secrets masked before they came here.
CREATE TABLE call_signalling (
    call_id TEXT    NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    n       INTEGER NOT NULL,                 -- 1, 2, … within the call
    message TEXT    NOT NULL,                 -- JSON
    PRIMARY KEY (call_id, n)
) STRICT, WITHOUT ROWID;
