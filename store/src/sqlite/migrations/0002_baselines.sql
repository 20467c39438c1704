-- What incidents were scored against, by the id that they name.

CREATE TABLE baselines (
    id        BLOB PRIMARY KEY,
    frozen_at INTEGER NOT NULL,
    sessions  INTEGER NOT NULL,
    body      BLOB NOT NULL
) STRICT;

CREATE INDEX baselines_by_time ON baselines (frozen_at);
