-- Times are UTC nanoseconds unless the column is named minute or hour: then they count whole
-- minutes or hours since 1970. Names repeat in millions of rows, so rows hold their numbers.

CREATE TABLE sources (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE destinations (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL
) STRICT;

-- last_seen is NULL for executors that were registered but never seen. ranked_at is the last of
-- "seen" and "registered from": what the list is sorted by and what retention goes by.
CREATE TABLE executors (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    address   TEXT,
    template  TEXT,
    tenant    TEXT,
    session   TEXT,
    last_seen INTEGER,
    ranked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX executors_by_rank ON executors (ranked_at, id);

-- Whole attributions (as JSON); events of one executor share one.
CREATE TABLE origins (
    id       INTEGER PRIMARY KEY,
    executor INTEGER NOT NULL,
    body     TEXT NOT NULL UNIQUE,
    used_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX origins_by_executor ON origins (executor);

-- The time comes first in the key: a batch is appended to one end of one tree, a page is read
-- from the other, and retention cuts off its start. The same event always has the same time, so
-- (at, id) recognizes a repeat as surely as id alone.
CREATE TABLE events (
    at          INTEGER NOT NULL,
    id          BLOB NOT NULL,
    source      INTEGER NOT NULL,
    origin      INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    blocked     INTEGER NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (at, id)
) STRICT, WITHOUT ROWID;

-- Where to find the events that incidents name as evidence: there is no index on events.id.
CREATE TABLE evidence (
    event BLOB PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The wire and a proxy's log may both tell of the same egress, so each has its own columns.
CREATE TABLE minutes (
    minute         INTEGER NOT NULL,
    destination    INTEGER NOT NULL,
    executor       INTEGER NOT NULL,
    wire_up        INTEGER NOT NULL,
    wire_down      INTEGER NOT NULL,
    wire_allowed   INTEGER NOT NULL,
    wire_blocked   INTEGER NOT NULL,
    logged_up      INTEGER NOT NULL,
    logged_down    INTEGER NOT NULL,
    logged_allowed INTEGER NOT NULL,
    logged_blocked INTEGER NOT NULL,
    events         INTEGER NOT NULL,
    missed         INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL,
    PRIMARY KEY (minute, destination, executor)
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_with_gaps ON minutes (minute, missed) WHERE missed > 0;

CREATE TABLE hours (
    hour           INTEGER NOT NULL,
    destination    INTEGER NOT NULL,
    executor       INTEGER NOT NULL,
    wire_up        INTEGER NOT NULL,
    wire_down      INTEGER NOT NULL,
    wire_allowed   INTEGER NOT NULL,
    wire_blocked   INTEGER NOT NULL,
    logged_up      INTEGER NOT NULL,
    logged_down    INTEGER NOT NULL,
    logged_allowed INTEGER NOT NULL,
    logged_blocked INTEGER NOT NULL,
    events         INTEGER NOT NULL,
    missed         INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL,
    PRIMARY KEY (hour, destination, executor)
) STRICT, WITHOUT ROWID;
CREATE INDEX hours_with_gaps ON hours (hour, missed) WHERE missed > 0;

-- body is the incident as JSON; the other columns repeat what is filtered and sorted by.
-- hosts holds one name per line, with a line feed before the first and after the last.
-- rank is severity, then score, as one number.
CREATE TABLE incidents (
    id              BLOB PRIMARY KEY,
    body            TEXT NOT NULL,
    status          INTEGER NOT NULL,
    severity        INTEGER NOT NULL,
    rank            REAL NOT NULL,
    opened_at       INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    up_bytes        INTEGER NOT NULL,
    title           TEXT NOT NULL,
    destination     TEXT NOT NULL,
    hosts           TEXT NOT NULL,
    executor        TEXT NOT NULL,
    tenant          TEXT,
    template        TEXT,
    ended           INTEGER NOT NULL,
    suppressed_by   BLOB,
    acknowledged_by TEXT,
    comments        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX incidents_by_update ON incidents (updated_at, id);
CREATE INDEX incidents_by_opening ON incidents (opened_at, id);
CREATE INDEX incidents_by_rank ON incidents (rank, id);
CREATE INDEX incidents_by_bytes ON incidents (up_bytes, id);

-- number is the change's own (see IncidentChange); NULL for entries the store itself makes.
CREATE TABLE history (
    seq      INTEGER PRIMARY KEY,
    incident BLOB NOT NULL,
    author   INTEGER NOT NULL,
    number   INTEGER,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    analyst  TEXT,
    words    TEXT,
    UNIQUE (incident, author, number)
) STRICT;

-- Registrations of executors, as JSON. One executor may be registered for several times.
CREATE TABLE registrations (
    executor TEXT NOT NULL,
    starts   INTEGER NOT NULL,
    ends     INTEGER,
    address  TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (executor, starts)
) STRICT, WITHOUT ROWID;
CREATE INDEX registrations_by_address ON registrations (address, starts);

CREATE TABLE suppressions (
    id         BLOB PRIMARY KEY,
    body       TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    name       TEXT PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

-- state: 0 waiting, 1 delivered, 2 dead. seq gives the order in which alerts were queued.
CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY,
    alert     BLOB NOT NULL,
    incident  BLOB NOT NULL,
    target    TEXT NOT NULL,
    body      TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    state     INTEGER NOT NULL DEFAULT 0,
    attempts  INTEGER NOT NULL DEFAULT 0,
    due_at    INTEGER NOT NULL,
    ended_at  INTEGER,
    error     TEXT,
    UNIQUE (target, alert)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (target, seq) WHERE state = 0;
CREATE INDEX outbox_waiting_by_incident ON outbox (target, incident, seq) WHERE state = 0;
CREATE INDEX outbox_dead ON outbox (target, ended_at) WHERE state = 2;
CREATE INDEX outbox_delivered ON outbox (ended_at) WHERE state = 1;

CREATE TABLE snapshots (
    seq        INTEGER PRIMARY KEY,
    written_at INTEGER NOT NULL,
    body       BLOB NOT NULL,
    positions  TEXT NOT NULL
) STRICT;
