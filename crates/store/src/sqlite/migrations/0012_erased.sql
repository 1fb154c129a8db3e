-- Calls of which nothing is left but the record: when that was done.

ALTER TABLE calls ADD COLUMN erased_ms INTEGER;
ALTER TABLE calls ADD COLUMN parties_erased INTEGER NOT NULL DEFAULT 0;

CREATE INDEX calls_to_erase ON calls (user_id, ended_ms) WHERE erased_ms IS NULL;
