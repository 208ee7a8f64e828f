-- +goose Up
-- The same text runs on SQLite and PostgreSQL. A row's document is the whole
-- struct as JSON; the other columns exist for queries and uniqueness only.
-- Times are microseconds since 1970.

CREATE TABLE environments (
    id         TEXT     NOT NULL PRIMARY KEY,
    owner      TEXT     NOT NULL,
    course     TEXT     NOT NULL,
    profile    TEXT     NOT NULL,
    state      TEXT     NOT NULL,
    phase      TEXT     NOT NULL,
    cluster_id TEXT     NOT NULL,
    live       SMALLINT NOT NULL,
    created_at BIGINT   NOT NULL,
    version    BIGINT   NOT NULL,
    document   TEXT     NOT NULL
);
CREATE UNIQUE INDEX environments_live ON environments (owner, course, profile) WHERE live = 1;
CREATE INDEX environments_newest ON environments (created_at, id);
CREATE INDEX environments_owner ON environments (owner, created_at, id);
CREATE INDEX environments_course ON environments (course, created_at, id);
CREATE INDEX environments_cluster ON environments (cluster_id) WHERE cluster_id <> '';

-- Apart from the rows, so that a copy of those shows no credentials.
CREATE TABLE environment_secrets (
    environment TEXT NOT NULL PRIMARY KEY,
    sealed      TEXT NOT NULL
);

CREATE TABLE clusters (
    id         TEXT     NOT NULL PRIMARY KEY,
    share_key  TEXT     NOT NULL,
    state      TEXT     NOT NULL,
    live       SMALLINT NOT NULL,
    created_at BIGINT   NOT NULL,
    version    BIGINT   NOT NULL,
    document   TEXT     NOT NULL
);
CREATE UNIQUE INDEX clusters_live ON clusters (share_key) WHERE live = 1 AND share_key <> '';

CREATE TABLE events (
    seq         BIGINT NOT NULL PRIMARY KEY,
    environment TEXT   NOT NULL,
    cluster     TEXT   NOT NULL,
    document    TEXT   NOT NULL
);
CREATE INDEX events_environment ON events (environment, seq);

CREATE TABLE replays (
    caller      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);

CREATE TABLE tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    document   TEXT   NOT NULL
);

CREATE TABLE people (
    subject  TEXT   NOT NULL PRIMARY KEY,
    version  BIGINT NOT NULL,
    document TEXT   NOT NULL
);

CREATE TABLE samples (
    key   TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    nanos BIGINT NOT NULL,
    PRIMARY KEY (key, seq)
);

-- One row for each job that exists. Every wake-up counts wanted up; a pass
-- that ends compares it with what it was at its beginning.
CREATE TABLE wakeups (
    kind    TEXT     NOT NULL,
    id      TEXT     NOT NULL,
    wanted  BIGINT   NOT NULL,
    tries   BIGINT   NOT NULL,
    urgency SMALLINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Numbers for events and samples. Taken last in a transaction and held to its
-- end, so that numbers become visible in order, which an autoincrement column
-- does not promise with several writers.
CREATE TABLE counters (
    name TEXT   NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
);
INSERT INTO counters (name, n) VALUES ('seq', 0);

-- +goose Down
DROP TABLE counters;
DROP TABLE wakeups;
DROP TABLE samples;
DROP TABLE people;
DROP TABLE tokens;
DROP TABLE replays;
DROP TABLE events;
DROP TABLE clusters;
DROP TABLE environment_secrets;
DROP TABLE environments;
