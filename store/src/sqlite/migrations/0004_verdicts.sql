-- What people judged incidents to be (as JSON), and the judged incident that an incident is like.

ALTER TABLE incidents ADD COLUMN verdict TEXT;
ALTER TABLE incidents ADD COLUMN judged_like BLOB;
ALTER TABLE history ADD COLUMN verdict TEXT;

CREATE INDEX incidents_by_likeness ON incidents (judged_like) WHERE judged_like IS NOT NULL;

-- What the engine is told of an incident that was judged benign, as a list in JSON.
CREATE TABLE feedback (
    incident    BLOB PRIMARY KEY,
    destination TEXT NOT NULL,
    body        TEXT NOT NULL,
    judged_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX feedback_by_expiry ON feedback (expires_at);
CREATE INDEX feedback_by_destination ON feedback (destination);
