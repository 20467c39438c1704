-- What an incident is one of the incidents about (as JSON), and what else a roll-up needs of it. A step in
-- Rust fills in the rows that there are. told: an alert was for this incident by itself, and did not only
-- repeat what another one of its roll-up had told.

ALTER TABLE incidents ADD COLUMN story TEXT;
ALTER TABLE incidents ADD COLUMN last_seen INTEGER;
ALTER TABLE incidents ADD COLUMN score REAL;
ALTER TABLE incidents ADD COLUMN detector TEXT;
ALTER TABLE incidents ADD COLUMN session TEXT;
ALTER TABLE incidents ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE incidents SET told = 1 WHERE suppressed_by IS NULL AND judged_like IS NULL;

-- It holds all that a roll-up is made from, so that no incident's body is read for it.
CREATE INDEX incidents_by_story ON incidents (story, opened_at, id, last_seen, updated_at, severity, score,
    detector, status, session, executor, template, tenant, suppressed_by, judged_like, told);

-- What an alert says of its incident's roll-up, as JSON.
ALTER TABLE outbox ADD COLUMN roll_up TEXT;
