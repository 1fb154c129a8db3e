-- What was said in calls: the turns by themselves, and a full-text index over them and over who talked to whom.
--
-- Requires FTS5, also of other programs that delete calls.

-- One row a turn, with its latest words, and one row (n = -1, without a turn) with the parties of the call.
CREATE TABLE call_texts (
    id      INTEGER PRIMARY KEY,
    call_id TEXT    NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    n       INTEGER NOT NULL,                 -- the turn's index
    text    TEXT    NOT NULL,
    turn    TEXT,                             -- JSON
    UNIQUE (call_id, n)
) STRICT;

-- Words without case and diacritics. The texts themselves are in call_texts.
CREATE VIRTUAL TABLE call_words USING fts5 (
    text,
    content = 'call_texts',
    content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER call_texts_inserted AFTER INSERT ON call_texts
BEGIN
    INSERT INTO call_words (rowid, text) VALUES (NEW.id, NEW.text);
END;

CREATE TRIGGER call_texts_updated AFTER UPDATE OF id, text ON call_texts WHEN OLD.id <> NEW.id OR OLD.text <> NEW.text
BEGIN
    INSERT INTO call_words (call_words, rowid, text) VALUES ('delete', OLD.id, OLD.text);
    INSERT INTO call_words (rowid, text) VALUES (NEW.id, NEW.text);
END;

CREATE TRIGGER call_texts_deleted AFTER DELETE ON call_texts
BEGIN
    INSERT INTO call_words (call_words, rowid, text) VALUES ('delete', OLD.id, OLD.text);
END;

-- The calls that are there already. What is not JSON is passed over, as everywhere.
INSERT INTO call_texts (call_id, n, text)
SELECT id, -1, CASE WHEN json_valid(cdr) THEN coalesce(cdr ->> '$.from', '') || ' ' || coalesce(cdr ->> '$.to', '') ELSE '' END
  FROM calls;

INSERT INTO call_texts (call_id, n, text, turn)
SELECT call_id, event ->> '$.turn.index', event ->> '$.turn.text', event -> '$.turn'
  FROM call_events
 WHERE CASE WHEN json_valid(event)
            THEN event ->> '$.event' = 'turn'
                 AND typeof(event ->> '$.turn.index') = 'integer'
                 AND typeof(event ->> '$.turn.text') = 'text'
       END
 ORDER BY call_id, n
    ON CONFLICT (call_id, n) DO UPDATE SET text = excluded.text, turn = excluded.turn;
