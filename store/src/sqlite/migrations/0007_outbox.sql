-- state: 0 waiting, 1 delivered, 2 dead, 3 told by another alert (led_by), 4 not needed any more,
-- 5 it repeats what is held for its target.
-- signal: 0 raise, 1 taken on, 2 over. rank: the severity, from 0. held: it was queued for later (quiet hours,
-- an escalation). tried_at: when the last attempt was made that was not taken. leads: others are told by it; gathered says of them, as JSON.

ALTER TABLE outbox ADD COLUMN signal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tried_at INTEGER;
ALTER TABLE outbox ADD COLUMN leads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN led_by BLOB;
ALTER TABLE outbox ADD COLUMN gathered TEXT;
UPDATE outbox SET signal = CASE body ->> '$.kind' WHEN 'acknowledged' THEN 1 WHEN 'closed' THEN 2 ELSE 0 END;

-- Which incidents a target knows of; how often it was called lately; what waits for its time.
CREATE INDEX outbox_raised ON outbox (target, incident, state, seq) WHERE signal = 0;
CREATE INDEX outbox_told ON outbox (target, ended_at) WHERE state = 1 AND signal = 0;
CREATE INDEX outbox_leading ON outbox (target) WHERE state = 0 AND leads AND attempts = 0;
CREATE INDEX outbox_tried ON outbox (target, tried_at) WHERE state = 0 AND attempts > 0 AND signal = 0;
CREATE INDEX outbox_led ON outbox (led_by) WHERE state = 3;
CREATE INDEX outbox_held ON outbox (incident) WHERE state = 0 AND held = 1;

DROP INDEX outbox_delivered;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE state IN (1, 3, 4, 5);
CREATE INDEX outbox_repeats ON outbox (target, rank, seq, incident) WHERE state = 5;

-- They hold all that is asked of what waits: the columns behind the body lie on other pages.
DROP INDEX outbox_waiting;
DROP INDEX outbox_waiting_by_incident;
CREATE INDEX outbox_waiting ON outbox (target, seq, incident, due_at, signal, rank, leads, attempts) WHERE state = 0;
CREATE INDEX outbox_waiting_by_incident ON outbox (target, incident, seq, due_at, leads, attempts, signal)
    WHERE state = 0;
