-- What limits of calls and sums of costs are made of, beside the record, so that a month is added up without reading it; and
-- whom not to call.

ALTER TABLE calls ADD COLUMN dialled INTEGER NOT NULL DEFAULT 0;      -- legs that we dialled
ALTER TABLE calls ADD COLUMN talk_ms INTEGER NOT NULL DEFAULT 0;      -- of these, together
ALTER TABLE calls ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;

UPDATE calls SET dialled = 1, talk_ms = max(0, coalesce(ended_ms - answered_ms, 0)) WHERE direction = 'outbound';

CREATE TABLE do_not_call (
    user_id  TEXT    NOT NULL,
    number   TEXT    NOT NULL,                -- +49…, or as it is dialled where it is no number
    note     TEXT,
    added_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;

-- Grows with each change of the list, whoever makes it.
CREATE TABLE do_not_call_changes (
    n INTEGER NOT NULL
) STRICT;

INSERT INTO do_not_call_changes (n) VALUES (0);

CREATE TRIGGER do_not_call_inserted AFTER INSERT ON do_not_call
BEGIN
    UPDATE do_not_call_changes SET n = n + 1;
END;

CREATE TRIGGER do_not_call_updated AFTER UPDATE ON do_not_call
BEGIN
    UPDATE do_not_call_changes SET n = n + 1;
END;

CREATE TRIGGER do_not_call_deleted AFTER DELETE ON do_not_call
BEGIN
    UPDATE do_not_call_changes SET n = n + 1;
END;
