-- Calls added up by the quarter of an hour in which they began, for each user and for all of them ('', which is no user's id), and what
-- lists of calls are filtered by, beside the record.

ALTER TABLE calls ADD COLUMN duration_ms INTEGER;                     -- from answer to end
ALTER TABLE calls ADD COLUMN latency_ms INTEGER;                      -- what 95 of a hundred answers did not exceed

UPDATE calls SET duration_ms = max(0, ended_ms - answered_ms);

-- Each has all that a list is filtered by, in the order in which it is listed: what does not fit is passed over without its record.
DROP INDEX calls_of_user;
DROP INDEX calls_by_result;
CREATE INDEX calls_listed ON calls (id, user_id, direction, result, duration_ms, latency_ms);
CREATE INDEX calls_of_user ON calls (user_id, id, direction, result, duration_ms, latency_ms);
CREATE INDEX calls_by_result ON calls (result, id, user_id, direction, duration_ms, latency_ms);
-- Where few calls are as long, or as slow, they are found by that.
CREATE INDEX calls_by_duration ON calls (duration_ms, id, user_id, direction, result, latency_ms);
CREATE INDEX calls_by_latency ON calls (latency_ms, id, user_id, direction, result, duration_ms);

CREATE TABLE call_slots (
    user_id     TEXT    NOT NULL,
    slot_ms     INTEGER NOT NULL,
    direction   TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    answered    INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    caller_ms   INTEGER NOT NULL,             -- speech
    agent_ms    INTEGER NOT NULL,
    PRIMARY KEY (user_id, slot_ms, direction, result)
) STRICT, WITHOUT ROWID;

CREATE TABLE answer_slots (
    user_id TEXT    NOT NULL,
    slot_ms INTEGER NOT NULL,
    engine  TEXT    NOT NULL,
    bucket  INTEGER NOT NULL,                 -- of the histogram of latencies
    answers INTEGER NOT NULL,
    sum_ms  INTEGER NOT NULL,                 -- in the first bucket's row, of all
    PRIMARY KEY (user_id, slot_ms, engine, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE cost_slots (
    user_id       TEXT    NOT NULL,
    slot_ms       INTEGER NOT NULL,
    currency      TEXT    NOT NULL,
    amount_micros INTEGER NOT NULL,
    incomplete    INTEGER NOT NULL,           -- calls of which not everything had a price
    PRIMARY KEY (user_id, slot_ms, currency)
) STRICT, WITHOUT ROWID;

-- Times in which lines were watched: one row for as long as nothing changes.
CREATE TABLE line_spans (
    user_id    TEXT    NOT NULL,
    from_ms    INTEGER NOT NULL,
    until_ms   INTEGER NOT NULL,
    registered INTEGER NOT NULL,
    PRIMARY KEY (user_id, from_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX line_spans_until ON line_spans (until_ms);

INSERT INTO call_slots
SELECT of.user_id, started_ms - started_ms % 900000, direction, result, count(*), count(answered_ms),
       coalesce(sum(duration_ms), 0), 0, 0
  FROM calls JOIN (SELECT DISTINCT user_id AS known, user_id FROM calls UNION ALL SELECT DISTINCT user_id, '' FROM calls) AS of
    ON of.known = calls.user_id
 WHERE result IS NOT NULL
 GROUP BY 1, 2, 3, 4;

INSERT INTO cost_slots
SELECT of.user_id, started_ms - started_ms % 900000, coalesce(cdr ->> '$.cost.currency', ''), sum(cost_micros),
       sum(coalesce(cdr ->> '$.cost.is_complete', 1) = 0)
  FROM calls JOIN (SELECT DISTINCT user_id AS known, user_id FROM calls UNION ALL SELECT DISTINCT user_id, '' FROM calls) AS of
    ON of.known = calls.user_id
 WHERE result IS NOT NULL AND CASE WHEN json_valid(cdr) THEN cdr ->> '$.cost.currency' IS NOT NULL END
 GROUP BY 1, 2, 3;
