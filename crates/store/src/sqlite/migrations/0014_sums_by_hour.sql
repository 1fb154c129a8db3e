-- The sums of all users by the hour as well, under '*', which is no user's id: a year of quarters takes too long to go through.

INSERT INTO call_slots
SELECT '*', slot_ms - slot_ms % 3600000, direction, result, sum(calls), sum(answered), sum(duration_ms), sum(caller_ms), sum(agent_ms)
  FROM call_slots WHERE user_id = '' GROUP BY 2, 3, 4;

INSERT INTO answer_slots
SELECT '*', slot_ms - slot_ms % 3600000, engine, bucket, sum(answers), sum(sum_ms)
  FROM answer_slots WHERE user_id = '' GROUP BY 2, 3, 4;

INSERT INTO cost_slots
SELECT '*', slot_ms - slot_ms % 3600000, currency, sum(amount_micros), sum(incomplete)
  FROM cost_slots WHERE user_id = '' GROUP BY 2, 3;

-- How long lines were registered is read from the index alone.
DROP INDEX line_spans_until;
CREATE INDEX line_spans_until ON line_spans (until_ms, from_ms, registered);
